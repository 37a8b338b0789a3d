/* SPDX-License-Identifier: GPL-2.0-or-later */
/* struct lb_blk on a block device or a regular file (or a window of one). */
#ifndef LB_LINUX_BLK_FILE_H
#define LB_LINUX_BLK_FILE_H

#include "port/blk.h"

/**
 * lb_blk_file_open() - open a slot, the state region or an environment copy
 * @path: block device or regular file; never created, never resized
 * @offset: first byte of the region; @size_bytes: its length, 0: to the end
 * @writable: false opens read-only
 * @name: for messages
 *
 * read_medium uses O_DIRECT where the file system allows it (through an own
 * buffer of 64 KiB, so that any offset, length and address will do); otherwise
 * the pages are written back and dropped (fdatasync, posix_fadvise) before they
 * are read. zero makes a hole (fallocate), which on a block device clears or unmaps if it then
 * reads zeros; the parts of pages at both ends are written. flush is fdatasync. A call that fails leaves its sentence in
 * lb_blk's fault.
 *
 * Return: 0; -LB_E_NO_SLOT (does not exist), -LB_E_READ_ONLY (no permission, a
 * read-only medium or file system), -LB_E_INVALID (the region is not inside the
 * device), -LB_E_IO, -LB_E_NOMEM.
 */
int lb_blk_file_open(const char *path, uint64_t offset, uint64_t size_bytes, bool writable,
		     const char *name, struct lb_blk **ret, struct lb_error *err) LB_MUST_CHECK;

#endif
