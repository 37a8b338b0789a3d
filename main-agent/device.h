/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device's records and boot environment, opened for one operation: another
 * process may change both in between, so nothing of them is kept.
 */
#ifndef AGENT_DEVICE_H
#define AGENT_DEVICE_H

#include "agent.h"

struct agent_device {
	struct lb_blk *state_blk, *env_blk[2]; /* owned */
	struct lb_log log;
	struct lb_boot boot;
	struct lb_device_state handover; /* of the two above */
	bool state_lost;		 /* the log was empty or broken */
	bool state_unknown;		 /* it holds a state record that is not understood */
	struct lb_state state;		 /* confirmed when there is no record, or an unknown one */
	struct lb_boot_status boot_status;
	uint64_t floor;			 /* lowest release that may be installed */
	int64_t clock_floor_s;		 /* build and stored record */
};

/**
 * agent_device_open() - state log, environment and what they say
 * @writable: false also leaves a broken log alone instead of making a new one
 *
 * Return: 0 and @d for agent_device_close(), or -LB_E_NO_SLOT, -LB_E_IO, -LB_E_FORMAT, ...
 */
int agent_device_open(const struct agent *a, bool writable, struct agent_device *d,
		      struct lb_error *err) LB_MUST_CHECK;
void agent_device_close(struct agent_device *d);

/* Reads the records again after a change. */
int agent_device_refresh(const struct agent *a, struct agent_device *d,
			 struct lb_error *err) LB_MUST_CHECK;

/**
 * agent_device_now() - the second against which "expired" is judged
 * @signed_s: creation time of the newest signed channel that was seen
 *
 * The system's clock when it is trusted and not behind the floor; else the floor:
 * build, stored record and @signed_s, which counts for at most 30 days beyond the others.
 */
int64_t agent_device_now(const struct agent *a, const struct agent_device *d, int64_t signed_s);

#endif
