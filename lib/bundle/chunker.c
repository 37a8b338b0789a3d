// SPDX-License-Identifier: GPL-2.0-or-later
#include "bundle/chunker.h"

#include <string.h>

#include "base/bytes.h"
#include "bundle/index.h"

#define SEED 0x6c696665626f6174ull /* "lifeboat" */
#define HISTORY 64u		   /* bytes that the hash depends on: one per bit */
#define FINE_CHUNKS 16384u	   /* an index of two thirds of a MiB */

/* SplitMix64 (Steele, Lea, Flood 2014): the gear table is its first 256 numbers. */
static uint64_t splitmix64(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/*
 * What files of a block file system and blocks of a compressed one begin with: zstd's
 * frames, xz's streams, ELF. A cut is behind it, so that it follows from the bytes before.
 */
#define BLOCK_BEGINNINGS 2u /* of these are those of blocks */
static const uint32_t beginnings[] = { 0x28b52ffd, 0xfd377a58, 0x7f454c46 };

void lb_chunker_init(struct lb_chunker *c, unsigned int level)
{
	unsigned int above = level < LB_CHUNKER_COARSE ? 0 : level - LB_CHUNKER_COARSE;
	uint64_t state = SEED;

	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < LB_ARRAY_LEN(c->gear); i++)
		c->gear[i] = splitmix64(&state);
	c->average_bits = 12 + (level < 6 ? level : 6); /* a chunk has at most 1 MiB */
	c->average_bytes = 1u << c->average_bits;
	c->min_bytes = c->average_bytes / 4;
	c->max_bytes = c->average_bytes * 4;
	c->zero_bytes = 4096u << above;
	c->window_bytes = (size_t)c->max_bytes + c->zero_bytes;
	c->fine = level < LB_CHUNKER_COARSE;
	c->beginning_count = c->fine ? LB_ARRAY_LEN(beginnings) : BLOCK_BEGINNINGS;
	for (size_t i = 0; i < c->beginning_count; i++)
		c->stop[beginnings[i] & 0xff] = true;
}

unsigned int lb_chunker_level(uint64_t image_bytes)
{
	unsigned int level = LB_CHUNKER_COARSE;

	while (level < LB_CHUNKER_LEVELS &&
	       image_bytes >> (12 + level) > LB_INDEX_CHUNKS_MAX / 4 * 3)
		level++;
	return level;
}

unsigned int lb_chunker_fine_level(uint64_t image_bytes)
{
	unsigned int level = 1;

	while (level < LB_CHUNKER_COARSE && image_bytes >> (12 + level) > FINE_CHUNKS)
		level++;
	return level < LB_CHUNKER_COARSE ? level : lb_chunker_level(image_bytes);
}

/* Is the block of zeros at @pos (aligned in the image) whole, or the image's last? */
static bool zero_block(const struct lb_chunker *c, const uint8_t *data, size_t len, size_t pos)
{
	size_t n = len - pos < c->zero_bytes ? len - pos : c->zero_bytes;

	return n && lb_bytes_all_zero(data + pos, n);
}

/* ---- where a chunk of data can end ---- */

enum end { END_NOT, END_LATE, END_EARLY };

/*
 * At @offset of the image, in front of which are bytes with @hash, the last eight of them
 * @last. FastCDC's normalised cut: rarer before the average, more frequent behind it.
 */
static enum end end_here(const struct lb_chunker *c, uint64_t offset, uint64_t hash, uint64_t last)
{
	if (!(hash >> (64 - (c->average_bits + 2))))
		return END_EARLY;
	for (size_t i = 0; i < c->beginning_count; i++)
		if ((uint32_t)last == beginnings[i])
			return END_EARLY;
	/* a file's last block is padded */
	if (c->fine && !last && !(offset & (c->zero_bytes - 1)))
		return END_EARLY;
	return (hash >> (64 - (c->average_bits - 2))) ? END_NOT : END_LATE;
}

/* Hashes byte @i, which is at @offset + @i, and on to where end_here() may say something, or to @len. */
static size_t hash_on(const struct lb_chunker *c, uint64_t offset, const uint8_t *data, size_t i,
		      size_t len, uint64_t *hash)
{
	uint64_t h = *hash, above = UINT64_C(1) << (64 - (c->average_bits - 2));
	size_t edge = i + c->zero_bytes - (size_t)((offset + i) & (c->zero_bytes - 1));
	bool stop;

	if (!c->fine || edge > len)
		edge = len;
#pragma GCC unroll 8
	do {
		h = (h << 1) + c->gear[data[i]];
		stop = c->stop[data[i++]];
	} while (i < edge && h >= above && !stop);
	*hash = h;
	return i;
}

/* The eight bytes in front of byte @i; @before are those in front of byte @from, should they be needed. */
static uint64_t last_eight(const uint8_t *data, size_t i, size_t from, uint64_t before)
{
	if (i >= 8) {
		from = i - 8;
		before = 0;
	}
	for (; from < i; from++)
		before = before << 8 | data[from];
	return before;
}

static size_t cut(const struct lb_chunker *c, uint64_t offset, const uint8_t *data, size_t limit)
{
	size_t i = c->min_bytes;
	uint64_t hash = 0;

	if (limit <= c->min_bytes)
		return limit;
	for (size_t k = i - HISTORY; k < i; k++)
		hash = (hash << 1) + c->gear[data[k]];
	for (; i < limit; i = hash_on(c, offset, data, i, limit, &hash)) {
		enum end end = end_here(c, offset + i, hash, last_eight(data, i, 0, 0));

		if (end == END_EARLY || (end == END_LATE && i >= c->average_bytes))
			return i;
	}
	return limit;
}

