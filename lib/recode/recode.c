// SPDX-License-Identifier: GPL-2.0-or-later
#include "recode/recode.h"

#include <string.h>

#include "base/bytes.h"

#define PLAIN 0u	   /* items: 3 bytes of length, and bytes; otherwise 1 + number of the codec, symbols */
#define PLAIN_HEAD 4u
#define PLAIN_MAX 0xffffffu
#define MAGIC_BYTES 4u	   /* that chunks end behind: a block may begin behind them */
/* What bounds the time: after so many blocks that could not be unpacked all else is plain. */
#define FAILED_MAX 64u
#define FAILED_LATE 8u /* for so many counts one that failed at its end; no honest image has any */

typedef int unpack_fn(const uint8_t *in, size_t len, size_t *used, uint8_t *out, size_t room,
		      size_t *ret_len, union lb_recode_work *work);

static int unpack_zframe(const uint8_t *in, size_t len, size_t *used, uint8_t *out, size_t room,
			 size_t *ret_len, union lb_recode_work *work)
{
	return lb_zframe_unpack(in, len, used, out, room, ret_len, &work->zframe);
}

static int pack_zframe(const uint8_t *in, size_t len, size_t *used, uint8_t *out, size_t room,
		       size_t *ret_len, union lb_recode_work *work)
{
	return lb_zframe_pack(in, len, used, out, room, ret_len, &work->zframe);
}

static int unpack_xzblock(const uint8_t *in, size_t len, size_t *used, uint8_t *out, size_t room,
			  size_t *ret_len, union lb_recode_work *work)
{
	work->xzblock.content_max = LB_RECODE_CONTENT_MAX;
	return lb_xzblock_unpack(in, len, used, out, room, ret_len, &work->xzblock);
}

static int pack_xzblock(const uint8_t *in, size_t len, size_t *used, uint8_t *out, size_t room,
			size_t *ret_len, union lb_recode_work *work)
{
	work->xzblock.content_max = LB_RECODE_CONTENT_MAX;
	return lb_xzblock_pack(in, len, used, out, room, ret_len, &work->xzblock);
}

static const struct codec {
	uint32_t magic;
	unpack_fn *unpack, *pack;
} codecs[] = {
	{ 0x28b52ffd, unpack_zframe, pack_zframe },
	{ 0xfd377a58, unpack_xzblock, pack_xzblock },
};

bool lb_recode_is_magic(uint32_t last)
{
	for (uint32_t k = 0; k < LB_ARRAY_LEN(codecs); k++)
		if (last == codecs[k].magic)
			return true;
	return false;
}

/* May codec @k have something at @at, whose preceding bytes are @last? */
static bool may_begin(uint32_t k, size_t at, uint32_t last)
{
	return at < MAGIC_BYTES ? at == 0 : last == codecs[k].magic;
}

/*
 * The block at in + c->at, behind ret->plain bytes that end with @last, to where it goes in @out.
 * 1: there is none that can be unpacked.
 */
static int unpack_block(const uint8_t *in, size_t len, struct lb_recode_cursor *c, uint32_t last,
			uint8_t *out, size_t room, struct lb_recode_piece *ret,
			union lb_recode_work *work)
{
	size_t head = ret->plain ? PLAIN_HEAD + ret->plain : 0, symbols;

	for (uint32_t k = 0; k < LB_ARRAY_LEN(codecs); k++) {
		int r;

		if (c->failed >= FAILED_MAX || !may_begin(k, c->at, last))
			continue;
		if (room <= head)
			return -LB_E_TOO_BIG;
		r = codecs[k].unpack(in + c->at, len - c->at, &ret->block, out + head + 1,
				     room - head - 1, &symbols, work);
		if (r == -LB_E_TOO_BIG)
			return r;
		if (r) {
			c->failed += r == -LB_E_DIGEST ? FAILED_LATE : 1;
			continue;
		}
		out[head] = (uint8_t)(1 + k);
		ret->symbols = head + 1 + symbols;
		return 0;
	}
	ret->block = 0;
	return 1;
}

static int put_plain(const uint8_t *in, size_t len, uint8_t *out, size_t room)
{
	if (!len)
		return 0;
	if (room < PLAIN_HEAD || len > room - PLAIN_HEAD)
		return -LB_E_TOO_BIG;
	out[0] = PLAIN;
	out[1] = (uint8_t)len;
	out[2] = (uint8_t)(len >> 8);
	out[3] = (uint8_t)(len >> 16);
	memcpy(out + PLAIN_HEAD, in, len);
	return 0;
}

int lb_recode_next(const uint8_t *in, size_t len, struct lb_recode_cursor *cursor, uint8_t *out,
		   size_t room, struct lb_recode_piece *ret, union lb_recode_work *work)
{
	size_t from = cursor->at, end = len - from > PLAIN_MAX ? from + PLAIN_MAX : len;
	struct lb_recode_cursor c = *cursor;
	uint32_t last = 0;
	int r = 1;

	*ret = (struct lb_recode_piece){ 0 };
	while (r > 0 && c.at < end) {
		ret->plain = c.at - from;
		r = unpack_block(in, len, &c, last, out, room, ret, work);
		if (r > 0)
			last = last << 8 | in[c.at++];
	}
	if (r < 0)
		return r;
	ret->plain = c.at - from;
	if (r > 0)
		ret->symbols = ret->plain + PLAIN_HEAD;
	r = put_plain(in + from, ret->plain, out, room);
	if (r)
		return r;
	c.at += ret->block;
	*cursor = c;
	return 0;
}

int lb_recode_unpack(const uint8_t *in, size_t len, uint8_t *out, size_t room, size_t *ret_len,
		     union lb_recode_work *work)
{
	struct lb_recode_cursor cursor = { 0 };
	struct lb_recode_piece piece;
	size_t n = 0;

	while (cursor.at < len) {
		int r = lb_recode_next(in, len, &cursor, out + n, room - n, &piece, work);

		if (r)
			return r;
		n += piece.symbols;
	}
	*ret_len = n;
	return 0;
}

static int pack_item(const uint8_t *in, size_t in_len, size_t *used, uint8_t *out, size_t room,
		     size_t *ret_len, union lb_recode_work *work)
{
	unsigned int codec;

	if (in[0] != PLAIN) {
		codec = in[0] - 1u;
		if (codec >= LB_ARRAY_LEN(codecs) ||
		    codecs[codec].pack(in + 1, in_len - 1, used, out, room, ret_len, work))
			return -LB_E_FORMAT;
		++*used;
		return 0;
	}
	if (in_len < PLAIN_HEAD)
		return -LB_E_FORMAT;
	*ret_len = in[1] | (size_t)in[2] << 8 | (size_t)in[3] << 16;
	if (!*ret_len || *ret_len > in_len - PLAIN_HEAD || *ret_len > room)
		return -LB_E_FORMAT;
	memcpy(out, in + PLAIN_HEAD, *ret_len);
	*used = PLAIN_HEAD + *ret_len;
	return 0;
}

int lb_recode_pack(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len,
		   union lb_recode_work *work)
{
	size_t at = 0, made = 0;

	while (at < in_len) {
		size_t used = 0, n = 0;

		if (pack_item(in + at, in_len - at, &used, out + made, out_len - made, &n, work))
			return -LB_E_FORMAT;
		at += used;
		made += n;
	}
	return made == out_len ? 0 : -LB_E_FORMAT;
}
