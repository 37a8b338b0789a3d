// SPDX-License-Identifier: GPL-2.0-or-later
/* Expected values: zlib's crc32() and the published check value of CRC-32. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/error.h"

static void crc32_is_that_of_zlib(void **state)
{
	static const uint8_t zeros[1000];

	(void)state;
	assert_int_equal(lb_crc32(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(lb_crc32(0, "", 0), 0);
	assert_int_equal(lb_crc32(0, zeros, sizeof(zeros)), 0x060b1780);
	for (size_t cut = 0; cut <= 9; cut++)
		assert_int_equal(lb_crc32(lb_crc32(0, "123456789", cut), &"123456789"[cut],
					  9 - cut),
				 0xcbf43926);
}

static void fields_are_little_endian(void **state)
{
	uint8_t b[8];

	(void)state;
	lb_put_le64(b, UINT64_C(0x8877665544332211));
	assert_memory_equal(b, "\x11\x22\x33\x44\x55\x66\x77\x88", 8);
	assert_true(lb_get_le64(b) == UINT64_C(0x8877665544332211));
	assert_int_equal(lb_get_le32(b + 4), 0x88776655);
	assert_int_equal(lb_get_le16(b + 6), 0x8877);
	lb_put_le32(b, 0xfffefdfc);
	lb_put_le16(b + 4, 0xfbfa);
	assert_memory_equal(b, "\xfc\xfd\xfe\xff\xfa\xfb", 6);
}

static void all_zero_looks_at_every_byte(void **state)
{
	uint8_t b[97] = { 0 }; /* words and what is left of them, from any address */

	(void)state;
	assert_true(lb_bytes_all_zero(b, 0));
	assert_true(lb_bytes_all_zero(b, sizeof(b)));
	for (size_t i = 0; i < sizeof(b); i++) {
		b[i] = (uint8_t)(1 << i % 8);
		for (size_t from = 0; from <= i; from++) {
			assert_false(lb_bytes_all_zero(b + from, sizeof(b) - from));
			assert_false(lb_bytes_all_zero(b + from, i + 1 - from));
			assert_true(lb_bytes_all_zero(b + from, i - from));
		}
		assert_true(lb_bytes_all_zero(b + i + 1, sizeof(b) - i - 1));
		b[i] = 0;
	}
}

static void hexadecimal_is_exact(void **state)
{
	uint8_t b[3] = { 0x00, 0xaf, 0x10 }, back[3];
	char text[7];

	(void)state;
	lb_hex_encode(text, b, sizeof(b));
	assert_string_equal(text, "00af10");
	assert_true(lb_hex_decode(back, 3, "00AF10"));
	assert_memory_equal(b, back, 3);
	assert_false(lb_hex_decode(back, 3, "00af1"));
	assert_false(lb_hex_decode(back, 3, "00af100"));
	assert_false(lb_hex_decode(back, 3, "00ag10"));
	assert_false(lb_hex_decode(back, 3, " 0af10"));
	assert_true(lb_hex_decode(back, 0, ""));
}

static void every_error_has_one_name_and_a_meaning(void **state)
{
	struct lb_error err;

	(void)state;
	for (int i = 1; i < LB_E_COUNT; i++) {
		assert_int_equal(lb_error_by_name(lb_error_name(i)), i);
		assert_ptr_equal(lb_error_name(-i), lb_error_name(i));
		assert_true(strlen(lb_error_name(i)) < 32);
		assert_true(strlen(lb_error_meaning(i)) > 5);
	}
	assert_string_equal(lb_error_name(0), "ok");
	assert_string_equal(lb_error_name(LB_E_COUNT), "unknown");
	assert_int_equal(lb_error_by_name("no such name"), 0);
	assert_int_equal(lb_error_set(NULL, LB_E_IO, "x"), -LB_E_IO);
	assert_int_equal(lb_error_set(&err, LB_E_IO, "byte %d of %500d", 1, 2), -LB_E_IO);
	assert_int_equal(err.code, LB_E_IO);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc32_is_that_of_zlib),
		cmocka_unit_test(fields_are_little_endian),
		cmocka_unit_test(all_zero_looks_at_every_byte),
		cmocka_unit_test(hexadecimal_is_exact),
		cmocka_unit_test(every_error_has_one_name_and_a_meaning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
