// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The whole job, in all the worlds it may meet. The power may fail at any write of
 * boot loader, main and recovery.
 */
#include "base/bytes.h"
#include "device.h"
#include "scenarios.h"

/* ---- worlds ---- */

/* Small: every call can be cut. Odd sizes, so that chunk edges are no sector edges. */
#define SMALL .boot_bytes = 9001, .root_bytes = 50001, .chunk_bytes = 4000, .ms_per_call = 150

static struct world small = {
	SMALL, .final_release = 2,
};

static struct world sick = {
	SMALL, .final_release = 1, .two_is_sick = true,
};

/* A new connection for every 3000 bytes, which never is a whole chunk. */
static struct world interrupted = {
	SMALL, .final_release = 2, .manners = { .lose_every = 3000 },
};

static struct world piped = {
	SMALL, .final_release = 2, .manners = { .sequential = true },
};

/* It never answers. When cuts alone use up the boots of main, a person has to come. */
static struct world dead = {
	SMALL, .final_release = 1, .manners = { .dead = true }, .person_ms = 3600000,
};

/* In the middle of the payload it falls silent for an hour: no reason to give up any more. */
static struct world silent = {
	SMALL, .final_release = 2, .manners = { .silent_from = 20000, .silent_ms = 3600000 },
};

static struct world worn = {
	SMALL, .final_release = 2, .worn_at = 10000,
};

/*
 * The whole of it: two images, 74 chunks (skipped, zero, duplicate, fetched), every
 * commit of the environment, and a log that changes halves twice on the way.
 */
static struct world whole = {
	.boot_bytes = 4001, .root_bytes = 70001, .chunk_bytes = 1000, .ms_per_call = 90,
	.final_release = 2, .log_room = 9, .compactions = 2,
};

static struct world stick = {
	SMALL, .final_release = 2, .stick = true, .manners = { .dead = true },
};

static struct world env_old = {
	SMALL, .final_release = 2, .lost = LOST_ENV0,
};

static struct world env_new = {
	SMALL, .final_release = 2, .lost = LOST_ENV1,
};

static struct world env_lost = {
	SMALL, .final_release = 2, .lost = LOST_ENV,
};

/* Three cuts while the new release starts leave a trial with nothing before it on record. */
static struct world state_lost = {
	SMALL, .final_release = 2, .lost = LOST_STATE, .person_ms = 3600000,
};

/* Nothing is known any more: only what a person brings helps. */
static struct world all_lost = {
	SMALL, .final_release = 2, .lost = LOST_ENV | LOST_STATE, .stick = true,
};

/* Cuts take the state log, the environment or both away, too; an hour later somebody comes. */
static struct world losing = {
	SMALL, .final_release = 2, .person_ms = 3600000,
};

static const struct sim_loss losses[] = {
	{ "state", { "state" }, LOST_STATE },
	{ "env", { "env0", "env1" }, LOST_ENV },
	{ "both", { "state", "env0", "env1" }, LOST_STATE | LOST_ENV },
	{ 0 },
};

/* Larger than what may be unflushed, for the bound on repeated payload. */
static struct world large = {
	.boot_bytes = 60000, .root_bytes = 2400000, .chunk_bytes = 128 * 1024,
	.final_release = 2,
};

/* Fetched and written beyond what the cuts so far allow. */
static void burden_large(const struct sim *s, int64_t ret[2])
{
	int64_t allowed = (int64_t)s->power_cycles * (int64_t)(LB_MIB + large.chunk_bytes);

	ret[0] = (int64_t)s->payload_read - allowed;
	ret[1] = -allowed;
	for (uint32_t i = 0; i < s->region_count; i++)
		if (!s->region[i].small_writes)
			ret[1] += (int64_t)s->region[i].written;
}

/* ---- scenarios ---- */

#define SCENARIO(world, extra)                                                          \
	static void setup_##world(struct sim *s)                                          \
	{                                                                                 \
		device_setup(s, &world);                                                         \
	}                                                                                 \
	static int run_##world(struct sim *s)                                             \
	{                                                                                 \
		return device_run(s, &world, NULL);                                             \
	}                                                                                 \
	static uint64_t digest_##world(struct sim *s, bool coarse)                        \
	{                                                                                 \
		return device_digest(s, &world, coarse);                                  \
	}                                                                                 \
	static int check_##world(struct sim *s, enum sim_moment moment)                   \
	{                                                                                 \
		return device_check(s, &world, moment) || (extra);                        \
	}

