// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Factory reset: main is started with all of the user's data or with none of it, and what looks
 * like a file system goes first. One region makes zeros itself, into the other they are written.
 */
#include <string.h>

#include "digest.h"
#include "flow/handover.h"
#include "flow/reset.h"
#include "records_device.h"
#include "scenarios.h"

#define REGION (256u * 1024u)
#define ENV_BYTES 1024u
#define HEAD 8192u
#define LARGE (HEAD + 12288u)
#define SMALL (HEAD + 40960u)

static const char *const names[] = { "data", "plain" };

/* Regions begin full of 0xff: the user's data. */
static void setup(struct sim *s)
{
	struct lb_state st = { .name = LB_STATE_CONFIRMED };
	struct records_device dev;

	sim_add(s, "state", REGION);
	sim_add(s, "env0", ENV_BYTES);
	sim_add(s, "env1", ENV_BYTES);
	sim_add(s, names[0], LARGE);
	sim_add(s, names[1], SMALL);
	sim_region(s, names[1])->no_zero = true;
	records_must(records_power_on(s, &dev));
	records_must(lb_state_save(&dev.log, &st, NULL));
	records_must(lb_boot_set_main(&dev.boot, false, NULL));
	lb_boot_close(&dev.boot);
}

static int open_region(void *ctx, uint32_t n, struct lb_blk **ret, struct lb_error *err)
{
	if (n >= 2)
		return -LB_E_NOT_FOUND;
	*ret = sim_blk(ctx, names[n]);
	return 0;
}

static bool holds(struct sim *s, int n, uint8_t byte, size_t from, size_t to)
{
	const uint8_t *medium = sim_region(s, names[n])->medium;

	for (size_t i = from; i < to; i++)
		if (medium[i] != byte)
			return false;
	return true;
}

static bool all_is(struct sim *s, uint8_t byte)
{
	return holds(s, 0, byte, 0, LARGE) && holds(s, 1, byte, 0, SMALL);
}

/* A sector of it still holds data: noise, which a cut may leave in one that is written again, is none. */
static bool head_is_left(struct sim *s, int n)
{
	for (size_t at = 0; at < HEAD; at += 512)
		if (holds(s, n, 0xff, at, at + 512))
			return true;
	return false;
}

/* What recovery does: goes on with what is on record; a person who sees the data still there asks again. */
static int run_with(struct sim *s, int (*begin)(struct lb_device_state *d))
{
	struct lb_reset_regions regions = { .ctx = s, .open = open_region };
	struct lb_reset rs = { .regions = &regions, .head_bytes = HEAD };
	struct records_device dev;
	int err = records_power_on(s, &dev);

	if (!err && !lb_reset_pending(&dev.log) && !all_is(s, 0))
		err = begin(&dev.d);
	if (!err && lb_reset_pending(&dev.log))
		err = lb_reset_erase(&rs, &dev.log, NULL);
	if (!err)
		err = lb_handover_return(&dev.d, NULL, NULL);
	lb_boot_close(&dev.boot);
	return err;
}

static int begin_reset(struct lb_device_state *d)
{
	return lb_handover_begin_reset(d, true, NULL);
}

static int run(struct sim *s)
{
	return run_with(s, begin_reset);
}

static int check(struct sim *s, enum sim_moment moment)
{
	struct records_device dev;
	bool pending, empty = all_is(s, 0);

	if (records_power_on(s, &dev))
		return sim_fail(s, "the device does not start");
	lb_boot_close(&dev.boot);
	pending = lb_reset_pending(&dev.log);
	if (dev.flag.target == LB_BOOT_MAIN && pending)
		return sim_fail(s, "main is started while its data is to be erased");
	if (!pending && !empty && !all_is(s, 0xff))
		return sim_fail(s, "some of the data is left, and nothing on record says so");
	if (!(holds(s, 0, 0xff, HEAD, LARGE) && holds(s, 1, 0xff, HEAD, SMALL)) &&
	    (head_is_left(s, 0) || head_is_left(s, 1)))
		return sim_fail(s, "the rest of a region went before the beginning of all");
	if (moment == SIM_FINISHED && (!empty || dev.flag.target != LB_BOOT_MAIN))
		return sim_fail(s, "it ended with data %s and flag %d", empty ? "erased" : "left",
				dev.flag.target);
	return 0;
}

const struct sim_scenario reset_scenarios[] = {
	{ .name = "reset", .setup = setup, .run = run, .check = check, .digest = sim_device_digest, .cuts = 2 },
	{ 0 },
};

/* ---- canaries ---- */

static void deaf_data(struct sim *s)
{
	sim_region(s, names[0])->deaf = true;
}

/* On record before the flag: main could start, and somebody's next visit to recovery would erase it. */
static int record_first(struct lb_device_state *d)
{
	int err = lb_reset_save(d->log, true, NULL);

	return err ? err : lb_boot_set_recovery(d->boot, NULL);
}

static int run_record_first(struct sim *s)
{
	return run_with(s, record_first);
}

/* The first byte goes before anything is on record. */
static int erase_first(struct lb_device_state *d)
{
	static const uint8_t zeros[4096];
	struct lb_blk *blk;
	struct sim_region *state = (struct sim_region *)d->log->blk; /* first member */

	if (open_region(state->sim, 0, &blk, NULL) || lb_blk_write(blk, 0, zeros, sizeof(zeros)) ||
	    lb_blk_flush(blk))
		return -LB_E_POWER;
	return lb_handover_begin_reset(d, true, NULL);
}

static int run_erase_first(struct sim *s)
{
	return run_with(s, erase_first);
}

const struct sim_canary reset_canaries[] = {
	{ "reset-done-before-it-is-flushed", "reset", NULL, deaf_data },
	{ "reset-on-record-before-the-flag", "reset", run_record_first, NULL },
	{ "reset-begun-before-it-is-on-record", "reset", run_erase_first, NULL },
	{ 0 },
};
