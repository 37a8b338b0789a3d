/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a scenario once without a cut, then lets the power fail at each of its
 * mutating calls with each of a list of fates for what was not flushed. After a
 * cut the device must be in a state that the scenario allows; then the scenario
 * runs again, as at the next power-on, is cut at each call again if the scenario
 * asks for it, and must end as without a cut.
 *
 * A run is recorded once; the state at each call is made from the record. What
 * the media hold after a cut is looked up among what was followed before: the
 * programs are deterministic, so the same state ends in the same way. In a run
 * that resumes, a call is left out if the power failed in the same one before.
 */
#ifndef POWERCUT_CUTTER_H
#define POWERCUT_CUTTER_H

#include "fates.h"

enum sim_moment {
	SIM_AFTER_CUT,	/* the power came back, nothing ran yet */
	SIM_FINISHED,	/* the scenario ran to its end, after any number of cuts */
};

struct sim_scenario {
	const char *name; /* one word: --replay takes it */
	/* makes the regions and what is on them; the power does not fail here */
	void (*setup)(struct sim *s);
	/* what a program does from power-on to its end; -LB_E_* when it could not */
	int (*run)(struct sim *s);
	/* 0, or sim_fail(s, "what is broken") */
	int (*check)(struct sim *s, enum sim_moment moment);
	uint32_t cuts;	/* how deep: 2: the run after the first cut is cut too, at every call */
	/* what of the media decides how it goes on; NULL: all of it. @coarse: after a second cut */
	uint64_t (*digest)(struct sim *s, bool coarse);
	/* grows with what a cut cost so far: a state that cost more is followed again; may be NULL */
	void (*burden)(const struct sim *s, int64_t ret[2]);
	/* what a cut may take away besides; NULL: nothing */
	const struct sim_loss *losses;
	bool brief;	/* fewer fates, for runs over large regions */
};

/* A known mistake that the simulator has to find. */
struct sim_canary {
	const char *name;
	const char *scenario;
	int (*run)(struct sim *s);	/* instead of the scenario's; NULL: the same */
	void (*arm)(struct sim *s);	/* breaks a port after setup; NULL: none */
};

struct sim_tally {
	uint64_t cuts; /* power cuts that were simulated */
	uint64_t failed;
	bool quiet;    /* canaries: count, print nothing, stop at the first */
	bool quick;    /* few fates, one cut: for slow builds */
	bool deep;     /* one cut more than the scenario asks for */
	uint32_t sector; /* bytes; 0: 512 */
};

void sim_powercut(const struct sim_scenario *sc, const struct sim_canary *canary,
		  struct sim_tally *tally);

/* @words: cut=17 pending=lost tear=2, twice for a second cut. 0 passed, 1 failed, 2 not understood. */
int sim_replay(const struct sim_scenario *sc, const struct sim_canary *canary, int count,
	       char *const *words);

#endif
