// SPDX-License-Identifier: GPL-2.0-or-later
/* The literals of a compressed block, decoded as they are taken: RFC 8878, section 3.1.1.3.1. */
#include <string.h>

#include "base/bytes.h"
#include "recode/zframe_literals.h"

static int next_stream(struct zframe_literals_in *l)
{
	size_t len = l->stream_bytes[l->number];

	if (!zframe_stream_share(l->count, l->streams, l->number, &l->stream_left) ||
	    !lb_bits_in_open(&l->bits, l->bytes.at, len))
		return -LB_E_FORMAT;
	l->bytes.at += len;
	l->number++;
	return 0;
}

static int take_coded(struct zframe_literals_in *l, uint8_t *out, uint32_t n)
{
	const struct lb_zframe_huf *h = l->huf;
	uint32_t some;
	int rc;

	while (n) {
		if (!l->stream_left) {
			rc = next_stream(l);
			if (rc)
				return rc;
		}
		some = n < l->stream_left ? n : l->stream_left;
		n -= some;
		l->stream_left -= some;
		while (some--) {
			uint16_t next;

			if (l->bits.count < LB_ZFRAME_HUF_BITS_MAX)
				lb_bits_fill(&l->bits);
			next = h->literal[lb_bits_peek(&l->bits, h->max_bits)];
			lb_bits_skip(&l->bits, next >> 8);
			*out++ = (uint8_t)next;
		}
		if (l->bits.overrun || (!l->stream_left && !lb_bits_in_ended(&l->bits)))
			return -LB_E_FORMAT;
	}
	return 0;
}

int zframe_take_literals(struct zframe_literals_in *l, struct zframe_out *out, uint32_t n)
{
	int rc = 0;

	if (n > l->left)
		return -LB_E_FORMAT;
	if (n > zframe_room(out))
		return -LB_E_TOO_BIG;
	l->left -= n;
	if (l->type == ZFRAME_LIT_RAW)
		return zframe_copy(&l->bytes, out, n);
	if (l->type == ZFRAME_LIT_RLE)
		memset(out->at, *l->bytes.at, n);
	else
		rc = take_coded(l, out->at, n);
	out->at += n;
	return rc;
}

/* The jump table tells the lengths of the first three streams. */
static int split_streams(struct zframe_literals_in *l)
{
	size_t left = zframe_left(&l->bytes);

	l->stream_bytes[0] = left;
	if (l->streams == 1)
		return 0;
	if (left < 6)
		return -LB_E_FORMAT;
	left -= 6;
	for (unsigned int i = 0; i < 3; i++) {
		l->stream_bytes[i] = lb_get_le16(l->bytes.at + 2 * i);
		if (l->stream_bytes[i] > left)
			return -LB_E_FORMAT;
		left -= l->stream_bytes[i];
	}
	if (left > ZFRAME_STREAM_MAX)
		return -LB_E_FORMAT;
	l->stream_bytes[3] = left;
	l->bytes.at += 6;
	return 0;
}

int zframe_open_literals(struct lb_zframe_work *w, struct zframe_in *in,
			 struct zframe_literals_in *l, uint8_t *first, struct zframe_out *out)
{
	enum zframe_literals type = (enum zframe_literals)(*in->at & 3);
	unsigned int format = *in->at >> 2 & 3;
	struct zframe_form form = zframe_literals_form(type, format);
	const uint8_t *tree;
	uint64_t sizes = 0;
	size_t bytes;
	int rc = 0;

	if (zframe_left(in) < form.header_bytes)
		return -LB_E_FORMAT;
	for (unsigned int i = 0; i < form.header_bytes; i++)
		sizes |= (uint64_t)in->at[i] << 8 * i;
	in->at += form.header_bytes;
	sizes >>= 8 * form.header_bytes - form.size_bits * (form.streams ? 2 : 1);
	*l = (struct zframe_literals_in){ .type = type, .huf = &w->huf, .streams = form.streams };
	l->count = (uint32_t)(sizes & ((1u << form.size_bits) - 1));
	l->left = l->count;
	if (type == ZFRAME_LIT_RAW)
		bytes = l->count;
	else if (type == ZFRAME_LIT_RLE)
		bytes = 1;
	else
		bytes = (size_t)(sizes >> form.size_bits);
	if (l->count > ZFRAME_BLOCK_MAX || bytes > zframe_left(in) || (!l->count && type))
		return -LB_E_FORMAT;
	l->bytes = (struct zframe_in){ in->at, in->at + bytes };
	in->at += bytes;
	if (type < ZFRAME_LIT_HUF && !(format & 1))
		format = 0; /* that bit is one of the size */
	*first |= (uint8_t)(type << ZFRAME_LITERALS_SHIFT | format << ZFRAME_FORMAT_SHIFT);
	if (type < ZFRAME_LIT_HUF)
		return 0;
	tree = l->bytes.at;
	if (type == ZFRAME_LIT_HUF)
		rc = zframe_huf_read(w, &l->bytes);
	if (rc || !w->huf.max_bits)
		return -LB_E_FORMAT;
	rc = zframe_copy(&(struct zframe_in){ tree, l->bytes.at }, out, (size_t)(l->bytes.at - tree));
	return rc ? rc : split_streams(l);
}
