// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Recovery updates itself: the boot loader's two copies, main's agent, and the real
 * recovery over a bundle that carries recovery release 2 and main release 2. The
 * new recovery starts, or never runs, or crashes before it reaches its bundle, or is
 * refused by the boot loader.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "flow/recovery.h"
#include "flow/self_update.h"
#include "lb_boot_names.h"
#include "mini_bundle.h"
#include "mini_fit.h"
#include "scenarios.h"

#define REGION (256u * 1024u)
#define ENV_BYTES 1024u
#define SLOT_BYTES 9000u
#define MAIN_BYTES 7001u
#define DATA_BYTES 6000u
#define CHUNK_BYTES 3000u /* no multiple of a sector */
#define BOOTS_MAX 24

/* memo[] of the simulator */
enum { BROKEN_BOOT, NO_RECOVERY, VAIN_BOOTS, BOOT_LIMIT_MET };

struct self_world {
	bool dies, refused; /* recovery release 2: panics or hangs; has a signature that U-Boot refuses */
	bool crashes;	    /* ... or ends as soon as it looks for its bundle */
	bool writes_both;   /* canary: both copies are written before the new one was booted */
};

static const struct self_world good, dying = { .dies = true }, crashing = { .crashes = true },
			       refused = { .refused = true };

struct releases {
	uint8_t fit[3][MINI_FIT_MAX], main_os[3][MAIN_BYTES]; /* [0] unused */
	size_t fit_len[3];
	struct mini_bundle bundle[3];
	struct lb_bundle_head head[3];
};

struct device {
	struct sim *s;
	const struct self_world *w;
	struct lb_log log;
	struct lb_boot boot;
	struct lb_device_state d;
	bool lost;
};

static void must(bool ok)
{
	if (!ok) {
		fputs("powercut: setting up recovery's own update failed\n", stderr);
		abort();
	}
}

/* ---- what exists outside of the device ---- */

static const struct releases *releases(struct sim *s)
{
	static struct releases rel;
	struct mini_image root = { .name = "root", .encoding = LB_ENC_ZSTD_FRAMES,
				   .len = MAIN_BYTES, .reach = 1 };

	if (rel.bundle[1].bytes)
		return &rel;
	for (uint32_t r = 1; r <= 2; r++) {
		rel.fit_len[r] = mini_fit(rel.fit[r], r);
		mini_fill(rel.main_os[r], MAIN_BYTES, 10 + r);
	}
	root.bytes = rel.main_os[2];
	mini_pack_with_recovery(&rel.bundle[2], 2,
				(struct mini_image[]){
					{ .name = "recovery", .encoding = LB_ENC_NONE,
					  .bytes = rel.fit[2], .len = rel.fit_len[2] },
					root },
				2, CHUNK_BYTES, 2);
	root.bytes = rel.main_os[1];
	mini_pack(&rel.bundle[1], 1, &root, 1, CHUNK_BYTES);
	for (uint32_t r = 1; r <= 2; r++) {
		struct lb_source *src = sim_source_open(s, rel.bundle[r].bytes, rel.bundle[r].len,
							&(struct sim_source_manners){ 0 });

		must(!lb_bundle_read_head(src, &rel.head[r], NULL));
		lb_source_close(src);
	}
	return &rel;
}

/* ---- the device ---- */

static int open_device(struct device *dev)
{
	int err = lb_boot_open(&dev->boot, sim_blk(dev->s, "env0"), sim_blk(dev->s, "env1"), NULL);

	if (!err)
		err = lb_handover_open_log(&dev->log, sim_blk(dev->s, "state"), &dev->lost, NULL);
	dev->d = (struct lb_device_state){ .log = &dev->log, .boot = &dev->boot };
	return err;
}

static const char *slot_of(char copy)
{
	return copy == 'b' ? "recovery_b" : "recovery_a";
}

static char other_than(char copy)
{
	return copy == 'b' ? 'a' : 'b';
}

/* The recovery that @copy holds whole, 0 if none. */
static uint32_t recovery_in(struct sim *s, char copy)
{
	const struct releases *rel = releases(s);

	for (uint32_t r = 1; r <= 2; r++)
		if (!memcmp(sim_region(s, slot_of(copy))->medium, rel->fit[r], rel->fit_len[r]))
			return r;
	return 0;
}

static int main_release(struct sim *s)
{
	for (int r = 1; r <= 2; r++)
		if (!memcmp(sim_region(s, "root")->medium, releases(s)->main_os[r], MAIN_BYTES))
			return r;
	return 0;
}

