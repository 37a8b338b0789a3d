// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The whole job: a boot loader model, main with its agent's decisions, and the
 * real recovery over a real bundle, from "release 1 runs" to "release 2 is
 * confirmed". The power may fail at any write of any of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "digest.h"
#include "flow/recovery.h"
#include "lb_boot_names.h"
#include "mini_bundle.h"
#include "scenarios.h"

#define REGION (256u * 1024u)
#define ENV_BYTES 1024u
#define BOOTS_MAX 16
#define CALLS_MAX 2000u /* of a run: recovery retries for ever, the simulator does not */
#define STICK_URL "sim:2, a stick"
#define RELEASES 3 /* 1 and 2; 0 is none */

/* ---- what exists outside of the device: images and bundles ---- */

struct world {
	size_t boot_bytes, root_bytes, chunk_bytes;
	uint32_t ms_per_call;
	struct sim_source_manners manners; /* of every source */
	uint64_t worn_at; /* of root, see sim.h */
	bool two_is_sick; /* release 2 never reports healthy */
	int final_release;
	bool stick;	 /* with release 2 on it, inserted in recovery all the time */
	unsigned int lost; /* LOSES_*: what is garbage when it all begins */
	uint32_t log_room; /* blocks of the state log's half that are left; 0: as it comes */
	uint32_t compactions; /* at least so many must come to pass without a cut */
	bool flag_early; /* canary: recovery returns the flag before it is done */
	bool count_stays; /* canary: main confirms without the environment */
	struct mini_image image[RELEASES][MINI_IMAGES];
	struct mini_bundle bundle[RELEASES];
	/* what the run without a cut, which comes first, fetched and wrote */
	uint64_t needed_payload, needed_writes;
};

enum { LOSES_ENV0 = 1, LOSES_ENV1 = 2, LOSES_STATE = 4 };

/* memo[] of the simulator */
enum { BROKEN_BOOT };

static uint8_t *noise(size_t len, uint32_t seed)
{
	uint8_t *p = malloc(len);

	if (!p)
		abort();
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525u + 1013904223u;
		p[i] = (uint8_t)(seed >> 24);
	}
	return p;
}

/*
 * Root of release 2 against that of release 1: every third chunk is as it was, one
 * became zeros, one repeats another, one moved to where another was.
 */
static void make_root(const struct world *w, struct mini_image *one, struct mini_image *two)
{
	size_t c = w->chunk_bytes, chunks = w->root_bytes / c;

	one->bytes = noise(w->root_bytes, 11);
	two->bytes = noise(w->root_bytes, 12);
	memset(one->bytes + 2 * c, 0, c);
	for (size_t i = 0; i < chunks; i += 3)
		memcpy(two->bytes + i * c, one->bytes + i * c, c);
	memset(two->bytes + 4 * c, 0, c);
	memcpy(two->bytes + 7 * c, two->bytes + 5 * c, c);
	memcpy(two->bytes + 8 * c, one->bytes + 10 * c, c);
}

static void make_world(struct world *w)
{
	if (w->bundle[1].bytes)
		return;
	for (int r = 1; r < RELEASES; r++) {
		w->image[r][0] = (struct mini_image){ "boot", LB_ENC_NONE,
						      noise(w->boot_bytes, (uint32_t)r),
						      w->boot_bytes };
		w->image[r][1] = (struct mini_image){ "root", LB_ENC_ZSTD_FRAMES, NULL,
						      w->root_bytes };
	}
	make_root(w, &w->image[1][1], &w->image[2][1]);
	for (int r = 1; r < RELEASES; r++)
		mini_pack(&w->bundle[r], (uint64_t)r, w->image[r], MINI_IMAGES, w->chunk_bytes);
}

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

static struct world dead = {
	SMALL, .final_release = 1, .manners = { .dead = true },
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
	SMALL, .final_release = 2, .lost = LOSES_ENV0,
};

static struct world env_new = {
	SMALL, .final_release = 2, .lost = LOSES_ENV1,
};

static struct world env_lost = {
	SMALL, .final_release = 2, .lost = LOSES_ENV0 | LOSES_ENV1,
};

static struct world state_lost = {
	SMALL, .final_release = 2, .lost = LOSES_STATE,
};

