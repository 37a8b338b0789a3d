/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A FAT file system with bundles on it, in a file or on a device; made by mkfs.vfat and mtools. */
#ifndef LIFEBOAT_STICK_H
#define LIFEBOAT_STICK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "cli.h"

#define STICK_FOLDER "lifeboat"

/* What is written to, opened once: the tools get a name of @fd, not the one that a person gave. */
struct stick_medium {
	const char *name; /* borrowed; for messages */
	int fd;
	int claim;	/* a block device: its exclusive descriptor, -1: not held */
	bool is_device;
	uint64_t bytes;
	char path[CLI_FD_PATH];
};

/**
 * stick_device_open() - the block device @name, if it may be formatted
 * @force: also when the kernel does not call it removable
 *
 * Return: 0 and @ret for stick_close(); -LB_E_BUSY: it, or a part of it, is mounted or in use
 * otherwise; -LB_E_REFUSED: not removable; -LB_E_IO.
 */
int stick_device_open(const char *name, bool force, struct stick_medium *ret,
		      struct lb_error *err) LB_MUST_CHECK;

/* An image that is open already; @fd is borrowed. */
void stick_image(const char *name, int fd, struct stick_medium *ret);

/* Gives the device free; an image stays open. */
void stick_close(struct stick_medium *m);

/**
 * stick_claim() - nobody else may mount a device, or have it alone, until stick_close()
 *
 * For a block device that excludes mounts of its partitions too. -LB_E_BUSY: somebody has it.
 */
int stick_claim(struct stick_medium *m, struct lb_error *err) LB_MUST_CHECK;

/*
 * An empty FAT32 with the folder lifeboat over all of it, claimed. mkfs.vfat wants a device for itself
 * and is as strict as stick_claim(): whoever comes in between is not overwritten, but named.
 */
int stick_format(struct stick_medium *m, struct lb_error *err) LB_MUST_CHECK;

/* What @input has, from its beginning, becomes lifeboat/@name; -1: an empty file. */
int stick_put(const struct stick_medium *m, const char *name, int input,
	      struct lb_error *err) LB_MUST_CHECK;

/* Everything to the medium, and what is cached of it forgotten: what is read then is what is there. */
int stick_settle(const struct stick_medium *m, struct lb_error *err) LB_MUST_CHECK;

/* Is lifeboat/@name what @expected has? 0, -LB_E_DIGEST, -LB_E_IO. */
int stick_compare(const struct stick_medium *m, const char *name, int expected,
		  struct lb_error *err) LB_MUST_CHECK;

#endif
