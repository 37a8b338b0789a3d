// SPDX-License-Identifier: GPL-2.0-or-later
/* Packets of LZMA, bit by bit: read or written by the same walk. */
#include "recode/xz_lzma.h"

#include <string.h>

#define LITERAL_STATES 7u /* below: the last packet was a literal */
#define SLOT_DIRECT 14u	  /* slots from here on have bits with even odds */
#define LEN_LOW (LB_XZ_POS_STATES * 8)

bool lb_xz_lzma_props(struct lb_xz_lzma *z, uint8_t props)
{
	if (props >= 9 * 5 * 5)
		return false;
	z->lc = props % 9;
	z->lp = props / 9 % 5;
	z->pb = props / 45;
	return z->lc + z->lp <= LB_XZ_LCLP_MAX;
}

void lb_xz_lzma_reset(struct lb_xz_lzma *z)
{
	size_t count = LB_XZ_LITERAL + ((size_t)0x300 << (z->lc + z->lp));

	for (size_t i = 0; i < count; i++)
		z->probs[i] = LB_XZ_PROB_HALF;
	z->state = 0;
	for (unsigned i = 0; i < 4; i++)
		z->rep[i] = 0;
}

static uint8_t literal_plain(struct lb_xz_lzma *z, uint16_t *probs, uint8_t byte)
{
	return (uint8_t)lb_xz_tree(&z->range, probs, 8, byte);
}

/* After a match, the byte that the match would have gone on with is context until the first differing bit. */
static uint8_t literal_matched(struct lb_xz_lzma *z, uint16_t *probs, uint8_t byte, uint8_t matched)
{
	unsigned node = 1, same = 0x100, context = matched;

	for (unsigned left = 8; left--;) {
		unsigned bit;

		context <<= 1;
		bit = lb_xz_bit(&z->range, &probs[same + (context & same) + node], byte >> left & 1);
		node = node << 1 | bit;
		same &= bit ? context : ~context;
	}
	return (uint8_t)node;
}

static bool literal(struct lb_xz_lzma *z)
{
	const uint8_t *here = z->content + z->pos;
	unsigned before = z->pos ? here[-1] : 0;
	unsigned high = (unsigned)z->pos & ((1u << z->lp) - 1);
	unsigned which = (high << z->lc) + (before >> (8 - z->lc));
	uint16_t *probs = &z->probs[LB_XZ_LITERAL + 0x300 * which];
	uint8_t byte = z->made ? 0 : *here;

	if (z->state < LITERAL_STATES)
		byte = literal_plain(z, probs, byte);
	else if (z->rep[0] >= z->pos)
		return false;
	else
		byte = literal_matched(z, probs, byte, *(here - z->rep[0] - 1));
	if (z->made)
		z->made[z->pos] = byte;
	z->pos++;
	z->state = z->state < 4 ? 0 : z->state < 10 ? z->state - 3 : z->state - 6;
	return !z->range.failed;
}

static uint32_t length(struct lb_xz_lzma *z, uint16_t *probs, unsigned pos_state, uint32_t len)
{
	uint32_t rest = len - LB_XZ_MATCH_MIN;

	if (!lb_xz_bit(&z->range, &probs[0], rest >= 8))
		return LB_XZ_MATCH_MIN + lb_xz_tree(&z->range, &probs[2 + pos_state * 8], 3, rest);
	if (!lb_xz_bit(&z->range, &probs[1], rest >= 16))
		return LB_XZ_MATCH_MIN + 8 + lb_xz_tree(&z->range, &probs[2 + LEN_LOW + pos_state * 8], 3, rest - 8);
	return LB_XZ_MATCH_MIN + 16 + lb_xz_tree(&z->range, &probs[2 + 2 * LEN_LOW], 8, rest - 16);
}

/* A distance's slot: its highest two bits and how many follow; below 4 the distance itself. */
static uint32_t slot_of(uint32_t distance)
{
	uint32_t bits = 0;

	if (distance < 4)
		return distance;
	while (distance >> bits > 3)
		bits++;
	return bits * 2 + (distance >> bits);
}

