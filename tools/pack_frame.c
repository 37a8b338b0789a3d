// SPDX-License-Identifier: GPL-2.0-or-later
#include "pack_frame.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "bundle/index.h"

#define BLOCK_BYTES (128u * LB_KIB) /* zstd's largest */
#define PIECES_MAX (LB_CHUNK_MAX_BYTES / BLOCK_BYTES)
#define SPLIT_BYTES 2048u /* shorter blocks are not divided further */
#define SPLIT_SEQUENCES 8u
#define SPLIT_DEPTH 8 /* of the recursion */
#define SPLIT_PLACES 4u /* places that are tried: at 1/4, 2/4, 3/4 */
#define PREFIX_GAIN 8	/* 1/8: matches of fewer bytes in front of the chunk may be done without ... */
#define PREFIX_LOSS 128 /* ... if the frame grows by no more than 1/128 */

/* A stretch of a chunk that becomes one block or more. */
struct part {
	ZSTD_Sequence *seqs; /* borrowed; one more may be written behind the last */
	size_t count;
	uint32_t literals, len;
	const uint8_t *data;
};

/* What a chunk is divided into before blocks are chosen: no block is longer than one of these. */
struct pieces {
	struct pack_run runs[PIECES_MAX];
	uint32_t count, piece_bytes;
};

/* A frame that is being made, with no match further in front of the chunk than @limit. */
struct draft {
	const uint8_t *data;
	uint32_t len, limit;
	bool far; /* matches in the far region stay */
	uint8_t *out;
	size_t out_len;
	uint32_t near_need; /* bytes right in front of the chunk that it refers to */
	uint32_t near_bytes, far_bytes; /* what its matches copy from there, and from the far region */
	uint32_t near_prefix; /* what the far region lies in front of, for a device */
};

static bool set_up(ZSTD_CCtx *cctx)
{
	static const struct {
		ZSTD_cParameter name;
		int value;
	} parameters[] = {
		{ ZSTD_c_windowLog, 20 }, /* never less than a chunk: see docs/SPEC.md, "Payload" */
		{ ZSTD_c_hashLog, ZSTD_HASHLOG_MIN }, /* nothing is searched here */
		{ ZSTD_c_chainLog, ZSTD_CHAINLOG_MIN },
		{ ZSTD_c_minMatch, 3 },
		{ ZSTD_c_strategy, ZSTD_btultra2 }, /* thorough entropy coding */
		{ ZSTD_c_blockDelimiters, ZSTD_sf_explicitBlockDelimiters },
		{ ZSTD_c_validateSequences, 0 }, /* they reach in front of the frame */
		{ ZSTD_c_searchForExternalRepcodes, ZSTD_ps_enable },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(parameters); i++)
		if (ZSTD_isError(ZSTD_CCtx_setParameter(cctx, parameters[i].name,
							parameters[i].value)))
			return false;
	return true;
}

int pack_frame_open(struct pack_frame *f)
{
	size_t room = LB_CHUNK_MAX_BYTES / 3 + PIECES_MAX + 1;

	*f = (struct pack_frame){ .trial_bytes = ZSTD_compressBound(LB_CHUNK_MAX_BYTES) };
	f->cctx = ZSTD_createCCtx();
	f->taken = malloc(room * sizeof(*f->taken));
	f->resolved = malloc(room * sizeof(*f->resolved));
	f->near = malloc((BLOCK_BYTES / 3 + 2) * sizeof(*f->near));
	f->blocks = malloc(2 * room * sizeof(*f->blocks));
	f->trial = malloc(f->trial_bytes);
	return f->cctx && f->taken && f->resolved && f->near && f->blocks && f->trial && set_up(f->cctx)
		       ? 0 : -LB_E_NOMEM;
}

void pack_frame_close(struct pack_frame *f)
{
	ZSTD_freeCCtx(f->cctx);
	free(f->taken);
	free(f->resolved);
	free(f->near);
	free(f->blocks);
	free(f->trial);
	*f = (struct pack_frame){ 0 };
}

/* ---- where blocks end ------------------------------------------------------ */

