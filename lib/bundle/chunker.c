// SPDX-License-Identifier: GPL-2.0-or-later
#include "bundle/chunker.h"

#include <string.h>

#include "base/bytes.h"
#include "bundle/index.h"

#define SEED 0x6c696665626f6174ull /* "lifeboat" */
#define HISTORY 64u		   /* bytes that the hash depends on: one per bit */

/* SplitMix64 (Steele, Lea, Flood 2014): the gear table is its first 256 numbers. */
static uint64_t splitmix64(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

void lb_chunker_init(struct lb_chunker *c, unsigned int level)
{
	unsigned int doubled = level < 2 ? level : 2; /* a chunk has at most 1 MiB */
	uint64_t state = SEED;

	for (size_t i = 0; i < LB_ARRAY_LEN(c->gear); i++)
		c->gear[i] = splitmix64(&state);
	c->average_bits = 16 + doubled;
	c->average_bytes = 1u << c->average_bits;
	c->min_bytes = c->average_bytes / 4;
	c->max_bytes = c->average_bytes * 4;
	c->zero_bytes = 4096u << level;
	c->window_bytes = (size_t)c->max_bytes + c->zero_bytes;
}

unsigned int lb_chunker_level(uint64_t image_bytes)
{
	unsigned int level = 0;

	while (level < LB_CHUNKER_LEVELS - 1 &&
	       image_bytes >> (16 + level) > LB_INDEX_CHUNKS_MAX / 4 * 3)
		level++;
	return level;
}

/* Is the block of zeros at @pos (aligned in the image) whole, or the image's last? */
static bool zero_block(const struct lb_chunker *c, const uint8_t *data, size_t len, size_t pos)
{
	size_t n = len - pos < c->zero_bytes ? len - pos : c->zero_bytes;

	return n && lb_bytes_all_zero(data + pos, n);
}

/* FastCDC's normalised cut: rarer before the average, more frequent behind it. */
static size_t cut(const struct lb_chunker *c, const uint8_t *data, size_t limit)
{
	unsigned int early = 64 - (c->average_bits + 2), late = 64 - (c->average_bits - 2);
	uint64_t hash = 0;
	size_t i = c->min_bytes - HISTORY;

	if (limit <= c->min_bytes)
		return limit;
	for (; i < c->min_bytes; i++)
		hash = (hash << 1) + c->gear[data[i]];
	for (; i < limit && i < c->average_bytes; i++) {
		if (!(hash >> early))
			return i;
		hash = (hash << 1) + c->gear[data[i]];
	}
	for (; i < limit; i++) {
		if (!(hash >> late))
			return i;
		hash = (hash << 1) + c->gear[data[i]];
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
	return limit ? cut(c, data, limit) : zeros;
}

size_t lb_chunker_resync(const struct lb_chunker *c, const uint8_t *data, size_t len)
{
	unsigned int late = 64 - (c->average_bits - 2); /* every early cut is a late one, too */
	uint64_t hash = 0;

	for (size_t i = 0; i < len; i++) {
		if (i >= HISTORY && !(hash >> late))
			return i;
		hash = (hash << 1) + c->gear[data[i]];
	}
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

/* Hashes on from byte @i to the next place where a chunk can end, or to @len. */
static size_t hash_on(const struct lb_chunker *c, const uint8_t *data, size_t i, size_t len,
		      uint64_t *hash)
{
	uint64_t h = *hash, above = UINT64_C(1) << (64 - (c->average_bits - 2));

#pragma GCC unroll 8
	while (i < len && h >= above)
		h = (h << 1) + c->gear[data[i++]];
	*hash = h;
	return i;
}

/* Knows the ends up to @offset + @len, or has no room for more: see ends->to. */
static void scan(const struct lb_chunker *c, struct lb_chunker_ends *ends, uint64_t offset,
		 const uint8_t *data, size_t len)
{
	unsigned int early = 64 - (c->average_bits + 2);
	uint64_t hash, to = offset + len;
	size_t i;

	if (offset < ends->from || offset > ends->to)
		*ends = (struct lb_chunker_ends){ .from = offset, .to = offset };
	forget(ends, offset);
	if (ends->to >= to)
		return;
	hash = ends->hash;
	i = (size_t)(ends->to - offset);
	while ((i = hash_on(c, data, i, len, &hash)) < len) {
		if (offset + i >= ends->from + HISTORY) {
			if (ends->count == LB_ARRAY_LEN(ends->at))
				break;
			ends->at[ends->count++] = (offset + i) * 2 + (hash >> early == 0);
		}
		hash = (hash << 1) + c->gear[data[i++]];
	}
	ends->hash = hash;
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
	return n ? n : cut(c, data, limit);
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
	return ends->to >= offset + len ? len : lb_chunker_resync(c, data, len);
}
