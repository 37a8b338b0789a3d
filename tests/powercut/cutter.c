// SPDX-License-Identifier: GPL-2.0-or-later
#include "cutter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CUTS_MAX 3
#define SEEDS 16u
#define FAILURES_SHOWN 20u /* of one scenario */

/* What was followed to its end: open addressing, doubled when it is half full. */
struct known {
	struct followed {
		uint64_t digest; /* 0: free */
		int64_t burden[2];
		uint32_t depth;	 /* cuts that were simulated behind it, and 1 */
	} *entry; /* owned */
	size_t room, count;
};

/* Everything about one scenario that the functions below pass around. */
struct cutter {
	const struct sim_scenario *sc;
	const struct sim_canary *canary;
	struct sim_tally *tally;
	uint64_t failed_before; /* by earlier scenarios */
	struct sim sim;
	uint32_t depth;
	struct sim_cut cut[CUTS_MAX];
	uint32_t calls; /* of the run without a cut */
	struct known known;
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
	if (c->tally->sector)
		c->sim.sector = c->tally->sector;
	c->sc->setup(&c->sim);
	sim_settle(&c->sim);
	if (c->canary && c->canary->arm)
		c->canary->arm(&c->sim);
	sim_begin(&c->sim);
	c->depth = c->tally->quick ? 1 : c->sc->cuts + c->tally->deep;
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
	struct sim_fate *list; /* owned */
	uint32_t count, room;
};

static void add_fate(struct fates *f, enum sim_pending pending, uint32_t number, int32_t tear)
{
	if (f->count == f->room) {
		f->room = f->room ? 2 * f->room : 64;
		f->list = realloc(f->list, f->room * sizeof(*f->list));
		if (!f->list)
			abort();
	}
	f->list[f->count++] = (struct sim_fate){ pending, number, tear };
}

static void add_tear(struct fates *f, int32_t tear, uint32_t pending_count)
{
	add_fate(f, SIM_LOST, 0, tear);
	if (pending_count > 1)
		add_fate(f, SIM_KEPT, 0, tear);
}

/* Behind it there is only padding: bytes that say nothing, whichever of them arrive. */
static int32_t content_end(const struct sim_write *w)
{
	size_t end = w->len;

	while (end > 1 && !w->data[end - 1])
		end--;
	return (int32_t)end;
}

/* Log records and the environment end at any byte, what is larger at any sector. */
static void add_tears(struct fates *f, const struct sim_write *last, uint32_t sector,
		      uint32_t pending_count)
{
	int32_t len = (int32_t)last->len;

	if (last->region->small_writes)
		for (int32_t k = 1, end = content_end(last); k <= end && k < len; k++)
			add_tear(f, k, pending_count);
	add_tear(f, 1, pending_count);
	add_tear(f, len - 1, pending_count);
	for (int32_t k = (int32_t)sector; k < len; k += (int32_t)sector) {
		add_tear(f, k, pending_count);
		add_tear(f, -k, pending_count);
	}
}

static void list_fates(const struct sim *s, bool brief, struct fates *f)
{
	uint32_t n = s->pending_count;
	const struct sim_write *last = n ? &s->pending[n - 1] : NULL;

	add_fate(f, SIM_LOST, 0, 0);
	if (!n)
		return; /* nothing was at stake: one fate is as good as another */
	add_fate(f, SIM_KEPT, 0, 0);
	add_fate(f, SIM_GARBLED, 0, 0);
	if (brief) {
		add_tear(f, (int32_t)(last->len / 2), n);
		add_fate(f, SIM_SEED, 1, 0);
		add_fate(f, SIM_SEED, 2, 0);
		return;
	}
	for (uint32_t i = 0; n > 1 && i < n; i++) {
		add_fate(f, SIM_ONLY, i, 0);
		add_fate(f, SIM_BUT, i, 0);
	}
	for (uint32_t seed = 1; seed <= SEEDS; seed++)
		add_fate(f, SIM_SEED, seed, 0);
	add_tears(f, last, s->sector, n);
}

/* ---- what was followed before ---- */

static struct followed *find(struct known *k, uint64_t digest)
{
	size_t i = digest % k->room;

	while (k->entry[i].digest && k->entry[i].digest != digest)
		i = (i + 1) % k->room;
	return &k->entry[i];
}

static void make_room(struct known *k)
{
	struct known old = *k;

	if (k->room && 2 * k->count < k->room)
		return;
	k->room = old.room ? 2 * old.room : 4096;
	k->entry = calloc(k->room, sizeof(*k->entry));
	if (!k->entry)
		abort();
	for (size_t i = 0; i < old.room; i++)
		if (old.entry[i].digest)
			*find(k, old.entry[i].digest) = old.entry[i];
	free(old.entry);
}

