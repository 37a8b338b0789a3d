// SPDX-License-Identifier: GPL-2.0-or-later
#include "device.h"

#include <string.h>

#include "flow/floor.h"
#include "linux/config_open.h"

#ifndef LB_BUILD_TIME
#define LB_BUILD_TIME 0
#endif
#define SIGNED_MOST_S (30 * 86400) /* less than servers' certificates are renewed before */

static int open_log(struct agent_device *d, bool writable, struct lb_error *err)
{
	int rc;

	if (writable)
		return lb_handover_open_log(&d->log, d->state_blk, &d->state_lost, err);
	rc = lb_log_open(&d->log, d->state_blk, err);
	d->state_lost = rc == -LB_E_STATE;
	return d->state_lost ? 0 : rc;
}

static int open_boot(const struct agent *a, bool writable, struct agent_device *d,
		     struct lb_error *err)
{
	static const char *const names[2] = { "environment 0", "environment 1" };
	int rc = 0;

	for (int i = 0; !rc && i < 2; i++)
		rc = lb_config_open_region(&a->set.config.env[i], writable, names[i],
					   &d->env_blk[i], err);
	return rc ? rc : lb_boot_open(&d->boot, d->env_blk[0], d->env_blk[1], err);
}

/*
 * What the records say of the floors. One that cannot be read must not keep the device
 * from updates: others say the same, and recovery asks them again.
 */
static void read_floors(const struct agent *a, struct agent_device *d)
{
	struct lb_error why = { 0 };
	int64_t stored = 0;

	if (lb_floor_effective(&d->log, &a->ring, a->device.floor_release, &d->floor, &why))
		agent_detail(a, "%s; going on with the built-in floor", why.text);
	if (!lb_clock_floor_load(&d->log, &stored, NULL) && stored > d->clock_floor_s)
		d->clock_floor_s = stored;
}

int agent_device_refresh(const struct agent *a, struct agent_device *d, struct lb_error *err)
{
	int rc;

	lb_boot_read(&d->boot, &d->boot_status);
	memset(&d->state, 0, sizeof(d->state));
	d->floor = a->device.floor_release;
	d->clock_floor_s = LB_BUILD_TIME;
	if (d->state_lost && !d->log.blk)
		return 0;
	rc = lb_state_load(&d->log, &d->state, err);
	d->state_unknown = rc == -LB_E_FORMAT;
	if (rc && rc != -LB_E_NOT_FOUND && !d->state_unknown)
		return rc;
	read_floors(a, d);
	return 0;
}

int agent_device_open(const struct agent *a, bool writable, struct agent_device *d,
		      struct lb_error *err)
{
	int rc;

	memset(d, 0, sizeof(*d));
	rc = lb_config_open_region(&a->set.config.state, writable, "state", &d->state_blk, err);
	if (!rc)
		rc = open_log(d, writable, err);
	if (!rc)
		rc = open_boot(a, writable, d, err);
	if (!rc)
		rc = agent_device_refresh(a, d, err);
	d->handover.log = &d->log;
	d->handover.boot = &d->boot;
	d->handover.time_floor_s = LB_BUILD_TIME;
	if (rc)
		agent_device_close(d);
	return rc;
}

void agent_device_close(struct agent_device *d)
{
	lb_boot_close(&d->boot);
	lb_blk_close(d->env_blk[0]);
	lb_blk_close(d->env_blk[1]);
	lb_blk_close(d->state_blk);
	memset(d, 0, sizeof(*d));
}

int64_t agent_device_now(const struct agent *a, const struct agent_device *d, int64_t signed_s)
{
	int64_t floor = d->clock_floor_s, wall = lb_clock_wall_s(a->clock);

	if (signed_s > floor + SIGNED_MOST_S)
		signed_s = floor + SIGNED_MOST_S;
	if (signed_s > floor)
		floor = signed_s;
	return a->set.trust_clock && wall >= floor ? wall : floor;
}
