// SPDX-License-Identifier: GPL-2.0-or-later
/* Cutting: bounds, zeros, and cuts that an insertion does not move. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "bundle/chunker.h"

#define SIZE (8u * LB_MIB)
#define CUTS_MAX 8192

struct cuts {
	size_t end[CUTS_MAX];
	bool zero[CUTS_MAX];
	size_t count;
};

static void fill_random(uint8_t *p, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525u + 1013904223u;
		p[i] = (uint8_t)(seed >> 24);
	}
}

/* Cuts all of @data, showing the chunker no more than its window. */
static void cut_all(const struct lb_chunker *c, const uint8_t *data, size_t len, struct cuts *ret)
{
	ret->count = 0;
	for (size_t at = 0; at < len; ret->count++) {
		size_t ahead = len - at < c->window_bytes ? len - at : c->window_bytes;
		size_t n = lb_chunker_next(c, at, data + at, ahead, &ret->zero[ret->count]);

		assert_true(n && n <= ahead && ret->count < CUTS_MAX);
		at += n;
		ret->end[ret->count] = at;
	}
}

static void data_chunks_keep_their_bounds(void **state)
{
	uint8_t *data = malloc(SIZE);
	struct lb_chunker c;
	struct cuts cuts;

	fill_random(data, SIZE, 1);
	for (unsigned int level = 1; level <= LB_CHUNKER_LEVELS; level++) {
		lb_chunker_init(&c, level);
		cut_all(&c, data, SIZE, &cuts);
		for (size_t i = 0, start = 0; i < cuts.count; start = cuts.end[i++]) {
			size_t n = cuts.end[i] - start;

			assert_false(cuts.zero[i]);
			assert_true(n <= c.max_bytes && (n >= c.min_bytes || cuts.end[i] == SIZE));
		}
		/* the mean lies near the average */
		assert_in_range(SIZE / cuts.count, c.average_bytes / 2, c.average_bytes * 2);
	}
	free(data);
}

static void an_insertion_moves_few_cuts(void **state)
{
	uint8_t *data = malloc(SIZE + 100);
	struct cuts before, after;
	struct lb_chunker c;
	size_t same = 0;

	lb_chunker_init(&c, LB_CHUNKER_COARSE);
	fill_random(data, SIZE, 2);
	cut_all(&c, data, SIZE, &before);
	memmove(data + 100, data, SIZE);
	fill_random(data, 100, 3);
	cut_all(&c, data, SIZE + 100, &after);
	for (size_t i = 0; i < before.count; i++)
		for (size_t j = 0; j < after.count; j++)
			same += after.end[j] == before.end[i] + 100;
	assert_in_range(same, before.count * 9 / 10, before.count);
	free(data);
}

static void aligned_zeros_become_chunks(void **state)
{
	uint8_t *data = malloc(SIZE);
	struct lb_chunker c;
	struct cuts cuts;
	size_t zeros = 0;

	lb_chunker_init(&c, LB_CHUNKER_COARSE);
	fill_random(data, SIZE, 4);
	for (size_t i = 0; i < SIZE; i++)
		data[i] |= 1; /* no zeros but these: */
	memset(data + 100000, 0, 9000);	      /* holds one aligned block, 102400 */
	memset(data + LB_MIB, 0, LB_MIB);     /* longer than a window */
	memset(data + 3 * LB_MIB + 1, 0, 8191);	/* holds one, 3 MiB + 4096 */
	memset(data + 5 * LB_MIB + 1, 0, 8190);	/* a byte short of one */
	memset(data + SIZE - 4096, 0, 4096);
	cut_all(&c, data, SIZE, &cuts);
	for (size_t i = 0, start = 0; i < cuts.count; start = cuts.end[i++]) {
		size_t n = cuts.end[i] - start;

		if (!cuts.zero[i])
			continue;
		zeros += n;
		assert_true(start % 4096 == 0 && n % 4096 == 0);
		assert_true(lb_bytes_all_zero(data + start, n));
	}
	assert_int_equal(zeros, 4096 + LB_MIB + 4096 + 4096);
	free(data);
}

