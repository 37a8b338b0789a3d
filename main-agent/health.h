/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is this release healthy? A folder of programs decides. */
#ifndef AGENT_HEALTH_H
#define AGENT_HEALTH_H

#include "agent.h"

/**
 * agent_health_check() - run every program of the folder in order of name
 * @trial: told to the programs as LIFEBOAT_TRIAL=1 or 0
 * @stop_fd: -1 or a signalfd that interrupts
 *
 * Stops at the first that fails. No folder and an empty one count as healthy.
 * Blocks for at most health_total seconds.
 *
 * Return: 0; -LB_E_HEALTH with a sentence; -LB_E_AGAIN when interrupted; -LB_E_IO
 * when the folder exists and cannot be read.
 */
int agent_health_check(const struct agent *a, bool trial, int stop_fd,
		       struct lb_error *err) LB_MUST_CHECK;

#endif
