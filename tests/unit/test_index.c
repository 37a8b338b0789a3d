// SPDX-License-Identifier: GPL-2.0-or-later
/* Indexes: written byte by byte here, refused unless every entry is in bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bundle/index.h"

/* data 3 stored in 2, zeros 0x1000, the first again: docs/SPEC.md by hand */
static const uint8_t three[32 + 3 * 40] = {
	'L', 'B', 'I', 'N', 'D', 'E', 'X', '1', 40, 0, 0, 0, 3, 0, 0, 0,
	0x06, 0x10, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0,
	[32] = 0, 3, 0, 0, 2, 0, 0, 0, 0xd1, 0xd2,
	[72] = 1, 0, 0x10, 0, 0, 0, 0, 0,
	[112] = 2, 3, 0, 0, 0, 0, 0, 0, 0xd1, 0xd2,
};

static struct lb_image image_of_three(void)
{
	struct lb_image image = { .name = "i", .encoding = LB_ENC_ZSTD_FRAMES, .size_bytes = 0x1006 };

	image.payload.size_bytes = 2;
	strcpy(image.index.name, "i.idx");
	return image;
}

/* Parses a copy; frees it. */
static int parse(const uint8_t *bytes, size_t len, const struct lb_image *image)
{
	uint8_t *copy = malloc(len + !len);
	struct lb_error err = { 0 };
	struct lb_index idx;
	int rc;

	memcpy(copy, bytes, len);
	rc = lb_index_parse(copy, len, image, &idx, &err);
	assert_int_equal(err.code, -rc);
	if (rc)
		free(copy);
	else
		lb_index_free(&idx);
	return rc;
}

static void entries_are_walked_with_their_sums(void **state)
{
	struct lb_image image = image_of_three();
	struct lb_chunk_cursor cursor = { 0 };
	uint8_t *bytes = malloc(sizeof(three));
	struct lb_index idx;
	struct lb_chunk c;

	memcpy(bytes, three, sizeof(three));
	assert_int_equal(lb_index_parse(bytes, sizeof(three), &image, &idx, NULL), 0);
	assert_int_equal(idx.chunk_count, 3);
	assert_true(idx.longest_chunk == 3 && idx.longest_stored == 2);
	assert_true(lb_index_next(&idx, &cursor, &c));
	assert_true(c.type == LB_CHUNK_DATA && c.number == 0 && c.length == 3 && c.stored_length == 2);
	assert_true(c.offset == 0 && c.stored_offset == 0 && c.sha256[1] == 0xd2);
	assert_true(lb_index_next(&idx, &cursor, &c));
	assert_true(c.type == LB_CHUNK_ZERO && c.length == 0x1000 && c.stored_length == 0);
	assert_true(c.offset == 3 && c.stored_offset == 2);
	assert_true(lb_index_next(&idx, &cursor, &c));
	assert_true(c.type == LB_CHUNK_DUPLICATE && c.original == 0 && c.stored_length == 0);
	assert_true(c.number == 2 && c.offset == 0x1003);
	assert_false(lb_index_next(&idx, &cursor, &c));
	assert_false(lb_index_next(&idx, &cursor, &c));
	lb_index_free(&idx);
	lb_index_free(&idx);
	lb_index_free(NULL);
}

static void truncation_anywhere_is_refused(void **state)
{
	struct lb_image image = image_of_three();

	for (size_t len = 0; len < sizeof(three); len++)
		assert_int_equal(parse(three, len, &image), -LB_E_FORMAT);
	assert_int_equal(parse(three, sizeof(three), &image), 0);
}

static void one_change_is_refused(void **state)
{
	static const struct {
		int offset;
		uint8_t value;
		const char *what;
	} change[] = {
		{ 0, 'X', "magic" },		{ 7, '2', "version" },
		{ 8, 48, "entry size" },	{ 12, 2, "count" },
		{ 12, 4, "count" },		{ 15, 0x80, "count" },
		{ 16, 7, "image size" },	{ 24, 3, "payload size" },
		{ 32, 3, "far region missing" }, { 32, 4, "unknown type" },	{ 32, 255, "unknown type" },
		{ 32, 1, "zeros with data" },	{ 32, 2, "repeats itself" },
		{ 33, 0, "empty chunk" },	{ 33, 4, "sum" },
		{ 35, 0x11, "over 1 MiB" },	{ 36, 0, "nothing stored" },
		{ 38, 0x11, "stored too long" }, { 76, 1, "zeros with a stored length" },
		{ 79, 1, "zeros with a prefix" },
		{ 80, 1, "zeros with a digest" }, { 112, 3, "far region missing" },
		{ 112, 4, "unknown type" },
		{ 113, 2, "duplicate of other length" }, { 116, 1, "duplicate of zeros" },
		{ 116, 2, "duplicate of itself" }, { 116, 3, "duplicate of a later one" },
		{ 119, 0x80, "duplicate of nothing" }, { 120, 0, "duplicate of other digest" },
	};
	struct lb_image image = image_of_three();

	for (size_t i = 0; i < sizeof(change) / sizeof(*change); i++) {
		uint8_t bytes[sizeof(three)];
		int rc;

		memcpy(bytes, three, sizeof(bytes));
		bytes[change[i].offset] = change[i].value;
		rc = parse(bytes, sizeof(bytes), &image);
		if (rc != -LB_E_FORMAT && rc != -LB_E_TOO_BIG)
			fail_msg("%s is accepted", change[i].what);
	}
}

