// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tables of zstd frames: finite state entropy (RFC 8878, section 4.1) for the codes of
 * sequences, Huffman (section 4.2) for literals. Made from hostile bytes: nothing is
 * stored before it was found to fit.
 */
#include <string.h>

#include "recode/bits.h"
#include "recode/zframe_internal.h"

#define LOG_MIN 5u
#define WEIGHTS_LOG_MAX 6u
#define WEIGHTS_MAX 255u
#define DIRECT_WEIGHTS 128u /* header bytes from here on: a count of weights of 4 bits */

/* Shares of the states that codes have; -1: one state at the end of the table. */
struct shares {
	unsigned int log, code_count;
	int16_t of[LB_ZFRAME_CODES_MAX];
};

static const struct shares predefined[ZFRAME_TABLES] = {
	[ZFRAME_LL] = { .log = 6, .code_count = 36,
			.of = { 4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2,
				2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1 } },
	[ZFRAME_OF] = { .log = 5, .code_count = 29,
			.of = { 1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1,
				1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1 } },
	[ZFRAME_ML] = { .log = 6, .code_count = 53,
			.of = { 1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1,
				1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
				1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1 } },
};

static const struct {
	unsigned int log_max, code_count;
} limits[ZFRAME_TABLES] = {
	[ZFRAME_LL] = { .log_max = 9, .code_count = 36 },
	[ZFRAME_OF] = { .log_max = 8, .code_count = 32 },
	[ZFRAME_ML] = { .log_max = 9, .code_count = 53 },
};

/* @n bits, up to 16, from bit @at on; zeros behind the end. */
static uint32_t bits_at(const struct zframe_in *in, size_t at, unsigned int n)
{
	uint32_t v = 0;

	for (unsigned int i = 0; i < 3 && at / 8 + i < zframe_left(in); i++)
		v |= (uint32_t)in->at[at / 8 + i] << 8 * i;
	return v >> at % 8 & ((1u << n) - 1);
}

/* A value of 0 to @left + 1: the small ones of them take a bit less. */
static uint32_t share_at(const struct zframe_in *in, size_t *at, uint32_t left)
{
	unsigned int bits = lb_bits_high(left + 1) + 1;
	uint32_t small = (1u << bits) - 1 - (left + 1), half = 1u << (bits - 1);
	uint32_t v = bits_at(in, *at, bits);

	*at += bits;
	if ((v & (half - 1)) < small) {
		(*at)--;
		return v & (half - 1);
	}
	return v >= half ? v - small : v;
}

/* False: the codes without a share that follow go beyond @codes_max. */
static bool skip_codes(const struct zframe_in *in, size_t *at, struct shares *s,
		       unsigned int codes_max)
{
	uint32_t more;

	do {
		more = bits_at(in, *at, 2);
		*at += 2;
		s->code_count += more;
		if (s->code_count > codes_max)
			return false;
	} while (more == 3);
	return true;
}

static int read_shares(struct zframe_in *in, unsigned int log_max, unsigned int codes_max,
		       struct shares *s)
{
	uint32_t left, share;
	size_t at = 4;

	*s = (struct shares){ .log = bits_at(in, 0, 4) + LOG_MIN };
	if (s->log > log_max)
		return -LB_E_FORMAT;
	for (left = 1u << s->log; left;) {
		if (s->code_count >= codes_max || at / 8 >= zframe_left(in))
			return -LB_E_FORMAT;
		share = share_at(in, &at, left);
		s->of[s->code_count++] = (int16_t)(share - 1);
		if (share != 1)
			left -= share ? share - 1 : 1;
		else if (!skip_codes(in, &at, s, codes_max))
			return -LB_E_FORMAT;
	}
	if ((at + 7) / 8 > zframe_left(in))
		return -LB_E_FORMAT;
	in->at += (at + 7) / 8;
	return 0;
}

/* Which code each state stands for. */
static void spread_codes(const struct shares *s, uint8_t *spread)
{
	uint32_t size = 1u << s->log, step = size / 2 + size / 8 + 3, at = 0, end = size;

	for (unsigned int c = 0; c < s->code_count; c++)
		if (s->of[c] < 0)
			spread[--end] = (uint8_t)c;
	for (unsigned int c = 0; c < s->code_count; c++)
		for (int i = 0; i < s->of[c]; i++) {
			spread[at] = (uint8_t)c;
			do
				at = (at + step) & (size - 1);
			while (at >= end);
		}
}

/* @spread holds what each state stands for, and @t->count how many each code has. */
static void make_states(struct lb_zframe_fse *t, const uint8_t *spread)
{
	uint16_t met[LB_ZFRAME_CODES_MAX] = { 0 };
	uint32_t total = 0;

	for (unsigned int c = 0; c < LB_ZFRAME_CODES_MAX; c++) {
		t->first[c] = (uint16_t)total;
		total += t->count[c];
	}
	for (uint32_t i = 0; i < 1u << t->log; i++) {
		unsigned int c = spread[i], k = met[c]++;
		unsigned int next = t->count[c] + k, bits = t->log - lb_bits_high(next);

		t->state[i] = (struct lb_zframe_state){
			.base = (uint16_t)((next << bits) - (1u << t->log)),
			.bits = (uint8_t)bits,
			.code = (uint8_t)c,
		};
		t->of_code[t->first[c] + k] = (uint16_t)i;
	}
	t->ready = true;
}

static void make_fse(struct lb_zframe_fse *t, const struct shares *s, uint8_t *spread)
{
	memset(t->count, 0, sizeof(t->count));
	t->log = (uint8_t)s->log;
	for (unsigned int c = 0; c < s->code_count; c++)
		t->count[c] = (uint16_t)(s->of[c] < 0 ? 1 : s->of[c]);
	spread_codes(s, spread);
	make_states(t, spread);
}

