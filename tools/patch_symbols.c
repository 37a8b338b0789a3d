// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The old image is unpacked as a whole, and remembered where each block lies in either. Matches of
 * symbols are found like those of bytes; a block counts by the bytes of symbols that they cover
 * in it, and is taken as a whole, or it could not be unpacked.
 */
#include "patch_symbols.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "recode/recode.h"

#define WORTH_BYTES (1u << 20) /* an image has to have a block in so many */
#define PLAIN_HEAD 4u	  /* of symbols in front of bytes as they are */
#define BLOCKS_MAX (LB_PATCH_PREFIX_MAX / LB_PATCH_BLOCK_BYTES)
#define WEIGHT_MIN 64u	  /* bytes of symbols: less is not worth a block */
#define MAGIC_BYTES 4u	  /* in front of a block */

struct piece {
	uint64_t from, symbols_from; /* in the old image; in its symbols */
	uint32_t plain, block, symbols;
};

struct patch_symbols {
	uint8_t *bytes; /* owned */
	struct piece *pieces; /* owned */
	size_t piece_count, piece_room;
	struct patch_table *table; /* owned */
};

/* Blocks of the old image that are wanted together, for @bytes of symbols. */
struct unit {
	uint32_t first, count, weight, symbols;
};

/* What is longer fits into no patch, whatever its length. */
static uint32_t clamp(size_t n)
{
	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static bool add_piece(struct patch_symbols *s, uint64_t from, uint64_t symbols_from,
		      const struct lb_recode_piece *p)
{
	struct piece *more;

	if (s->piece_count == s->piece_room) {
		more = realloc(s->pieces, (s->piece_room * 2 + 1024) * sizeof(*more));
		if (!more)
			return false;
		s->pieces = more;
		s->piece_room = s->piece_room * 2 + 1024;
	}
	s->pieces[s->piece_count++] = (struct piece){
		.from = from, .symbols_from = symbols_from, .plain = (uint32_t)p->plain,
		.block = clamp(p->block), .symbols = clamp(p->symbols),
	};
	return true;
}

/* What looks like the beginning of a block is cheap to count; to unpack an image is not. */
static bool is_worth_it(const uint8_t *old, size_t len)
{
	size_t found = 0;
	uint32_t last = 0;

	for (size_t i = 0; i < len; i++) {
		last = last << 8 | old[i];
		found += lb_recode_is_magic(last);
	}
	return found > len / WORTH_BYTES;
}

static bool grow(struct patch_symbols *s, size_t *room)
{
	size_t more = *room * 2;
	uint8_t *bytes = more > *room ? realloc(s->bytes, more) : NULL;

	if (!bytes)
		return false;
	s->bytes = bytes;
	*room = more;
	return true;
}

static bool unpack_all(struct patch_symbols *s, const uint8_t *old, size_t len,
		       union lb_recode_work *work, size_t *ret_len)
{
	struct lb_recode_cursor cursor = { 0 };
	size_t used = 0, room = len / 2 + WORTH_BYTES;

	if (!grow(s, &room))
		return false;
	while (cursor.at < len) {
		struct lb_recode_piece p;
		size_t from = cursor.at;

		cursor.failed = 0; /* regions are looked at one by one on a device */
		if (!lb_recode_next(old, len, &cursor, s->bytes + used, room - used, &p, work)) {
			if (!add_piece(s, from, used, &p))
				return false;
			used += p.symbols;
		} else if (!grow(s, &room)) {
			return false;
		}
	}
	*ret_len = used;
	return true;
}

struct patch_symbols *patch_symbols_make(const uint8_t *old, uint64_t old_bytes)
{
	struct patch_symbols *s;
	union lb_recode_work *work;
	size_t len;

	if (!is_worth_it(old, (size_t)old_bytes))
		return NULL;
	s = calloc(1, sizeof(*s));
	work = malloc(sizeof(*work));
	if (s && work && unpack_all(s, old, (size_t)old_bytes, work, &len))
		s->table = patch_table_make(s->bytes, len);
	free(work);
	if (s && s->table)
		return s;
	patch_symbols_free(s);
	return NULL;
}

void patch_symbols_free(struct patch_symbols *s)
{
	if (!s)
		return;
	patch_table_free(s->table);
	free(s->pieces);
	free(s->bytes);
	free(s);
}

/* ---- regions ---- */

/* The piece that the symbol at @at is of. */
static const struct piece *piece_at(const struct patch_symbols *s, uint64_t at)
{
	size_t low = 0, high = s->piece_count - 1;

	while (low < high) {
		size_t mid = low + (high - low + 1) / 2;

		if (s->pieces[mid].symbols_from <= at)
			low = mid;
		else
			high = mid - 1;
	}
	return &s->pieces[low];
}

static struct unit unit_of(uint64_t from, uint64_t end, uint64_t weight, uint64_t symbols)
{
	uint32_t first = (uint32_t)(from / LB_PATCH_BLOCK_BYTES);

	return (struct unit){
		.first = first,
		.count = (uint32_t)((end + LB_PATCH_BLOCK_BYTES - 1) / LB_PATCH_BLOCK_BYTES) - first,
		.weight = clamp(weight), .symbols = clamp(symbols),
	};
}

/* The block of the old image with the bytes that are @in symbols behind the beginning of @p. */
static struct unit plain_unit(const struct piece *p, uint64_t in, uint64_t weight)
{
	uint64_t from = p->from + (in > PLAIN_HEAD ? in - PLAIN_HEAD : 0);

	return unit_of(from, from + 1, weight < LB_PATCH_BLOCK_BYTES ? weight : LB_PATCH_BLOCK_BYTES,
		       LB_PATCH_BLOCK_BYTES);
}

/* Of what match @m covers; of a stretch of plain bytes its first block, and no more. */
static uint32_t add_match(const struct patch_symbols *s, const struct patch_match *m, struct unit *u,
			  uint32_t count, uint32_t room)
{
	uint64_t at = m->from, end = m->from + m->length;

	for (const struct piece *p = piece_at(s, at); at < end && count < room; p++) {
		uint64_t block_at = p->symbols_from + (p->plain ? PLAIN_HEAD + p->plain : 0);
		uint64_t piece_end = p->symbols_from + p->symbols;
		uint64_t to = end < piece_end ? end : piece_end, from = p->from + p->plain;

		if (p->block && to > block_at)
			u[count++] = unit_of(from < MAGIC_BYTES ? 0 : from - MAGIC_BYTES,
					     from + p->block, to - (at > block_at ? at : block_at),
					     piece_end - block_at);
		else if (to - at >= WEIGHT_MIN)
			u[count++] = plain_unit(p, at - p->symbols_from, to - at);
		at = piece_end;
	}
	return count;
}

static int by_place(const void *a, const void *b)
{
	const struct unit *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->count < y->count ? -1 : x->count > y->count;
}

static int by_weight(const void *a, const void *b)
{
	const struct unit *x = a, *y = b;

	return x->weight != y->weight ? (x->weight > y->weight ? -1 : 1) : by_place(a, b);
}

static uint32_t join_same(struct unit *u, uint32_t count)
{
	uint32_t joined = 0;

	qsort(u, count, sizeof(*u), by_place);
	for (uint32_t i = 1; i < count; i++)
		if (u[i].first == u[joined].first && u[i].count == u[joined].count)
			u[joined].weight += u[i].weight;
		else
			u[++joined] = u[i];
	return count ? joined + 1 : 0;
}

/* The regions of @taken units, which begin in ascending order: overlaps and neighbours are one. */
static int join_regions(const struct unit *u, uint32_t taken, struct patch_region *ret,
			uint32_t *ret_blocks)
{
	uint32_t count = 0, blocks = 0;

	for (uint32_t i = 0; i < taken; i++) {
		struct patch_region *last = count ? &ret[count - 1] : NULL;
		uint32_t end = u[i].first + u[i].count;

		if (last && u[i].first <= last->block + last->count) {
			if (end > last->block + last->count) {
				blocks += end - (last->block + last->count);
				last->count = end - last->block;
			}
			continue;
		}
		if (count == PATCH_REGIONS_MAX)
			return -1;
		ret[count++] = (struct patch_region){ u[i].first, u[i].count };
		blocks += u[i].count;
	}
	*ret_blocks = blocks;
	return (int)count;
}

/* The heaviest ones that fit. */
static int choose(struct unit *u, uint32_t count, size_t room, struct patch_region *ret)
{
	struct unit taken[BLOCKS_MAX] = { 0 }, sorted[BLOCKS_MAX];
	uint32_t n = 0, blocks = 0;
	size_t symbols = 0;

	qsort(u, count, sizeof(*u), by_weight);
	for (uint32_t i = 0; i < count && n < BLOCKS_MAX && u[i].weight >= WEIGHT_MIN; i++) {
		if (u[i].symbols > room - symbols)
			continue;
		taken[n] = u[i];
		memcpy(sorted, taken, (n + 1) * sizeof(*sorted));
		qsort(sorted, n + 1, sizeof(*sorted), by_place);
		if (join_regions(sorted, n + 1, ret, &blocks) < 0 || blocks > BLOCKS_MAX)
			continue;
		n++;
		symbols += u[i].symbols;
	}
	memcpy(sorted, taken, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_place);
	return join_regions(sorted, n, ret, &blocks);
}

int patch_symbols_regions(const struct patch_symbols *s, const uint8_t *data, size_t len,
			  size_t room, struct patch_region ret[PATCH_REGIONS_MAX])
{
	uint32_t units_room = 4 * PATCH_MATCHES_MAX, count = 0;
	struct patch_match *m = malloc(PATCH_MATCHES_MAX * sizeof(*m));
	struct unit *u = malloc(units_room * sizeof(*u));
	int regions = -LB_E_NOMEM;

	if (m && u) {
		uint32_t matches = patch_matches(s->table, data, len, m);

		for (uint32_t i = 0; i < matches; i++)
			count = add_match(s, &m[i], u, count, units_room);
		regions = choose(u, join_same(u, count), room, ret);
	}
	free(m);
	free(u);
	return regions;
}
