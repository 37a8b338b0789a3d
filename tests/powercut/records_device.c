// SPDX-License-Identifier: GPL-2.0-or-later
#include "records_device.h"

#include <stdio.h>
#include <stdlib.h>

void records_must(int err)
{
	if (err) {
		fprintf(stderr, "powercut: setting up failed: %s\n", lb_error_name(err));
		abort();
	}
}

int records_power_on(struct sim *s, struct records_device *dev)
{
	bool lost;
	int err = lb_handover_open_log(&dev->log, sim_blk(s, "state"), &lost, NULL);

	if (err)
		return err;
	err = lb_boot_open(&dev->boot, sim_blk(s, "env0"), sim_blk(s, "env1"), NULL);
	if (err)
		return err;
	dev->d = (struct lb_device_state){ .log = &dev->log, .boot = &dev->boot };
	lb_boot_read(&dev->boot, &dev->flag);
	return 0;
}
