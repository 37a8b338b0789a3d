// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A stream that is taken apart. Mode 1: parts that are put together; 2: chunks of LZMA2 alone,
 * without the headers and checks around them. What is accepted must come back byte for byte.
 * 16: no more room than is needed, 32: a byte less.
 */
#include "fuzz.h"
#include "recode/xzblock.h"

#define CONTENT_MAX 65536u
#define ROOM (4 * CONTENT_MAX)

struct scene {
	struct lb_xzblock_work *work;
	uint8_t mode;
};

/* Either way through the codec, with @room at most. */
typedef int recode_fn(const uint8_t *in, size_t in_len, size_t *ret_used, uint8_t *out, size_t room, size_t *ret_len,
		      struct lb_xzblock_work *work);

/* @fn into an allocation of exactly @room; owned by the caller, or NULL. */
static uint8_t *recode(struct scene *s, recode_fn *fn, const uint8_t *in, size_t in_len, size_t room, size_t *ret_len)
{
	uint8_t *out = malloc(room ? room : 1);
	size_t used = SIZE_MAX, len = SIZE_MAX;
	int rc;

	CHECK(out);
	rc = fn(in, in_len, &used, out, room, &len, s->work);
	if (rc) {
		CHECK(rc == -LB_E_FORMAT || rc == -LB_E_TOO_BIG ||
		      (rc == -LB_E_DIGEST && fn == lb_xzblock_unpack));
		CHECK(used == SIZE_MAX && len == SIZE_MAX);
		free(out);
		return NULL;
	}
	CHECK(used <= in_len && len <= room);
	*ret_len = len;
	return out;
}

/* With just the room that is needed it must do, with less it must say so. */
static void check_room(struct scene *s, recode_fn *fn, const uint8_t *in, size_t in_len, size_t need)
{
	size_t len, room = s->mode & 32 && need ? need - 1 : need;
	uint8_t *out;

	if (!(s->mode & (16 | 32)))
		return;
	out = recode(s, fn, in, in_len, room, &len);
	CHECK(!out == (room < need));
	free(out);
}

static void take_apart(struct scene *s, const uint8_t *stream, size_t size)
{
	size_t parts_len, again_len;
	uint8_t *parts = recode(s, lb_xzblock_unpack, stream, size, ROOM, &parts_len), *again;

	if (!parts)
		return;
	check_room(s, lb_xzblock_unpack, stream, size, parts_len);
	again = recode(s, lb_xzblock_pack, parts, parts_len, ROOM, &again_len);
	CHECK(again && again_len <= size && !memcmp(again, stream, again_len));
	free(again);
	free(parts);
}

/* Parts may say the same in several ways; the stream of them says it in one. */
static void put_together(struct scene *s, const uint8_t *parts, size_t size)
{
	size_t stream_len, again_len;
	uint8_t *stream = recode(s, lb_xzblock_pack, parts, size, ROOM, &stream_len), *again;

	if (!stream)
		return;
	check_room(s, lb_xzblock_pack, parts, size, stream_len);
	again = recode(s, lb_xzblock_unpack, stream, stream_len, ROOM, &again_len);
	CHECK(again);
	free(again);
	take_apart(s, stream, stream_len);
	free(stream);
}

/* The chunks at @data as xzblock.c takes them, and back. */
static void chunks(struct scene *s, const uint8_t *data, size_t size)
{
	uint8_t *content = malloc(CONTENT_MAX), *tokens = malloc(ROOM), *again = malloc(ROOM), list_of[512];
	struct lb_xz_bytes in = { .in = data, .end = size }, out = { .out = tokens, .end = ROOM };
	struct lb_xz_bytes list = { .in = list_of, .out = list_of, .end = sizeof(list_of) };
	struct lb_xz_lzma2 *z = &s->work->lzma2;
	size_t len;

	CHECK(content && tokens && again);
	if (!lb_xz_lzma2_scan(&in, false, &list, &len) || list.failed || len > CONTENT_MAX)
		goto out;
	in.end = in.at;
	in.at = list.at = 0;
	if (!lb_xz_lzma2_unpack(z, s->work->chain, &in, content, &out) || out.failed)
		goto out;
	in = (struct lb_xz_bytes){ .in = tokens, .end = out.at };
	out = (struct lb_xz_bytes){ .out = again, .end = ROOM };
	CHECK(lb_xz_lzma2_pack(z, s->work->chain, &list, content, &in, &out));
	CHECK(in.at == in.end && !memcmp(again, data, out.at));
out:
	free(content);
	free(tokens);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scene s = { .mode = fuzz_take_mode(data, &size) };
	uint8_t *exact;

	if (size > CONTENT_MAX)
		return 0;
	exact = fuzz_exact(data, size);
	s.work = malloc(LB_XZBLOCK_WORK_BYTES(CONTENT_MAX));
	CHECK(s.work);
	s.work->content_max = CONTENT_MAX;
	if (s.mode & 2)
		chunks(&s, exact, size);
	else if (s.mode & 1)
		put_together(&s, exact, size);
	else
		take_apart(&s, exact, size);
	free(s.work);
	free(exact);
	return 0;
}
