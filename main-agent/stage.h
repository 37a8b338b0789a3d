/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From "this bundle, please" to a staged request: every check in main, then the records. */
#ifndef AGENT_STAGE_H
#define AGENT_STAGE_H

#include "bundle.h"
#include "channel.h"

struct agent_order {
	struct agent_place places[LB_URLS_MAX]; /* the same bundle */
	uint32_t count;
	const uint8_t *manifest; /* NULL, or the digest that the channel names */
};

/**
 * agent_stage() - check the bundle as recovery will, then ask recovery for it
 * @ch: NULL or the channel, for the remedy
 * @m: attempt is noted and saved
 * @ret_release: what the bundle is, also when it was refused; 0 unknown
 *
 * Nothing is written before every check has passed. A cut afterwards: see
 * lb_handover_stage().
 *
 * Return: 0 once staged; -LB_E_BUSY in a state that does not allow it;
 * -LB_E_NOT_NEWER, -LB_E_CHANGED, -LB_E_NO_REMEDY and codes of agent_bundle_*().
 */
int agent_stage(const struct agent *a, struct agent_device *d, const struct agent_order *order,
		const struct lb_channel *ch, struct agent_memory *m, uint64_t *ret_release,
		struct lb_error *err) LB_MUST_CHECK;

#endif
