// SPDX-License-Identifier: GPL-2.0-or-later
#include "cutter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CUTS_MAX 2
#define SEEDS 6u
#define SINGLES_MAX 12u /* of more pending writes every n-th is kept or lost alone */
#define FATES_MAX 256u
#define FAILURES_SHOWN 20u /* of one scenario */

/* Everything about one scenario that the functions below pass around. */
struct cutter {
	const struct sim_scenario *sc;
	const struct sim_canary *canary;
	struct sim_tally *tally;
	uint64_t failed_before; /* by earlier scenarios */
	struct sim sim;
	struct sim_cut cut[CUTS_MAX];
	uint32_t calls; /* of the last run that was not cut */
};

static const char *const pending_names[SIM_PENDING_COUNT] = {
	[SIM_KEPT] = "kept", [SIM_LOST] = "lost", [SIM_ONLY] = "only",
	[SIM_BUT] = "but",   [SIM_SEED] = "seed", [SIM_GARBLED] = "garbled",
};

/* ---- what a failure says ---- */

static void print_cut(const struct sim_cut *cut)
{
	if (!cut->at)
		return;
	printf(" cut=%u pending=%s", cut->at, pending_names[cut->fate.pending]);
	if (cut->fate.pending >= SIM_ONLY && cut->fate.pending <= SIM_SEED)
		printf(":%u", cut->fate.number);
	printf(" tear=%d", cut->fate.tear);
}

static void failed(struct cutter *c)
{
	c->tally->failed++;
	if (c->tally->quiet)
		return;
	printf("FAIL %s", c->canary ? c->canary->name : c->sc->name);
	for (int i = 0; i < CUTS_MAX; i++)
		print_cut(&c->cut[i]);
	printf("\n     %s\n", c->sim.why);
}

static bool enough(const struct cutter *c)
{
	return c->tally->failed - c->failed_before >= (c->tally->quiet ? 1 : FAILURES_SHOWN);
}

/* ---- running ---- */

static void start(struct cutter *c)
{
	sim_init(&c->sim);
	c->sc->setup(&c->sim);
	sim_settle(&c->sim);
	for (uint32_t i = 0; i < c->sim.region_count; i++)
		c->sim.region[i].written = 0;
	if (c->canary && c->canary->arm)
		c->canary->arm(&c->sim);
}

static int run(struct cutter *c)
{
	return c->canary && c->canary->run ? c->canary->run(&c->sim) : c->sc->run(&c->sim);
}

/*
 * Without a cut: the run must succeed and leave what the scenario wants, also
 * when the power fails right behind it: what it reported must be durable.
 */
static int run_to_end(struct cutter *c)
{
	int err;

	c->sim.cut_at = 0;
	err = run(c);
	c->calls = c->sim.calls;
	if (err)
		return sim_fail(&c->sim, "the run ended with %s", lb_error_name(err));
	sim_reboot(&c->sim);
	return c->sc->check(&c->sim, SIM_FINISHED);
}

/* Up to the power cut at call @at; false when the run was over before. */
static bool run_to_cut(struct cutter *c, uint32_t at)
{
	c->sim.cut_at = at;
	(void)!run(c);
	return c->sim.off;
}

/* ---- fates ---- */

struct fates {
	struct sim_fate list[FATES_MAX];
	uint32_t count;
};

static void add_fate(struct fates *f, enum sim_pending pending, uint32_t number, int32_t tear)
{
	if (f->count < FATES_MAX)
		f->list[f->count++] = (struct sim_fate){ pending, number, tear };
}

static void add_tear(struct fates *f, int32_t tear, uint32_t pending_count)
{
	add_fate(f, SIM_LOST, 0, tear);
	if (pending_count > 1)
		add_fate(f, SIM_KEPT, 0, tear);
}

/* Small records are torn at every byte, large ones within their head and at sectors. */
static void add_tears(struct fates *f, size_t len, uint32_t pending_count)
{
	static const int32_t bytes[] = { 1, 4, 5, 8, 12, 16, 24, 28, 31, 32, 33, 48 };
	size_t sectors = len / SIM_SECTOR, step = sectors / 8 + 1;

	if (len <= 64) {
		for (size_t k = 1; k < len; k++)
			add_tear(f, (int32_t)k, pending_count);
		return;
	}
	for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++)
		add_tear(f, bytes[i], pending_count);
	add_tear(f, (int32_t)len - 1, pending_count);
	for (size_t k = 1; k < sectors; k += step) {
		add_tear(f, (int32_t)(k * SIM_SECTOR), pending_count);
		add_tear(f, -(int32_t)(k * SIM_SECTOR), pending_count);
	}
}

static void list_fates(const struct sim *s, bool brief, struct fates *f)
{
	uint32_t n = s->pending_count, step = n / SINGLES_MAX + 1;
	size_t last = n ? s->pending[n - 1].len : 0;

	f->count = 0;
	add_fate(f, SIM_LOST, 0, 0);
	if (!n)
		return; /* nothing was at stake: one fate is as good as another */
	add_fate(f, SIM_KEPT, 0, 0);
	add_fate(f, SIM_GARBLED, 0, 0);
	if (brief) {
		add_tear(f, (int32_t)(last / 2), n);
		add_fate(f, SIM_SEED, 1, 0);
		add_fate(f, SIM_SEED, 2, 0);
		return;
	}
	for (uint32_t i = 0; n > 1 && i < n; i += step) {
		add_fate(f, SIM_ONLY, i, 0);
		add_fate(f, SIM_BUT, i, 0);
	}
	for (uint32_t seed = 1; seed <= SEEDS; seed++)
		add_fate(f, SIM_SEED, seed, 0);
	add_tears(f, last, n);
}

