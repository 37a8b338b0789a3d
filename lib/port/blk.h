/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A byte-addressed storage region: a slot, the state region, the boot
 * environment. Everything that changes storage goes through write, zero and
 * flush, so that the simulator can cut the power at each of them.
 */
#ifndef LB_PORT_BLK_H
#define LB_PORT_BLK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct lb_blk;

/*
 * Where nothing else is said they return 0 or a negative LB_E_*, and none keeps @buf. Offsets and lengths are
 * bytes and lie inside the region: lb_blk_*() check that before they call. One thread may be in read()
 * while another is in write() or flush(), of other bytes; else a region is one thread's at a time.
 */
struct lb_blk_ops {
	/* what the system would return, possibly from a cache */
	int (*read)(struct lb_blk *b, uint64_t offset, void *buf, size_t len);
	/*
	 * what the medium holds: never answered from a cache of this or a lower layer; who reads
	 * on may get what the medium held at the call before, if nothing was written since
	 */
	int (*read_medium)(struct lb_blk *b, uint64_t offset, void *buf, size_t len);
	/* durable only after flush; a cut may keep, lose or tear it, and reorder it */
	int (*write)(struct lb_blk *b, uint64_t offset, const void *buf, size_t len);
	/*
	 * Zeros without carrying them there: 1, the device reads zeros from now on, durable as a
	 * write; 0, it cannot do that: write them. May be NULL: it never can.
	 */
	int (*zero)(struct lb_blk *b, uint64_t offset, uint64_t len);
	/* returns once every earlier write is durable */
	int (*flush)(struct lb_blk *b);
	/*
	 * Flushes, and drops what a cache of the system has of the region: 1, from now on read() returns
	 * what the medium held then or later, except where something was written since; 0, that
	 * cannot be promised. May be NULL: flush, and 0.
	 */
	int (*forget)(struct lb_blk *b);
	/* frees what open allocated; never flushes */
	void (*close)(struct lb_blk *b);
};

struct lb_blk {
	const struct lb_blk_ops *ops; /* borrowed, static */
	uint64_t size_bytes;
	bool read_only;
	char name[32]; /* for messages: "root", "state" */
	struct lb_error fault; /* sentence of the last call that failed, if the port knows more */
};

/*
 * The checked calls that everybody uses. -LB_E_INVALID when the range is not
 * inside the region (nothing is done), -LB_E_READ_ONLY, else what the port says.
 */
int lb_blk_read(struct lb_blk *b, uint64_t offset, void *buf, size_t len) LB_MUST_CHECK;
int lb_blk_read_medium(struct lb_blk *b, uint64_t offset, void *buf, size_t len) LB_MUST_CHECK;
int lb_blk_write(struct lb_blk *b, uint64_t offset, const void *buf, size_t len) LB_MUST_CHECK;
/* 1: zeros are there, durable after a flush; 0: nothing promised, write them; or a failure. */
int lb_blk_zero(struct lb_blk *b, uint64_t offset, uint64_t len) LB_MUST_CHECK;
int lb_blk_flush(struct lb_blk *b) LB_MUST_CHECK;
int lb_blk_forget(struct lb_blk *b) LB_MUST_CHECK;

/**
 * lb_blk_error() - what to tell a person about a failed call
 * @code: what lb_blk_read(), write, ... returned
 *
 * Notes the port's own sentence (with offset, length and the system's reason)
 * in @err, or one from @code's meaning when the port left none.
 * Return: @code.
 */
int lb_blk_error(const struct lb_blk *b, int code, struct lb_error *err);

/* NULL is fine. */
void lb_blk_close(struct lb_blk *b);

#endif
