/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A server asks for recovery: by an entry of the signed channel file that names this device. */
#ifndef AGENT_VISIT_H
#define AGENT_VISIT_H

#include "bundle/channel.h"
#include "device.h"
#include "memory.h"

/**
 * agent_serial_load() - which serial number this device has
 *
 * The setting, or the first line of serial_file. @a->serial stays "" when neither says one that
 * a channel can name: then no request is for this device.
 */
void agent_serial_load(struct agent *a);

/**
 * agent_visit_first() - the first channel file that this memory knows
 * @m: gets the requests for this device, as not acted on; not saved
 *
 * Whoever remembers nothing cannot tell what was acted on before (a lost state folder), nor
 * what is long over: what such a channel lists stays undone. A later one's new ids count.
 */
void agent_visit_first(const struct agent *a, const struct lb_channel *ch, struct agent_memory *m);

/**
 * agent_visit_next() - the request to act on
 * @now_s: as agent_device_now()
 *
 * Borrowed from @ch; NULL: none is for this device, in time and not remembered, or requests are
 * switched off.
 */
const struct lb_channel_visit *agent_visit_next(const struct agent *a, const struct agent_memory *m,
						const struct lb_channel *ch, int64_t now_s);

/**
 * agent_visit_start() - do what the command reboot-recovery does, once
 * @ch: where @v stands
 *
 * The id is remembered first, durably: a power cut in between costs the request, and a folder
 * that keeps nothing makes no device start recovery again and again. A failure behind that is
 * remembered too, and not tried again.
 *
 * Return: 0: the next boot starts recovery; -LB_E_BUSY: not in this state, nothing is
 * remembered; -LB_E_IO, codes of lb_handover_reboot_recovery().
 */
int agent_visit_start(const struct agent *a, struct agent_device *d, const struct lb_channel *ch,
		      const struct lb_channel_visit *v, struct agent_memory *m,
		      struct lb_error *err) LB_MUST_CHECK;

/* It was asked for, and main still runs: the reboot did not happen. */
bool agent_visit_due(const struct agent_device *d, const struct agent_memory *m);

/* Forgets that, once recovery has run or the device does something else. */
void agent_visit_settle(const struct agent *a, const struct agent_device *d, struct agent_memory *m);

#endif