/* Would a boot of @copy end in a recovery that works? */
static bool starts(struct sim *s, const struct self_world *w, char copy)
{
	uint32_t r = recovery_in(s, copy);

	return r == 1 || (r == 2 && !w->dies && !w->crashes && !w->refused);
}

/* Only what one of these has at a place may be written there. */
static void allow(struct sim *s, const char *name, const uint8_t *one, const uint8_t *two,
		  size_t size_bytes)
{
	struct sim_region *r = sim_region(s, name);

	r->releases[0] = one;
	r->releases[1] = two;
	r->release_bytes = size_bytes;
}

/* What the factory records: release 1 is confirmed. */
static void record_release_1(struct device *dev)
{
	const struct lb_bundle_head *head = &releases(dev->s)->head[1];
	struct lb_release one = { .release = 1, .manifest = head->manifest,
				  .manifest_len = head->manifest_len,
				  .signature = head->signatures[0],
				  .urls = { "sim:1" }, .url_count = 1 };

	must(!lb_release_save(&dev->log, LB_REC_CONFIRMED, &one, NULL) &&
	     !lb_state_save(&dev->log, &(struct lb_state){ .name = LB_STATE_CONFIRMED }, NULL));
}

static void setup(struct sim *s)
{
	const struct releases *rel = releases(s);
	struct device dev = { .s = s };

	s->ms_per_call = 150;
	sim_add(s, "state", REGION);
	sim_add(s, "env0", ENV_BYTES);
	sim_add(s, "env1", ENV_BYTES);
	sim_add(s, "recovery_a", SLOT_BYTES);
	sim_add(s, "recovery_b", SLOT_BYTES);
	sim_add(s, "root", MAIN_BYTES + 777);
	sim_add_untouchable(s, "data", DATA_BYTES);
	allow(s, "root", rel->main_os[1], rel->main_os[2], MAIN_BYTES);
	allow(s, "recovery_a", rel->fit[1], rel->fit[2], rel->fit_len[1]);
	allow(s, "recovery_b", rel->fit[1], rel->fit[2], rel->fit_len[1]);
	/* a copy is mended with all that the other one's slot holds */
	sim_region(s, "recovery_a")->any_tail = sim_region(s, "recovery_b")->any_tail = true;
	memcpy(sim_region(s, "recovery_a")->medium, rel->fit[1], rel->fit_len[1]);
	memcpy(sim_region(s, "recovery_b")->medium, rel->fit[1], rel->fit_len[1]);
	memcpy(sim_region(s, "root")->medium, rel->main_os[1], MAIN_BYTES);
	must(!open_device(&dev));
	record_release_1(&dev);
	must(!lb_boot_set_main(&dev.boot, false, NULL));
	lb_boot_close(&dev.boot);
}

/* ---- boot loader: bootscripts/boot.env.in, as far as it decides and stores ---- */

struct choice {
	char copy; /* 0: main */
	uint32_t recovery_release;
	enum lb_reason reason;
};

static int count_boot(struct device *dev, const char *counter, uint32_t count)
{
	char digits[2] = { (char)('0' + count % 10), '\0' };
	int err = lb_env_set(&dev->boot.env, counter, digits);

	return err ? err : lb_env_commit(&dev->boot.env, NULL);
}

/* The selected copy, or the other one when it has no valid signature. */
static void choose_copy(struct device *dev, char copy, struct choice *ret)
{
	for (int i = 0; i < 2; i++, copy = other_than(copy)) {
		uint32_t r = recovery_in(dev->s, copy);

		if (r == 2 && dev->w->refused)
			dev->s->memo[VAIN_BOOTS]++;
		else if (r) {
			ret->copy = copy;
			ret->recovery_release = r;
			return;
		}
	}
	dev->s->memo[NO_RECOVERY]++;
}

