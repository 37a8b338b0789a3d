/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is there something newer? The channel is asked, one entry is chosen. */
#ifndef AGENT_CHECK_H
#define AGENT_CHECK_H

#include "channel.h"
#include "device.h"
#include "stage.h"

/**
 * agent_choose() - the newest entry for this hardware that is worth installing
 *
 * Borrowed from @ch; NULL when none is newer than the running release, or the
 * newest is below the floor.
 */
const struct lb_channel_release *agent_choose(const struct agent *a, const struct agent_device *d,
					      const struct lb_channel *ch);

/**
 * agent_order_entry() - an order for an entry of the channel
 * @ret: borrows the entry's digest
 */
int agent_order_entry(const struct agent *a, const struct lb_channel_release *entry,
		      struct agent_order *ret, struct lb_error *err) LB_MUST_CHECK;

#endif