static void a_short_tail_of_zeros_counts(void **state)
{
	uint8_t *data = calloc(1, SIZE);
	struct lb_chunker c;
	struct cuts cuts;

	lb_chunker_init(&c, LB_CHUNKER_COARSE);
	fill_random(data, 4096, 5);
	cut_all(&c, data, 4096 + 100, &cuts);
	assert_true(cuts.count == 2 && !cuts.zero[0] && cuts.zero[1] && cuts.end[0] == 4096);
	cut_all(&c, data + 4096, 1, &cuts);
	assert_true(cuts.count == 1 && cuts.zero[0]);
	free(data);
}

static void large_images_get_coarser_chunks(void **state)
{
	struct lb_chunker c;

	assert_int_equal(lb_chunker_level(1), 4);
	assert_int_equal(lb_chunker_level(3ull << 30), 4);
	assert_int_equal(lb_chunker_level((3ull << 30) + 65536), 5);
	assert_int_equal(lb_chunker_level(8ull << 30), 6);
	lb_chunker_init(&c, 6);
	assert_true(c.max_bytes == LB_MIB && c.average_bytes == 256 * LB_KIB);
	lb_chunker_init(&c, LB_CHUNKER_LEVELS);
	assert_true(c.max_bytes == LB_MIB && c.zero_bytes == LB_MIB);
}

static void small_images_get_finer_chunks(void **state)
{
	struct lb_chunker c;

	(void)state;
	assert_int_equal(lb_chunker_fine_level(1), 1);
	assert_int_equal(lb_chunker_fine_level(16384ull << 13), 1);
	assert_int_equal(lb_chunker_fine_level(16385ull << 13), 2);
	assert_int_equal(lb_chunker_fine_level(16385ull << 14), 3);
	assert_int_equal(lb_chunker_fine_level(16385ull << 15), 4);
	assert_int_equal(lb_chunker_fine_level(8ull << 30), 6);
	lb_chunker_init(&c, 1);
	assert_true(c.min_bytes == 2 * LB_KIB && c.average_bytes == 8 * LB_KIB);
	assert_true(c.max_bytes == 32 * LB_KIB && c.zero_bytes == 4 * LB_KIB);
}

/* docs/SPEC.md states these: another packer must get the same table. */
static void the_gear_table_is_the_documented_one(void **state)
{
	struct lb_chunker c;

	lb_chunker_init(&c, LB_CHUNKER_COARSE);
	assert_true(c.gear[0] == 0xf4e42269847b639cull);
	assert_true(c.gear[1] == 0xd4088fb026b4b861ull);
	assert_true(c.gear[255] == 0xff4bc5876b958206ull);
}

/* Ends of padded files and beginnings of compressed ones, some of them in each other's way. */
static void fill_beginnings(uint8_t *data, size_t len)
{
	static const uint8_t zstd[] = { 0x28, 0xb5, 0x2f, 0xfd }, xz[] = { 0xfd, '7', 'z', 'X' },
			     elf[] = { 0x7f, 'E', 'L', 'F' };

	for (size_t i = 0, at = 5000; at + 64 < len; i++, at += 777 + i * 7919 % 40000) {
		memcpy(data + at, i % 3 ? i % 3 == 1 ? xz : elf : zstd, 4);
		if (i % 4 == 0)
			memset(data + at / 4096 * 4096 + 4096 - 8 - i % 16, 0, 8 + i % 16);
	}
}

/* Where @c ends a chunk that begins in front of @at, of which all else is random. */
static size_t end_around(const struct lb_chunker *c, const uint8_t *data, size_t at)
{
	struct cuts cuts;
	size_t i = 0;

	cut_all(c, data, 256 * LB_KIB, &cuts);
	while (cuts.end[i] < at)
		i++;
	return cuts.end[i];
}

