// SPDX-License-Identifier: GPL-2.0-or-later
/* The checked calls: a port never sees a range outside its region. */
#include "ram_blk.h"

static struct ram_blk ram;
static uint8_t buf[64];

static int setup(void **state)
{
	(void)state;
	ram_init(&ram, "slot", 64);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lb_blk_close(&ram.blk);
	return 0;
}

static void a_range_outside_the_region_reaches_no_port(void **state)
{
	static const struct {
		uint64_t offset;
		size_t len;
	} bad[] = {
		{ 0, 65 }, { 64, 1 }, { 65, 0 }, { 63, 2 }, { UINT64_MAX, 1 },
		{ UINT64_MAX, 2 }, { 1, SIZE_MAX }, { UINT64_MAX - 62, 64 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(lb_blk_read(&ram.blk, bad[i].offset, buf, bad[i].len),
				 -LB_E_INVALID);
		assert_int_equal(lb_blk_read_medium(&ram.blk, bad[i].offset, buf, bad[i].len),
				 -LB_E_INVALID);
		assert_int_equal(lb_blk_write(&ram.blk, bad[i].offset, buf, bad[i].len),
				 -LB_E_INVALID);
	}
	assert_int_equal(ram.writes, 0);
}

static void ranges_inside_are_passed_on(void **state)
{
	(void)state;
	assert_int_equal(lb_blk_write(&ram.blk, 0, buf, 64), 0);
	assert_int_equal(lb_blk_write(&ram.blk, 64, buf, 0), 0);
	assert_int_equal(lb_blk_write(&ram.blk, 63, "x", 1), 0);
	assert_int_equal(lb_blk_read(&ram.blk, 63, buf, 1), 0);
	assert_int_equal(buf[0], 'x');
	assert_int_equal(lb_blk_flush(&ram.blk), 0);
	assert_int_equal(ram.flushes, 1);
}

static void a_read_only_region_is_never_written(void **state)
{
	(void)state;
	ram.blk.read_only = true;
	assert_int_equal(lb_blk_write(&ram.blk, 0, "x", 1), -LB_E_READ_ONLY);
	assert_int_equal(ram.writes, 0);
	assert_int_equal(lb_blk_read(&ram.blk, 0, buf, 1), 0);
}

static void a_failure_has_a_sentence(void **state)
{
	struct lb_error err = { 0 };

	(void)state;
	ram.fail_write = 1;
	assert_int_equal(lb_blk_write(&ram.blk, 0, "x", 1), -LB_E_IO);
	assert_int_equal(lb_blk_error(&ram.blk, -LB_E_IO, &err), -LB_E_IO);
	assert_int_equal(err.code, LB_E_IO);
	assert_non_null(strstr(err.text, "slot"));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_range_outside_the_region_reaches_no_port),
		CASE(ranges_inside_are_passed_on),
		CASE(a_read_only_region_is_never_written),
		CASE(a_failure_has_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
