// SPDX-License-Identifier: GPL-2.0-or-later
/* Bytes with compressed blocks among them, to symbols and back. The codecs themselves: test_zframe.c, test_xzblock.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <zstd.h>

#include "recode/recode.h"

#define CONTENT 20000u
#define ROOM 400000u
#define MAGIC 4u

struct bytes {
	uint8_t at[100000];
	size_t len;
};

static union lb_recode_work work;

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 24;
}

static void add_noise(struct bytes *b, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; i++)
		b->at[b->len++] = (uint8_t)next_random(&seed);
}

/* A frame of CONTENT bytes that compress well; @changed: one of them is another. */
static void add_frame(struct bytes *b, int level, uint32_t seed, bool changed)
{
	static uint8_t content[CONTENT];
	size_t n;

	for (size_t i = 0; i < CONTENT; i++)
		content[i] = (uint8_t)(next_random(&seed) % 9 * 7);
	content[CONTENT / 2] ^= changed;
	n = ZSTD_compress(b->at + b->len, sizeof(b->at) - b->len, content, CONTENT, level);
	assert_false(ZSTD_isError(n));
	b->len += n;
}

/* Noise, three frames of which two touch, noise. */
static void compose(struct bytes *b)
{
	b->len = 0;
	add_noise(b, 700, 1);
	add_frame(b, 3, 2, false);
	add_frame(b, 15, 3, false);
	add_noise(b, 5000, 4);
	add_frame(b, 19, 5, false);
	add_noise(b, 33, 6);
}

static size_t unpack(const uint8_t *in, size_t len, uint8_t *out)
{
	size_t n = 0;

	assert_int_equal(lb_recode_unpack(in, len, out, ROOM, &n, &work), 0);
	return n;
}

static void expect_return(const uint8_t *in, size_t len)
{
	uint8_t *symbols = malloc(ROOM), *back = malloc(len + 1);
	size_t n;

	assert_true(symbols && back);
	n = unpack(in, len, symbols);
	assert_int_equal(lb_recode_pack(symbols, n, back, len, &work), 0);
	assert_memory_equal(back, in, len);
	free(symbols);
	free(back);
}

static void what_is_unpacked_comes_back(void **state)
{
	static struct bytes b;

	compose(&b);
	expect_return(b.at, b.len);
	for (size_t from = 0; from < b.len; from += 97)
		expect_return(b.at + from, b.len - from);
	for (size_t len = 0; len < b.len; len += 89)
		expect_return(b.at, len);
}

/* Three frames are three blocks, with what is between them in front. */
static void frames_are_found(void **state)
{
	static struct bytes b;
	struct lb_recode_piece p;
	uint8_t *out = malloc(ROOM);
	struct lb_recode_cursor cursor = { 0 };
	size_t blocks = 0, plain = 0;

	compose(&b);
	assert_non_null(out);
	while (cursor.at < b.len) {
		assert_int_equal(lb_recode_next(b.at, b.len, &cursor, out, ROOM, &p, &work), 0);
		blocks += p.block > 0;
		plain += p.plain;
	}
	assert_int_equal(blocks, 3);
	assert_int_equal(plain, 700 + 5000 + 33 + 3 * MAGIC);
	free(out);
}

/* As chunks begin: behind the magic number, which the chunk before has. */
static void a_block_may_begin_behind_its_magic(void **state)
{
	static struct bytes b;
	struct lb_recode_piece p;
	uint8_t *out = malloc(ROOM);
	struct lb_recode_cursor cursor = { 0 };

	b.len = 0;
	add_frame(&b, 5, 7, false);
	assert_non_null(out);
	assert_int_equal(lb_recode_next(b.at + MAGIC, b.len - MAGIC, &cursor, out, ROOM, &p, &work), 0);
	assert_int_equal(p.plain, 0);
	assert_int_equal(p.block, b.len - MAGIC);
	expect_return(b.at + MAGIC, b.len - MAGIC);
	free(out);
}

static size_t common_end(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	size_t n = 0;

	while (n < a_len && n < b_len && a[a_len - 1 - n] == b[b_len - 1 - n])
		n++;
	return n;
}

