/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The remedy for an update that turns out broken is the present release, fetched
 * again. Before anything is staged it has to be known and to be had.
 */
#ifndef AGENT_REMEDY_H
#define AGENT_REMEDY_H

#include "channel.h"
#include "device.h"

/**
 * agent_remedy_check() - can the running release be had again?
 * @ch: NULL or the channel; names another source when the recorded ones fail, and
 *      the only one on a device that never was updated
 *
 * Stores what it found as the record of the confirmed release when that record is
 * missing, of another release or has no source that answers.
 *
 * Return: 0; -LB_E_NO_REMEDY with what failed last; -LB_E_IO from the log.
 */
int agent_remedy_check(const struct agent *a, struct agent_device *d, const struct lb_channel *ch,
		       int64_t now_s, struct lb_error *err) LB_MUST_CHECK;

/**
 * agent_remedy_learn() - put the running release on record on a device that never was updated
 *
 * Nothing when there is a record of a confirmed release, of whatever kind, or @d is not
 * in state confirmed. Otherwise as agent_remedy_check() by the channel: recovery can
 * then compare main with its manifest, and fetch it again.
 *
 * Return: 0, also when there was nothing to do; else what kept it from being stored.
 */
int agent_remedy_learn(const struct agent *a, struct agent_device *d, const struct lb_channel *ch,
		       int64_t now_s, struct lb_error *err) LB_MUST_CHECK;

#endif
