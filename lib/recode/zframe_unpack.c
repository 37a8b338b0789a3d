// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From a zstd frame to its symbols: RFC 8878, section 3.1.1. Literals are decoded when a
 * sequence takes them, so no block is ever in memory. What lb_zframe_pack() would write
 * in another way is refused.
 */
#include "base/bytes.h"
#include "recode/bits.h"
#include "recode/zframe_literals.h"

/* 1 to 3 bytes, the shortest form only; in->at moves behind them. */
static int read_count(struct zframe_in *in, uint32_t *ret)
{
	size_t left = zframe_left(in);
	const uint8_t *p = in->at;

	if (left && p[0] < 128) {
		*ret = p[0];
		in->at++;
	} else if (left > 1 && p[0] < 255) {
		*ret = (p[0] - 128u) << 8 | p[1];
		in->at += 2;
		if (*ret < 128)
			return -LB_E_FORMAT;
	} else if (left > 2) {
		*ret = lb_get_le16(p + 1) + 0x7f00u;
		in->at += 3;
	} else {
		return -LB_E_FORMAT;
	}
	return *ret <= LB_ZFRAME_SEQUENCES_MAX ? 0 : -LB_E_FORMAT;
}

static int read_tables(struct lb_zframe_work *w, struct zframe_in *in, struct zframe_out *out)
{
	const uint8_t *start = in->at;
	uint8_t modes;
	int rc = 0;

	if (!zframe_left(in) || *in->at & 3)
		return -LB_E_FORMAT;
	modes = *in->at++;
	for (unsigned int i = 0; i < ZFRAME_TABLES && !rc; i++)
		rc = zframe_fse_read(w, i, zframe_mode_of(modes, i), in);
	if (rc)
		return rc;
	return zframe_copy(&(struct zframe_in){ start, in->at }, out, (size_t)(in->at - start));
}

static uint8_t *put_offset(uint8_t *p, uint32_t offset)
{
	if (offset <= ZFRAME_OFFSET_1) {
		*p++ = (uint8_t)offset;
		return p;
	}
	if (offset < ZFRAME_OFFSET_2) {
		*p++ = (uint8_t)(ZFRAME_OFFSET_2_FIRST + (offset >> 8));
	} else {
		if (offset < ZFRAME_OFFSET_3) {
			*p++ = (uint8_t)(ZFRAME_OFFSET_3_FIRST + (offset >> 16));
		} else {
			*p++ = ZFRAME_OFFSET_5_FIRST;
			*p++ = (uint8_t)(offset >> 24);
			*p++ = (uint8_t)(offset >> 16);
		}
		*p++ = (uint8_t)(offset >> 8);
	}
	*p++ = (uint8_t)offset;
	return p;
}

static uint8_t *put_length(uint8_t *p, uint32_t length)
{
	if (length < ZFRAME_LENGTH_ESCAPE) {
		*p++ = (uint8_t)length;
		return p;
	}
	*p++ = ZFRAME_LENGTH_ESCAPE;
	*p++ = (uint8_t)length;
	*p++ = (uint8_t)(length >> 8);
	*p++ = (uint8_t)(length >> 16);
	return p;
}

/* Their number and the literals. */
static int put_literals(struct zframe_literals_in *l, uint32_t count, struct zframe_out *out)
{
	if (zframe_room(out) < ZFRAME_LENGTH_BYTES_MAX)
		return -LB_E_TOO_BIG;
	out->at = put_length(out->at, count);
	return zframe_take_literals(l, out, count);
}

static uint32_t take_value(struct lb_bits_in *bits, struct zframe_range range)
{
	return range.first + lb_bits_take(bits, range.bits);
}

static void step(const struct lb_zframe_fse *t, uint32_t *state, struct lb_bits_in *bits)
{
	const struct lb_zframe_state *s = &t->state[*state];

	*state = s->base + lb_bits_take(bits, s->bits);
}

static int unpack_records(struct lb_zframe_work *w, struct zframe_in *in, uint32_t count,
			  struct zframe_literals_in *l, struct zframe_out *out)
{
	const struct lb_zframe_fse *ll = &w->fse[ZFRAME_LL], *of = &w->fse[ZFRAME_OF],
				   *ml = &w->fse[ZFRAME_ML];
	uint32_t ll_at, of_at, ml_at, offset, match, run;
	struct lb_bits_in bits;
	int rc;

