// SPDX-License-Identifier: GPL-2.0-or-later
/* The range coder, in both directions. */
#include "recode/xz_range.h"

#define MOVE_BITS 5u
#define TOP (1u << 24)

static uint8_t take(struct lb_xz_range *r)
{
	if (r->at == r->end) {
		r->failed = true;
		return 0;
	}
	return r->in[r->at++];
}

static void give(struct lb_xz_range *r, uint8_t byte)
{
	if (r->at == r->end)
		r->failed = true;
	else
		r->out[r->at++] = byte;
}

/* Move the topmost byte of low out. A byte of 0xff may yet carry: it is counted, not written. */
static void shift_low(struct lb_xz_range *r)
{
	uint8_t carry = (uint8_t)(r->low >> 32);

	if (carry || (uint32_t)r->low < 0xff000000u) {
		for (; r->pending; r->pending--) {
			give(r, (uint8_t)(r->cache + carry));
			r->cache = 0xff;
		}
		r->cache = (uint8_t)(r->low >> 24);
	}
	r->pending++;
	r->low = (r->low & 0x00ffffffu) << 8;
}

static inline void normalise(struct lb_xz_range *r)
{
	if (r->range >= TOP)
		return;
	r->range <<= 8;
	if (r->encoding)
		shift_low(r);
	else
		r->code = r->code << 8 | take(r);
}

bool lb_xz_range_decode(struct lb_xz_range *r, const uint8_t *in, size_t len)
{
	*r = (struct lb_xz_range){ .in = in, .end = len, .range = UINT32_MAX };
	if (len < LB_XZ_RANGE_BYTES || in[0])
		return false;
	for (unsigned i = 0; i < LB_XZ_RANGE_BYTES; i++)
		r->code = r->code << 8 | take(r);
	return true;
}

void lb_xz_range_encode(struct lb_xz_range *r, uint8_t *out, size_t room)
{
	*r = (struct lb_xz_range){
		.out = out, .end = room, .range = UINT32_MAX, .pending = 1, .encoding = true
	};
}

bool lb_xz_range_end(struct lb_xz_range *r)
{
	normalise(r);
	if (!r->encoding)
		return !r->failed && r->at == r->end && !r->code;
	for (unsigned i = 0; i < LB_XZ_RANGE_BYTES; i++)
		shift_low(r);
	return !r->failed;
}

/* The upper part of the interval (a 1) begins at @bound, the lower (a 0) ends there. */
static inline unsigned split(struct lb_xz_range *r, uint32_t bound, unsigned bit)
{
	if (!r->encoding)
		bit = r->code >= bound;
	if (!bit) {
		r->range = bound;
		return 0;
	}
	r->range -= bound;
	if (r->encoding)
		r->low += bound;
	else
		r->code -= bound;
	return 1;
}

unsigned lb_xz_bit(struct lb_xz_range *r, uint16_t *prob, unsigned bit)
{
	normalise(r);
	bit = split(r, (r->range >> LB_XZ_PROB_BITS) * *prob, bit);
	if (bit)
		*prob = (uint16_t)(*prob - (*prob >> MOVE_BITS));
	else
		*prob = (uint16_t)(*prob + (((1u << LB_XZ_PROB_BITS) - *prob) >> MOVE_BITS));
	return bit;
}

uint32_t lb_xz_direct(struct lb_xz_range *r, unsigned count, uint32_t value)
{
	uint32_t got = 0;

	while (count--) {
		unsigned bit = value >> count & 1;

		normalise(r);
		r->range >>= 1;
		if (!r->encoding)
			bit = r->code >= r->range;
		if (bit && r->encoding)
			r->low += r->range;
		else if (bit)
			r->code -= r->range;
		got = got << 1 | bit;
	}
	return got;
}

uint32_t lb_xz_tree(struct lb_xz_range *r, uint16_t *probs, unsigned count, uint32_t value)
{
	uint32_t node = 1;

	for (unsigned left = count; left--;)
		node = node << 1 | lb_xz_bit(r, &probs[node], value >> left & 1);
	return node - (1u << count);
}

uint32_t lb_xz_tree_reverse(struct lb_xz_range *r, uint16_t *probs, unsigned count, uint32_t value)
{
	uint32_t node = 1, got = 0;

	for (unsigned i = 0; i < count; i++) {
		unsigned bit = lb_xz_bit(r, &probs[node], value >> i & 1);

		node = node << 1 | bit;
		got |= (uint32_t)bit << i;
	}
	return got;
}
