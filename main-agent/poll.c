// SPDX-License-Identifier: GPL-2.0-or-later
/* The daemon and the channel: ask, choose, stage, and when to ask again. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attempt.h"
#include "check.h"
#include "daemon.h"
#include "files.h"
#include "remedy.h"
#include "visit.h"

static int stage(struct daemon *d, struct agent_device *dev, const struct lb_channel *ch,
		 const struct lb_channel_release *e, struct agent_memory *m, struct lb_error *err)
{
	int64_t now_s = lb_clock_wall_s(d->a->clock);
	struct agent_order order;
	uint64_t release;
	char text[96];
	int rc;

	rc = agent_order_entry(d->a, e, &order, err);
	if (!rc)
		rc = agent_stage(d->a, dev, &order, ch, m, &release, err);
	snprintf(text, sizeof(text), "release %" PRIu64 " is staged for recovery", e->release);
	agent_report_note(d->a, AGENT_SUBJECT_INSTALL, now_s, rc, e->release,
			  rc ? err->text : text);
	d->reboot_due = !rc;
	return rc;
}

static int consider(struct daemon *d, struct agent_device *dev, const struct lb_channel *ch,
		    struct agent_memory *m, struct lb_error *err)
{
	const struct lb_channel_release *e = agent_choose(d->a, dev, ch);
	int64_t now_s = lb_clock_wall_s(d->a->clock), wait_s;
	char text[192];

	if (!e)
		snprintf(text, sizeof(text), "nothing newer than release %" PRIu64,
			 d->a->running.release);
	else
		snprintf(text, sizeof(text), "release %" PRIu64 " (%s) is available", e->release,
			 e->version);
	agent_report_note(d->a, AGENT_SUBJECT_CHECK, now_s, 0, e ? e->release : 0, text);
	if (!e) {
		agent_detail(d->a, "%s", text);
		return 0;
	}
	wait_s = agent_attempt_wait_s(d->a, m, e->manifest_sha256);
	if (!d->a->set.auto_install || wait_s) {
		agent_detail(d->a, "%s; %s", text, wait_s ? "backing off" : "auto_install is off");
		return 0;
	}
	agent_say(d->a, "%s, %" PRIu64 " bytes", text, e->size_bytes);
	return stage(d, dev, ch, e, m, err);
}

/*
 * A person is waited for in recovery, so that goes before an update in the same channel, which is found
 * again by the next poll behind the visit. A visit that fails is said and keeps no update away.
 */
static bool visit(struct daemon *d, struct agent_device *dev, const struct lb_channel *ch,
		  struct agent_memory *m)
{
	int64_t now_s = agent_device_now(d->a, dev, m->channel_created_s);
	const struct lb_channel_visit *v = agent_visit_next(d->a, m, ch, now_s);
	struct lb_error why = { 0 };
	char text[128];
	int rc;

	if (agent_visit_due(dev, m)) { /* somebody else reboots: nothing takes the visit's place */
		agent_detail(d->a, "the next boot starts recovery, as a server has asked");
		return true;
	}
	if (!v)
		return false;
	rc = agent_visit_start(d->a, dev, ch, v, m, &why);
	if (rc == -LB_E_BUSY)
		agent_detail(d->a, "%s", why.text);
	else if (rc)
		agent_error(d->a, "request %s for recovery: %s (%s)", v->id, why.text,
			    lb_error_name(rc));
	if (rc)
		return false;
	snprintf(text, sizeof(text), "the server asks for recovery, request %s", v->id);
	agent_report_note(d->a, AGENT_SUBJECT_CHECK, lb_clock_wall_s(d->a->clock), 0, 0, text);
	d->reboot_due = true;
	return true;
}

/* A device as the factory left it: without its release on record a lost flag ends in waiting. */
static void seek_remedy(struct daemon *d, struct agent_device *dev, const struct lb_channel *ch,
			int64_t now_s)
{
	struct lb_error why = { 0 };
	int rc;

	if (d->remedy_sought)
		return;
	rc = agent_remedy_learn(d->a, dev, ch, now_s, &why);
	d->remedy_sought = rc != -LB_E_UNREACHABLE;
	if (rc)
		agent_detail(d->a, "release %" PRIu64 " is not on record: %s", d->a->running.release,
			     why.text);
}

static int poll_channel(struct daemon *d, struct agent_device *dev, uint32_t *ret_retry_s,
			struct lb_error *err)
{
	struct lb_channel ch = { 0 };
	struct agent_memory m;
	int64_t now_s;
	int rc;

	agent_memory_load(d->a, &m);
	now_s = agent_device_now(d->a, dev, m.channel_created_s);
	rc = agent_channel_fetch(d->a, now_s, &m, &ch, ret_retry_s, err);
	if (rc) {
		agent_report_note(d->a, AGENT_SUBJECT_CHECK, lb_clock_wall_s(d->a->clock), rc, 0,
				  err->text);
	} else {
		seek_remedy(d, dev, &ch, now_s);
		if (!visit(d, dev, &ch, &m))
			rc = consider(d, dev, &ch, &m, err);
	}
	lb_channel_free(&ch);
	return rc;
}

/* When to ask again after an attempt that ended with @rc. */
static uint64_t pause_s(struct daemon *d, int rc, uint32_t retry_s)
{
	const struct agent_settings *set = &d->a->set;
	uint64_t wait_s = set->interval_s + agent_daemon_random(set->jitter_s + 1);

	d->failures = rc ? d->failures + 1 : 0;
	if (rc) {
		wait_s = agent_backoff_s(set->retry_min_s, set->retry_max_s, d->failures);
		wait_s += agent_daemon_random(wait_s / 4 + 1);
	}
	return wait_s < retry_s ? retry_s : wait_s;
}

void agent_daemon_poll(struct daemon *d)
{
	struct agent_device dev;
	struct lb_error err = { 0 };
	uint32_t retry_s = 0;
	int rc, lock = agent_lock(d->a, AGENT_LOCK_CHANGE, AGENT_LOCK_WAIT_MS, &err);

	rc = lock < 0 ? lock : agent_device_open(d->a, true, &dev, &err);
	if (!rc) {
		rc = poll_channel(d, &dev, &retry_s, &err);
		agent_device_close(&dev);
	}
	if (lock >= 0)
		close(lock);
	if (rc)
		agent_daemon_complain(d, &err);
	else if (d->healthy)
		memset(&d->last, 0, sizeof(d->last));
	d->poll_at_ms = lb_clock_ms(d->a->clock) + pause_s(d, rc, retry_s) * 1000;
	if (d->reboot_due)
		agent_daemon_show(d, "rebooting into recovery", false);
	else
		agent_daemon_show(d, rc ? "waiting to ask again" : "idle", true);
}
