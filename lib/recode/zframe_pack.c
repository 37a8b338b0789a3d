// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From symbols back to the zstd frame: RFC 8878, section 3.1.1. Sequences are encoded from
 * the last one to the first: their records are marked on the way there, every so many of
 * them, and read again in groups on the way back.
 */
#include "recode/bits.h"
#include "recode/zframe_record.h"

/* Counts, and marks every so many records; in->at moves behind the last one. */
static int scan_records(struct lb_zframe_work *w, struct zframe_in *in, bool sequences,
			struct zframe_records *ret)
{
	struct lb_zframe_record r;
	const uint8_t *start = in->at, *at;

	*ret = (struct zframe_records){ .in = *in, .sequences = sequences };
	for (;;) {
		at = in->at;
		if (!zframe_record_next(in, sequences, &r))
			return -LB_E_FORMAT;
		ret->literal_count += r.literal_count;
		if (ret->literal_count > ZFRAME_BLOCK_MAX)
			return -LB_E_FORMAT;
		if (!r.offset)
			break;
		if (ret->count == LB_ZFRAME_SEQUENCES_MAX)
			return -LB_E_FORMAT;
		if (!(ret->count % LB_ZFRAME_GROUP))
			w->mark[ret->count / LB_ZFRAME_GROUP] = (uint32_t)(at - start);
		ret->count++;
	}
	ret->in.end = in->at;
	return sequences && !ret->count ? -LB_E_FORMAT : 0;
}

static int write_count(uint32_t count, struct zframe_out *out)
{
	unsigned int len = count < 128 ? 1 : count < 0x7f00 ? 2 : 3;

	if (zframe_room(out) < len)
		return -LB_E_TOO_BIG;
	if (len == 1) {
		out->at[0] = (uint8_t)count;
	} else if (len == 2) {
		out->at[0] = (uint8_t)(128 + (count >> 8));
		out->at[1] = (uint8_t)count;
	} else {
		out->at[0] = 255;
		lb_put_le16(out->at + 1, (uint16_t)(count - 0x7f00));
	}
	out->at += len;
	return 0;
}

/* The state from which @code leads on to @state, whose lower bits are put for that. */
static uint32_t step_back(const struct lb_zframe_fse *t, unsigned int code, uint32_t state,
			  struct lb_bits_out *bits)
{
	unsigned int n = t->count[code], put = t->log - lb_bits_high(n);

	state += 1u << t->log;
	if (state >> put < n)
		put--;
	lb_bits_put(bits, state, put);
	return t->of_code[t->first[code] + (state >> put) - n];
}

struct states {
	uint32_t at[ZFRAME_TABLES];
	bool started;
};

static int write_sequence(const struct lb_zframe_fse *t, const struct lb_zframe_record *r,
			  struct states *s, struct lb_bits_out *bits)
{
	unsigned int code[ZFRAME_TABLES] = {
		[ZFRAME_LL] = zframe_literal_code(r->literal_count),
		[ZFRAME_OF] = lb_bits_high(r->offset),
		[ZFRAME_ML] = zframe_match_code(r->match),
	};
	static const enum zframe_table order[ZFRAME_TABLES] = { ZFRAME_OF, ZFRAME_ML, ZFRAME_LL };

	for (unsigned int i = 0; i < ZFRAME_TABLES; i++) {
		enum zframe_table k = order[i];

		if (!t[k].count[code[k]])
			return -LB_E_FORMAT;
		s->at[k] = s->started ? step_back(&t[k], code[k], s->at[k], bits)
				      : t[k].of_code[t[k].first[code[k]]];
	}
	s->started = true;
	lb_bits_flush(bits);
	lb_bits_put(bits, r->literal_count, zframe_literal_ranges[code[ZFRAME_LL]].bits);
	lb_bits_put(bits, r->match, zframe_match_ranges[code[ZFRAME_ML]].bits);
	lb_bits_flush(bits);
	lb_bits_put(bits, r->offset, code[ZFRAME_OF]);
	lb_bits_flush(bits);
	return 0;
}

static int write_bits(struct lb_zframe_work *w, const struct zframe_records *r,
		      struct zframe_out *out)
{
	static const enum zframe_table order[ZFRAME_TABLES] = { ZFRAME_ML, ZFRAME_OF, ZFRAME_LL };
	struct lb_bits_out bits = { .at = out->at, .end = out->end };
	struct states s = { .started = false };
	uint32_t from = r->count, to;
	int rc;