/*
 * Where the chunk of data at the beginning of @data ends at the latest; 0: it is of zeros,
 * and *@ret_zeros long.
 */
static size_t find_limit(const struct lb_chunker *c, uint64_t offset, const uint8_t *data,
			 size_t len, size_t *ret_zeros)
{
	size_t past = (size_t)(offset & (c->zero_bytes - 1)); /* the last block's edge */
	size_t pos = past ? c->zero_bytes - past : 0;
	size_t limit = len < c->max_bytes ? len : c->max_bytes;

	if (pos == 0 && zero_block(c, data, len, 0)) {
		while (pos < limit && zero_block(c, data, len, pos))
			pos += c->zero_bytes;
		*ret_zeros = pos < len ? pos : len;
		return 0;
	}
	for (; pos < limit; pos += c->zero_bytes)
		if (zero_block(c, data, len, pos))
			return pos;
	return limit;
}

size_t lb_chunker_next(const struct lb_chunker *c, uint64_t offset, const uint8_t *data,
		       size_t len, bool *ret_zero)
{
	size_t zeros = 0, limit = find_limit(c, offset, data, len, &zeros);

	*ret_zero = !limit;
	return limit ? cut(c, offset, data, limit) : zeros;
}

size_t lb_chunker_resync(const struct lb_chunker *c, uint64_t offset, const uint8_t *data,
			 size_t len)
{
	uint64_t hash = 0;

	for (size_t i = 0; i < len; i = hash_on(c, offset, data, i, len, &hash))
		if (i >= HISTORY && end_here(c, offset + i, hash, last_eight(data, i, 0, 0)))
			return i;
	return len;
}

/* ---- the same, remembering what was seen ---- */

static bool is_early(const struct lb_chunker_ends *ends, uint32_t i)
{
	return ends->at[i] & 1;
}

static uint64_t end_at(const struct lb_chunker_ends *ends, uint32_t i)
{
	return ends->at[i] >> 1;
}

/* What lies 64 bytes behind @offset or earlier is asked for no more. */
static void forget(struct lb_chunker_ends *ends, uint64_t offset)
{
	uint32_t n = 0;

	while (n < ends->count && end_at(ends, n) < offset)
		n++;
	ends->count -= n;
	memmove(ends->at, ends->at + n, ends->count * sizeof(ends->at[0]));
}

/* Knows the ends up to @offset + @len, or has no room for more: see ends->to. */
static void scan(const struct lb_chunker *c, struct lb_chunker_ends *ends, uint64_t offset,
		 const uint8_t *data, size_t len)
{
	uint64_t hash, to = offset + len;
	size_t i, from;

	if (offset < ends->from || offset > ends->to)
		*ends = (struct lb_chunker_ends){ .from = offset, .to = offset };
	forget(ends, offset);
	if (ends->to >= to)
		return;
	hash = ends->hash;
	from = (size_t)(ends->to - offset);
	for (i = from; i < len; i = hash_on(c, offset, data, i, len, &hash)) {
		enum end end = END_NOT;

		if (offset + i >= ends->from + HISTORY)
			end = end_here(c, offset + i, hash, last_eight(data, i, from, ends->last));
		if (end == END_NOT)
			continue;
		if (ends->count == LB_ARRAY_LEN(ends->at))
			break;
		ends->at[ends->count++] = (offset + i) * 2 + (end == END_EARLY);
	}
	ends->hash = hash;
	ends->last = last_eight(data, i, from, ends->last);
	ends->to = offset + i;
}

/* cut(), of what is known; 0: not enough is. */
static size_t known_cut(const struct lb_chunker *c, const struct lb_chunker_ends *ends,
			uint64_t offset, size_t limit)
{
	if (limit <= c->min_bytes)
		return limit;
	for (uint32_t i = 0; i < ends->count; i++) {
		uint64_t length = end_at(ends, i) - offset;

		if (length >= limit)
			return limit;
		if (length >= c->average_bytes || (length >= c->min_bytes && is_early(ends, i)))
			return (size_t)length;
	}
	return ends->to >= offset + limit ? limit : 0;
}

size_t lb_chunker_next_again(const struct lb_chunker *c, struct lb_chunker_ends *ends,
			     uint64_t offset, const uint8_t *data, size_t len, bool *ret_zero)
{
	size_t zeros = 0, n, limit = find_limit(c, offset, data, len, &zeros);

	*ret_zero = !limit;
	if (!limit)
		return zeros;
	scan(c, ends, offset, data, limit);
	n = known_cut(c, ends, offset, limit);
	return n ? n : cut(c, offset, data, limit);
}

size_t lb_chunker_resync_again(const struct lb_chunker *c, struct lb_chunker_ends *ends,
			       uint64_t offset, const uint8_t *data, size_t len)
{
	scan(c, ends, offset, data, len);
	for (uint32_t i = 0; i < ends->count; i++) {
		uint64_t length = end_at(ends, i) - offset;

		if (length >= HISTORY)
			return length < len ? (size_t)length : len;
	}
	return ends->to >= offset + len ? len : lb_chunker_resync(c, offset, data, len);
}
