/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bit streams of zstd: written from the first byte up, least significant bits first,
 * closed by a single 1, and read from that one down. RFC 8878, sections 4.1 and 4.2.2.
 */
#ifndef LB_RECODE_BITS_H
#define LB_RECODE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Number of the highest bit that is set; @v is not 0. */
static inline unsigned int lb_bits_high(uint32_t v)
{
	return 31u - (unsigned int)__builtin_clz(v);
}

/* ---- reading, from the end down ---- */

struct lb_bits_in {
	const uint8_t *start, *next; /* borrowed; the byte below @next comes next */
	uint64_t held;		     /* @count bits, from the highest one down */
	unsigned int count;
	bool overrun; /* more was taken than there is */
};

/* False: no byte, or one without the closing bit. */
static inline bool lb_bits_in_open(struct lb_bits_in *b, const uint8_t *bytes, size_t len)
{
	if (!len || !bytes[len - 1])
		return false;
	b->start = bytes;
	b->next = bytes + len - 1;
	b->count = lb_bits_high(*b->next);
	b->held = b->count ? (uint64_t)*b->next << (64 - b->count) : 0;
	b->overrun = false;
	return true;
}

/* Then at least 56 bits are there, unless the stream ends. */
static inline void lb_bits_fill(struct lb_bits_in *b)
{
	if (b->next - b->start >= 8) {
		unsigned int bytes = (63 - b->count) / 8;

		b->held |= lb_get_le64(b->next - 8) >> b->count;
		b->next -= bytes;
		b->count += 8 * bytes;
		return;
	}
	while (b->count <= 55 && b->next > b->start) {
		b->held |= (uint64_t)*--b->next << (56 - b->count);
		b->count += 8;
	}
}

/* The next @n bits, 0 to 32; zeros behind the end. */
static inline uint32_t lb_bits_peek(const struct lb_bits_in *b, unsigned int n)
{
	return (uint32_t)(b->held >> 1 >> (63 - n));
}

static inline void lb_bits_skip(struct lb_bits_in *b, unsigned int n)
{
	if (n > b->count) {
		b->overrun = true;
		return;
	}
	b->held <<= n;
	b->count -= n;
}

static inline uint32_t lb_bits_take(struct lb_bits_in *b, unsigned int n)
{
	uint32_t v = lb_bits_peek(b, n);

	lb_bits_skip(b, n);
	return v;
}

static inline bool lb_bits_in_ended(const struct lb_bits_in *b)
{
	return !b->overrun && !b->count && b->next == b->start;
}

/* ---- writing, from the first byte up ---- */

struct lb_bits_out {
	uint8_t *at, *end; /* borrowed */
	uint64_t held;	   /* @count bits, from the lowest one up */
	unsigned int count;
	bool full; /* there was no room for a byte */
};

/* The low @n bits of @v, 0 to 32; other bits of @v are left out. Flush in time: 64 fit. */
static inline void lb_bits_put(struct lb_bits_out *b, uint32_t v, unsigned int n)
{
	b->held |= (v & ((UINT64_C(1) << n) - 1)) << b->count;
	b->count += n;
}

/* Leaves less than 8 bits. */
static inline void lb_bits_flush(struct lb_bits_out *b)
{
	while (b->count >= 8) {
		if (b->at == b->end)
			b->full = true;
		else
			*b->at++ = (uint8_t)b->held;
		b->held >>= 8;
		b->count -= 8;
	}
}

/* Adds the closing bit. */
static inline void lb_bits_close(struct lb_bits_out *b)
{
	lb_bits_flush(b);
	lb_bits_put(b, 1, 1);
	lb_bits_put(b, 0, 8 - b->count);
	if (b->count == 8)
		lb_bits_flush(b);
}

/* ---- writing in the order of reading: for streams whose length is known before ---- */

struct lb_bits_down {
	uint8_t *at;   /* borrowed; the byte below comes next */
	uint64_t held; /* @count bits; the lowest was put last */
	unsigned int count;
};

/* Bytes that @bits bits and the closing one take. */
static inline size_t lb_bits_bytes(uint64_t bits)
{
	return (size_t)(bits / 8 + 1);
}

/* @end: behind the stream's last byte; exactly @bits bits are to follow. */
static inline void lb_bits_down_open(struct lb_bits_down *b, uint8_t *end, uint64_t bits)
{
	b->at = end;
	b->held = 1;
	b->count = 8 - (unsigned int)(bits % 8);
}

/* @v: less than 2^@n; @n up to 32 */
static inline void lb_bits_down_put(struct lb_bits_down *b, uint32_t v, unsigned int n)
{
	b->held = b->held << n | v;
	b->count += n;
	if (b->count >= 32) {
		b->count -= 32;
		b->at -= 4;
		lb_put_le32(b->at, (uint32_t)(b->held >> b->count));
	}
}

/* After as many bits as were announced. */
static inline void lb_bits_down_close(struct lb_bits_down *b)
{
	while (b->count >= 8) {
		b->count -= 8;
		*--b->at = (uint8_t)(b->held >> b->count);
	}
}

#endif