static void chunks_end_where_something_begins(void **state)
{
	static const uint8_t begin[][5] = { { 0x28, 0xb5, 0x2f, 0xfd }, { 0xfd, '7', 'z', 'X' },
					    { 0x7f, 'E', 'L', 'F' } };
	uint8_t *data = malloc(256 * LB_KIB);
	struct lb_chunker c;
	size_t ends[4][2];

	(void)state;
	for (unsigned int fine = 0; fine < 2; fine++) {
		lb_chunker_init(&c, fine ? 3 : LB_CHUNKER_COARSE);
		for (size_t i = 0; i < 3; i++) {
			fill_random(data, 256 * LB_KIB, 11);
			memcpy(data + 100000, begin[i], 4);
			ends[i][fine] = end_around(&c, data, 100004);
		}
		fill_random(data, 256 * LB_KIB, 11);
		memset(data + 102400 - 8, 0, 8);
		ends[3][fine] = end_around(&c, data, 102400);
		data[102400 - 8] = 1; /* seven are too few */
		assert_true(end_around(&c, data, 102400) != 102400);
		memset(data + 102400 - 100, 0, 80); /* and elsewhere they say nothing */
		assert_true(end_around(&c, data, 102400 - 20) != 102400 - 20);
	}
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(ends[i][1], i < 3 ? 100004 : 102400);
		/* coarse ones where a block does, and at no file */
		assert_int_equal(ends[i][0] == ends[i][1], i < 2);
	}
	free(data);
}

/* Every beginning of which both ways have to say the same; a step is odd, or what was cut. */
static void compare(const struct lb_chunker *c, const uint8_t *data, size_t len)
{
	struct lb_chunker_ends ends = { 0 };
	size_t at = 0, turn = 0;

	while (at < len) {
		size_t ahead = len - at < c->window_bytes ? len - at : c->window_bytes;
		bool zero, zero_again;
		size_t n = lb_chunker_next(c, at, data + at, ahead, &zero), step;

		assert_int_equal(lb_chunker_next_again(c, &ends, at, data + at, ahead, &zero_again), n);
		assert_int_equal(zero_again, zero);
		step = lb_chunker_resync(c, at, data + at, n);
		assert_int_equal(lb_chunker_resync_again(c, &ends, at, data + at, n), step);
		switch (turn++ % 4) {
		case 0: at += n; break;
		case 1: at += 1 + n / 3; break; /* where no chunk begins */
		default: at += zero || !step ? n : step; break;
		}
	}
}

/* Bytes that end a chunk every few bytes: more ends than are kept. */
static void fill_with_ends(const struct lb_chunker *c, uint8_t *data, size_t len)
{
	unsigned int late = 64 - (c->average_bits - 2);
	uint64_t hash = 0;

	for (size_t i = 0; i + 1 < len; i += 2) {
		uint32_t pair = 0;
		uint64_t next;

		do {
			next = (hash << 1) + c->gear[pair & 0xff];
			next = (next << 1) + c->gear[pair >> 8];
		} while (next >> late && ++pair < 65536);
		pair &= 65535;
		data[i] = (uint8_t)pair;
		data[i + 1] = (uint8_t)(pair >> 8);
		hash = next;
	}
}

static void remembered_ends_change_no_cut(void **state)
{
	uint8_t *data = malloc(SIZE);
	struct lb_chunker_ends ends = { 0 };
	struct lb_chunker c;
	bool zero;

	(void)state;
	fill_random(data, SIZE, 9);
	memset(data + LB_MIB, 0, LB_MIB);
	memset(data + 3 * LB_MIB - 777, 0, 9000);
	memset(data + 4 * LB_MIB, 'x', LB_MIB);
	fill_beginnings(data, SIZE);
	for (unsigned int level = 1; level < 7; level++) {
		lb_chunker_init(&c, level);
		compare(&c, data, SIZE);
		compare(&c, data + 4097, 2 * LB_MIB + 5);
	}
	lb_chunker_init(&c, LB_CHUNKER_COARSE);
	fill_with_ends(&c, data + 100, 3000);
	fill_with_ends(&c, data + 90000, 3000);
	lb_chunker_next_again(&c, &ends, 0, data, c.window_bytes, &zero);
	assert_int_equal(ends.count, LB_ARRAY_LEN(ends.at));
	assert_true(ends.to < 3100); /* no room for more: the rest is looked at again each time */
	compare(&c, data, LB_MIB);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_chunks_keep_their_bounds),
		cmocka_unit_test(an_insertion_moves_few_cuts),
		cmocka_unit_test(aligned_zeros_become_chunks),
		cmocka_unit_test(a_short_tail_of_zeros_counts),
		cmocka_unit_test(large_images_get_coarser_chunks),
		cmocka_unit_test(small_images_get_finer_chunks),
		cmocka_unit_test(chunks_end_where_something_begins),
		cmocka_unit_test(the_gear_table_is_the_documented_one),
		cmocka_unit_test(remembered_ends_change_no_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
