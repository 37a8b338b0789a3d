/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a cut may do to what was not flushed: which fates are tried, and how a line names one. */
#ifndef POWERCUT_FATES_H
#define POWERCUT_FATES_H

#include "sim.h"

/* One cut, as the line of a failure names it. */
struct sim_cut {
	uint32_t at; /* mutating call, from 1; 0: none */
	struct sim_fate fate;
};

struct sim_fates {
	struct sim_fate *list; /* owned: free() */
	uint32_t count, room;
};

enum sim_fates_how {
	SIM_FATES_FEW,	/* a few that differ most */
	SIM_FATES_FULL,	/* of the writes that were not flushed, the last one is torn */
	SIM_FATES_ALL,	/* each of them is torn */
};

/* For what is pending now. */
void sim_fates_list(const struct sim *s, enum sim_fates_how how, struct sim_fates *ret);

/* " cut=17 pending=lost tear=2"; nothing when there is no cut. */
void sim_cut_print(const struct sim_cut *cut, const struct sim_loss *losses, char *to, size_t size);
/* One word of it; each cut= begins the next of @max. False: not understood. */
bool sim_cuts_parse(struct sim_cut *cuts, uint32_t max, const struct sim_loss *losses, int count,
		    char *const *words);

#endif
