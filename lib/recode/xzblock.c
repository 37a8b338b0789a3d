// SPDX-License-Identifier: GPL-2.0-or-later
/* Headers, check, index and footer of a stream; its chunks: xz_lzma2.c. */
#include "recode/xzblock.h"

#include <string.h>

#include "base/bytes.h"

#define STREAM_HEADER 8u /* behind the first four bytes */
#define CRC 4u
#define HEADER_MAX 1024u
#define VLI_MAX 9u
#define CHECK_CRC32 1u
#define FLAG_CODED 0x40u   /* the block header has the length of the coded bytes */
#define FLAG_CONTENT 0x80u /* ... and of the content */

static const uint8_t magic[2] = { 'Z', 0 }; /* the rest of it */

/* What the headers and the tail of a stream are made of. */
struct stream {
	uint8_t check_kind, flags, header_size; /* the latter as in xz: a fourth of it, less 1 */
	uint8_t filters_len;
	const uint8_t *filters; /* and padding; borrowed */
	const uint8_t *check;	/* borrowed */
	uint64_t coded_bytes, content_bytes;
};

static size_t check_bytes(const struct stream *s)
{
	return s->check_kind ? (size_t)4 << (s->check_kind - 1) / 3 : 0;
}

static size_t header_bytes(const struct stream *s)
{
	return (s->header_size + 1u) * 4;
}

static void put_number(struct lb_xz_bytes *b, uint64_t n)
{
	for (; n >= 0x80; n >>= 7)
		lb_xz_put_byte(b, (uint8_t)(n | 0x80));
	lb_xz_put_byte(b, (uint8_t)n);
}

static void put_crc(struct lb_xz_bytes *b, size_t from)
{
	uint8_t crc[CRC];

	lb_put_le32(crc, lb_crc32(0, b->out + from, b->at - from));
	lb_xz_put(b, crc, sizeof(crc));
}

static void put_padding(struct lb_xz_bytes *b, size_t len)
{
	for (; len % 4; len++)
		lb_xz_put_byte(b, 0);
}

/* Stream header and block header. */
static bool put_headers(struct lb_xz_bytes *b, const struct stream *s)
{
	const uint8_t kind[2] = { 0, s->check_kind };

	lb_xz_put(b, magic, sizeof(magic));
	lb_xz_put(b, kind, sizeof(kind));
	put_crc(b, sizeof(magic));
	lb_xz_put_byte(b, s->header_size);
	lb_xz_put_byte(b, s->flags);
	if (s->flags & FLAG_CODED)
		put_number(b, s->coded_bytes);
	if (s->flags & FLAG_CONTENT)
		put_number(b, s->content_bytes);
	lb_xz_put(b, s->filters, s->filters_len);
	put_crc(b, STREAM_HEADER);
	return !b->failed && b->at == STREAM_HEADER + header_bytes(s);
}

/* What follows the chunks: padding, check, index, footer. */
static bool put_tail(struct lb_xz_bytes *b, const struct stream *s)
{
	const uint8_t kind[2] = { 0, s->check_kind };
	uint8_t footer[12] = { [8] = kind[0], [9] = kind[1], [10] = 'Y', [11] = 'Z' };
	size_t index;

	put_padding(b, (size_t)s->coded_bytes);
	lb_xz_put(b, s->check, check_bytes(s));
	index = b->at;
	lb_xz_put_byte(b, 0);
	lb_xz_put_byte(b, 1);
	put_number(b, header_bytes(s) + s->coded_bytes + check_bytes(s));
	put_number(b, s->content_bytes);
	put_padding(b, b->at - index);
	if (b->failed)
		return false;
	put_crc(b, index);
	lb_put_le32(footer + 4, (uint32_t)((b->at - index) / 4 - 1));
	lb_put_le32(footer, lb_crc32(0, footer + 4, 6));
	lb_xz_put(b, footer, sizeof(footer));
	return !b->failed;
}

