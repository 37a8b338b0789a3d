// SPDX-License-Identifier: GPL-2.0-or-later
/* Tar headers: GNU tar's are accepted, whatever differs in a single bit is not. */
#include "golden.h"

#include "bundle/tar.h"

static void gnu_tar_is_understood(void **state)
{
	size_t len;
	uint8_t *bytes = golden_read("small.lbu", &len), again[LB_TAR_BLOCK];
	struct lb_tar_member m;
	static const struct {
		size_t offset;
		const char *name;
		uint64_t size;
	} want[] = { { 0, "manifest.json", 976 },
		     { 1536, "manifest.sig." GOLDEN_KEYID, 72 },
		     { 2560, "boot.idx", 152 },
		     { 5632, "root.zst", 126 } };

	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
		assert_int_equal(lb_tar_parse(bytes + want[i].offset, &m, NULL), 0);
		assert_string_equal(m.name, want[i].name);
		assert_true(m.size_bytes == want[i].size && m.mtime_s == 1700000000);
		lb_tar_format(again, &m);
		assert_memory_equal(again, bytes + want[i].offset, LB_TAR_BLOCK);
	}
	free(bytes);
}

static void any_flipped_bit_is_refused(void **state)
{
	size_t len;
	uint8_t *bytes = golden_read("small.lbu", &len);
	struct lb_tar_member m;

	for (unsigned int bit = 0; bit < 8 * LB_TAR_BLOCK; bit++) {
		struct lb_error err = { 0 };

		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(lb_tar_parse(bytes, &m, &err), -LB_E_FORMAT);
		assert_int_equal(err.code, LB_E_FORMAT);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(lb_tar_parse(bytes, &m, NULL), 0);
	free(bytes);
}

static void repaired_checksum(uint8_t *block)
{
	unsigned int sum = 0;

	memset(block + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += block[i];
	snprintf((char *)block + 148, 7, "%06o", sum);
}

/* ... also when its author repaired the checksum. */
static void other_forms_are_refused(void **state)
{
	static const struct {
		int offset, len;
		const char *bytes, *what;
	} change[] = {
		{ 0, 6, "../etc", "a path" },	{ 0, 1, "/", "an absolute name" },
		{ 0, 1, "\n", "a control character" }, { 0, 1, "\x80", "a name that is not ASCII" },
		{ 0, 1, "\0", "no name" },
		{ 100, 7, "0000755", "a mode" },	{ 108, 7, "0001750", "an owner" },
		{ 124, 2, "\x80\0", "a binary size" },	{ 124, 1, " ", "a size with spaces" },
		{ 124, 1, "9", "a size that is not octal" }, { 156, 1, "5", "a directory" },
		{ 156, 1, "2", "a symbolic link" },	{ 156, 1, "x", "a pax header" },
		{ 156, 1, "\0", "an old regular file" }, { 157, 1, "a", "a link target" },
		{ 257, 8, "ustar  \0", "old GNU magic" }, { 265, 4, "root", "an owner's name" },
		{ 345, 1, "p", "a prefix" },		{ 511, 1, "x", "bytes behind the header" },
	};

	for (size_t i = 0; i < sizeof(change) / sizeof(*change); i++) {
		struct lb_tar_member m = { .name = "boot.idx", .size_bytes = 72 };
		uint8_t block[LB_TAR_BLOCK];

		lb_tar_format(block, &m);
		assert_int_equal(lb_tar_parse(block, &m, NULL), 0);
		memcpy(block + change[i].offset, change[i].bytes, (size_t)change[i].len);
		repaired_checksum(block);
		if (lb_tar_parse(block, &m, NULL) != -LB_E_FORMAT)
			fail_msg("%s is accepted", change[i].what);
	}
}

static void zeros_end_an_archive(void **state)
{
	uint8_t block[LB_TAR_BLOCK] = { 0 };
	struct lb_error err = { 0 };
	struct lb_tar_member m;

	assert_int_equal(lb_tar_parse(block, &m, &err), -LB_E_NOT_FOUND);
	assert_int_equal(err.code, 0);
}

static void bounds_of_size_and_name_survive(void **state)
{
	struct lb_tar_member m = { .size_bytes = LB_TAR_SIZE_MAX, .mtime_s = LB_TAR_SIZE_MAX }, back;
	uint8_t block[LB_TAR_BLOCK];

	memset(m.name, 'n', LB_TAR_NAME_MAX);
	lb_tar_format(block, &m);
	assert_int_equal(lb_tar_parse(block, &back, NULL), 0);
	assert_string_equal(back.name, m.name);
	assert_true(back.size_bytes == LB_TAR_SIZE_MAX && back.mtime_s == LB_TAR_SIZE_MAX);
	assert_true(lb_tar_padded(0) == 0 && lb_tar_padded(1) == 512 && lb_tar_padded(512) == 512);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gnu_tar_is_understood),
		cmocka_unit_test(any_flipped_bit_is_refused),
		cmocka_unit_test(other_forms_are_refused),
		cmocka_unit_test(zeros_end_an_archive),
		cmocka_unit_test(bounds_of_size_and_name_survive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
