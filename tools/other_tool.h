/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LIFEBOAT_OTHER_TOOL_H
#define LIFEBOAT_OTHER_TOOL_H

#include "base/error.h"

/**
 * other_tool_run() - a program of the host, searched in $PATH, /usr/sbin and /sbin
 * @words: its name and arguments, NULL behind the last: they go to it as they are, no shell sees them
 * @package: where it comes from, for who does not have it
 * @input, @output: its standard input and output; -1: /dev/null
 *
 * Waits for its end. Its complaints go to standard error.
 * Return: 0; -LB_E_NOT_FOUND: not installed; -LB_E_IO: it failed.
 */
int other_tool_run(const char *const words[], const char *package, int input, int output,
		   struct lb_error *err) LB_MUST_CHECK;

/* Starts it; other_tool_wait() has to follow. */
struct other_tool {
	const char *name, *package; /* borrowed */
	int pid;
};

int other_tool_start(struct other_tool *t, const char *const words[], const char *package, int input,
		     int output, struct lb_error *err) LB_MUST_CHECK;
int other_tool_wait(struct other_tool *t, struct lb_error *err) LB_MUST_CHECK;

#endif