/* Skip a number; false if it is longer than any. */
static bool skip_number(struct lb_xz_bytes *in)
{
	for (unsigned i = 0; i < VLI_MAX; i++) {
		if (!(lb_xz_get_byte(in) & 0x80))
			return true;
	}
	return false;
}

static bool get_headers(struct lb_xz_bytes *in, struct stream *s)
{
	const uint8_t *p = lb_xz_get(in, STREAM_HEADER + 2);
	size_t end;

	if (!p || memcmp(p, magic, sizeof(magic)) || p[3] >= 16)
		return false;
	s->check_kind = p[3];
	s->header_size = p[STREAM_HEADER];
	s->flags = p[STREAM_HEADER + 1];
	end = STREAM_HEADER + header_bytes(s) - CRC;
	if (!s->header_size || (s->flags & FLAG_CODED && !skip_number(in)) ||
	    (s->flags & FLAG_CONTENT && !skip_number(in)))
		return false;
	if (in->failed || in->at > end || end - in->at > UINT8_MAX)
		return false;
	s->filters_len = (uint8_t)(end - in->at);
	s->filters = lb_xz_get(in, s->filters_len);
	return s->filters && lb_xz_get(in, CRC);
}

typedef bool put_fn(struct lb_xz_bytes *b, const struct stream *s);

/* What @put makes of @s must be what is at @p: otherwise it could not be packed again. */
static bool is_same(const struct stream *s, put_fn *put, const uint8_t *p, size_t len, size_t *ret_len)
{
	uint8_t again[STREAM_HEADER + HEADER_MAX] = { 0 };
	struct lb_xz_bytes b = { .out = again, .end = sizeof(again) };

	if (!put(&b, s) || b.at > len || memcmp(again, p, b.at))
		return false;
	*ret_len = b.at;
	return true;
}

/* Everything about the stream at @in but what is in its chunks. */
static bool scan(struct lb_xz_bytes *in, struct stream *s, struct lb_xz_bytes *list_out, size_t *ret_chunks,
		 size_t *ret_used)
{
	size_t content, len;

	if (!get_headers(in, s))
		return false;
	*ret_chunks = in->at;
	if (!lb_xz_lzma2_scan(in, false, list_out, &content))
		return false;
	s->coded_bytes = in->at - *ret_chunks;
	s->content_bytes = content;
	len = (4 - s->coded_bytes % 4) % 4;
	if (in->end - in->at < len + check_bytes(s))
		return false;
	s->check = in->in + in->at + len;
	if (!is_same(s, put_headers, in->in, in->end, &len) ||
	    !is_same(s, put_tail, in->in + in->at, in->end - in->at, &len))
		return false;
	*ret_used = in->at + len;
	return true;
}

static bool is_crc32_of(const struct stream *s, const uint8_t *content)
{
	return s->check_kind == CHECK_CRC32 &&
	       lb_get_le32(s->check) == lb_crc32(0, content, (size_t)s->content_bytes);
}

static void put_parts_head(struct lb_xz_bytes *b, const struct stream *s)
{
	lb_xz_put_byte(b, s->check_kind);
	lb_xz_put_byte(b, s->flags);
	lb_xz_put_byte(b, s->header_size);
	lb_xz_put_byte(b, s->filters_len);
	lb_xz_put(b, s->filters, s->filters_len);
}

static void put_parts_check(struct lb_xz_bytes *b, const struct stream *s, const uint8_t *content)
{
	bool derived = is_crc32_of(s, content);

	lb_xz_put_byte(b, derived);
	if (!derived)
		lb_xz_put(b, s->check, check_bytes(s));
}

int lb_xzblock_unpack(const uint8_t *in, size_t in_len, size_t *ret_used, uint8_t *out, size_t room, size_t *ret_len,
		      struct lb_xzblock_work *work)
{
	struct lb_xz_bytes from = { .in = in, .end = in_len }, parts = { .out = out, .end = room };
	struct lb_xz_bytes head = from, chunks = from;
	struct stream s = { 0 };
	uint8_t *content;
	size_t used;