static void any_flipped_bit_is_refused(void **state)
{
	struct lb_image image = image_of_three();

	for (size_t bit = 0; bit < 8 * sizeof(three); bit++) {
		uint8_t bytes[sizeof(three)];
		int rc;

		memcpy(bytes, three, sizeof(bytes));
		if (bit / 8 == 39)
			continue; /* how far the first chunk reaches back: any value is right */
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		rc = parse(bytes, sizeof(bytes), &image);
		if (!rc)
			fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
	}
}

/* zeros 0x5000, then data of 3 bytes stored in 2: docs/SPEC.md by hand */
static const uint8_t two[32 + 2 * 40] = {
	'L', 'B', 'I', 'N', 'D', 'E', 'X', '1', 40, 0, 0, 0, 2, 0, 0, 0,
	0x03, 0x50, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0,
	[32] = 1, 0, 0x50, 0, 0, 0, 0, 0,
	[72] = 0, 3, 0, 0, 2, 0, 0, 0,
};

static void a_prefix_ends_at_the_beginning_of_the_image(void **state)
{
	static const struct {
		uint8_t reach;
		uint32_t bytes;
	} prefix[] = { { 0, 0 }, { 1, 0x2000 }, { 2, 0x4000 }, { 3, 0x5000 }, { 255, 0x5000 } };
	struct lb_image image = image_of_three();

	image.size_bytes = 0x5003;
	for (size_t i = 0; i < sizeof(prefix) / sizeof(*prefix); i++) {
		struct lb_chunk_cursor cursor = { 0 };
		uint8_t *bytes = malloc(sizeof(two));
		struct lb_index idx;
		struct lb_chunk c;

		memcpy(bytes, two, sizeof(two));
		bytes[79] = prefix[i].reach;
		assert_int_equal(lb_index_parse(bytes, sizeof(two), &image, &idx, NULL), 0);
		assert_int_equal(idx.longest_prefix, prefix[i].bytes);
		assert_true(lb_index_next(&idx, &cursor, &c) && !c.reach);
		assert_true(lb_index_next(&idx, &cursor, &c));
		assert_true(c.reach == prefix[i].reach && c.stored_length == 2);
		assert_int_equal(lb_chunk_prefix_bytes(&c), prefix[i].bytes);
		lb_index_free(&idx);
	}
}

static void what_is_not_encoded_has_no_prefix(void **state)
{
	struct lb_image image = image_of_three();
	uint8_t bytes[sizeof(two)];

	image.encoding = LB_ENC_NONE;
	image.size_bytes = 0x5003;
	image.payload.size_bytes = 3;
	memcpy(bytes, two, sizeof(two));
	bytes[24] = bytes[76] = 3;
	assert_int_equal(parse(bytes, sizeof(bytes), &image), 0);
	bytes[79] = 1;
	assert_int_equal(parse(bytes, sizeof(bytes), &image), -LB_E_FORMAT);
}

/* zeros 0x5000, then data of 3 bytes that have the blocks 2 to 4 as a far region, and of 4 that have block 1 */
static const uint8_t far[32 + 3 * 40 + 2 * 4] = {
	'L', 'B', 'I', 'N', 'D', 'E', 'X', '1', 40, 0, 0, 0, 3, 0, 0, 0,
	0x07, 0x50, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0,
	[32] = 1, 0, 0x50, 0, 0, 0, 0, 0,
	[72] = 3, 3, 0, 0, 2, 0, 0, 1,
	[112] = 3, 4, 0, 0, 2, 0, 0, 0,
	[152] = 2, 0, 0, 3, 1, 0, 0, 1,
};

static struct lb_image image_of_far(void)
{
	struct lb_image image = image_of_three();

	image.size_bytes = 0x5007;
	image.payload.size_bytes = 4;
	return image;
}

static void far_regions_follow_the_entries(void **state)
{
	struct lb_image image = image_of_far();
	uint8_t *bytes = malloc(sizeof(far));
	struct lb_chunk_cursor cursor = { 0 };
	struct lb_index idx;
	struct lb_chunk c;

	memcpy(bytes, far, sizeof(far));
	assert_int_equal(lb_index_parse(bytes, sizeof(far), &image, &idx, NULL), 0);
	assert_true(idx.far_count == 2 && idx.longest_far == 0x3000);
	assert_int_equal(idx.longest_prefix, 0x3000 + 0x2000);
	assert_true(lb_index_next(&idx, &cursor, &c) && c.type == LB_CHUNK_ZERO && !c.far_bytes);
	assert_true(lb_index_next(&idx, &cursor, &c));
	assert_true(c.type == LB_CHUNK_DATA && c.far_offset == 0x2000 && c.far_bytes == 0x3000);
	assert_true(lb_chunk_near_bytes(&c) == 0x2000 && lb_chunk_prefix_bytes(&c) == 0x5000);
	assert_true(lb_index_next(&idx, &cursor, &c));
	assert_true(c.type == LB_CHUNK_DATA && c.far_offset == 0x1000 && c.far_bytes == 0x1000);
	assert_true(c.stored_length == 2 && lb_chunk_prefix_bytes(&c) == 0x1000);
	assert_false(lb_index_next(&idx, &cursor, &c));
	lb_index_free(&idx);
}

