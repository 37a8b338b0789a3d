/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AGENT_RUNNING_H
#define AGENT_RUNNING_H

#include "agent.h"

/**
 * agent_running_read() - which release is running
 *
 * From lines "release=2" and "version=2.0.0" (any case, quotes allowed) of the
 * main OS's release file, which is part of the verified root file system.
 *
 * Return: 0, -LB_E_NOT_FOUND (no file or no release in it), -LB_E_FORMAT, -LB_E_IO.
 */
int agent_running_read(const char *path, struct agent_running *ret,
		       struct lb_error *err) LB_MUST_CHECK;

#endif