/* Size of @p as one block. */
static size_t cost(struct pack_frame *f, const struct part *p)
{
	ZSTD_Sequence behind = p->seqs[p->count];
	size_t n;

	p->seqs[p->count] = (ZSTD_Sequence){ .litLength = p->literals };
	n = ZSTD_compressSequences(f->cctx, f->trial, f->trial_bytes, p->seqs, p->count + 1,
				   p->data, p->len);
	p->seqs[p->count] = behind;
	return ZSTD_isError(n) ? SIZE_MAX / 4 : n - ZSTD_frameHeaderSize(f->trial, n);
}

/* Cuts @p behind the sequence that reaches its byte @at; false when nothing would be left. */
static bool cut(const struct part *p, uint32_t at, struct part *ret_left, struct part *ret_right)
{
	uint32_t len = 0;
	size_t n = 0;

	while (n < p->count && len < at) {
		len += p->seqs[n].litLength + p->seqs[n].matchLength;
		n++;
	}
	if (n == p->count)
		return false;
	*ret_left = (struct part){ .seqs = p->seqs, .count = n, .len = len, .data = p->data };
	*ret_right = (struct part){
		.seqs = p->seqs + n,
		.count = p->count - n,
		.literals = p->literals,
		.len = p->len - len,
		.data = p->data + len,
	};
	return true;
}

static void add_block(struct pack_frame *f, const struct part *p)
{
	for (size_t i = 0; i < p->count; i++)
		f->blocks[f->block_count++] = p->seqs[i];
	f->blocks[f->block_count++] = (ZSTD_Sequence){ .litLength = p->literals };
}

/* Divides @p, which costs @whole, as long as that makes it smaller. */
static void split(struct pack_frame *f, const struct part *p, size_t whole, int depth)
{
	struct part left, right, best_left, best_right;
	size_t best = whole, cost_left = 0, cost_right = 0;

	for (uint32_t i = 1; depth && p->len >= SPLIT_BYTES && p->count >= SPLIT_SEQUENCES &&
			     i < SPLIT_PLACES; i++) {
		size_t a, b;

		if (!cut(p, p->len / SPLIT_PLACES * i, &left, &right))
			continue;
		a = cost(f, &left);
		b = cost(f, &right);
		if (a + b >= best)
			continue;
		best = a + b;
		best_left = left;
		best_right = right;
		cost_left = a;
		cost_right = b;
	}
	if (best == whole) {
		add_block(f, p);
		return;
	}
	split(f, &best_left, cost_left, depth - 1);
	split(f, &best_right, cost_right, depth - 1);
}

/* ---- frames ---------------------------------------------------------------- */

static uint8_t reach_of(uint32_t need)
{
	return (uint8_t)((need + LB_REACH_UNIT_BYTES - 1) / LB_REACH_UNIT_BYTES);
}

static void take_pieces(struct pack_frame *f, struct pack_search *search,
			const struct pack_place *place, uint32_t len, struct pieces *ret)
{
	ZSTD_Sequence *room = f->taken, *resolved = f->resolved;

	ret->count = (len + BLOCK_BYTES - 1) / BLOCK_BYTES;
	ret->piece_bytes = (len + ret->count - 1) / ret->count;
	for (uint32_t i = 0, at = 0; i < ret->count; i++) {
		uint32_t n = len - at < ret->piece_bytes ? len - at : ret->piece_bytes;

		ret->runs[i].seqs = room;
		pack_search_take(search, n, &ret->runs[i]);
		room += ret->runs[i].count;
		if (place) {
			struct pack_run found = ret->runs[i];

			ret->runs[i].seqs = resolved;
			pack_stream_resolve(place, &found, at, &ret->runs[i]);
			resolved += ret->runs[i].count;
		}
		at += n;
	}
}

/* How much in front of the chunk @s needs, whose match is at @at. */
static uint32_t near_need(const ZSTD_Sequence *s, uint32_t at)
{
	return !s->rep && s->offset > at ? s->offset - at : 0;
}

static bool is_allowed(const struct draft *d, const ZSTD_Sequence *s, uint32_t at)
{
	return s->rep ? d->far : near_need(s, at) <= d->limit;
}

