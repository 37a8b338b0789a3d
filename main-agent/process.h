/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs of the main OS, run without a shell, with nothing inherited. */
#ifndef AGENT_PROCESS_H
#define AGENT_PROCESS_H

#include <stddef.h>
#include <stdint.h>

#include "agent.h"

enum agent_process_end {
	AGENT_PROCESS_EXITED,	   /* value: exit status */
	AGENT_PROCESS_SIGNALLED,   /* value: signal */
	AGENT_PROCESS_TIMEOUT,	   /* killed with its process group */
	AGENT_PROCESS_INTERRUPTED, /* @stop_fd became readable: killed */
	AGENT_PROCESS_UNSTARTED,   /* value: errno */
};

struct agent_process {
	enum agent_process_end end;
	int value;
	char last_line[128]; /* of its output, for a sentence */
};

/**
 * agent_process_run() - run @argv to its end
 * @argv, @envp: end with NULL; argv[0] is a path
 * @name: what its output is called in the log
 * @stop_fd: -1, or a descriptor (signalfd) whose input ends the program
 *
 * Standard input is /dev/null; output goes to the agent's log, 64 KiB at most.
 * Blocks for at most @timeout_ms; what is left of the process group is killed.
 */
void agent_process_run(const struct agent *a, const char *const *argv, const char *const *envp,
		       const char *name, uint64_t timeout_ms, int stop_fd,
		       struct agent_process *ret);

/* A fixed search path: what the agent itself inherited does not matter. */
#define AGENT_PATH_ENV "PATH=/usr/sbin:/usr/bin:/sbin:/bin"

/**
 * agent_reboot() - run the configured command, or say that nobody does
 * Return: 0 or -LB_E_IO.
 */
int agent_reboot(const struct agent *a, struct lb_error *err) LB_MUST_CHECK;

#endif