	if (!lb_bits_in_open(&bits, in->at, zframe_left(in)))
		return -LB_E_FORMAT;
	lb_bits_fill(&bits);
	ll_at = lb_bits_take(&bits, ll->log);
	of_at = lb_bits_take(&bits, of->log);
	ml_at = lb_bits_take(&bits, ml->log);
	for (;;) {
		lb_bits_fill(&bits);
		offset = of->state[of_at].code;
		offset = (1u << offset) + lb_bits_take(&bits, offset);
		match = take_value(&bits, zframe_match_ranges[ml->state[ml_at].code]);
		lb_bits_fill(&bits);
		run = take_value(&bits, zframe_literal_ranges[ll->state[ll_at].code]);
		if (bits.overrun)
			return -LB_E_FORMAT;
		rc = put_literals(l, run, out);
		if (rc)
			return rc;
		if (zframe_room(out) < ZFRAME_FIELDS_MAX)
			return -LB_E_TOO_BIG;
		out->at = put_length(put_offset(out->at, offset), match);
		if (!--count)
			break;
		step(ll, &ll_at, &bits);
		step(ml, &ml_at, &bits);
		step(of, &of_at, &bits);
	}
	if (!lb_bits_in_ended(&bits) || !zframe_fse_is_first(ll, ll_at) ||
	    !zframe_fse_is_first(of, of_at) || !zframe_fse_is_first(ml, ml_at))
		return -LB_E_FORMAT;
	return 0;
}

/* Literals behind the last sequence. */
static int unpack_rest(struct zframe_literals_in *l, bool sequences, struct zframe_out *out)
{
	int rc = put_literals(l, l->left, out);

	if (rc)
		return rc;
	if (l->streams && l->number != l->streams)
		return -LB_E_FORMAT;
	if (!sequences)
		return 0;
	if (!zframe_room(out))
		return -LB_E_TOO_BIG;
	*out->at++ = 0;
	return 0;
}

static int unpack_compressed(struct lb_zframe_work *w, struct zframe_in in, struct zframe_out *out,
			     uint8_t *first)
{
	struct zframe_literals_in l;
	uint32_t count;
	int rc;

	if (zframe_left(&in) < 2 || zframe_left(&in) > ZFRAME_BLOCK_MAX)
		return -LB_E_FORMAT;
	rc = zframe_open_literals(w, &in, &l, first, out);
	if (!rc)
		rc = read_count(&in, &count);
	if (rc)
		return rc;
	if (!count)
		return zframe_left(&in) ? -LB_E_FORMAT : unpack_rest(&l, false, out);
	*first |= ZFRAME_SEQUENCES;
	rc = read_tables(w, &in, out);
	if (!rc)
		rc = unpack_records(w, &in, count, &l, out);
	return rc ? rc : unpack_rest(&l, true, out);
}

static int unpack_block(struct lb_zframe_work *w, struct zframe_in *in, struct zframe_out *out,
			bool *ret_last)
{
	enum zframe_block type;
	uint32_t header, size;
	uint8_t *first = out->at;
	int rc;

	if (zframe_left(in) < ZFRAME_BLOCK_HEADER_BYTES)
		return -LB_E_FORMAT;
	if (zframe_room(out) < ZFRAME_BLOCK_HEADER_BYTES + 1)
		return -LB_E_TOO_BIG;
	header = lb_get_le16(in->at) | (uint32_t)in->at[2] << 16;
	type = (enum zframe_block)(header >> 1 & 3);
	size = header >> 3;
	*ret_last = (header & 1) != 0;
	in->at += ZFRAME_BLOCK_HEADER_BYTES;
	if (type > ZFRAME_COMPRESSED || size > ZFRAME_BLOCK_MAX)
		return -LB_E_FORMAT;
	*out->at++ = (uint8_t)(type | (*ret_last ? ZFRAME_LAST : 0));
	if (type == ZFRAME_COMPRESSED) {
		if (size > zframe_left(in))
			return -LB_E_FORMAT;
		rc = unpack_compressed(w, (struct zframe_in){ in->at, in->at + size }, out, first);
		in->at += size;
		return rc;
	}
	for (int i = 0; i < 3; i++)
		*out->at++ = (uint8_t)(size >> 8 * i);
	return zframe_copy(in, out, type == ZFRAME_RAW ? size : 1);
}

int lb_zframe_unpack(const uint8_t *in, size_t in_len, size_t *ret_used, uint8_t *out, size_t room,
		     size_t *ret_len, struct lb_zframe_work *work)
{
	struct zframe_out to = { out, out + room };
	struct zframe_in from = { in, in + in_len };
	bool last = false;
	size_t header;
	int rc;

	zframe_forget(work);
	header = zframe_header_bytes(&from);
	if (!header)
		return -LB_E_FORMAT;
	rc = zframe_copy(&from, &to, header);
	for (unsigned int n = 0; !rc && !last; n++)
		rc = n < LB_ZFRAME_BLOCKS_MAX ? unpack_block(work, &from, &to, &last) : -LB_E_FORMAT;
	if (!rc && in[0] & ZFRAME_CHECKSUM_FLAG)
		rc = zframe_copy(&from, &to, ZFRAME_CHECKSUM_BYTES);
	if (rc)
		return rc;
	*ret_used = (size_t)(from.at - in);
	*ret_len = (size_t)(to.at - out);
	return 0;
}
