// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The daemon: one step after the other, each decided anew by the state record,
 * so that it may be stopped and started at any moment.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "attempt.h"
#include "check.h"
#include "files.h"
#include "health.h"
#include "process.h"

struct daemon {
	struct agent *a;
	int signal_fd;
	bool stop;
	bool healthy;	      /* this boot was reported to the boot counter */
	bool reboot_due;      /* staged by us, or a failed trial */
	uint32_t failures;    /* polls in a row without an answer */
	struct lb_error last; /* said last, to say it once */
};

/* ---- waiting ----------------------------------------------------------- */

static uint64_t random_below(uint64_t bound)
{
	uint64_t r = 0;

	if (!bound || getrandom(&r, sizeof(r), GRND_NONBLOCK) != sizeof(r))
		return 0;
	return r % bound;
}

/* Until the time is over, SIGHUP asks for the next step, or another signal to stop. */
static void wait_for(struct daemon *d, uint64_t seconds)
{
	struct pollfd p = { .fd = d->signal_fd, .events = POLLIN };
	struct signalfd_siginfo info;

	if (poll(&p, 1, (int)(seconds * 1000)) <= 0)
		return;
	if (read(d->signal_fd, &info, sizeof(info)) == sizeof(info))
		d->stop = info.ssi_signo != SIGHUP;
}

static void plan(struct daemon *d, const char *activity, uint64_t next_check_in_s)
{
	struct agent_report r;

	agent_report_load(d->a, &r);
	snprintf(r.activity, sizeof(r.activity), "%s", activity);
	r.pid = getpid();
	r.next_check_s = next_check_in_s ? lb_clock_wall_s(d->a->clock) + (int64_t)next_check_in_s : 0;
	agent_report_save(d->a, &r);
}

/* A failure that lasts is said once, and again when it changes. */
static void complain(struct daemon *d, const struct lb_error *err)
{
	if (err->code == d->last.code && !strcmp(err->text, d->last.text))
		return;
	d->last = *err;
	agent_error(d->a, "%s (%s)", err->text, lb_error_name(err->code));
}

/* ---- health ------------------------------------------------------------ */

static int locked(struct daemon *d, int (*what)(struct daemon *, struct agent_device *,
						struct lb_error *), struct lb_error *err)
{
	struct agent_device dev;
	int lock = agent_lock(d->a, AGENT_LOCK_CHANGE, AGENT_LOCK_WAIT_MS, err);
	int rc;

	if (lock < 0)
		return lock;
	rc = agent_device_open(d->a, true, &dev, err);
	if (!rc) {
		rc = what(d, &dev, err);
		agent_device_close(&dev);
	}
	close(lock);
	return rc;
}

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

	complain(d, why);
	d->last = *why;
	if (trial && locked(d, note_failure, &err))
		agent_error(d->a, "%s (%s)", err.text, lb_error_name(err.code));
	if (!trial || !set->reboot_on_failure) {
		plan(d, "waiting for health", set->health_retry_s);
		return set->health_retry_s;
	}
	agent_say(d->a, "the boot count decides: rebooting in %" PRIu64 " s", set->failure_delay_s);
	plan(d, "rebooting after a failed health check", 0);
	d->reboot_due = true;
	return set->failure_delay_s;
}

static uint64_t judge(struct daemon *d, bool trial)
{
	int64_t now_s = lb_clock_wall_s(d->a->clock);
	struct lb_error err = { 0 };
	int rc;

	plan(d, "running health checks", 0);
	rc = agent_health_check(d->a, trial, d->signal_fd, &err);
	if (rc == -LB_E_AGAIN)
		return 0; /* a signal waits to be read */
	agent_report_note(d->a, AGENT_SUBJECT_HEALTH, now_s, rc, d->a->running.release,
			  rc ? err.text : "every health check passed");
	if (rc)
		return unhealthy(d, trial, &err);
	rc = locked(d, confirm, &err);
	if (!rc) /* a fleet that gets power back asks one after the other */
		return random_below(d->a->set.jitter_s + 1);
	complain(d, &err);
	return d->a->set.health_retry_s;
}

/* ---- polling ----------------------------------------------------------- */

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
	if (rc)
		agent_report_note(d->a, AGENT_SUBJECT_CHECK, lb_clock_wall_s(d->a->clock), rc, 0,
				  err->text);
	else
		rc = consider(d, dev, &ch, &m, err);
	lb_channel_free(&ch);
	return rc;
}

