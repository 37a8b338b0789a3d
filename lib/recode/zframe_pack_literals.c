// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The literals of a compressed block, from its records: RFC 8878, section 3.1.1.3.1. How
 * long a stream gets is counted first, so that it can be written from its end down.
 */
#include "recode/bits.h"
#include "recode/zframe_record.h"

/* Walks over the literals of all records. */
struct walk {
	struct zframe_in in;
	bool sequences;
	const uint8_t *at; /* @left more of this record */
	uint32_t left;
};

static struct walk walk_start(const struct zframe_records *r)
{
	return (struct walk){ .in = r->in, .sequences = r->sequences };
}

/* Up to @most literals that lie together; at least one: there are so many, as was counted. */
static uint32_t walk_next(struct walk *w, uint32_t most, const uint8_t **ret)
{
	struct lb_zframe_record r = { 0 };

	while (!w->left) {
		if (!zframe_record_next(&w->in, w->sequences, &r))
			return 0;
		w->at = r.literals;
		w->left = r.literal_count;
	}
	if (most > w->left)
		most = w->left;
	*ret = w->at;
	w->at += most;
	w->left -= most;
	return most;
}

static int write_plain(const struct zframe_records *r, bool same, struct zframe_out *out)
{
	struct walk walk = walk_start(r);
	const uint8_t *p;
	uint32_t n;
	int rc = 0;

	if (same && !zframe_room(out))
		return -LB_E_TOO_BIG;
	for (uint32_t left = r->literal_count; left && !rc; left -= n) {
		n = walk_next(&walk, left, &p);
		if (!same) {
			rc = zframe_copy(&(struct zframe_in){ p, p + n }, out, n);
			continue;
		}
		if (left == r->literal_count)
			*out->at = *p;
		for (uint32_t i = 0; i < n; i++)
			if (p[i] != *out->at)
				return -LB_E_FORMAT;
	}
	if (same)
		out->at++;
	return rc;
}

/* -LB_E_FORMAT: a literal has no code. */
static int stream_bits(const struct lb_zframe_huf *h, struct walk walk, uint32_t left,
		       uint64_t *ret)
{
	const uint8_t *p;
	uint64_t sum = 0;
	uint32_t n;

	for (; left; left -= n) {
		n = walk_next(&walk, left, &p);
		for (uint32_t i = 0; i < n; i++) {
			if (!h->bits[p[i]])
				return -LB_E_FORMAT;
			sum += h->bits[p[i]];
		}
	}
	*ret = sum;
	return 0;
}

static int write_stream(const struct lb_zframe_huf *h, struct walk *walk, uint32_t left,
			struct zframe_out *out, size_t *ret_bytes)
{
	struct lb_bits_down bits;
	const uint8_t *p;
	uint64_t sum;
	uint32_t n;
	int rc = stream_bits(h, *walk, left, &sum);

	if (rc)
		return rc;
	*ret_bytes = lb_bits_bytes(sum);
	if (zframe_room(out) < *ret_bytes)
		return -LB_E_TOO_BIG;
	out->at += *ret_bytes;
	lb_bits_down_open(&bits, out->at, sum);
	for (; left; left -= n) {
		n = walk_next(walk, left, &p);
		for (uint32_t i = 0; i < n; i++)
			lb_bits_down_put(&bits, h->code[p[i]], h->bits[p[i]]);
	}
	lb_bits_down_close(&bits);
	return 0;
}

static int write_coded(const struct lb_zframe_huf *h, const struct zframe_records *r,
		       unsigned int streams, struct zframe_out *out)
{
	struct walk walk = walk_start(r);
	uint8_t *jump = out->at;
	uint32_t share;
	size_t bytes;
	int rc;

	if (!h->max_bits)
		return -LB_E_FORMAT;
	if (streams > 1) {
		if (zframe_room(out) < 6)
			return -LB_E_TOO_BIG;
		out->at += 6;
	}
	for (unsigned int i = 0; i < streams; i++) {
		if (!zframe_stream_share(r->literal_count, streams, i, &share))
			return -LB_E_FORMAT;
		rc = write_stream(h, &walk, share, out, &bytes);
		if (rc)
			return rc;
		if (streams > 1 && bytes > ZFRAME_STREAM_MAX)
			return -LB_E_FORMAT;
		if (i + 1 < streams)
			lb_put_le16(jump + 2 * i, (uint16_t)bytes);
	}
	return 0;
}

int zframe_pack_literals(struct lb_zframe_work *w, uint8_t first, struct zframe_in tree,
			 const struct zframe_records *r, struct zframe_out *out)
{
	enum zframe_literals type = (enum zframe_literals)(first >> ZFRAME_LITERALS_SHIFT & 3);
	unsigned int format = first >> ZFRAME_FORMAT_SHIFT & 3;
	struct zframe_form form = zframe_literals_form(type, format);
	uint64_t bytes, sizes = r->literal_count;
	uint8_t *header = out->at;
	int rc;

	if (r->literal_count >> form.size_bits || (!r->literal_count && type))
		return -LB_E_FORMAT;
	if (zframe_room(out) < form.header_bytes)
		return -LB_E_TOO_BIG;
	out->at += form.header_bytes;
	if (type < ZFRAME_LIT_HUF) {
		if (format == 2)
			return -LB_E_FORMAT;
		rc = write_plain(r, type == ZFRAME_LIT_RLE, out);
	} else {
		rc = zframe_copy(&tree, out, zframe_left(&tree));
		if (!rc)
			rc = write_coded(&w->huf, r, form.streams, out);
		bytes = (uint64_t)(out->at - header) - form.header_bytes;
		if (!rc && bytes >> form.size_bits)
			return -LB_E_FORMAT;
		sizes |= bytes << form.size_bits;
	}
	sizes = sizes << (8 * form.header_bytes - form.size_bits * (form.streams ? 2 : 1)) |
		format << 2 | type;
	for (unsigned int i = 0; i < form.header_bytes; i++)
		header[i] = (uint8_t)(sizes >> 8 * i);
	return rc;
}