/* It ends in front of its chunk, has 1 to 64 blocks, and there are as many as there are chunks for. */
static void far_regions_are_bounded(void **state)
{
	static const struct {
		int offset;
		uint8_t value;
		int rc;
	} change[] = {
		{ 152, 1, 0 },		     { 152, 3, -LB_E_FORMAT }, { 153, 1, -LB_E_FORMAT },
		{ 154, 0x80, -LB_E_FORMAT }, { 155, 0, -LB_E_FORMAT }, { 155, 4, -LB_E_FORMAT },
		{ 155, 255, -LB_E_FORMAT },  { 159, 0, -LB_E_FORMAT }, { 159, 4, 0 },
		{ 72, 0, -LB_E_FORMAT },     { 112, 0, -LB_E_FORMAT },
	};
	struct lb_image image = image_of_far();
	uint8_t bytes[sizeof(far)];

	for (size_t i = 0; i < sizeof(change) / sizeof(*change); i++) {
		memcpy(bytes, far, sizeof(bytes));
		bytes[change[i].offset] = change[i].value;
		assert_int_equal(parse(bytes, sizeof(bytes), &image), change[i].rc);
	}
	for (size_t len = sizeof(far) - 8; len < sizeof(far); len++)
		assert_int_equal(parse(far, len, &image), -LB_E_FORMAT);
	image.encoding = LB_ENC_NONE;
	image.payload.size_bytes = 7;
	memcpy(bytes, far, sizeof(bytes));
	bytes[24] = 7;
	bytes[76] = 3;
	bytes[79] = 0;
	bytes[116] = 4;
	assert_int_equal(parse(bytes, sizeof(bytes), &image), -LB_E_FORMAT);
}

/* 64 blocks may be, 65 not, in front of a chunk where both are. */
static void the_longest_far_region(void **state)
{
	for (uint8_t blocks = 63; blocks < 67; blocks++) {
		uint8_t bytes[32 + 2 * 40 + 4] = { 0 };
		struct lb_image image = image_of_three();

		memcpy(bytes, two, sizeof(two));
		image.size_bytes = 0x100003;
		bytes[17] = 0;
		bytes[18] = 0x10;
		bytes[34] = 0;
		bytes[35] = 0x10;
		bytes[72] = 3;
		bytes[sizeof(bytes) - 1] = blocks;
		assert_int_equal(parse(bytes, sizeof(bytes), &image), blocks > 64 ? -LB_E_FORMAT : 0);
	}
}

static void stored_as_it_is_means_equal_lengths(void **state)
{
	struct lb_image image = image_of_three();

	image.encoding = LB_ENC_NONE;
	assert_int_equal(parse(three, sizeof(three), &image), -LB_E_FORMAT);
}

/* @count data chunks of one byte */
static int parse_count(uint32_t count)
{
	size_t len = 32 + (size_t)count * 40;
	uint8_t *bytes = calloc(1, len);
	struct lb_image image = { .name = "i", .encoding = LB_ENC_NONE, .size_bytes = count };
	int rc;

	image.payload.size_bytes = count;
	memcpy(bytes, three, 12);
	for (int i = 0; i < 4; i++)
		bytes[12 + i] = bytes[16 + i] = bytes[24 + i] = (uint8_t)(count >> 8 * i);
	for (uint32_t i = 0; i < count; i++)
		bytes[32 + i * 40 + 1] = bytes[32 + i * 40 + 4] = 1;
	rc = parse(bytes, len, &image);
	free(bytes);
	return rc;
}

static void the_count_is_bounded(void **state)
{
	assert_int_equal(parse_count(1), 0);
	assert_int_equal(parse_count(65536), 0);
	assert_int_equal(parse_count(65537), -LB_E_TOO_BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_walked_with_their_sums),
		cmocka_unit_test(truncation_anywhere_is_refused),
		cmocka_unit_test(one_change_is_refused),
		cmocka_unit_test(any_flipped_bit_is_refused),
		cmocka_unit_test(a_prefix_ends_at_the_beginning_of_the_image),
		cmocka_unit_test(what_is_not_encoded_has_no_prefix),
		cmocka_unit_test(far_regions_follow_the_entries),
		cmocka_unit_test(far_regions_are_bounded),
		cmocka_unit_test(the_longest_far_region),
		cmocka_unit_test(stored_as_it_is_means_equal_lengths),
		cmocka_unit_test(the_count_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