static int boot_loader(struct device *dev, struct choice *ret)
{
	struct lb_boot_status st;
	char copy;
	int err = 0;

	lb_boot_read(&dev->boot, &st);
	memset(ret, 0, sizeof(*ret));
	if (st.target == LB_BOOT_MAIN && st.main_boots < LB_BOOT_LIMIT)
		return count_boot(dev, LB_VAR_BOOTCOUNT, st.main_boots + 1);
	ret->reason = st.target == LB_BOOT_MAIN ? LB_REASON_BOOT_LIMIT : LB_REASON_REQUESTED;
	if (ret->reason == LB_REASON_BOOT_LIMIT)
		dev->s->memo[BOOT_LIMIT_MET] = 1;
	copy = st.recovery_slot;
	if (st.recovery_boots >= LB_RECOVERY_LIMIT) {
		copy = other_than(copy);
		st.recovery_boots = 0;
		err = lb_env_set(&dev->boot.env, LB_VAR_LIFEBOAT_SLOT, copy == 'b' ? "b" : "a");
	}
	if (!err)
		err = count_boot(dev, LB_VAR_LIFEBOAT_RTRIES, st.recovery_boots + 1);
	if (!err)
		choose_copy(dev, copy, ret);
	return err || ret->copy ? err : -LB_E_FIT;
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
	struct sim *s = ctx;
	const struct mini_bundle *b = &releases(s)->bundle[strcmp(url, "sim:1") ? 2 : 1];

	*ret = sim_source_open(s, b->bytes, b->len, &(struct sim_source_manners){ 0 });
	return 0;
}

/* The program is gone, whatever it was about to do. */
static int crash(void *ctx, const char *url, const struct lb_request *request,
		 const struct lb_network *network, int64_t floor_s, struct lb_source **ret,
		 struct lb_error *err)
{
	return -LB_E_POWER;
}

static bool power_is_off(void *ctx)
{
	return sim_stops(ctx);
}

/* Canary: what was just written for the first time replaces the copy that runs, too. */
static int write_running_too(struct device *dev, char copy)
{
	const struct releases *rel = releases(dev->s);
	struct lb_blk *blk = sim_blk(dev->s, slot_of(copy));
	int err = lb_blk_write(blk, 0, rel->fit[2], rel->fit_len[2]);

	return err ? err : lb_blk_flush(blk);
}

static int recovery(struct device *dev, const struct choice *c)
{
	struct lb_recovery r = {
		.dev = dev->d,
		.slots = { .ctx = dev->s, .open = open_slot },
		.sources = { .ctx = dev->s, .open = open_source },
		.clock = &dev->s->clock,
		.worker = &dev->s->worker.worker,
		.keys = mini_keyring(),
		.device = { .product = "sim", .hardware = { "sim,board" }, .hardware_count = 1,
			    .recovery_release = c->recovery_release },
		.limits = { 600000, 1000, 60000, 30000, 600000 },
		.reason = c->reason,
		.copy = c->copy,
		.state_lost = dev->lost,
		.stop = power_is_off,
		.stop_ctx = dev->s,
	};
	enum lb_recovery_end end = LB_END_STOPPED;
	bool crashes = dev->w->crashes && c->recovery_release == 2;
	int err;

	if ((dev->w->dies || crashes) && c->recovery_release == 2)
		dev->s->memo[VAIN_BOOTS]++;
	if (dev->w->dies && c->recovery_release == 2)
		return 0; /* the watchdog resets */
	if (crashes)
		r.sources.open = crash;
	err = lb_recovery_run(&r, &end, NULL);
	if (!err && sim_stuck(dev->s))
		err = -LB_E_RETRIES;
	if (crashes && !dev->s->off)
		return 0;
	if (!err && end == LB_END_REBOOT && dev->w->writes_both)
		err = write_running_too(dev, c->copy);
	return err;
}

/* ---- main: what the agent decides ---- */

static int main_os(struct device *dev, int release, bool *settled)
{
	struct lb_request q = { .urls = { "sim:2" }, .url_count = 1, .release = 2 };
	struct lb_state st;
	int err = lb_handover_reconcile_main(&dev->d, NULL, 0, NULL);

	if (!err)
		err = lb_state_load(&dev->log, &st, NULL);
	if (err)
		return err;
	memcpy(q.manifest, releases(dev->s)->head[2].manifest_sha256, sizeof(q.manifest));
	if (st.name == LB_STATE_CONFIRMED && release == 1)
		return lb_handover_stage(&dev->d, &q, NULL, NULL);
	*settled = true;
	return lb_handover_confirm(&dev->d, NULL);
}

/* ---- power on ---- */

static int one_boot(struct device *dev, bool *settled)
{
	int release = main_release(dev->s);
	struct choice c;
	int err = open_device(dev);

	if (!err)
		err = boot_loader(dev, &c);
	if (!err && c.copy)
		err = recovery(dev, &c);
	else if (!err && release)
		err = main_os(dev, release, settled);
	else if (!err)
		dev->s->memo[BROKEN_BOOT]++;
	lb_boot_close(&dev->boot);
	return err;
}

static int run_world(struct sim *s, const struct self_world *w)
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

