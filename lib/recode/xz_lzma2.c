// SPDX-License-Identifier: GPL-2.0-or-later
/* Chunks of LZMA2, taken apart one after another, and put together. */
#include "recode/xz_lzma2.h"

#include <string.h>

#include "base/bytes.h"

#define CONTROL_END 0x00u
#define CONTROL_PLAIN_FIRST 0x01u
#define CONTROL_PLAIN 0x02u
#define CONTROL_LZMA 0x80u
#define CODED_MAX (64 * LB_KIB)

enum anew { ANEW_NOTHING, ANEW_STATE, ANEW_PROPS, ANEW_ALL };

static bool is_lzma(const struct lb_xz_chunk *c)
{
	return c->control & CONTROL_LZMA;
}

static enum anew anew(const struct lb_xz_chunk *c)
{
	return (enum anew)(c->control >> 5 & 3);
}

static bool is_first(const struct lb_xz_chunk *c)
{
	return is_lzma(c) ? anew(c) == ANEW_ALL : c->control == CONTROL_PLAIN_FIRST;
}

static bool has_props(const struct lb_xz_chunk *c)
{
	return is_lzma(c) && anew(c) >= ANEW_PROPS;
}

static uint32_t get_be16(struct lb_xz_bytes *in)
{
	uint32_t high = lb_xz_get_byte(in);

	return high << 8 | lb_xz_get_byte(in);
}

/* False at the end of the chunks, and (with in->failed) for what is no chunk. */
static bool get_chunk(struct lb_xz_bytes *in, bool list, struct lb_xz_chunk *ret)
{
	*ret = (struct lb_xz_chunk){ .control = lb_xz_get_byte(in) };
	if (in->failed || ret->control == CONTROL_END)
		return false;
	if (!is_lzma(ret) && ret->control > CONTROL_PLAIN)
		in->failed = true;
	ret->content_bytes = get_be16(in) + 1;
	if (is_lzma(ret)) {
		ret->content_bytes += (ret->control & 0x1fu) << 16;
		ret->coded_bytes = list ? 0 : get_be16(in) + 1;
		ret->props = has_props(ret) ? lb_xz_get_byte(in) : 0;
	} else if (!list) {
		ret->coded_bytes = ret->content_bytes;
	}
	return !in->failed;
}

static void put_chunk(struct lb_xz_bytes *out, const struct lb_xz_chunk *c, bool list)
{
	uint32_t content = c->content_bytes - 1, coded = c->coded_bytes - 1;

	lb_xz_put_byte(out, c->control);
	lb_xz_put_byte(out, (uint8_t)(content >> 8));
	lb_xz_put_byte(out, (uint8_t)content);
	if (is_lzma(c) && !list) {
		lb_xz_put_byte(out, (uint8_t)(coded >> 8));
		lb_xz_put_byte(out, (uint8_t)coded);
	}
	if (has_props(c))
		lb_xz_put_byte(out, c->props);
}

bool lb_xz_lzma2_scan(struct lb_xz_bytes *in, bool list, struct lb_xz_bytes *list_out, size_t *ret_content_bytes)
{
	struct lb_xz_chunk c;
	size_t content = 0;
	bool props = false;

	for (unsigned n = 0; get_chunk(in, list, &c); n++) {
		props |= has_props(&c);
		if (n == LB_XZ_CHUNKS_MAX || is_first(&c) != !n || (is_lzma(&c) && !props))
			return false;
		content += c.content_bytes;
		lb_xz_get(in, c.coded_bytes);
		if (list_out)
			put_chunk(list_out, &c, true);
	}
	if (in->failed || !content)
		return false;
	if (list_out)
		lb_xz_put_byte(list_out, CONTROL_END);
	*ret_content_bytes = content;
	return true;
}

/* What chunk @c begins anew, in the coder and in the tokens. */
static bool begin_chunk(struct lb_xz_lzma2 *z, const struct lb_xz_chunk *c)
{
	bool reset = is_lzma(c) && anew(c) >= ANEW_STATE;

	if (has_props(c) && !lb_xz_lzma_props(&z->lzma, c->props))
		return false;
	if (reset)
		lb_xz_lzma_reset(&z->lzma);
	z->lzma.limit = z->lzma.pos + c->content_bytes;
	lb_xz_tokens_chunk(&z->tokens, z->lzma.pos, z->lzma.limit, reset);
	return true;
}