/* Nothing is known any more: only what a person brings helps. */
static struct world all_lost = {
	SMALL, .final_release = 2, .lost = LOSES_ENV0 | LOSES_ENV1 | LOSES_STATE, .stick = true,
};

/* Larger than what may be unflushed, for the bound on repeated payload. */
static struct world large = {
	.boot_bytes = 60000, .root_bytes = 2400000, .chunk_bytes = 128 * 1024,
	.final_release = 2,
};

/* ---- the device ---- */

struct device {
	struct sim *s;
	const struct world *w;
	struct lb_log log;
	struct lb_boot boot;
	struct lb_device_state d;
	bool lost;
};

static void must(int err)
{
	if (err) {
		fprintf(stderr, "powercut: setting up failed: %s\n", lb_error_name(err));
		abort();
	}
}

static int open_env(struct device *dev)
{
	return lb_boot_open(&dev->boot, sim_blk(dev->s, "env0"), sim_blk(dev->s, "env1"), NULL);
}

static int open_state(struct device *dev)
{
	int err = lb_handover_open_log(&dev->log, sim_blk(dev->s, "state"), &dev->lost, NULL);

	dev->d = (struct lb_device_state){ .log = &dev->log, .boot = &dev->boot };
	return err;
}

/* The release that both slots hold on the medium, 0 when they do not. */
static int whole_release(const struct device *dev)
{
	for (int r = 1; r < RELEASES; r++) {
		bool same = true;

		for (int i = 0; i < MINI_IMAGES; i++) {
			const struct mini_image *im = &dev->w->image[r][i];

			same = same && !memcmp(sim_region(dev->s, im->name)->medium, im->bytes,
					       im->len);
		}
		if (same)
			return r;
	}
	return 0;
}

static void fill_log(struct lb_log *log, uint32_t room)
{
	while (room && log->end + room * LB_LOG_ALIGN < REGION / 2)
		must(lb_log_put(log, LB_REC_LOG, "filler", 6, NULL));
}

static void lose(struct sim *s, unsigned int what)
{
	static const char *const names[] = { "env0", "env1", "state" };

	for (size_t i = 0; i < LB_ARRAY_LEN(names); i++)
		if (what & 1u << i)
			memset(sim_region(s, names[i])->medium, 0x5a,
			       sim_blk(s, names[i])->size_bytes);
}

static void setup(struct sim *s, struct world *w)
{
	struct device dev = { .s = s, .w = w };
	struct lb_bundle_head head;
	struct lb_source *src;
	struct lb_release one;

	make_world(w);
	s->ms_per_call = w->ms_per_call;
	sim_add(s, "state", REGION);
	sim_add(s, "env0", ENV_BYTES);
	sim_add(s, "env1", ENV_BYTES);
	for (int i = 0; i < MINI_IMAGES; i++) {
		const struct mini_image *im = &w->image[1][i];

		sim_add(s, im->name, im->len + 777);
		memcpy(sim_region(s, im->name)->medium, im->bytes, im->len);
	}
	sim_region(s, "root")->worn_at = w->worn_at;
	src = sim_source_open(s, w->bundle[1].bytes, w->bundle[1].len,
			      &(struct sim_source_manners){ 0 });
	must(lb_bundle_read_head(src, &head, NULL));
	lb_source_close(src);
	one = (struct lb_release){ .release = 1, .manifest = head.manifest,
				   .manifest_len = head.manifest_len,
				   .signature = head.signatures[0],
				   .urls = { "sim:1" }, .url_count = 1 };
	must(open_state(&dev));
	must(lb_release_save(&dev.log, LB_REC_CONFIRMED, &one, NULL));
	must(lb_state_save(&dev.log, &(struct lb_state){ .name = LB_STATE_CONFIRMED }, NULL));
	must(open_env(&dev));
	must(lb_boot_set_main(&dev.boot, false, NULL));
	lb_boot_close(&dev.boot);
	lb_bundle_head_free(&head);
	fill_log(&dev.log, w->log_room);
	s->payload_read = 0;
	sim_settle(s);
	lose(s, w->lost);
}

/* ---- boot loader ---- */

enum boots { BOOTS_MAIN, BOOTS_RECOVERY };

