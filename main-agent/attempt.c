// SPDX-License-Identifier: GPL-2.0-or-later
#include "attempt.h"

#include <inttypes.h>
#include <string.h>

uint64_t agent_backoff_s(uint64_t first, uint64_t most, uint32_t failures)
{
	uint64_t s = first;

	while (failures-- > 1 && s < most)
		s *= 2;
	return s < most ? s : most;
}

static uint64_t delay_s(const struct agent *a, const struct agent_attempt *t)
{
	return agent_backoff_s(a->set.refusal_min_s, a->set.refusal_max_s, t->failures);
}

static void save(const struct agent *a, const struct agent_memory *m)
{
	struct lb_error err = { 0 };

	if (agent_memory_save(a, m, &err))
		agent_error(a, "%s; back-off after a failure will not work", err.text);
}

/* Did recovery get to see the attempt? Its result carries the deployment. */
static bool concerns(const struct agent_attempt *t, const struct lb_result *r)
{
	return !strcmp(r->deployment, t->deployment) || r->release == t->release;
}

void agent_attempt_settle(const struct agent *a, struct agent_device *d, struct agent_memory *m)
{
	struct agent_attempt *t = &m->attempt;
	struct lb_result r;

	if (!t->pending || d->state.name != LB_STATE_CONFIRMED)
		return;
	t->pending = false;
	t->reboot_wanted = false;
	t->reboots = 0;
	if (t->release == a->running.release) {
		memset(t, 0, sizeof(*t));
	} else if (!lb_result_load(&d->log, &r, NULL) && concerns(t, &r)) {
		t->failures++;
		t->not_before_s = lb_clock_wall_s(a->clock) + (int64_t)delay_s(a, t);
		agent_say(a, "release %" PRIu64 " was not installed: %s (%s); it is not tried again "
			     "by itself for %" PRIu64 " s", t->release, r.text, r.code,
			  delay_s(a, t));
	}
	save(a, m);
}

bool agent_attempt_reboots(const struct agent_device *d, const struct agent_attempt *t)
{
	return t->pending && t->reboot_wanted && d->state.name == LB_STATE_REQUESTED &&
	       d->boot_status.target == LB_BOOT_RECOVERY &&
	       !memcmp(t->manifest, d->state.manifest, sizeof(t->manifest));
}

int64_t agent_attempt_wait_s(const struct agent *a, struct agent_memory *m,
			     const uint8_t manifest[LB_SHA256_BYTES])
{
	struct agent_attempt *t = &m->attempt;
	int64_t now_s = lb_clock_wall_s(a->clock);

	if (!t->failures || memcmp(t->manifest, manifest, sizeof(t->manifest)))
		return 0;
	if (t->not_before_s > now_s + (int64_t)delay_s(a, t)) {
		t->not_before_s = now_s + (int64_t)delay_s(a, t);
		save(a, m);
	}
	return t->not_before_s > now_s ? t->not_before_s - now_s : 0;
}
