// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The daemon: one step after the other, each decided anew by the state record,
 * so that it may be stopped and started at any moment.
 */
#include "daemon.h"

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
#include "files.h"
#include "memory.h"
#include "process.h"
#include "visit.h"

uint64_t agent_daemon_random(uint64_t bound)
{
	uint64_t r = 0;

	if (!bound || getrandom(&r, sizeof(r), GRND_NONBLOCK) != sizeof(r))
		return 0;
	return r % bound;
}

void agent_daemon_show(struct daemon *d, const char *activity, bool polling)
{
	uint64_t now_ms = lb_clock_ms(d->a->clock);
	struct agent_report r;

	agent_report_load(d->a, &r);
	snprintf(r.activity, sizeof(r.activity), "%s", activity);
	r.pid = getpid();
	r.next_check_s = 0;
	if (polling && *d->a->set.channel && d->poll_at_ms > now_ms)
		r.next_check_s = lb_clock_wall_s(d->a->clock) +
				 (int64_t)((d->poll_at_ms - now_ms) / 1000);
	agent_report_save(d->a, &r);
}

void agent_daemon_complain(struct daemon *d, const struct lb_error *err)
{
	if (err->code == d->last.code && !strcmp(err->text, d->last.text))
		return;
	d->last = *err;
	agent_error(d->a, "%s (%s)", err->text, lb_error_name(err->code));
}

int agent_daemon_locked(struct daemon *d,
			int (*what)(struct daemon *, struct agent_device *, struct lb_error *),
			struct lb_error *err)
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

