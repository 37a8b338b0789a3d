// SPDX-License-Identifier: GPL-2.0-or-later
/* Factory reset over memory: sizes, order, what fails. Power cuts are tests/powercut's. */
#include "ram_blk.h"

#include "flow/reset.h"
#include "state/records.h"

#define LARGE (LB_RESET_HEAD_BYTES + 70001u)
#define SMALL 777u

static struct ram_blk state_, data[2];
static struct lb_log log_;
static int broken, asked;

static int open_region(void *ctx, uint32_t n, struct lb_blk **ret, struct lb_error *err)
{
	if (n >= 2)
		return -LB_E_NOT_FOUND;
	if ((int)n == broken)
		return lb_error_set(err, LB_E_NO_SLOT, "data-%u is not there", n);
	*ret = &data[n].blk;
	return 0;
}

/* Regions stay open here: the flow closes what it opened. */
static void keep_open(struct lb_blk *b)
{
	(void)b;
}

static struct lb_blk_ops ops[2];

static int setup(void **state)
{
	static const size_t sizes[] = { LARGE, SMALL };

	ram_init(&state_, "state", 512u * 1024u);
	assert_int_equal(lb_log_format(&log_, &state_.blk, NULL), 0);
	for (int i = 0; i < 2; i++) {
		ram_init(&data[i], i ? "data-1" : "data-0", sizes[i]);
		memset(data[i].bytes, 0x5a, sizes[i]);
		ops[i] = *data[i].blk.ops;
		ops[i].close = keep_open;
		data[i].blk.ops = &ops[i];
	}
	broken = -1;
	asked = 0;
	return 0;
}

static int teardown(void **state)
{
	lb_blk_close(&state_.blk);
	for (int i = 0; i < 2; i++)
		free(data[i].bytes);
	return 0;
}

static bool zeros(int n, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (data[n].bytes[i])
			return false;
	return true;
}

static const struct lb_reset_regions regions = { .open = open_region };

static void everything_that_is_named_is_zeros_afterwards(void **state)
{
	struct lb_reset rs = { .regions = &regions };

	assert_false(lb_reset_pending(&log_));
	assert_int_equal(lb_reset_save(&log_, true, NULL), 0);
	assert_true(lb_reset_pending(&log_));
	assert_int_equal(lb_reset_erase(&rs, &log_, NULL), 0);
	assert_true(zeros(0, 0, LARGE) && zeros(1, 0, SMALL));
	assert_int_equal(rs.counters.total_bytes, LARGE + SMALL);
	assert_int_equal(rs.counters.durable_bytes, LARGE + SMALL);
	assert_false(lb_reset_pending(&log_));
}

static void a_region_that_is_missing_leaves_all_of_them_alone(void **state)
{
	struct lb_reset rs = { .regions = &regions };

	broken = 1;
	assert_int_equal(lb_reset_save(&log_, true, NULL), 0);
	assert_int_equal(lb_reset_erase(&rs, &log_, NULL), -LB_E_NO_SLOT);
	assert_int_equal(data[0].bytes[0], 0x5a);
	assert_true(lb_reset_pending(&log_));
}

static bool stop_at_third(void *ctx)
{
	return ++asked > 2;
}

static void the_beginning_of_all_goes_before_the_rest_of_any(void **state)
{
	struct lb_reset rs = { .regions = &regions, .stop = stop_at_third };

	assert_int_equal(lb_reset_save(&log_, true, NULL), 0);
	assert_int_equal(lb_reset_erase(&rs, &log_, NULL), -LB_E_AGAIN);
	assert_true(zeros(0, 0, LB_RESET_HEAD_BYTES) && zeros(1, 0, SMALL));
	assert_int_equal(data[0].bytes[LB_RESET_HEAD_BYTES], 0x5a);
	assert_true(lb_reset_pending(&log_));
	rs.stop = NULL;
	assert_int_equal(lb_reset_erase(&rs, &log_, NULL), 0);
	assert_true(zeros(0, 0, LARGE) && !lb_reset_pending(&log_));
}

static void without_regions_nothing_is_erased_and_it_is_over(void **state)
{
	const struct lb_reset_regions none = { 0 };
	struct lb_reset rs = { .regions = &none };

	assert_int_equal(lb_reset_save(&log_, true, NULL), 0);
	assert_int_equal(lb_reset_erase(&rs, &log_, NULL), 0);
	assert_false(lb_reset_pending(&log_));
	assert_int_equal(data[0].bytes[0], 0x5a);
}

static void a_record_that_makes_no_sense_erases_nothing(void **state)
{
	assert_int_equal(lb_log_put(&log_, LB_REC_RESET, "{}", 2, NULL), 0);
	assert_false(lb_reset_pending(&log_));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(everything_that_is_named_is_zeros_afterwards, setup, teardown),
		cmocka_unit_test_setup_teardown(a_region_that_is_missing_leaves_all_of_them_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(the_beginning_of_all_goes_before_the_rest_of_any, setup, teardown),
		cmocka_unit_test_setup_teardown(without_regions_nothing_is_erased_and_it_is_over, setup, teardown),
		cmocka_unit_test_setup_teardown(a_record_that_makes_no_sense_erases_nothing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