static void begin_block(struct lb_xz_lzma2 *z, uint32_t *chain, const uint8_t *content, uint8_t *made)
{
	z->lzma.content = content;
	z->lzma.made = made;
	z->lzma.pos = 0;
	lb_xz_tokens_begin(&z->tokens, content, chain);
	/* a chunk may not begin the state anew though none has yet */
	z->lzma.lc = z->lzma.lp = z->lzma.pb = 0;
	lb_xz_lzma_reset(&z->lzma);
}

static bool unpack_lzma(struct lb_xz_lzma2 *z, const uint8_t *coded, size_t len, struct lb_xz_bytes *out)
{
	struct lb_xz_lzma *lzma = &z->lzma;
	struct lb_xz_packet packet = { 0 };

	if (!lb_xz_range_decode(&lzma->range, coded, len))
		return false;
	while (lzma->pos < lzma->limit) {
		size_t at = lzma->pos;

		if (!lb_xz_lzma_packet(lzma, &packet))
			return false;
		if (packet.op != LB_XZ_BYTE)
			lb_xz_tokens_write(&z->tokens, out, &packet, at, lzma->pos);
	}
	lb_xz_tokens_end(&z->tokens, out);
	return lb_xz_range_end(&lzma->range);
}

bool lb_xz_lzma2_unpack(struct lb_xz_lzma2 *z, uint32_t *chain, struct lb_xz_bytes *in, uint8_t *content,
			struct lb_xz_bytes *out)
{
	struct lb_xz_chunk c;

	begin_block(z, chain, content, content);
	while (get_chunk(in, false, &c)) {
		const uint8_t *coded = lb_xz_get(in, c.coded_bytes);

		if (!coded || !begin_chunk(z, &c))
			return false;
		if (!is_lzma(&c)) {
			memcpy(content + z->lzma.pos, coded, c.content_bytes);
			z->lzma.pos = z->lzma.limit;
		} else if (!unpack_lzma(z, coded, c.coded_bytes, out)) {
			return false;
		}
	}
	return !in->failed;
}

/* Append one chunk of LZMA: its header once its length is known. */
static bool pack_lzma(struct lb_xz_lzma2 *z, struct lb_xz_chunk *c, struct lb_xz_bytes *in, struct lb_xz_bytes *out)
{
	size_t head = has_props(c) ? 6 : 5, room = out->end - out->at;
	struct lb_xz_lzma *lzma = &z->lzma;
	struct lb_xz_packet packet = { 0 };

	if (room < head) {
		out->failed = true;
		return false;
	}
	room = room - head < CODED_MAX ? room - head : CODED_MAX;
	lb_xz_range_encode(&lzma->range, out->out + out->at + head, room);
	while (lzma->pos < lzma->limit) {
		if (!lb_xz_tokens_read(&z->tokens, in, &packet) || !lb_xz_lzma_packet(lzma, &packet))
			break;
	}
	if (lzma->pos < lzma->limit || !lb_xz_range_end(&lzma->range)) {
		out->failed = lzma->range.failed && room < CODED_MAX;
		return false;
	}
	c->coded_bytes = (uint32_t)lzma->range.at;
	put_chunk(out, c, false);
	out->at += c->coded_bytes;
	return true;
}

bool lb_xz_lzma2_pack(struct lb_xz_lzma2 *z, uint32_t *chain, struct lb_xz_bytes *list, const uint8_t *content,
		      struct lb_xz_bytes *in, struct lb_xz_bytes *out)
{
	struct lb_xz_chunk c;

	begin_block(z, chain, content, NULL);
	while (get_chunk(list, true, &c)) {
		if (!begin_chunk(z, &c))
			return false;
		if (!is_lzma(&c)) {
			put_chunk(out, &c, false);
			lb_xz_put(out, content + z->lzma.pos, c.content_bytes);
			z->lzma.pos = z->lzma.limit;
		} else if (!pack_lzma(z, &c, in, out)) {
			return false;
		}
	}
	lb_xz_put_byte(out, CONTROL_END);
	return !list->failed && !out->failed;
}