/* Until the time is over, SIGHUP asks for the channel, or another signal to stop. */
static void wait_for(struct daemon *d, uint64_t ms)
{
	struct pollfd p = { .fd = d->signal_fd, .events = POLLIN };
	struct signalfd_siginfo info;

	if (poll(&p, 1, (int)ms) <= 0)
		return;
	if (read(d->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP)
		d->poll_at_ms = 0;
	else
		d->stop = true;
}

/* ---- steps ------------------------------------------------------------- */

static uint64_t reboot(struct daemon *d)
{
	struct lb_error err = { 0 };

	if (agent_reboot(d->a, &err)) {
		agent_daemon_complain(d, &err);
		return d->a->set.retry_min_s;
	}
	d->reboot_due = false;
	return d->a->set.health_retry_s; /* init ends us before that */
}

/* What a step depends on, all of it stored: another process may have staged something. */
struct situation {
	enum lb_state_name state;
	bool reboot_missing; /* staged by us, but the reboot into recovery did not happen */
	bool visit_missing;  /* the same for a visit that a server asked for */
	struct agent_memory memory;
};

static int look(struct daemon *d, struct situation *ret, struct lb_error *err)
{
	struct agent_device dev;
	int rc = agent_device_open(d->a, false, &dev, err);

	if (rc)
		return rc;
	agent_memory_load(d->a, &ret->memory);
	ret->state = dev.state.name;
	ret->reboot_missing = agent_attempt_reboots(&dev, &ret->memory.attempt);
	ret->visit_missing = agent_visit_due(&dev, &ret->memory);
	agent_device_close(&dev);
	return 0;
}

/*
 * The agent was killed between staging and the reboot, or the reboot had no effect. The
 * count is stored before: a device that always comes back to main waits longer each time.
 * Milliseconds until the next step.
 */
static uint64_t reboot_again(struct daemon *d, struct situation *now)
{
	const struct agent_settings *set = &d->a->set;
	struct agent_memory *m = &now->memory;
	uint32_t *reboots = now->visit_missing ? &m->visit_reboots : &m->attempt.reboots;
	uint64_t now_ms = lb_clock_ms(d->a->clock);
	struct lb_error err = { 0 };

	if (!d->reboot_at_ms)
		d->reboot_at_ms = now_ms + 1 + (!*reboots ? 0 :
			agent_backoff_s(set->retry_min_s, set->retry_max_s, *reboots) * 1000);
	if (now_ms < d->reboot_at_ms) {
		agent_daemon_show(d, "waiting to reboot into recovery again", false);
		return d->reboot_at_ms - now_ms;
	}
	++*reboots;
	if (agent_memory_save(d->a, m, &err))
		agent_daemon_complain(d, &err);
	if (now->visit_missing)
		agent_say(d->a, "a server has asked for recovery, but main still runs");
	else
		agent_say(d->a, "release %" PRIu64 " is staged, but main still runs", m->attempt.release);
	if (agent_reboot(d->a, &err))
		agent_daemon_complain(d, &err);
	d->reboot_at_ms = 0;
	return set->retry_min_s * 1000;
}

/*
 * A confirmed release: its health is reported once. Until then the channel is asked
 * all the same: an update may be what makes it healthy.
 */
static uint64_t attend(struct daemon *d)
{
	uint64_t wait_ms = d->a->set.interval_s * 1000, now_ms;

	if (!d->healthy) {
		wait_ms = agent_daemon_judge(d, false) * 1000;
		if (!wait_ms && !d->healthy)
			return 0;
		if (d->healthy)
			wait_ms = d->a->set.interval_s * 1000;
	}
	if (!*d->a->set.channel) {
		agent_daemon_show(d, d->healthy ? "idle" : "waiting for health", false);
		return wait_ms;
	}
	if (lb_clock_ms(d->a->clock) >= d->poll_at_ms)
		agent_daemon_poll(d);
	if (d->reboot_due)
		return 0;
	now_ms = lb_clock_ms(d->a->clock);
	if (d->poll_at_ms < now_ms + wait_ms || d->healthy)
		wait_ms = d->poll_at_ms > now_ms ? d->poll_at_ms - now_ms : 0;
	return wait_ms;
}

/* Milliseconds until the next one. */
static uint64_t step(struct daemon *d)
{
	enum lb_state_name state;
	struct lb_error err = { 0 };
	struct situation now;

	if (d->reboot_due)
		return reboot(d) * 1000;
	if (look(d, &now, &err)) {
		agent_daemon_complain(d, &err);
		return d->a->set.retry_min_s * 1000;
	}
	state = now.state;
	if ((now.reboot_missing || now.visit_missing) && d->a->set.reboot_count)
		return reboot_again(d, &now);
	d->reboot_at_ms = 0;
	if (state == LB_STATE_CONFIRMED)
		return attend(d);
	if (state == LB_STATE_TRIAL)
		return agent_daemon_judge(d, true) * 1000;
	if (state == LB_STATE_UPDATING || state == LB_STATE_RESCUE) {
		lb_error_set(&err, LB_E_INVALID, "main runs, but the state is \"%s\": it may not be "
			     "whole; reboot into recovery", lb_state_text(state));
		agent_daemon_complain(d, &err);
	}
	agent_daemon_show(d, state == LB_STATE_REQUESTED ? "waiting for a reboot into recovery"
							 : "idle", false);
	return d->a->set.interval_s * 1000;
}

static int begin(struct daemon *d, struct agent_device *dev, struct lb_error *err)
{
	char note[192] = "";
	struct agent_memory m;
	int rc;

	if (dev->state_lost)
		agent_error(d->a, "the state region held no usable record: made anew (state-lost)");
	if (dev->state_unknown)
		agent_error(d->a, "the state record is not understood: taken for confirmed, "
				  "because main runs (state-lost)");
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
	agent_visit_settle(d->a, dev, &m);
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
	int rc = agent_daemon_locked(d, begin, err);

	if (rc)
		return rc;
	/* a fleet that gets its power back asks one after the other */
	d->poll_at_ms = lb_clock_ms(d->a->clock) +
			agent_daemon_random(d->a->set.jitter_s * 1000 + 1);
	while (!d->stop) {
		uint64_t ms = step(d);

		wait_for(d, ms);
	}
	agent_daemon_show(d, "", false);
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