static uint32_t distance(struct lb_xz_lzma *z, uint32_t len, uint32_t want)
{
	unsigned by_len = len - LB_XZ_MATCH_MIN < 3 ? len - LB_XZ_MATCH_MIN : 3;
	uint16_t *slots = &z->probs[LB_XZ_DIST_SLOT + 64 * by_len];
	uint32_t slot = lb_xz_tree(&z->range, slots, 6, slot_of(want));
	uint32_t base, bits;

	if (slot < 4)
		return slot;
	bits = slot / 2 - 1;
	base = (2 | (slot & 1)) << bits;
	if (slot < SLOT_DIRECT)
		return base + lb_xz_tree_reverse(&z->range, &z->probs[LB_XZ_DIST_SPECIAL + base - slot], bits,
						 want - base);
	base += lb_xz_direct(&z->range, bits - 4, (want - base) >> 4) << 4;
	return base + lb_xz_tree_reverse(&z->range, &z->probs[LB_XZ_DIST_ALIGN], 4, want & 15);
}

/* Which of the repeated distances; the one chosen becomes the first. */
static uint8_t repeat(struct lb_xz_lzma *z, unsigned pos_state, uint8_t op)
{
	struct lb_xz_range *r = &z->range;
	unsigned n, state = z->state;
	uint32_t chosen;

	if (!lb_xz_bit(r, &z->probs[LB_XZ_IS_REP0 + state], op != LB_XZ_REP0 && op != LB_XZ_SHORT)) {
		uint16_t *is_long = &z->probs[LB_XZ_IS_REP0_LONG + state * LB_XZ_POS_STATES + pos_state];

		return lb_xz_bit(r, is_long, op == LB_XZ_REP0) ? LB_XZ_REP0 : LB_XZ_SHORT;
	}
	n = 1;
	if (lb_xz_bit(r, &z->probs[LB_XZ_IS_REP1 + state], op != LB_XZ_REP1))
		n = 2 + lb_xz_bit(r, &z->probs[LB_XZ_IS_REP2 + state], op != LB_XZ_REP2);
	chosen = z->rep[n];
	for (unsigned i = n; i; i--)
		z->rep[i] = z->rep[i - 1];
	z->rep[0] = chosen;
	return (uint8_t)(LB_XZ_REP0 + n);
}

static bool copy(struct lb_xz_lzma *z, uint32_t len)
{
	size_t back = (size_t)z->rep[0] + 1, from = z->pos - back;

	if (z->range.failed || back > z->pos || len > z->limit - z->pos)
		return false;
	if (!z->made && memcmp(z->content + z->pos, z->content + from, len))
		return false;
	for (size_t i = 0; z->made && i < len; i++)
		z->made[z->pos + i] = z->made[from + i];
	z->pos += len;
	return true;
}

static void match(struct lb_xz_lzma *z, unsigned pos_state, struct lb_xz_packet *packet)
{
	packet->len = (uint16_t)length(z, &z->probs[LB_XZ_LEN_MATCH], pos_state, packet->len);
	packet->distance = distance(z, packet->len, packet->distance);
	for (unsigned i = 3; i; i--)
		z->rep[i] = z->rep[i - 1];
	z->rep[0] = packet->distance;
	z->state = z->state < LITERAL_STATES ? 7 : 10;
}

bool lb_xz_lzma_packet(struct lb_xz_lzma *z, struct lb_xz_packet *packet)
{
	unsigned pos_state = (unsigned)z->pos & ((1u << z->pb) - 1);
	uint16_t *is_match = &z->probs[LB_XZ_IS_MATCH + z->state * LB_XZ_POS_STATES + pos_state];

	if (!lb_xz_bit(&z->range, is_match, packet->op != LB_XZ_BYTE)) {
		packet->op = LB_XZ_BYTE;
		packet->len = 1;
		return literal(z);
	}
	if (!lb_xz_bit(&z->range, &z->probs[LB_XZ_IS_REP + z->state], packet->op != LB_XZ_MATCH)) {
		packet->op = LB_XZ_MATCH;
		match(z, pos_state, packet);
		return copy(z, packet->len);
	}
	packet->op = repeat(z, pos_state, packet->op);
	if (packet->op == LB_XZ_SHORT) {
		z->state = z->state < LITERAL_STATES ? 9 : 11;
		packet->len = 1;
		return copy(z, 1);
	}
	packet->len = (uint16_t)length(z, &z->probs[LB_XZ_LEN_REP], pos_state, packet->len);
	z->state = z->state < LITERAL_STATES ? 8 : 11;
	return copy(z, packet->len);
}
