/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small files on a medium that anybody may have written, and that is mounted read-only otherwise. */
#ifndef RECOVERY_REPORT_FILE_H
#define RECOVERY_REPORT_FILE_H

#include <sys/types.h>

#include "base/error.h"

struct report_file {
	const char *name;
	const char *data;
	size_t len;
};

/**
 * report_file_put() - replace @files in @folder, which has to be on @device still
 *
 * Mounted read-only: writable for the moment, then read-only again, which flushes. Each file gets
 * a temporary name, is flushed and renamed: a cut leaves the old or the new one. Links are replaced,
 * not followed. Return: 0; -LB_E_NOT_FOUND (pulled); -LB_E_READ_ONLY; -LB_E_IO.
 */
int report_file_put(const char *folder, dev_t device, const struct report_file *files, size_t count,
		    struct lb_error *err) LB_MUST_CHECK;

#endif
