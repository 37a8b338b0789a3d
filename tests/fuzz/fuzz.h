/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the harnesses share: promises that are checked, storage in memory, counted memory. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port/blk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise of the library. abort() is what both runners report as a crash. */
#define CHECK(condition)                                                                  \
	do {                                                                              \
		if (!(condition)) {                                                       \
			fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, \
				#condition);                                              \
			abort();                                                          \
		}                                                                         \
	} while (0)

/* A result is 0 or one of the codes; with a code there is a sentence that ends. */
#define CHECK_RESULT(rc, err)                                                             \
	do {                                                                              \
		CHECK((rc) <= 0 && (rc) > -LB_E_COUNT);                                   \
		CHECK(!(rc) || (err)->code == -(rc));                                     \
		CHECK(memchr((err)->text, '\0', sizeof((err)->text)));                    \
	} while (0)

/* ---- alloc.c ---- */

/*
 * From here to fuzz_alloc_stop() every allocation is counted, and the @fail_nth
 * one fails (0: none does). Without memory for its own use it aborts.
 */
void fuzz_alloc_start(unsigned int fail_nth);

struct fuzz_alloc {
	size_t total_bytes;   /* of all that were asked for */
	size_t largest_bytes; /* of one */
	long balance;	      /* allocations minus frees: what the callee left to its caller */
	bool failed;	      /* one was refused */
};
struct fuzz_alloc fuzz_alloc_stop(void);

/* An allocation of exactly @len bytes, so that a sanitizer sees one byte too many being read. */
static inline uint8_t *fuzz_exact(const uint8_t *data, size_t len)
{
	uint8_t *p = malloc(len ? len : 1);

	CHECK(p);
	if (len)
		memcpy(p, data, len);
	return p;
}

/* Takes the last byte off: how a harness is to go about it. Seeds end with \0: no trouble. */
static inline uint8_t fuzz_take_mode(const uint8_t *data, size_t *size)
{
	return *size ? data[--*size] : 0;
}

/* ---- a region in memory between two guard zones ---- */

#define FUZZ_GUARD 4096u
#define FUZZ_GUARD_BYTE 0xa5

struct fuzz_blk {
	struct lb_blk blk;
	uint8_t *bytes; /* owned with the guards around it */
	uint64_t read_bytes, written_bytes;
	uint32_t writes, flushes;
	uint32_t fail_read; /* that many reads from now; 0: none fails */
	bool may_write;
	bool unreadable, worn; /* every read fails; every write fails */
};

static inline int fuzz_blk_read(struct lb_blk *b, uint64_t offset, void *buf, size_t len)
{
	struct fuzz_blk *f = (struct fuzz_blk *)b;

	CHECK(offset <= b->size_bytes && len <= b->size_bytes - offset);
	f->read_bytes += len;
	if (f->unreadable || (f->fail_read && !--f->fail_read))
		return -LB_E_IO;
	if (len)
		memcpy(buf, f->bytes + offset, len);
	return 0;
}

static inline int fuzz_blk_write(struct lb_blk *b, uint64_t offset, const void *buf, size_t len)
{
	struct fuzz_blk *f = (struct fuzz_blk *)b;

	CHECK(f->may_write);
	CHECK(offset <= b->size_bytes && len <= b->size_bytes - offset);
	f->writes++;
	if (f->worn)
		return -LB_E_IO;
	f->written_bytes += len;
	if (len)
		memcpy(f->bytes + offset, buf, len);
	return 0;
}

static inline int fuzz_blk_flush(struct lb_blk *b)
{
	((struct fuzz_blk *)b)->flushes++;
	return 0;
}

/* Nothing: who made it frees it with fuzz_blk_free(). */
static inline void fuzz_blk_close(struct lb_blk *b)
{
	(void)b;
}

static inline void fuzz_blk_init(struct fuzz_blk *f, const char *name, size_t size, uint8_t fill)
{
	static const struct lb_blk_ops ops = {
		.read = fuzz_blk_read, .read_medium = fuzz_blk_read, .write = fuzz_blk_write,
		.flush = fuzz_blk_flush, .close = fuzz_blk_close,
	};
	uint8_t *all = malloc(size + 2 * FUZZ_GUARD);

	CHECK(all);
	memset(all, FUZZ_GUARD_BYTE, size + 2 * FUZZ_GUARD);
	*f = (struct fuzz_blk){ .blk = { .ops = &ops, .size_bytes = size },
				.bytes = all + FUZZ_GUARD };
	snprintf(f->blk.name, sizeof(f->blk.name), "%s", name);
	memset(f->bytes, fill, size);
}

/* The first byte is right, and each that follows is what the one before it is. */
static inline bool fuzz_is_guard(const uint8_t *zone)
{
	return zone[0] == FUZZ_GUARD_BYTE && !memcmp(zone, zone + 1, FUZZ_GUARD - 1);
}

static inline void fuzz_blk_check(const struct fuzz_blk *f)
{
	CHECK(fuzz_is_guard(f->bytes - FUZZ_GUARD));
	CHECK(fuzz_is_guard(f->bytes + f->blk.size_bytes));
}

static inline void fuzz_blk_free(struct fuzz_blk *f)
{
	fuzz_blk_check(f);
	free(f->bytes - FUZZ_GUARD);
	f->bytes = NULL;
}

#endif