static int check_copies(struct sim *s, const struct self_world *w, bool main_is_next)
{
	bool a = starts(s, w, 'a'), b = starts(s, w, 'b');

	if (!a && !b)
		return sim_fail(s, "no recovery copy starts any more");
	if (main_is_next && !(a && b))
		return sim_fail(s, "the flag says main, and only copy %c is good", a ? 'a' : 'b');
	if (s->memo[NO_RECOVERY])
		return sim_fail(s, "the boot loader found no recovery");
	/* 3 boots a try, or a cut between flag and count */
	if (s->memo[VAIN_BOOTS] > LB_RECOVERY_LIMIT * (LB_SELF_UPDATE_TRIES + s->power_cycles))
		return sim_fail(s, "a recovery that does not start was booted %llu times, %u cuts",
				(unsigned long long)s->memo[VAIN_BOOTS], s->power_cycles);
	return 0;
}

static int check_end(struct sim *s, const struct self_world *w, const struct lb_state *state,
		     const struct lb_boot_status *st)
{
	uint32_t want = w->dies || w->crashes || w->refused ? 1 : 2;
	/* three cuts while main started: release 1 was fetched again, and release 2 not asked for */
	bool back = s->memo[BOOT_LIMIT_MET] && main_release(s) == 1;

	if (back && recovery_in(s, 'a') == 1)
		want = 1;
	if (state->name != LB_STATE_CONFIRMED || st->target != LB_BOOT_MAIN || st->trial)
		return sim_fail(s, "it ended in state %s", lb_state_text(state->name));
	if (main_release(s) != 2 && !back)
		return sim_fail(s, "it ended with main release %d", main_release(s));
	if (recovery_in(s, 'a') != want || recovery_in(s, 'b') != want)
		return sim_fail(s, "it ended with recovery releases %u and %u, not %u",
				recovery_in(s, 'a'), recovery_in(s, 'b'), want);
	return 0;
}

static int check_world(struct sim *s, const struct self_world *w, enum sim_moment moment)
{
	struct device dev = { .s = s, .w = w };
	struct lb_boot_status st;
	struct lb_state state;

	if (s->memo[BROKEN_BOOT])
		return sim_fail(s, "main was booted although it was not whole");
	if (open_device(&dev) || lb_state_load(&dev.log, &state, NULL)) {
		lb_boot_close(&dev.boot);
		return sim_fail(s, "state or environment cannot be read");
	}
	lb_boot_read(&dev.boot, &st);
	lb_boot_close(&dev.boot);
	if (st.target == LB_BOOT_LOST)
		return sim_fail(s, "the boot flag is lost");
	if (!main_release(s) && (st.target == LB_BOOT_MAIN || state.name != LB_STATE_UPDATING))
		return sim_fail(s, "main is not whole in state %s", lb_state_text(state.name));
	if (check_copies(s, w, st.target == LB_BOOT_MAIN))
		return 1;
	return moment == SIM_FINISHED ? check_end(s, w, &state, &st) : 0;
}

/* ---- scenarios ---- */

#define SCENARIO(world)                                                                   \
	static int run_##world(struct sim *s)                                             \
	{                                                                                 \
		return run_world(s, &world);                                              \
	}                                                                                 \
	static int check_##world(struct sim *s, enum sim_moment moment)                   \
	{                                                                                 \
		return check_world(s, &world, moment);                                    \
	}

SCENARIO(good)
SCENARIO(dying)
SCENARIO(crashing)
SCENARIO(refused)

#define ENTRY(title, world)                                                                \
	{ .name = title, .setup = setup, .run = run_##world, .check = check_##world,        \
	  .cuts = 2, .digest = sim_device_digest }

const struct sim_scenario self_update_scenarios[] = {
	ENTRY("self-update", good),
	ENTRY("self-update-dies", dying),
	ENTRY("self-update-crashes", crashing),
	ENTRY("self-update-refused", refused),
	{ 0 },
};

/* ---- canaries ---- */

static int run_writes_both(struct sim *s)
{
	static const struct self_world w = { .dies = true, .writes_both = true };

	return run_world(s, &w);
}

static void believe_the_cache(struct sim *s)
{
	sim_region(s, "recovery_b")->deaf = true;
	sim_keep_cache(s, "recovery_b");
}

const struct sim_canary self_update_canaries[] = {
	{ "both-recovery-copies-before-a-boot", "self-update-dies", run_writes_both, NULL },
	{ "recovery-copy-not-flushed", "self-update", NULL, believe_the_cache },
	{ 0 },
};