/* bootscripts/boot.env.in, as far as it decides and stores. */
static int boot_loader(struct device *dev, enum boots *ret, enum lb_reason *reason)
{
	struct lb_boot_status st;
	const char *counter;
	uint32_t count;
	char digits[8];
	int err = open_env(dev);

	if (err)
		return err;
	lb_boot_read(&dev->boot, &st);
	*ret = st.target == LB_BOOT_MAIN && st.main_boots < LB_BOOT_LIMIT ? BOOTS_MAIN
									  : BOOTS_RECOVERY;
	*reason = st.target == LB_BOOT_MAIN	    ? LB_REASON_BOOT_LIMIT
		  : st.target == LB_BOOT_RECOVERY ? LB_REASON_REQUESTED
						    : LB_REASON_FLAG_LOST;
	counter = *ret == BOOTS_MAIN ? LB_VAR_BOOTCOUNT : LB_VAR_LIFEBOAT_RTRIES;
	count = *ret == BOOTS_MAIN ? st.main_boots : st.recovery_boots;
	snprintf(digits, sizeof(digits), "%x", (count + 1) & 0xff);
	err = lb_env_set(&dev->boot.env, counter, digits);
	if (!err)
		err = lb_env_commit(&dev->boot.env, NULL);
	lb_boot_close(&dev->boot);
	return err;
}

/* ---- recovery: the real one ---- */

static int open_slot(void *ctx, const char *name, bool writable, struct lb_blk **ret,
		     struct lb_error *err)
{
	*ret = sim_blk(ctx, name);
	return 0;
}

static int open_source(void *ctx, const char *url, const struct lb_request *request,
		       const struct lb_network *network, int64_t floor_s, struct lb_source **ret,
		       struct lb_error *err)
{
	const struct device *dev = ctx;
	const struct mini_bundle *b = &dev->w->bundle[url[4] - '0']; /* sim:1, sim:2 */

	struct sim_source_manners manners = dev->w->manners;

	manners.dead = manners.dead && strcmp(url, STICK_URL) != 0;
	manners.payload_offset = b->payload_offset;
	*ret = sim_source_open(dev->s, b->bytes, b->len, &manners);
	return 0;
}

static bool medium(void *ctx, unsigned int n, char *ret_url, size_t size)
{
	const struct device *dev = ctx;

	if (!dev->w->stick || n)
		return false;
	snprintf(ret_url, size, "%s", STICK_URL);
	return true;
}

static bool power_is_off(void *ctx)
{
	const struct sim *s = ctx;

	return s->off || s->calls > CALLS_MAX;
}

static int recovery(struct device *dev, enum lb_reason reason)
{
	struct lb_recovery r = {
		.dev = dev->d,
		.slots = { .ctx = dev->s, .open = open_slot },
		.sources = { .ctx = dev, .open = open_source, .medium = medium },
		.clock = &dev->s->clock,
		.keys = mini_keyring(),
		.device = { .product = "sim", .hardware = { "sim,board" }, .hardware_count = 1,
			    .recovery_release = 1 },
		.limits = { 600000, 1000, 60000, 30000, 0 },
		.reason = reason,
		.state_lost = dev->lost,
		.stop = power_is_off,
		.stop_ctx = dev->s,
	};
	enum lb_recovery_end end;

	if (dev->w->flag_early && lb_boot_set_main(&dev->boot, true, NULL))
		return -LB_E_IO;
	return lb_recovery_run(&r, &end, NULL);
}

/* ---- main: what the agent decides ---- */

/* A log without a state record is that of a device that never was updated. */
static int load_state(struct device *dev, struct lb_state *ret)
{
	int err = lb_state_load(&dev->log, ret, NULL);

	if (err != -LB_E_NOT_FOUND)
		return err;
	*ret = (struct lb_state){ .name = LB_STATE_CONFIRMED };
	return 0;
}

static bool tried_in_vain(struct device *dev)
{
	struct lb_result v;

	return !lb_result_load(&dev->log, &v, NULL) && strcmp(v.code, "ok") != 0;
}

static int stage_release_2(struct device *dev)
{
	struct lb_request q = { .urls = { "sim:2", "sim:2, a mirror" }, .url_count = 2, .release = 2,
				.header = "Authorization: Bearer sesame" };

	return lb_handover_stage(&dev->d, &q, NULL, NULL);
}

