/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device of nothing but its records: state log and boot environment, on simulated media. */
#ifndef POWERCUT_RECORDS_DEVICE_H
#define POWERCUT_RECORDS_DEVICE_H

#include "flow/handover.h"
#include "sim.h"

struct records_device {
	struct lb_log log;
	struct lb_boot boot;
	struct lb_device_state d;
	struct lb_boot_status flag;
};

/* Opens regions "state", "env0" and "env1" as a program does; lb_boot_close() when done. 0 or -LB_E_*. */
int records_power_on(struct sim *s, struct records_device *dev);

/* Setting up must not fail: aborts when it did. */
void records_must(int err);

#endif