	if (!get_headers(&head, &s))
		return -LB_E_FORMAT;
	put_parts_head(&parts, &s);
	if (!scan(&from, &s, &parts, &chunks.at, &used))
		return -LB_E_FORMAT;
	if (s.content_bytes > work->content_max)
		return -LB_E_FORMAT;
	if (parts.failed || s.content_bytes > room - parts.at)
		return -LB_E_TOO_BIG;
	content = out + parts.at;
	parts.at += (size_t)s.content_bytes;
	chunks.end = chunks.at + (size_t)s.coded_bytes;
	if (!lb_xz_lzma2_unpack(&work->lzma2, work->chain, &chunks, content, &parts))
		return -LB_E_DIGEST;
	put_parts_check(&parts, &s, content);
	if (parts.failed)
		return -LB_E_TOO_BIG;
	*ret_used = used;
	*ret_len = parts.at;
	return 0;
}

static bool get_parts_head(struct lb_xz_bytes *in, struct stream *s)
{
	s->check_kind = lb_xz_get_byte(in);
	s->flags = lb_xz_get_byte(in);
	s->header_size = lb_xz_get_byte(in);
	s->filters_len = lb_xz_get_byte(in);
	s->filters = lb_xz_get(in, s->filters_len);
	return !in->failed && s->check_kind < 16 && s->header_size;
}

/* @derived is filled and becomes the check if it is said to be the content's. */
static bool get_parts_check(struct lb_xz_bytes *in, struct stream *s, const uint8_t *content, uint8_t derived[CRC])
{
	uint8_t kind = lb_xz_get_byte(in);

	if (in->failed || kind > 1 || (kind && s->check_kind != CHECK_CRC32))
		return false;
	lb_put_le32(derived, lb_crc32(0, content, (size_t)s->content_bytes));
	s->check = kind ? derived : lb_xz_get(in, check_bytes(s));
	return s->check;
}

/* The headers, now that the lengths are known, before the chunks; and the tail. */
static int finish(struct lb_xz_bytes *out, const struct stream *s)
{
	struct lb_xz_bytes head = { .out = out->out, .end = STREAM_HEADER + header_bytes(s) };

	if (!put_headers(&head, s))
		return -LB_E_FORMAT;
	return put_tail(out, s) ? 0 : -LB_E_TOO_BIG;
}

int lb_xzblock_pack(const uint8_t *in, size_t in_len, size_t *ret_used, uint8_t *out, size_t room, size_t *ret_len,
		    struct lb_xzblock_work *work)
{
	struct lb_xz_bytes parts = { .in = in, .end = in_len }, list, stream = { .out = out, .end = room };
	struct stream s = { 0 };
	const uint8_t *content;
	size_t len, chunks;
	uint8_t derived[CRC];
	int err;

	if (!get_parts_head(&parts, &s))
		return -LB_E_FORMAT;
	list = parts;
	if (!lb_xz_lzma2_scan(&parts, true, NULL, &len))
		return -LB_E_FORMAT;
	chunks = STREAM_HEADER + header_bytes(&s);
	if (len > work->content_max)
		return -LB_E_FORMAT;
	if (chunks > room)
		return -LB_E_TOO_BIG;
	content = lb_xz_get(&parts, len);
	if (!content)
		return -LB_E_FORMAT;
	s.content_bytes = len;
	stream.at = chunks;
	if (!lb_xz_lzma2_pack(&work->lzma2, work->chain, &list, content, &parts, &stream))
		return stream.failed ? -LB_E_TOO_BIG : -LB_E_FORMAT;
	s.coded_bytes = stream.at - chunks;
	if (!get_parts_check(&parts, &s, content, derived))
		return -LB_E_FORMAT;
	err = finish(&stream, &s);
	if (err)
		return err;
	*ret_used = parts.at;
	*ret_len = stream.at;
	return 0;
}
