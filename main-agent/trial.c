// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * After a boot: is this release healthy? Only the boot loader counts boots; the agent
 * confirms, or leaves it to that count.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "attempt.h"
#include "daemon.h"
#include "health.h"

static int confirm(struct daemon *d, struct agent_device *dev, struct lb_error *err)
{
	bool trial = dev->state.name == LB_STATE_TRIAL;
	struct agent_memory m;
	int rc = lb_handover_confirm(&dev->handover, err);

	if (rc)
		return rc;
	d->healthy = true;
	agent_say(d->a, "release %" PRIu64 " is healthy%s", d->a->running.release,
		  trial ? " and confirmed" : "");
	rc = agent_device_refresh(d->a, dev, err);
	if (rc)
		return rc;
	agent_memory_load(d->a, &m);
	agent_attempt_settle(d->a, dev, &m);
	return 0;
}

/* Is it the release that was confirmed before? Recovery gave it its boots once more, or mended it. */
static bool confirmed_before(struct agent_device *dev)
{
	struct lb_release was = { 0 }, is = { 0 };
	bool same = !lb_release_load(&dev->log, LB_REC_CONFIRMED, &was, NULL) &&
		    !lb_release_load(&dev->log, LB_REC_INSTALLED, &is, NULL) &&
		    was.manifest_len == is.manifest_len &&
		    !memcmp(was.manifest, is.manifest, is.manifest_len);

	lb_release_free(&was);
	lb_release_free(&is);
	return same;
}

/*
 * A confirmed release that failed to start and now runs far enough for its checks is confirmed
 * as it was: it is not given up for a check that waits for a network, and may fetch its cure.
 * 1: so it was.
 */
static int end_second_trial(struct daemon *d, struct agent_device *dev, struct lb_error *err)
{
	int rc;

	if (dev->state.name != LB_STATE_TRIAL || !confirmed_before(dev))
		return 0;
	rc = lb_handover_confirm(&dev->handover, err);
	if (rc)
		return rc;
	agent_say(d->a, "release %" PRIu64 " was confirmed before, and stays so",
		  d->a->running.release);
	rc = agent_device_refresh(d->a, dev, err);
	return rc ? rc : 1;
}

/* So that `status`, and recovery when it takes over, know why. */
static int note_failure(struct daemon *d, struct agent_device *dev, struct lb_error *err)
{
	struct lb_result r, before;

	if (dev->state.name != LB_STATE_TRIAL)
		return 0;
	if (lb_result_load(&dev->log, &r, NULL))
		memset(&r, 0, sizeof(r));
	before = r;
	snprintf(r.code, sizeof(r.code), "%s", lb_error_name(LB_E_HEALTH));
	snprintf(r.text, sizeof(r.text), "%s", d->last.text);
	agent_plain(r.text);
	r.release = d->a->running.release;
	r.main_changed = true;
	if (!memcmp(&before, &r, sizeof(r)))
		return 0;
	r.time_s = lb_clock_wall_s(d->a->clock);
	return lb_result_save(&dev->log, &r, err);
}

/* Seconds until the next step. */
static uint64_t unhealthy(struct daemon *d, bool trial, const struct lb_error *why)
{
	const struct agent_settings *set = &d->a->set;
	struct lb_error err = { 0 };

	agent_daemon_complain(d, why);
	if (trial && agent_daemon_locked(d, note_failure, &err))
		agent_error(d->a, "%s (%s)", err.text, lb_error_name(err.code));
	if (!trial || !set->reboot_on_failure) {
		agent_daemon_show(d, "waiting for health", !trial);
		return set->health_retry_s;
	}
	agent_say(d->a, "the boot count decides: rebooting in %" PRIu64 " s", set->failure_delay_s);
	agent_daemon_show(d, "rebooting after a failed health check", false);
	d->reboot_due = true;
	return set->failure_delay_s;
}

uint64_t agent_daemon_judge(struct daemon *d, bool trial)
{
	int64_t now_s = lb_clock_wall_s(d->a->clock);
	struct lb_error err = { 0 };
	int rc;

	agent_daemon_show(d, "running health checks", false);
	rc = agent_health_check(d->a, trial, d->signal_fd, &err);
	if (rc == -LB_E_AGAIN)
		return 0;
	agent_report_note(d->a, AGENT_SUBJECT_HEALTH, now_s, rc, d->a->running.release,
			  rc ? err.text : "every health check passed");
	if (rc) {
		if (trial && agent_daemon_locked(d, end_second_trial, NULL) == 1)
			trial = false;
		return unhealthy(d, trial, &err);
	}
	rc = agent_daemon_locked(d, confirm, &err);
	if (!rc)
		return 0;
	agent_daemon_complain(d, &err);
	return d->a->set.health_retry_s;
}
