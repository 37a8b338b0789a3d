/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of a device's media decides how it goes on: all bytes of its slots, and of
 * the state region and the environment what lib/state and lib/boot read from them.
 * Two states with the same digest end in the same way, because no program of ours
 * reads those two otherwise.
 */
#ifndef POWERCUT_DIGEST_H
#define POWERCUT_DIGEST_H

#include "sim.h"

/*
 * @coarse: without sequence and generation numbers, the environment's serial
 * number, and the records that are for people (progress, result, log): they
 * differ from cut to cut and nothing is decided by them.
 */
uint64_t sim_device_digest(struct sim *s, bool coarse);
/* The same without the slots. */
uint64_t sim_records_digest(struct sim *s, bool coarse);

#endif
