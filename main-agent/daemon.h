/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's parts: steps and signals (daemon.c), health (trial.c), the channel (poll.c). */
#ifndef AGENT_DAEMON_H
#define AGENT_DAEMON_H

#include "agent.h"
#include "device.h"

struct daemon {
	struct agent *a;
	int signal_fd;
	bool stop;
	bool healthy;	      /* this boot was reported to the boot counter */
	bool reboot_due;      /* staged by us, or a failed trial */
	bool remedy_sought;   /* for a device without a record of its release; once is enough */
	uint64_t reboot_at_ms;/* monotonic: when a reboot that did not happen is tried again; 0: unplanned */
	uint64_t poll_at_ms;  /* monotonic: when the channel is asked next */
	uint32_t failures;    /* polls in a row without an answer */
	struct lb_error last; /* said last, to say it once */
};

/* What `status` shows of the daemon; @polling: the next check is planned, too. */
void agent_daemon_show(struct daemon *d, const char *activity, bool polling);

/* A failure that lasts is said once, and again when it changes. */
void agent_daemon_complain(struct daemon *d, const struct lb_error *err);

/* Does @what with the device opened and nobody else changing it. */
int agent_daemon_locked(struct daemon *d,
			int (*what)(struct daemon *, struct agent_device *, struct lb_error *),
			struct lb_error *err) LB_MUST_CHECK;

/* A random number of seconds below @bound; 0 for 0. */
uint64_t agent_daemon_random(uint64_t bound);

/**
 * agent_daemon_judge() - run the health checks and draw the consequence
 *
 * Healthy: confirmed, the boot count is cleared, @d->healthy. Unhealthy on trial: put
 * on record, @d->reboot_due as configured.
 *
 * Return: seconds until it makes sense to go on; 0 without @d->healthy: a signal
 * interrupted the checks and waits to be read.
 */
uint64_t agent_daemon_judge(struct daemon *d, bool trial);

/* Asks the channel once, stages what is new, plans the next time. */
void agent_daemon_poll(struct daemon *d);

#endif