/* ---- all cuts ---- */

static int after_cut(struct cutter *c, const struct sim_fate *fate)
{
	sim_power_on(&c->sim, fate);
	c->tally->cuts++;
	return c->sc->check(&c->sim, SIM_AFTER_CUT);
}

/* The run after the first cut is cut again, at every call or at a stride. */
static void second_cuts(struct cutter *c, const struct sim_image *after, uint32_t calls)
{
	uint32_t stride = c->sc->second_stride;
	static const enum sim_pending both[] = { SIM_LOST, SIM_KEPT };

	for (uint32_t at = 1 + c->cut[0].at % stride; at <= calls; at += stride) {
		for (int i = 0; i < 2 && !enough(c); i++) {
			sim_restore(&c->sim, after);
			if (!run_to_cut(c, at))
				return;
			c->cut[1] = (struct sim_cut){ at, { both[i], 0, 0 } };
			if (after_cut(c, &c->cut[1].fate) || run_to_end(c))
				failed(c);
		}
	}
	c->cut[1].at = 0;
}

static void one_fate(struct cutter *c, const struct sim_image *wreck)
{
	const struct sim_fate *fate = &c->cut[0].fate;
	struct sim_image *after;

	sim_restore(&c->sim, wreck);
	if (after_cut(c, fate)) {
		failed(c);
		return;
	}
	if (c->sc->cuts < 2 || c->tally->quick || fate->tear || fate->pending > SIM_LOST) {
		if (run_to_end(c))
			failed(c);
		return;
	}
	after = sim_save(&c->sim);
	if (run_to_end(c))
		failed(c);
	else
		second_cuts(c, after, c->calls);
	sim_image_free(after);
}

static void all_fates(struct cutter *c)
{
	struct sim_image *wreck = sim_save(&c->sim);
	struct fates fates;

	list_fates(&c->sim, c->sc->brief || c->tally->quick, &fates);
	for (uint32_t i = 0; i < fates.count && !enough(c); i++) {
		c->cut[0].fate = fates.list[i];
		one_fate(c, wreck);
	}
	sim_image_free(wreck);
}

void sim_powercut(const struct sim_scenario *sc, const struct sim_canary *canary,
		  struct sim_tally *tally)
{
	struct cutter c = { .sc = sc, .canary = canary, .tally = tally,
			    .failed_before = tally->failed };
	uint64_t cuts_before = tally->cuts;
	struct sim_image *begin;
	uint32_t calls;

	start(&c);
	begin = sim_save(&c.sim);
	if (run_to_end(&c))
		failed(&c);
	calls = c.calls;
	for (uint32_t at = 1; at <= calls && !enough(&c); at++) {
		sim_restore(&c.sim, begin);
		if (!run_to_cut(&c, at)) {
			sim_fail(&c.sim, "the run is not the same each time");
			failed(&c);
			break;
		}
		c.cut[0].at = at;
		all_fates(&c);
	}
	if (!tally->quiet)
		printf("  %s %s: %u calls, %llu cuts\n",
		       tally->failed == c.failed_before ? "PASS" : "FAIL", sc->name, calls,
		       (unsigned long long)(tally->cuts - cuts_before));
	sim_image_free(begin);
	sim_free(&c.sim);
}

/* ---- replay ---- */

static bool parse_pending(struct sim_fate *fate, const char *text)
{
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);

	for (int i = 0; i < SIM_PENDING_COUNT; i++) {
		if (strlen(pending_names[i]) != len || strncmp(pending_names[i], text, len))
			continue;
		fate->pending = (enum sim_pending)i;
		fate->number = colon ? (uint32_t)strtoul(colon + 1, NULL, 10) : 0;
		return true;
	}
	return false;
}

static bool parse_cuts(struct cutter *c, int count, char *const *words)
{
	struct sim_cut *cut = NULL;

	for (int i = 0; i < count; i++) {
		if (!strncmp(words[i], "cut=", 4)) {
			cut = cut ? cut + 1 : c->cut;
			if (cut == c->cut + CUTS_MAX)
				return false;
			cut->at = (uint32_t)strtoul(words[i] + 4, NULL, 10);
		} else if (cut && !strncmp(words[i], "pending=", 8)) {
			if (!parse_pending(&cut->fate, words[i] + 8))
				return false;
		} else if (cut && !strncmp(words[i], "tear=", 5)) {
			cut->fate.tear = (int32_t)strtol(words[i] + 5, NULL, 10);
		} else {
			return false;
		}
	}
	return true;
}

int sim_replay(const struct sim_scenario *sc, const struct sim_canary *canary, int count,
	       char *const *words)
{
	struct sim_tally tally = { 0 };
	struct cutter c = { .sc = sc, .canary = canary, .tally = &tally };
	struct sim_image *begin;
	int bad = 0;

	if (!parse_cuts(&c, count, words))
		return 2;
	start(&c);
	begin = sim_save(&c.sim);
	(void)!run_to_end(&c); /* some scenarios compare with it */
	sim_restore(&c.sim, begin);
	sim_image_free(begin);
	c.sim.trace = true;
	for (int i = 0; i < CUTS_MAX && c.cut[i].at && !bad; i++) {
		printf("power-on %d\n", i + 1);
		if (!run_to_cut(&c, c.cut[i].at))
			bad = sim_fail(&c.sim, "the run ended before call %u", c.cut[i].at);
		else
			bad = after_cut(&c, &c.cut[i].fate);
	}
	if (!bad) {
		printf("power-on, no cut\n");
		bad = run_to_end(&c);
	}
	if (bad)
		failed(&c);
	else
		printf("PASS %s\n", sc->name);
	sim_free(&c.sim);
	return bad ? 1 : 0;
}