/* Sets @settled when nothing is left to do. */
static int main_os(struct device *dev, int release, bool *settled)
{
	struct lb_state st;
	int err = lb_handover_reconcile_main(&dev->d, NULL, 0, NULL);

	if (!err)
		err = load_state(dev, &st);
	if (err)
		return err;
	if (release == 2 && dev->w->two_is_sick)
		return 0; /* never reports healthy; the watchdog resets */
	if (st.name == LB_STATE_CONFIRMED && release == 1 && !tried_in_vain(dev))
		return stage_release_2(dev);
	*settled = true;
	if (dev->w->count_stays) {
		st.name = LB_STATE_CONFIRMED;
		return lb_state_save(&dev->log, &st, NULL);
	}
	return lb_handover_confirm(&dev->d, NULL);
}

/* ---- power on ---- */

static int one_boot(struct device *dev, bool *settled)
{
	enum lb_reason reason;
	enum boots what;
	int release, err = boot_loader(dev, &what, &reason);

	if (err)
		return err;
	release = whole_release(dev);
	if (what == BOOTS_MAIN && !release) {
		dev->s->memo[BROKEN_BOOT]++;
		return -LB_E_FIT;
	}
	err = open_env(dev);
	if (!err)
		err = open_state(dev);
	if (!err && what == BOOTS_MAIN)
		err = main_os(dev, release, settled);
	else if (!err)
		err = recovery(dev, reason);
	lb_boot_close(&dev->boot);
	return err;
}

static int run_device(struct sim *s, const struct world *w)
{
	struct device dev = { .s = s, .w = w };
	bool settled = false;

	for (int boots = 0; boots < BOOTS_MAX && !settled; boots++) {
		int err = one_boot(&dev, &settled);

		if (err)
			return err;
		sim_reboot(s);
	}
	return settled ? 0 : -LB_E_RETRIES;
}

/* ---- promises ---- */

/* DESIGN, promise 4: so much more may be fetched and written for each cut. */
static int repeated_too_much(struct sim *s, struct world *w, enum sim_moment moment)
{
	uint64_t chunk = w->chunk_bytes > w->bundle[2].longest_stored
				 ? w->chunk_bytes : w->bundle[2].longest_stored;
	uint64_t more = s->power_cycles * (LB_MIB + chunk);
	uint64_t written = sim_region(s, "boot")->written + sim_region(s, "root")->written;

	if (moment == SIM_FINISHED && !s->power_cycles) {
		w->needed_payload = s->payload_read;
		w->needed_writes = written;
	}
	if (s->payload_read > w->needed_payload + more)
		return sim_fail(s, "%llu bytes of payload were fetched, %llu are needed, %u cuts",
				(unsigned long long)s->payload_read,
				(unsigned long long)w->needed_payload, s->power_cycles);
	if (written > w->needed_writes + more)
		return sim_fail(s, "%llu bytes were written, %llu are needed, %u cuts",
				(unsigned long long)written, (unsigned long long)w->needed_writes,
				s->power_cycles);
	return 0;
}

/* Only a record that makes recovery go on may stand beside a main that is not whole. */
static int check_records(struct sim *s, struct device *dev, int release, struct lb_state *state)
{
	int err = open_state(dev);

	if (!err)
		err = load_state(dev, state);
	if (err)
		return sim_fail(s, "the state cannot be read: %s", lb_error_name(err));
	if (dev->lost && !(dev->w->lost & LOSES_STATE))
		return sim_fail(s, "the state region is lost");
	if (!release && state->name != LB_STATE_UPDATING && state->name != LB_STATE_RESCUE)
		return sim_fail(s, "main is not whole in state %s", lb_state_text(state->name));
	return 0;
}

