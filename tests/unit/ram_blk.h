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
	bool fail_reads;
};

static inline struct ram_blk *ram_of(struct lb_blk *b)
{
	return (struct ram_blk *)b;
}

static inline int ram_read(struct lb_blk *b, uint64_t offset, void *buf, size_t len)
{
	if (ram_of(b)->fail_reads)
		return -LB_E_IO;
	memcpy(buf, ram_of(b)->bytes + offset, len);
	return 0;
}

static inline int ram_write(struct lb_blk *b, uint64_t offset, const void *buf, size_t len)
{
	struct ram_blk *r = ram_of(b);

	r->writes++;
	if (r->fail_write && !--r->fail_write)
		return -LB_E_IO;
	memcpy(r->bytes + offset, buf, len);
	return 0;
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
		.flush = ram_flush, .close = ram_close,
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
