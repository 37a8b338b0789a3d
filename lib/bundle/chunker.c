// SPDX-License-Identifier: GPL-2.0-or-later
#include "bundle/chunker.h"

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

size_t lb_chunker_next(const struct lb_chunker *c, uint64_t offset, const uint8_t *data,
		       size_t len, bool *ret_zero)
{
	size_t past = (size_t)(offset & (c->zero_bytes - 1)); /* the last block's edge */
	size_t pos = past ? c->zero_bytes - past : 0;
	size_t limit = len < c->max_bytes ? len : c->max_bytes;

	*ret_zero = pos == 0 && zero_block(c, data, len, 0);
	if (*ret_zero) {
		while (pos < limit && zero_block(c, data, len, pos))
			pos += c->zero_bytes;
		return pos < len ? pos : len;
	}
	for (; pos < limit; pos += c->zero_bytes) {
		if (zero_block(c, data, len, pos)) {
			limit = pos;
			break;
		}
	}
	return cut(c, data, limit);
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
