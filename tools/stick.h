/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A FAT file system with bundles on it, in a file or on a device; made by mkfs.vfat and mtools. */
#ifndef LIFEBOAT_STICK_H
#define LIFEBOAT_STICK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define STICK_FOLDER "lifeboat"

/**
 * stick_device_check() - may the block device @path be formatted?
 * @force: also when the kernel does not call it removable
 *
 * Return: 0 and its size; -LB_E_BUSY: it, or a part of it, is mounted or in use otherwise;
 * -LB_E_REFUSED: not removable; -LB_E_IO.
 */
int stick_device_check(const char *path, bool force, uint64_t *ret_bytes, struct lb_error *err) LB_MUST_CHECK;

/* An empty FAT32 with the folder lifeboat over all of @path. */
int stick_format(const char *path, struct lb_error *err) LB_MUST_CHECK;

/* What @input has, from its beginning, becomes lifeboat/@name; -1: an empty file. */
int stick_put(const char *path, const char *name, int input, struct lb_error *err) LB_MUST_CHECK;

/* Everything to the medium, and what is cached of it forgotten: what is read then is what is there. */
int stick_settle(const char *path, struct lb_error *err) LB_MUST_CHECK;

/* Is lifeboat/@name what @expected has? 0, -LB_E_DIGEST, -LB_E_IO. */
int stick_compare(const char *path, const char *name, int expected, struct lb_error *err) LB_MUST_CHECK;

#endif
