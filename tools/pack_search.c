// SPDX-License-Identifier: GPL-2.0-or-later
#include "pack_search.h"

#include <stdlib.h>

#include "base/bytes.h"

#define BLOCK_BYTES (128u * LB_KIB)
#define TAIL_BYTES 16u /* zstd gives no sequences for a last block of a few bytes */
#define MATCH_MIN 3u

static int log2_up(uint32_t v)
{
	int n = ZSTD_WINDOWLOG_MIN;

	while (1ull << n < v)
		n++;
	return n;
}

/* Blocks of 128 KiB throughout: where they end is of no interest here. */
static bool set_up(ZSTD_CCtx *cctx, int level, uint32_t window_bytes)
{
	return !ZSTD_isError(ZSTD_CCtx_setParameter(cctx, ZSTD_c_compressionLevel, level)) &&
	       !ZSTD_isError(ZSTD_CCtx_setParameter(cctx, ZSTD_c_windowLog, log2_up(window_bytes))) &&
	       !ZSTD_isError(ZSTD_CCtx_setParameter(cctx, ZSTD_c_blockSplitterLevel, 1)) &&
	       !ZSTD_isError(ZSTD_CCtx_setParameter(cctx, ZSTD_c_splitAfterSequences, ZSTD_ps_disable));
}

int pack_search_open(struct pack_search *s, size_t max_bytes, int level, uint32_t window_bytes)
{
	*s = (struct pack_search){ .cctx = ZSTD_createCCtx() };
	s->room = ZSTD_sequenceBound(max_bytes);
	s->seqs = malloc(s->room * sizeof(*s->seqs));
	return s->cctx && s->seqs && set_up(s->cctx, level, window_bytes) ? 0 : -LB_E_NOMEM;
}

void pack_search_close(struct pack_search *s)
{
	ZSTD_freeCCtx(s->cctx);
	free(s->seqs);
	*s = (struct pack_search){ 0 };
}

int pack_search_run(struct pack_search *s, const uint8_t *data, size_t len)
{
	s->count = s->next = 0;
	s->literals = s->match = 0;
	if (len % BLOCK_BYTES < TAIL_BYTES)
		len -= len % BLOCK_BYTES;
	if (!len)
		return 0;
	s->count = ZSTD_generateSequences(s->cctx, s->seqs, s->room, data, len);
	if (!ZSTD_isError(s->count))
		return 0;
	s->count = 0;
	return -LB_E_NOMEM;
}

/* At the end of what was searched, everything else is literals. */
static void load_next(struct pack_search *s)
{
	if (s->next == s->count) {
		s->literals = UINT32_MAX;
		return;
	}
	s->literals = s->seqs[s->next].litLength;
	s->match = s->seqs[s->next].matchLength;
	s->next++;
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

void pack_search_skip(struct pack_search *s, uint32_t len)
{
	while (len) {
		uint32_t part;

		if (!s->literals && !s->match)
			load_next(s);
		part = lesser(s->literals, len);
		s->literals -= part;
		len -= part;
		part = lesser(s->match, len);
		s->match -= part;
		len -= part;
	}
}

void pack_search_take(struct pack_search *s, uint32_t len, struct pack_run *ret)
{
	uint32_t part;

	ret->count = 0;
	ret->literals = 0;
	while (len) {
		if (!s->literals && !s->match)
			load_next(s);
		part = lesser(s->literals, len);
		ret->literals += part;
		s->literals -= part;
		len -= part;
		part = lesser(s->match, len);
		if (s->literals || !part)
			continue;
		s->match -= part;
		len -= part;
		if (part < MATCH_MIN) { /* the end of one that was cut */
			ret->literals += part;
			continue;
		}
		ret->seqs[ret->count++] = (ZSTD_Sequence){
			.offset = s->seqs[s->next - 1].offset,
			.litLength = ret->literals,
			.matchLength = part,
		};
		ret->literals = 0;
	}
}