static void make_one_code(struct lb_zframe_fse *t, uint8_t code)
{
	memset(t->count, 0, sizeof(t->count));
	t->log = 0;
	t->count[code] = 1;
	make_states(t, &code);
}

int zframe_fse_read(struct lb_zframe_work *w, enum zframe_table which, enum zframe_mode mode,
		    struct zframe_in *in)
{
	struct lb_zframe_fse *t = &w->fse[which];
	struct shares s;
	int rc = 0;

	switch (mode) {
	case ZFRAME_PREDEFINED:
		make_fse(t, &predefined[which], w->spread);
		break;
	case ZFRAME_ONE_CODE:
		if (!zframe_left(in) || *in->at >= limits[which].code_count)
			return -LB_E_FORMAT;
		make_one_code(t, *in->at++);
		break;
	case ZFRAME_DESCRIBED:
		rc = read_shares(in, limits[which].log_max, limits[which].code_count, &s);
		if (!rc)
			make_fse(t, &s, w->spread);
		break;
	case ZFRAME_REPEAT:
		rc = t->ready ? 0 : -LB_E_FORMAT;
		break;
	}
	return rc;
}

bool zframe_fse_is_first(const struct lb_zframe_fse *t, uint32_t state)
{
	return t->of_code[t->first[t->state[state].code]] == state;
}

/* ---- Huffman ---- */

/* Two states take turns until the bits do not suffice for the next step of one. */
static int read_coded_weights(struct lb_zframe_work *w, struct zframe_in in, uint8_t *weights,
			      unsigned int *ret_count)
{
	struct lb_zframe_fse *t = &w->weights;
	struct lb_bits_in bits;
	uint32_t state[2];
	unsigned int n = 0;
	struct shares s;
	int rc = read_shares(&in, WEIGHTS_LOG_MAX, LB_ZFRAME_HUF_BITS_MAX + 1, &s);

	if (rc)
		return rc;
	make_fse(t, &s, w->spread);
	if (!lb_bits_in_open(&bits, in.at, zframe_left(&in)))
		return -LB_E_FORMAT;
	lb_bits_fill(&bits);
	state[0] = lb_bits_take(&bits, t->log);
	state[1] = lb_bits_take(&bits, t->log);
	if (bits.overrun)
		return -LB_E_FORMAT;
	for (;; n++) {
		const struct lb_zframe_state *from = &t->state[state[n & 1]];

		if (n >= WEIGHTS_MAX - 1)
			return -LB_E_FORMAT;
		weights[n] = from->code;
		lb_bits_fill(&bits);
		if (from->bits > bits.count)
			break;
		state[n & 1] = from->base + lb_bits_take(&bits, from->bits);
	}
	weights[n + 1] = t->state[state[(n + 1) & 1]].code;
	*ret_count = n + 2;
	return 0;
}

/* The last weight follows from the others: they fill a power of two. */
static int complete_weights(uint8_t *weights, unsigned int *count, unsigned int *ret_bits)
{
	uint32_t sum = 0, rest;
	unsigned int bits;

	for (unsigned int i = 0; i < *count; i++) {
		if (weights[i] > LB_ZFRAME_HUF_BITS_MAX)
			return -LB_E_FORMAT;
		sum += weights[i] ? 1u << (weights[i] - 1) : 0;
	}
	if (!sum)
		return -LB_E_FORMAT;
	bits = lb_bits_high(sum) + 1;
	rest = (1u << bits) - sum;
	if (bits > LB_ZFRAME_HUF_BITS_MAX || rest & (rest - 1))
		return -LB_E_FORMAT;
	weights[(*count)++] = (uint8_t)(lb_bits_high(rest) + 1);
	*ret_bits = bits;
	return 0;
}

/* Codes in the order of weights, and of literals among the same weight. */
static void make_huf(struct lb_zframe_huf *h, const uint8_t *weights, unsigned int count,
		     unsigned int max_bits)
{
	uint32_t at = 0;

	memset(h->bits, 0, sizeof(h->bits));
	h->max_bits = (uint8_t)max_bits;
	for (unsigned int weight = 1; weight <= max_bits; weight++)
		for (unsigned int c = 0; c < count; c++) {
			uint32_t end = at + (1u << (weight - 1));

			if (weights[c] != weight)
				continue;
			h->bits[c] = (uint8_t)(max_bits + 1 - weight);
			h->code[c] = (uint16_t)(at >> (weight - 1));
			while (at < end)
				h->literal[at++] = (uint16_t)(c | (unsigned int)h->bits[c] << 8);
		}
}

int zframe_huf_read(struct lb_zframe_work *w, struct zframe_in *in)
{
	uint8_t weights[WEIGHTS_MAX + 1];
	unsigned int count, bytes, max_bits;
	int rc;

	if (!zframe_left(in))
		return -LB_E_FORMAT;
	count = *in->at < DIRECT_WEIGHTS ? 0 : *in->at - (DIRECT_WEIGHTS - 1);
	bytes = count ? (count + 1) / 2 : *in->at;
	if (zframe_left(in) - 1 < bytes)
		return -LB_E_FORMAT;
	in->at++;
	for (unsigned int i = 0; i < count; i++)
		weights[i] = i & 1 ? in->at[i / 2] & 15 : in->at[i / 2] >> 4;
	if (!count) {
		rc = read_coded_weights(w, (struct zframe_in){ in->at, in->at + bytes }, weights,
					&count);
		if (rc)
			return rc;
	}
	rc = complete_weights(weights, &count, &max_bits);
	if (rc)
		return rc;
	make_huf(&w->huf, weights, count, max_bits);
	in->at += bytes;
	return 0;
}