static uint64_t poll_once(struct daemon *d)
{
	const struct agent_settings *set = &d->a->set;
	struct agent_device dev;
	struct lb_error err = { 0 };
	uint32_t retry_s = 0;
	uint64_t wait_s = set->interval_s + random_below(set->jitter_s + 1);
	int rc, lock = agent_lock(d->a, AGENT_LOCK_CHANGE, AGENT_LOCK_WAIT_MS, &err);

	rc = lock < 0 ? lock : agent_device_open(d->a, true, &dev, &err);
	if (!rc) {
		rc = poll_channel(d, &dev, &retry_s, &err);
		agent_device_close(&dev);
	}
	if (lock >= 0)
		close(lock);
	if (rc) {
		complain(d, &err);
		wait_s = agent_backoff_s(set->retry_min_s, set->retry_max_s, ++d->failures);
		wait_s += random_below(wait_s / 4 + 1);
	} else {
		d->failures = 0;
		memset(&d->last, 0, sizeof(d->last));
	}
	if (wait_s < retry_s)
		wait_s = retry_s;
	plan(d, d->reboot_due ? "rebooting into recovery" : rc ? "waiting to ask again" : "idle",
	     d->reboot_due ? 0 : wait_s);
	return d->reboot_due ? 0 : wait_s;
}

/* ---- steps ------------------------------------------------------------- */

static uint64_t reboot(struct daemon *d)
{
	struct lb_error err = { 0 };

	if (agent_reboot(d->a, &err)) {
		complain(d, &err);
		return d->a->set.retry_min_s;
	}
	d->reboot_due = false;
	return d->a->set.health_retry_s; /* init ends us before that */
}

static int read_state(struct daemon *d, enum lb_state_name *ret, struct lb_error *err)
{
	struct agent_device dev;
	int rc = agent_device_open(d->a, false, &dev, err);

	if (rc)
		return rc;
	*ret = dev.state.name;
	agent_device_close(&dev);
	return 0;
}

/* Seconds until the next one. */
static uint64_t step(struct daemon *d)
{
	enum lb_state_name state;
	struct lb_error err = { 0 };

	if (d->reboot_due)
		return reboot(d);
	if (read_state(d, &state, &err)) {
		complain(d, &err);
		return d->a->set.retry_min_s;
	}
	if (state == LB_STATE_TRIAL || (state == LB_STATE_CONFIRMED && !d->healthy))
		return judge(d, state == LB_STATE_TRIAL);
	if (state == LB_STATE_CONFIRMED && *d->a->set.channel)
		return poll_once(d);
	if (state == LB_STATE_UPDATING || state == LB_STATE_RESCUE) {
		lb_error_set(&err, LB_E_INVALID, "main runs, but the state is \"%s\": it may not be "
			     "whole; reboot into recovery", lb_state_text(state));
		complain(d, &err);
	}
	plan(d, state == LB_STATE_REQUESTED ? "waiting for a reboot into recovery" : "idle", 0);
	return d->a->set.interval_s;
}

static int begin(struct daemon *d, struct agent_device *dev, struct lb_error *err)
{
	char note[192] = "";
	struct agent_memory m;
	int rc;

	if (dev->state_lost)
		agent_error(d->a, "the state region held no usable record: made anew (state-lost)");
	rc = lb_handover_reconcile_main(&dev->handover, note, sizeof(note), err);
	if (rc)
		return rc;
	if (*note)
		agent_say(d->a, "%s", note);
	rc = agent_device_refresh(d->a, dev, err);
	if (rc)
		return rc;
	agent_memory_load(d->a, &m);
	agent_attempt_settle(d->a, dev, &m);
	agent_say(d->a, "release %" PRIu64 " runs, state %s", d->a->running.release,
		  lb_state_text(dev->state.name));
	return 0;
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int run(struct daemon *d, struct lb_error *err)
{
	int rc = locked(d, begin, err);

	if (rc)
		return rc;
	while (!d->stop) {
		uint64_t seconds = step(d);

		wait_for(d, seconds);
	}
	plan(d, "", 0);
	agent_say(d->a, "stopped");
	return AGENT_OK;
}

int agent_cmd_daemon(struct agent *a, cJSON *answer, struct lb_error *err)
{
	struct daemon d = { .a = a };
	int rc, lock = agent_lock(a, AGENT_LOCK_DAEMON, 0, err);

	if (lock < 0)
		return lock;
	d.signal_fd = open_signals();
	if (d.signal_fd < 0)
		rc = lb_error_set(err, LB_E_IO, "signals cannot be received: %s", strerror(errno));
	else
		rc = run(&d, err);
	if (d.signal_fd >= 0)
		close(d.signal_fd);
	close(lock);
	return rc;
}
