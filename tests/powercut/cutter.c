// SPDX-License-Identifier: GPL-2.0-or-later
#include "cutter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "known.h"

#define CUTS_MAX 3
#define FAILURES_SHOWN 20u /* of one scenario */

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
	struct sim_known exact;	 /* bytes after a cut that were judged and followed */
	struct sim_known states; /* what decides how it goes on: followed to the end */
	struct sim_known places; /* in a resumed run: the power failed here with every fate */
};

/* ---- what a failure says ---- */

static void failed(struct cutter *c)
{
	char cuts[CUTS_MAX][96];

	c->tally->failed++;
	if (c->tally->quiet)
		return;
	for (int i = 0; i < CUTS_MAX; i++)
		sim_cut_print(&c->cut[i], c->sc->losses, cuts[i], sizeof(cuts[i]));
	printf("FAIL %s%s%s%s\n     %s\n", c->canary ? c->canary->name : c->sc->name, cuts[0],
	       cuts[1], cuts[2], c->sim.why);
	fflush(stdout); /* in one piece: others write there too */
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
	c->sim.losses = c->sc->losses;
	c->sc->setup(&c->sim);
	sim_settle(&c->sim);
	if (c->canary && c->canary->arm)
		c->canary->arm(&c->sim);
	sim_begin(&c->sim);
	c->depth = c->tally->quick ? 1
		   : !c->tally->deep ? c->sc->cuts
		   : c->sc->brief    ? c->sc->cuts + 1
				     : CUTS_MAX;
}

/* What nobody may write comes first: it holds in every scenario. */
static int judge(struct cutter *c, enum sim_moment moment)
{
	uint32_t calls = c->sim.calls;
	int bad = sim_check_writes(&c->sim) || c->sc->check(&c->sim, moment);

	if (c->sim.calls != calls)
		bad = sim_fail(&c->sim, "the check itself wrote");
	return bad;
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
	return judge(c, SIM_FINISHED);
}

/* Up to the power cut at call @at; false when the run was over before. */
static bool run_to_cut(struct cutter *c, uint32_t at)
{
	c->sim.cut_at = at;
	(void)!run(c);
	return c->sim.off;
}

/* ---- what was tried before ---- */

/* False when it goes on from here as from a state that was followed as deep. */
static bool new_state(struct cutter *c, uint32_t level)
{
	int64_t burden[2] = { 0, 0 };
	uint64_t digest = c->sc->digest ? c->sc->digest(&c->sim, level > 1)
					: sim_digest_all(&c->sim);

	if (c->sc->burden)
		c->sc->burden(&c->sim, burden);
	return sim_known_add(&c->states, digest, c->depth - level + 1, burden);
}

/* Byte for byte what another fate left: what was judged need not be judged again. */
static bool new_bytes(struct cutter *c, uint32_t level)
{
	return sim_known_add(&c->exact, sim_digest_all(&c->sim) + level, 1, (int64_t[2]){ 0, 0 });
}

/* What is under way: in records only where and how much, the states around them say the rest. */
static uint64_t digest_pending(const struct sim *s, bool all_bytes)
{
	uint64_t h = 4;

	for (uint32_t i = 0; i < s->pending_count; i++) {
		const struct sim_write *w = &s->pending[i];
		uint64_t where[] = { (uint64_t)(w->region - s->region), w->offset, w->len };
		bool bytes = all_bytes || !w->region->small_writes;

		if (!bytes && !strncmp(w->region->blk.name, "env", 3))
			where[0] = where[1] = 0; /* whichever copy is the stale one */
		h = sim_hash(h, where, sizeof(where));
		if (bytes)
			h = sim_hash(h, w->data, w->len);
	}
	return h;
}

/* What decides how it goes on, if the power failed now and @fate came over what is pending. */
static uint64_t digest_after(struct cutter *c, const struct sim_fate *fate)
{
	struct sim_mark mark;
	uint64_t digest;

	sim_mark(&c->sim, fate, &mark);
	digest = c->sc->digest ? c->sc->digest(&c->sim, true) : sim_digest_all(&c->sim);
	sim_go_back(&c->sim, &mark);
	return digest;
}

/*
 * In a run that resumes after a cut: false when the power failed before with the
 * same on the media, the same under way, and the same as if that had arrived. Runs
 * that resume after different cuts soon do the same.
 */
static bool new_place(struct cutter *c, uint32_t level)
{
	const struct sim_fate lost = { .pending = SIM_LOST }, kept = { .pending = SIM_KEPT };
	uint64_t digest[] = { digest_after(c, &lost), digest_after(c, &kept),
			      digest_pending(&c->sim, !c->sc->digest) };
	int64_t burden[2] = { 0, 0 };

	if (c->sc->burden)
		c->sc->burden(&c->sim, burden);
	return sim_known_add(&c->places, sim_hash(5, digest, sizeof(digest)), c->depth - level + 1,
			     burden);
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
	if (!new_bytes(c, level))
		;
	else if (judge(c, SIM_AFTER_CUT))
		failed(c);
	else if (new_state(c, level + 1))
		follow(c, level + 1);
	sim_go_back(&c->sim, &mark);
}

static void all_fates(struct cutter *c, uint32_t level)
{
	bool few = c->tally->quick || c->sc->brief || level >= c->sc->cuts;
	enum sim_fates_how how = few ? SIM_FATES_FEW : level ? SIM_FATES_FULL : SIM_FATES_ALL;
	struct sim_fates fates = { 0 };

	sim_fates_list(&c->sim, how, &fates);
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
			if (!level || new_place(c, level))
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
	if (!tally->quiet) {
		printf("  %s %s%s: %u calls, %llu cuts, %zu states\n",
		       tally->failed == c.failed_before ? "PASS" : "FAIL", sc->name,
		       tally->sector == 4096 ? " (sectors of 4096)" : "", c.calls,
		       (unsigned long long)(tally->cuts - cuts_before), c.states.count);
		fflush(stdout);
	}
	sim_known_free(&c.exact);
	sim_known_free(&c.states);
	sim_known_free(&c.places);
	sim_free(&c.sim);
}

/* ---- replay ---- */

int sim_replay(const struct sim_scenario *sc, const struct sim_canary *canary, int count,
	       char *const *words)
{
	struct sim_tally tally = { 0 };
	struct cutter c = { .sc = sc, .canary = canary, .tally = &tally };
	struct sim_mark mark;
	int bad = 0;

	if (!sim_cuts_parse(c.cut, CUTS_MAX, sc->losses, count, words))
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
		bad = judge(&c, SIM_AFTER_CUT);
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
