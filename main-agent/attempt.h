/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What became of the last release that was staged, and when it may be tried again. */
#ifndef AGENT_ATTEMPT_H
#define AGENT_ATTEMPT_H

#include "device.h"
#include "memory.h"

/**
 * agent_attempt_settle() - look for the outcome of a pending attempt
 *
 * Only in state confirmed: then either the release is running, or recovery gave the
 * device back (its result says why), or the request never took effect. A failure
 * doubles the time until the same bundle is staged again by itself.
 */
void agent_attempt_settle(const struct agent *a, struct agent_device *d, struct agent_memory *m);

/**
 * agent_attempt_wait_s() - how long not to stage @manifest
 *
 * Measured by the system's clock; one that jumped back cannot prolong it.
 * Return: seconds, 0: now.
 */
int64_t agent_attempt_wait_s(const struct agent *a, struct agent_memory *m,
			     const uint8_t manifest[LB_SHA256_BYTES]);

/* Staged by us to reboot at once, and main still runs: the reboot did not happen. */
bool agent_attempt_reboots(const struct agent_device *d, const struct agent_attempt *t);

/* @first, doubled for each failure after the first, at most @most. */
uint64_t agent_backoff_s(uint64_t first, uint64_t most, uint32_t failures);

#endif