SCENARIO(small, 0)
SCENARIO(whole, 0)
SCENARIO(sick, 0)
SCENARIO(interrupted, 0)
SCENARIO(piped, 0)
SCENARIO(dead, 0)
SCENARIO(silent, 0)
SCENARIO(worn, 0)
SCENARIO(stick, 0)
SCENARIO(env_old, 0)
SCENARIO(env_new, 0)
SCENARIO(env_lost, 0)
SCENARIO(state_lost, 0)
SCENARIO(all_lost, 0)
SCENARIO(losing, 0)
SCENARIO(large, device_check_bound(s, &large, moment))

#define ENTRY(text, world)                                                        \
	{ .name = text, .setup = setup_##world, .run = run_##world,                       \
	  .check = check_##world, .digest = digest_##world, .cuts = 2 }

const struct sim_scenario device_scenarios[] = {
	ENTRY("device-whole", whole), /* the longest first */
	ENTRY("device-rescue", sick),
	ENTRY("device-update", small),
	ENTRY("device-interrupted", interrupted),
	ENTRY("device-pipe", piped),
	ENTRY("device-dead-server", dead),
	ENTRY("device-silent-server", silent),
	ENTRY("device-worn", worn),
	ENTRY("device-stick", stick),
	ENTRY("device-older-env-lost", env_old),
	ENTRY("device-newer-env-lost", env_new),
	ENTRY("device-env-lost", env_lost),
	ENTRY("device-state-lost", state_lost),
	ENTRY("device-all-lost", all_lost),
	{ .name = "device-loses-state-or-env", .setup = setup_losing, .run = run_losing,
	  .check = check_losing, .digest = digest_losing, .losses = losses, .cuts = 2 },
	{ .name = "device-bound", .setup = setup_large, .run = run_large, .check = check_large,
	  .digest = digest_large, .burden = burden_large, .cuts = 2, .brief = true },
	{ 0 },
};

/* ---- canaries ---- */

/* Nothing is flushed any more: only a cache that is read instead of the medium looks well. */
static void no_flush(struct sim *s)
{
	sim_region(s, "root")->deaf = true;
	sim_keep_cache(s, "root");
}

static void read_back_from_cache(struct sim *s)
{
	sim_keep_cache(s, "root");
}

static void flush_late(struct sim *s)
{
	sim_region(s, "root")->lazy = true;
}

#define MISTAKE(name, world)                                                              \
	static int run_##name(struct sim *s)                                              \
	{                                                                                 \
		return device_run(s, &world, &mistake_##name);                            \
	}

MISTAKE(flag_before_writing, small)
MISTAKE(flag_before_read_back, worn)
MISTAKE(count_stays, small)
MISTAKE(hint_believed, small)
MISTAKE(unverified_write, small)
MISTAKE(data_written, small)
MISTAKE(neighbour_written, small)
MISTAKE(empty_log_believed, losing)

const struct sim_canary device_canaries[] = {
	{ "flag-before-writing", "device-update", run_flag_before_writing, NULL },
	{ "flag-before-read-back", "device-worn", run_flag_before_read_back, NULL },
	{ "missing-flush-before-the-flag", "device-update", NULL, no_flush },
	{ "read-back-from-cache-medium-dropped-the-write", "device-worn", NULL,
	  read_back_from_cache },
	{ "boot-count-not-reset", "device-update", run_count_stays, NULL },
	{ "progress-hint-believed", "device-update", run_hint_believed, NULL },
	{ "unverified-bytes-written", "device-update", run_unverified_write, NULL },
	{ "data-partition-written", "device-update", run_data_written, NULL },
	{ "neighbour-of-a-slot-written", "device-update", run_neighbour_written, NULL },
	{ "empty-state-log-believed", "device-loses-state-or-env", run_empty_log_believed, NULL },
	{ "one-flush-at-the-end", "device-bound", NULL, flush_late },
	{ 0 },
};
