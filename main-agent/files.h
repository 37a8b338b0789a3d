/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small files and locks of the agent's own folders. */
#ifndef AGENT_FILES_H
#define AGENT_FILES_H

#include <cJSON.h>
#include <stddef.h>
#include <stdint.h>

#include "agent.h"

/* One text that is shown for a file that does not exist: path, folder and name. */
#define AGENT_PATH_MAX (LB_CONFIG_PATH_MAX + 64)

/* @dir/@name into @ret (AGENT_PATH_MAX). */
void agent_path(char *ret, const char *dir, const char *name);

/**
 * agent_file_read() - a whole small file
 * Return: length, a NUL follows; -LB_E_NOT_FOUND, -LB_E_TOO_BIG (@size - 1 is the
 * limit), -LB_E_IO; always with a sentence.
 */
ptrdiff_t agent_file_read(const char *path, char *buf, size_t size,
			  struct lb_error *err) LB_MUST_CHECK;

/**
 * agent_file_write() - replace a file in one step
 *
 * Makes the last folder of the path when it is missing. A power cut leaves the
 * old or the new content. Return: 0 or -LB_E_IO.
 */
int agent_file_write(const char *path, const void *data, size_t len,
		     struct lb_error *err) LB_MUST_CHECK;

/**
 * agent_lock() - one instance: @name in the run folder
 * @wait_ms: 0: do not wait
 *
 * Held until the descriptor is closed or the process ends.
 * Return: descriptor, -LB_E_BUSY, -LB_E_IO.
 */
int agent_lock(const struct agent *a, const char *name, uint32_t wait_ms,
	       struct lb_error *err) LB_MUST_CHECK;

#define AGENT_LOCK_CHANGE "change.lock" /* while something is checked, staged or confirmed */
#define AGENT_LOCK_DAEMON "daemon.lock" /* while a daemon runs */
#define AGENT_LOCK_WAIT_MS 120000

#endif