	do {
		struct zframe_in in = r->in;

		to = from;
		from = (to - 1) / LB_ZFRAME_GROUP * LB_ZFRAME_GROUP;
		in.at += w->mark[from / LB_ZFRAME_GROUP];
		for (uint32_t i = from; i < to; i++)
			if (!zframe_record_next(&in, true, &w->group[i - from]))
				return -LB_E_FORMAT;
		for (uint32_t i = to; i > from; i--) {
			rc = write_sequence(w->fse, &w->group[i - 1 - from], &s, &bits);
			if (rc)
				return rc;
		}
	} while (from);
	for (unsigned int i = 0; i < ZFRAME_TABLES; i++)
		lb_bits_put(&bits, s.at[order[i]], w->fse[order[i]].log);
	lb_bits_close(&bits);
	out->at = bits.at;
	return bits.full ? -LB_E_TOO_BIG : 0;
}

/* ---- blocks ---- */

static int pack_compressed(struct lb_zframe_work *w, uint8_t first, struct zframe_in *in,
			   struct zframe_out *out)
{
	bool sequences = first & ZFRAME_SEQUENCES;
	struct zframe_in tree = { in->at, in->at }, tables;
	struct zframe_records r = { 0 };
	int rc = 0;

	if ((first >> ZFRAME_LITERALS_SHIFT & 3) == ZFRAME_LIT_HUF)
		rc = zframe_huf_read(w, in);
	tree.end = tables.at = in->at;
	if (!rc && sequences) {
		if (!zframe_left(in) || *in->at & 3)
			return -LB_E_FORMAT;
		in->at++;
		for (unsigned int i = 0; i < ZFRAME_TABLES && !rc; i++)
			rc = zframe_fse_read(w, i, zframe_mode_of(*tables.at, i), in);
	}
	tables.end = in->at;
	if (!rc)
		rc = scan_records(w, in, sequences, &r);
	if (!rc)
		rc = zframe_pack_literals(w, first, tree, &r, out);
	if (!rc)
		rc = write_count(r.count, out);
	if (!rc)
		rc = zframe_copy(&tables, out, zframe_left(&tables));
	if (!rc && sequences)
		rc = write_bits(w, &r, out);
	return rc;
}

/* @size: 3 bytes in front of what is as it is */
static int pack_plain(enum zframe_block type, struct zframe_in *in, struct zframe_out *out,
		      uint32_t *ret_size)
{
	if (zframe_left(in) < 3)
		return -LB_E_FORMAT;
	*ret_size = lb_get_le16(in->at) | (uint32_t)in->at[2] << 16;
	in->at += 3;
	if (*ret_size > ZFRAME_BLOCK_MAX)
		return -LB_E_FORMAT;
	return zframe_copy(in, out, type == ZFRAME_RAW ? *ret_size : 1);
}

static int pack_block(struct lb_zframe_work *w, struct zframe_in *in, struct zframe_out *out,
		      bool *ret_last)
{
	uint8_t *header = out->at;
	enum zframe_block type;
	uint32_t first, size;
	int rc;

	if (!zframe_left(in))
		return -LB_E_FORMAT;
	first = *in->at++;
	if (zframe_room(out) < ZFRAME_BLOCK_HEADER_BYTES)
		return -LB_E_TOO_BIG;
	out->at += ZFRAME_BLOCK_HEADER_BYTES;
	type = (enum zframe_block)(first & 3);
	*ret_last = (first & ZFRAME_LAST) != 0;
	if (type == ZFRAME_COMPRESSED) {
		rc = pack_compressed(w, (uint8_t)first, in, out);
		size = (uint32_t)(out->at - header) - ZFRAME_BLOCK_HEADER_BYTES;
		if (!rc && size > ZFRAME_BLOCK_MAX)
			return -LB_E_FORMAT;
	} else {
		if (first & ~(ZFRAME_LAST | ZFRAME_RLE))
			return -LB_E_FORMAT;
		rc = pack_plain(type, in, out, &size);
	}
	if (rc)
		return rc;
	size = size << 3 | (uint32_t)type << 1 | (*ret_last ? 1 : 0);
	for (unsigned int i = 0; i < ZFRAME_BLOCK_HEADER_BYTES; i++)
		header[i] = (uint8_t)(size >> 8 * i);
	return 0;
}

int lb_zframe_pack(const uint8_t *in, size_t in_len, size_t *ret_used, uint8_t *out, size_t room,
		   size_t *ret_len, struct lb_zframe_work *work)
{
	struct zframe_out to = { out, out + room };
	struct zframe_in from = { in, in + in_len };
	size_t header = zframe_header_bytes(&from);
	bool last = false;
	int rc;

	if (!header)
		return -LB_E_FORMAT;
	zframe_forget(work);
	rc = zframe_copy(&from, &to, header);
	for (unsigned int n = 0; !rc && !last; n++)
		rc = n < LB_ZFRAME_BLOCKS_MAX ? pack_block(work, &from, &to, &last) : -LB_E_FORMAT;
	if (!rc && in[0] & ZFRAME_CHECKSUM_FLAG)
		rc = zframe_copy(&from, &to, ZFRAME_CHECKSUM_BYTES);
	if (rc)
		return rc;
	*ret_used = (size_t)(from.at - in);
	*ret_len = (size_t)(to.at - out);
	return 0;
}
