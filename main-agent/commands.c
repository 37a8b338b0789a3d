// SPDX-License-Identifier: GPL-2.0-or-later
/* The short commands: confirm and reboot-recovery. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "device.h"
#include "files.h"
#include "process.h"

static void answer_text(cJSON *answer, const char *text)
{
	cJSON_AddStringToObject(answer, "text", text);
}

static int confirm(struct agent *a, struct agent_device *d, cJSON *answer, struct lb_error *err)
{
	bool was_trial = d->state.name == LB_STATE_TRIAL;
	bool pending = was_trial || d->boot_status.trial || d->boot_status.main_boots;
	char text[128];
	int rc = lb_handover_confirm(&d->handover, err);

	if (rc)
		return rc;
	if (was_trial)
		snprintf(text, sizeof(text), "release %" PRIu64 " is confirmed",
			 a->running.release);
	else
		snprintf(text, sizeof(text), "release %" PRIu64 " was confirmed before%s",
			 a->running.release, pending ? "; its boot count is cleared" : "");
	answer_text(answer, text);
	cJSON_AddBoolToObject(answer, "was_trial", was_trial);
	return AGENT_OK;
}

static int visit(struct agent *a, struct agent_device *d, cJSON *answer, struct lb_error *err)
{
	int rc = lb_handover_reboot_recovery(&d->handover, err);

	if (!rc)
		answer_text(answer, "the next boot starts recovery, which waits for a person");
	return rc;
}

/* One step on the device's records, while nobody else changes them. */
static int change(struct agent *a,
		  int (*step)(struct agent *a, struct agent_device *d, cJSON *answer,
			      struct lb_error *err),
		  bool then_reboot, cJSON *answer, struct lb_error *err)
{
	struct agent_device d;
	int lock = agent_lock(a, AGENT_LOCK_CHANGE, AGENT_LOCK_WAIT_MS, err);
	int rc;

	if (lock < 0)
		return lock;
	rc = agent_device_open(a, true, &d, err);
	if (!rc) {
		rc = step(a, &d, answer, err);
		agent_device_close(&d);
	}
	if (!rc && then_reboot)
		rc = agent_reboot(a, err);
	close(lock);
	return rc;
}

int agent_cmd_confirm(struct agent *a, cJSON *answer, struct lb_error *err)
{
	return change(a, confirm, false, answer, err);
}

int agent_cmd_reboot_recovery(struct agent *a, cJSON *answer, struct lb_error *err)
{
	return change(a, visit, true, answer, err);
}