/* True when the state was followed as deep as it would be now, and at least as burdened. */
static bool followed(struct cutter *c, uint32_t level)
{
	uint32_t depth = c->depth - level + 1;
	int64_t burden[2] = { 0, 0 };
	struct followed *e;
	uint64_t digest = level;

	if (c->sc->digest) {
		digest = c->sc->digest(&c->sim, level > 1) | 1;
	} else {
		digest = sim_hash(1, c->sim.memo, sizeof(c->sim.memo));
		for (uint32_t i = 0; i < c->sim.region_count; i++)
			digest = sim_hash(digest, &(uint64_t){ sim_digest(&c->sim.region[i]) }, 8);
		digest |= 1;
	}
	if (c->sc->burden)
		c->sc->burden(&c->sim, burden);
	make_room(&c->known);
	e = find(&c->known, digest);
	if (e->digest && e->depth >= depth && e->burden[0] >= burden[0] &&
	    e->burden[1] >= burden[1])
		return true;
	c->known.count += !e->digest;
	*e = (struct followed){ digest, { burden[0], burden[1] }, depth };
	return false;
}

/* ---- all cuts ---- */

static void follow(struct cutter *c, uint32_t level);

/* The power fails here for the @level-th time; 0 is the first. */
static void one_fate(struct cutter *c, uint32_t level, const struct sim_fate *fate)
{
	struct sim_mark mark;

	c->cut[level].fate = *fate;
	sim_mark(&c->sim, fate, &mark);
	c->tally->cuts++;
	if (c->sc->check(&c->sim, SIM_AFTER_CUT))
		failed(c);
	else if (!followed(c, level + 1))
		follow(c, level + 1);
	sim_go_back(&c->sim, &mark);
}

static void all_fates(struct cutter *c, uint32_t level)
{
	struct fates fates = { 0 };

	list_fates(&c->sim, level || c->tally->quick || c->sc->brief, &fates);
	for (uint32_t i = 0; i < fates.count && !enough(c); i++)
		one_fate(c, level, &fates.list[i]);
	free(fates.list);
}

/* A program that finds the power gone must leave the same behind, and no memory. */
static void really_cut(struct cutter *c, uint32_t at)
{
	struct sim_mark mark;

	sim_mark(&c->sim, NULL, &mark);
	if (!run_to_cut(c, at)) {
		sim_fail(&c->sim, "the run is not the same each time");
		failed(c);
	}
	sim_go_back(&c->sim, &mark);
}

/* Cuts at each call of a recorded run. */
static void cut_everywhere(struct cutter *c, const struct sim_ops *ops, uint32_t level)
{
	struct sim_mark mark;
	uint32_t at = 0;

	sim_mark(&c->sim, NULL, &mark);
	for (uint32_t i = 0; i < ops->count && !enough(c); i++) {
		sim_enter(&c->sim, &ops->op[i]);
		if (sim_is_call(&ops->op[i])) {
			c->cut[level].at = ++at;
			if (level || !c->tally->parts || at % c->tally->parts == c->tally->part)
				all_fates(c, level);
			c->sim.calls = at;
		}
		sim_leave(&c->sim, &ops->op[i]);
	}
	c->cut[level].at = 0;
	sim_go_back(&c->sim, &mark);
}

/* From a power-on, after @level cuts: to the end, and then with a cut at each call. */
static void follow(struct cutter *c, uint32_t level)
{
	struct sim_ops ops = { 0 };
	struct sim_mark mark;
	uint32_t calls;

	sim_mark(&c->sim, NULL, &mark);
	c->sim.ops = &ops;
	if (run_to_end(c))
		failed(c);
	c->sim.ops = NULL;
	calls = c->sim.calls;
	sim_go_back(&c->sim, &mark);
	for (uint32_t at = 1; !level && at <= calls && !enough(c); at++)
		really_cut(c, at);
	if (level < c->depth && !enough(c))
		cut_everywhere(c, &ops, level);
	c->calls = calls;
	sim_ops_free(&ops);
}

void sim_powercut(const struct sim_scenario *sc, const struct sim_canary *canary,
		  struct sim_tally *tally)
{
	struct cutter c = { .sc = sc, .canary = canary, .tally = tally,
			    .failed_before = tally->failed };
	uint64_t cuts_before = tally->cuts;

	start(&c);
	follow(&c, 0);
	if (!tally->quiet)
		printf("  %s %s: %u calls, %llu cuts, %zu states\n",
		       tally->failed == c.failed_before ? "PASS" : "FAIL", sc->name, c.calls,
		       (unsigned long long)(tally->cuts - cuts_before), c.known.count);
	free(c.known.entry);
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
	struct sim_mark mark;
	int bad = 0;

	if (!parse_cuts(&c, count, words))
		return 2;
	start(&c);
	sim_mark(&c.sim, NULL, &mark);
	(void)!run_to_end(&c); /* some scenarios compare with it */
	sim_go_back(&c.sim, &mark);
	c.sim.trace = true;
	for (int i = 0; i < CUTS_MAX && c.cut[i].at && !bad; i++) {
		printf("power-on %d\n", i + 1);
		if (!run_to_cut(&c, c.cut[i].at)) {
			bad = sim_fail(&c.sim, "the run ended before call %u", c.cut[i].at);
			continue;
		}
		sim_power_on(&c.sim, &c.cut[i].fate);
		bad = sc->check(&c.sim, SIM_AFTER_CUT);
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
