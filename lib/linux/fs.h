/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small files: read whole with a bound, written so that a cut leaves the old or the new one. */
#ifndef LB_LINUX_FS_H
#define LB_LINUX_FS_H

#include <stddef.h>

#include "base/error.h"

/**
 * lb_fs_read() - a small file into @buf
 * Return: its length; -LB_E_NOT_FOUND, -LB_E_TOO_BIG (longer than @size), -LB_E_IO.
 */
ptrdiff_t lb_fs_read(const char *path, void *buf, size_t size, struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_fs_write() - replace a small file: temporary file beside it, fsync, rename, fsync of the folder
 * @mode: permissions of a new file
 * Return: 0 or -LB_E_IO with a sentence.
 */
int lb_fs_write(const char *path, const void *data, size_t len, unsigned int mode,
		struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_fs_write_all() - all of @data, whatever a single write() takes; not flushed
 * Return: 0; -1 with errno, and some of it may be written.
 */
int lb_fs_write_all(int fd, const void *data, size_t len) LB_MUST_CHECK;

#endif