/* What @d will refer to. */
static void measure(const struct pieces *pieces, uint64_t offset, struct draft *d)
{
	for (uint32_t i = 0; i < pieces->count; i++) {
		uint32_t at = i * pieces->piece_bytes;

		for (size_t k = 0; k < pieces->runs[i].count; k++) {
			const ZSTD_Sequence *s = &pieces->runs[i].seqs[k];
			uint32_t need;

			at += s->litLength;
			need = near_need(s, at);
			if (is_allowed(d, s, at)) {
				d->far_bytes += s->rep ? s->matchLength : 0;
				d->near_bytes += need ? s->matchLength : 0;
				d->near_need = need > d->near_need ? need : d->near_need;
			}
			at += s->matchLength;
		}
	}
	d->near_prefix = lb_reach_bytes(reach_of(d->near_need), offset);
}

/* @run, @at bytes behind the chunk's beginning, with matches that are not allowed as literals. */
static void limit_run(struct pack_frame *f, const struct pack_run *run, uint32_t at,
		      const struct draft *d, struct part *ret)
{
	uint32_t literals = 0;

	*ret = (struct part){ .seqs = f->near, .data = d->data + at };
	for (size_t i = 0; i < run->count; i++) {
		ZSTD_Sequence s = run->seqs[i];
		bool allowed;

		literals += s.litLength;
		at += s.litLength;
		allowed = is_allowed(d, &s, at);
		if (s.rep)
			s.offset += d->near_prefix + at;
		at += s.matchLength;
		if (!allowed) {
			literals += s.matchLength;
			continue;
		}
		s.litLength = literals;
		s.rep = 0;
		f->near[ret->count++] = s;
		literals = 0;
	}
	ret->literals = literals + run->literals;
	ret->len = at + run->literals - (uint32_t)(ret->data - d->data);
}

static int write_draft(struct pack_frame *f, const struct pieces *pieces, uint64_t offset,
		       struct draft *d)
{
	struct part p;

	measure(pieces, offset, d);
	f->block_count = 0;
	for (uint32_t i = 0; i < pieces->count; i++) {
		limit_run(f, &pieces->runs[i], i * pieces->piece_bytes, d, &p);
		split(f, &p, cost(f, &p), SPLIT_DEPTH);
	}
	d->out_len = ZSTD_compressSequences(f->cctx, d->out, ZSTD_compressBound(d->len), f->blocks,
					    f->block_count, d->data, d->len);
	return ZSTD_isError(d->out_len) ? -LB_E_NOMEM : 0;
}

/*
 * Tries @other in place of @d, if @bytes, which @other does without, are few: a device has to
 * read what they are in.
 */
static int try_without(struct pack_frame *f, const struct pieces *pieces, uint64_t offset,
		       uint32_t bytes, struct draft other, struct draft *d)
{
	int rc;

	if (!bytes || bytes > d->out_len / PREFIX_GAIN)
		return 0;
	other.data = d->data;
	other.len = d->len;
	other.out = f->trial;
	rc = write_draft(f, pieces, offset, &other);
	if (rc || other.out_len > d->out_len + d->out_len / PREFIX_LOSS)
		return rc;
	memcpy(d->out, other.out, other.out_len);
	other.out = d->out;
	*d = other;
	return 0;
}

int pack_frame_write(struct pack_frame *f, struct pack_search *search, const struct pack_chunk *c,
		     uint8_t *out, struct pack_framed *ret)
{
	const struct pack_place *place = &c->place;
	uint32_t limit = (c->window_bytes - place->far.bytes) & ~(LB_REACH_UNIT_BYTES - 1);
	struct draft d = { .data = c->data, .len = c->len, .limit = limit, .far = true, .out = out };
	struct pieces pieces;
	int rc;

	take_pieces(f, search, place->stream ? place : NULL, c->len, &pieces);
	rc = write_draft(f, &pieces, place->offset, &d);
	if (!rc)
		rc = try_without(f, &pieces, place->offset, d.far_bytes,
				 (struct draft){ .limit = c->window_bytes }, &d);
	if (!rc)
		rc = try_without(f, &pieces, place->offset, d.near_bytes,
				 (struct draft){ .far = d.far_bytes != 0 }, &d);
	if (rc)
		return rc;
	ret->len = d.out_len;
	ret->reach = reach_of(d.near_need);
	ret->far = d.far_bytes != 0;
	return 0;
}
