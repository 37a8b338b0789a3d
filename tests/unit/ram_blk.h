/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A region in memory whose writes can be made to fail; without a cache (tests/powercut has one). */
#ifndef TEST_RAM_BLK_H
#define TEST_RAM_BLK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "port/blk.h"

struct ram_blk {
	struct lb_blk blk;
	uint8_t *bytes;
	int writes, flushes;
	int fail_write; /* that many writes from now; 0: none fails */
	int fail_flush;
	uint64_t bad_at, bad_len; /* these bytes cannot be read until they were written; 0: none */
	uint64_t stuck_at, stuck_len; /* these cannot be written */
	bool fail_reads;
	bool zero_writes, zero_lies; /* it makes zeros itself; it only says so */
	int zeros;
	uint64_t lie_at; /* a bit of this byte is read wrong, always; 0: of none */
	uint64_t read_bytes;
};

static inline struct ram_blk *ram_of(struct lb_blk *b)
{
	return (struct ram_blk *)b;
}

static inline bool ram_meets(uint64_t at, uint64_t n, uint64_t offset, size_t len)
{
	return n && offset < at + n && at < offset + len;
}

static inline int ram_read(struct lb_blk *b, uint64_t offset, void *buf, size_t len)
{
	struct ram_blk *r = ram_of(b);

	if (r->fail_reads || ram_meets(r->bad_at, r->bad_len, offset, len))
		return -LB_E_IO;
	memcpy(buf, r->bytes + offset, len);
	if (r->lie_at && ram_meets(r->lie_at, 1, offset, len))
		((uint8_t *)buf)[r->lie_at - offset] ^= 1;
	r->read_bytes += len;
	return 0;
}

static inline int ram_write(struct lb_blk *b, uint64_t offset, const void *buf, size_t len)
{
	struct ram_blk *r = ram_of(b);

	r->writes++;
	if ((r->fail_write && !--r->fail_write) ||
	    ram_meets(r->stuck_at, r->stuck_len, offset, len))
		return -LB_E_IO;
	if (offset <= r->bad_at && r->bad_at + r->bad_len <= offset + len)
		r->bad_len = 0;
	memcpy(r->bytes + offset, buf, len);
	return 0;
}

static inline int ram_zero(struct lb_blk *b, uint64_t offset, uint64_t len)
{
	struct ram_blk *r = ram_of(b);

	if (!r->zero_writes)
		return 0;
	r->zeros++;
	if (!r->zero_lies)
		memset(r->bytes + offset, 0, len);
	return 1;
}

static inline int ram_flush(struct lb_blk *b)
{
	struct ram_blk *r = ram_of(b);

	r->flushes++;
	return r->fail_flush && !--r->fail_flush ? -LB_E_IO : 0;
}

static inline void ram_close(struct lb_blk *b)
{
	free(ram_of(b)->bytes);
	ram_of(b)->bytes = NULL;
}

static inline void ram_init(struct ram_blk *r, const char *name, size_t size)
{
	static const struct lb_blk_ops ops = {
		.read = ram_read, .read_medium = ram_read, .write = ram_write,
		.zero = ram_zero, .flush = ram_flush, .close = ram_close,
	};

	memset(r, 0, sizeof(*r));
	r->blk.ops = &ops;
	r->blk.size_bytes = size;
	strncpy(r->blk.name, name, sizeof(r->blk.name) - 1);
	r->bytes = malloc(size);
	assert_non_null(r->bytes);
	memset(r->bytes, 0xff, size);
}

#endif
