/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The search for matches, once over a long stretch of an image. Its result is then
 * cut at the borders of chunks: so a chunk finds what lies in front of it without
 * that being searched again for each.
 */
#ifndef LIFEBOAT_PACK_SEARCH_H
#define LIFEBOAT_PACK_SEARCH_H

#define ZSTD_STATIC_LINKING_ONLY       /* ZSTD_Sequence */
#define ZSTD_DISABLE_DEPRECATE_WARNINGS /* ZSTD_generateSequences(): zstd is pinned, and has no other */
#include <stddef.h>
#include <stdint.h>
#include <zstd.h>

#include "base/error.h"

struct pack_search {
	ZSTD_CCtx *cctx;   /* owned */
	ZSTD_Sequence *seqs; /* owned; @count of @room */
	size_t room, count;
	size_t next;		     /* sequence to give out next */
	uint32_t literals, match;    /* what is left of it */
};

/* Literals without a match, behind the last sequence, have a sum of their own. */
struct pack_run {
	ZSTD_Sequence *seqs; /* borrowed */
	size_t count;
	uint32_t literals;
};

/**
 * pack_search_open() - for stretches of at most @max_bytes
 * @level: of zstd
 * @window_bytes: how far back a match may lie, rounded up to a power of two
 *
 * Free with pack_search_close(), also after a failure. -LB_E_NOMEM.
 */
int pack_search_open(struct pack_search *s, size_t max_bytes, int level,
		     uint32_t window_bytes) LB_MUST_CHECK;
void pack_search_close(struct pack_search *s);

/* Searches @data. The same bytes give the same result on every machine. -LB_E_NOMEM. */
int pack_search_run(struct pack_search *s, const uint8_t *data, size_t len) LB_MUST_CHECK;

/*
 * The next @len bytes of what was searched, from its beginning on: at most @len / 3 + 1
 * sequences in @ret->seqs. A match that is cut goes on in the next run.
 */
void pack_search_take(struct pack_search *s, uint32_t len, struct pack_run *ret);

/* The same without a result, for what is not stored. */
void pack_search_skip(struct pack_search *s, uint32_t len);

#endif
