/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every scenario and every canary, in the order in which they run. */
#ifndef POWERCUT_SCENARIOS_H
#define POWERCUT_SCENARIOS_H

#include "cutter.h"

/* One table per file, ended by an entry without a name. */
extern const struct sim_scenario log_scenarios[], handover_scenarios[], device_scenarios[],
	self_update_scenarios[], reuse_scenarios[], patch_scenarios[], reset_scenarios[];
extern const struct sim_canary log_canaries[], handover_canaries[], device_canaries[],
	self_update_canaries[], reuse_canaries[], patch_canaries[], reset_canaries[];

#endif