/* What it is for: behind the byte that changed symbols are what they were, and bytes are not. */
static void symbols_change_where_the_content_does(void **state)
{
	static struct bytes one, two;
	uint8_t *a = malloc(ROOM), *b = malloc(ROOM);
	size_t a_len, b_len;

	assert_true(a && b);
	one.len = two.len = 0;
	add_frame(&one, 5, 8, false);
	add_frame(&two, 5, 8, true);
	assert_true(common_end(one.at, one.len, two.at, two.len) < 64);
	a_len = unpack(one.at, one.len, a);
	b_len = unpack(two.at, two.len, b);
	assert_true(common_end(a, a_len, b, b_len) > a_len / 4);
	free(a);
	free(b);
}

/* Frames that end badly, one in the other: none but the first ones is looked at, so time stays in bounds. */
static void many_bad_blocks_are_left_alone(void **state)
{
	static const uint8_t bad[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x40, 0x07, 0, 0 }; /* a reserved type */
	static struct bytes b;
	struct lb_recode_cursor cursor = { 0 };
	struct lb_recode_piece p;
	uint8_t *out = malloc(ROOM);

	assert_non_null(out);
	b.len = 0;
	for (int i = 0; i < 200; i++, b.len += sizeof(bad))
		memcpy(b.at + b.len, bad, sizeof(bad));
	add_frame(&b, 5, 7, false);
	assert_int_equal(lb_recode_next(b.at, b.len, &cursor, out, ROOM, &p, &work), 0);
	assert_int_equal(p.plain, b.len);
	expect_return(b.at, b.len);
	expect_return(b.at + 150 * sizeof(bad), b.len - 150 * sizeof(bad));
	cursor = (struct lb_recode_cursor){ .at = 150 * sizeof(bad) };
	assert_int_equal(lb_recode_next(b.at, b.len, &cursor, out, ROOM, &p, &work), 0);
	assert_true(p.block);
	free(out);
}

static void too_little_room_is_said(void **state)
{
	static struct bytes b;
	uint8_t *out = malloc(ROOM);
	size_t need, n;

	compose(&b);
	assert_non_null(out);
	need = unpack(b.at, b.len, out);
	for (size_t room = 0; room < need; room += 1 + need / 301)
		assert_int_equal(lb_recode_unpack(b.at, b.len, out, room, &n, &work), -LB_E_TOO_BIG);
	free(out);
}

/* Nothing but the whole of it becomes so many bytes. */
static void other_symbols_are_refused_or_of_the_same_length(void **state)
{
	static struct bytes b;
	uint8_t *symbols = malloc(ROOM), *back = malloc(sizeof(b.at));
	uint32_t seed = 9;
	size_t n;

	compose(&b);
	assert_true(symbols && back);
	n = unpack(b.at, b.len, symbols);
	for (size_t len = 0; len < n; len += 1 + n / 301)
		assert_int_equal(lb_recode_pack(symbols, len, back, b.len, &work), -LB_E_FORMAT);
	assert_int_equal(lb_recode_pack(symbols, n, back, b.len - 1, &work), -LB_E_FORMAT);
	assert_int_equal(lb_recode_pack(symbols, n, back, b.len + 1, &work), -LB_E_FORMAT);
	for (int k = 0; k < 500; k++) {
		size_t at = (next_random(&seed) << 8 | next_random(&seed)) % n;
		uint8_t was = symbols[at];
		int r;

		symbols[at] ^= (uint8_t)(1 + next_random(&seed) % 255);
		r = lb_recode_pack(symbols, n, back, b.len, &work);
		assert_true(r == 0 || r == -LB_E_FORMAT);
		symbols[at] = was;
	}
	free(symbols);
	free(back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_unpacked_comes_back),
		cmocka_unit_test(frames_are_found),
		cmocka_unit_test(a_block_may_begin_behind_its_magic),
		cmocka_unit_test(symbols_change_where_the_content_does),
		cmocka_unit_test(many_bad_blocks_are_left_alone),
		cmocka_unit_test(too_little_room_is_said),
		cmocka_unit_test(other_symbols_are_refused_or_of_the_same_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
