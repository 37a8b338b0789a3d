/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A slot as a device may hold it, for predictions: bytes that are known, and zeros
 * behind them. It can only be read, by the same engine that runs on the device.
 */
#ifndef LIFEBOAT_OLD_SLOT_H
#define LIFEBOAT_OLD_SLOT_H

#include "bundle_file.h"
#include "port/blk.h"

struct old_slot {
	struct lb_blk blk; /* size_bytes: as far as is known; may be raised, zeros follow */
	int fd;		   /* owned; -1: not open */
	uint64_t known_bytes;
};

/**
 * old_slot_open() - the slot holds what is in a file
 * @s: close with old_slot_close(), also after a failure
 * @path: a regular file, a device, or an empty one (/dev/null): nothing but zeros
 * @name: of the slot, for messages
 *
 * Return: 0; -LB_E_NOT_FOUND, -LB_E_IO.
 */
int old_slot_open(struct old_slot *s, const char *path, const char *name,
		  struct lb_error *err) LB_MUST_CHECK;

/**
 * old_slot_decode() - the slot holds the image that bundle @b has for it
 *
 * Decodes into a file without a name in $TMPDIR (/var/tmp without it), in which zeros
 * are holes. Every digest is checked; no signature is.
 *
 * Return: 0; -LB_E_NOT_FOUND (@b has no image for slot @name), -LB_E_IO, or what
 * bundle_file_walk() returned.
 */
int old_slot_decode(struct old_slot *s, struct bundle_file *b, const char *name,
		    struct lb_error *err) LB_MUST_CHECK;

void old_slot_close(struct old_slot *s);

#endif