static int check_device(struct sim *s, const struct world *w, enum sim_moment moment)
{
	struct device dev = { .s = s, .w = w };
	struct lb_boot_status st;
	struct lb_state state;
	int release = whole_release(&dev);

	if (s->memo[BROKEN_BOOT])
		return sim_fail(s, "main was booted although it was not whole");
	if (open_env(&dev))
		return sim_fail(s, "the environment cannot be read");
	lb_boot_read(&dev.boot, &st);
	lb_boot_close(&dev.boot);
	if (st.target == LB_BOOT_LOST && (!w->lost || moment == SIM_FINISHED))
		return sim_fail(s, "the boot flag is lost");
	if (st.target == LB_BOOT_MAIN && !release)
		return sim_fail(s, "the flag says main, which is not whole");
	if (check_records(s, &dev, release, &state))
		return 1;
	if (moment == SIM_AFTER_CUT)
		return 0;
	if (!s->power_cycles && dev.log.generation < 1 + w->compactions)
		return sim_fail(s, "the log was compacted only %u times", dev.log.generation - 1);
	if (state.name != LB_STATE_CONFIRMED || st.target != LB_BOOT_MAIN || st.trial ||
	    st.main_boots || release != w->final_release)
		return sim_fail(s, "it ended in state %s with release %d, trial %d, count %u",
				lb_state_text(state.name), release, st.trial, st.main_boots);
	return 0;
}

/* What a program can read, and what else decides how the world answers. */
static uint64_t digest_device(struct sim *s, const struct world *w, bool coarse)
{
	uint64_t h = sim_device_digest(s, coarse);
	uint64_t outside[] = {
		w->worn_at && sim_region(s, "root")->written >= w->worn_at,
		w->manners.silent_ms && s->payload_read >= w->manners.silent_from,
	};

	return sim_hash(h, outside, sizeof(outside));
}

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
		setup(s, &world);                                                         \
	}                                                                                 \
	static int run_##world(struct sim *s)                                             \
	{                                                                                 \
		return run_device(s, &world);                                             \
	}                                                                                 \
	static uint64_t digest_##world(struct sim *s, bool coarse)                        \
	{                                                                                 \
		return digest_device(s, &world, coarse);                                  \
	}                                                                                 \
	static int check_##world(struct sim *s, enum sim_moment moment)                   \
	{                                                                                 \
		return check_device(s, &world, moment) || (extra);                        \
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
SCENARIO(large, repeated_too_much(s, &large, moment))

#define ENTRY(text, world, depth)                                                         \
	{ .name = text, .setup = setup_##world, .run = run_##world,                       \
	  .check = check_##world, .digest = digest_##world, .cuts = depth }

const struct sim_scenario device_scenarios[] = {
	ENTRY("device-update", small, 2),
	ENTRY("device-whole", whole, 1),
	ENTRY("device-rescue", sick, 1),
	ENTRY("device-interrupted", interrupted, 1),
	ENTRY("device-pipe", piped, 1),
	ENTRY("device-dead-server", dead, 2),
	ENTRY("device-silent-server", silent, 1),
	ENTRY("device-worn", worn, 1),
	ENTRY("device-stick", stick, 1),
	ENTRY("device-older-env-lost", env_old, 1),
	ENTRY("device-newer-env-lost", env_new, 1),
	ENTRY("device-env-lost", env_lost, 1),
	ENTRY("device-state-lost", state_lost, 1),
	ENTRY("device-all-lost", all_lost, 1),
	{ .name = "device-bound", .setup = setup_large, .run = run_large, .check = check_large,
	  .digest = digest_large, .burden = burden_large, .cuts = 1, .brief = true },
	{ 0 },
};

/* ---- canaries ---- */

static void believe_the_cache(struct sim *s)
{
	sim_region(s, "root")->deaf = true;
	sim_region(s, "root")->cached_medium = true;
}

static void flush_late(struct sim *s)
{
	sim_region(s, "root")->lazy = true;
}

static int run_flag_early(struct sim *s)
{
	struct world w = small;

	w.flag_early = true;
	return run_device(s, &w);
}

static int run_count_stays(struct sim *s)
{
	struct world w = small;

	w.count_stays = true;
	return run_device(s, &w);
}

const struct sim_canary device_canaries[] = {
	{ "device-read-back-from-cache", "device-update", NULL, believe_the_cache },
	{ "device-flag-before-verified", "device-update", run_flag_early, NULL },
	{ "device-boot-count-not-reset", "device-update", run_count_stays, NULL },
	{ "device-one-flush-at-the-end", "device-bound", NULL, flush_late },
	{ 0 },
};
