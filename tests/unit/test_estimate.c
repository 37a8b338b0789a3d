// SPDX-License-Identifier: GPL-2.0-or-later
/* How long it takes is said when it was measured, by a clock that the test moves, and not before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "flow/estimate.h"

#define MB 1000000ull

/* 100 MB, of which 40 are to be written: 30 MB of payload to fetch. */
static const struct lb_update_counters plan = {
	.total_bytes = 100 * MB, .skip_bytes = 60 * MB, .write_bytes = 40 * MB, .zero_bytes = 4 * MB,
	.fetch_bytes = 30 * MB,
};
static const struct lb_rates nothing;

/* Planning took 10 s from second 5 on: 10 MB/s. */
static uint64_t planned(struct lb_estimate *e, const struct lb_rates *last,
			const struct lb_update_counters *c, const struct lb_fetched *f)
{
	lb_estimate_begin(e, 5000, last);
	assert_int_equal(lb_estimate_ms(e, "plan", 9000, c, f), 0);
	return lb_estimate_ms(e, "planned", 15000, c, f);
}

static void nothing_is_said_before_writing_was_ever_measured(void **state)
{
	struct lb_fetched f = { .bytes = MB, .busy_ms = 500, .total_ms = 500 };
	struct lb_update_counters whole = { .total_bytes = 100 * MB, .skip_bytes = 100 * MB };
	struct lb_estimate e;

	assert_int_equal(planned(&e, &nothing, &plan, &f), 0);
	assert_int_equal(e.rates.read, 10 * MB);
	assert_int_equal(e.rates.fetch, 2 * MB);
	/* nothing to write: nothing is left to be read back either */
	assert_int_equal(planned(&e, &nothing, &whole, NULL), 1);
	/* a tenth is, but nothing of that to be fetched or written any more: as after a bad read-back */
	whole.skip_bytes = 90 * MB;
	assert_int_equal(planned(&e, &nothing, &whole, NULL), 1000);
}

static void the_last_update_s_rates_are_used_at_first(void **state)
{
	const struct lb_rates last = { .read = 77, .write = 4 * MB, .fetch = 3 * MB };
	struct lb_fetched little = { .bytes = 1000, .busy_ms = 900, .total_ms = 900 };
	struct lb_estimate e;

	/* 30 MB at 3, 40 at 4, and read back at 10: the first answer's time is no rate */
	assert_int_equal(planned(&e, &last, &plan, &little), 24000);
}

static void what_is_measured_now_counts_more_than_the_last_update(void **state)
{
	const struct lb_rates last = { .write = 4 * MB, .fetch = 3 * MB };
	struct lb_fetched f = { .bytes = 1000, .busy_ms = 10, .total_ms = 10 };
	struct lb_update_counters c = plan;
	struct lb_estimate e;

	assert_int_equal(planned(&e, &last, &plan, &f), 24000);
	/* 20 s later: 10 MB came in 5 s, and it was silent for 5 more; 10 s went into 20 MB */
	f = (struct lb_fetched){ .bytes = 10 * MB, .busy_ms = 5000, .total_ms = 10010 };
	c.fetched_bytes = 10 * MB;
	c.written_bytes = 16 * MB;
	c.zeroed_bytes = 4 * MB;
	/* 20 MB at 2, 20 at 2, 40 at 10 */
	assert_int_equal(lb_estimate_ms(&e, "write", 35000, &c, &f), 24000);
	assert_int_equal(e.rates.write, 2 * MB);
	assert_int_equal(e.rates.fetch, 2 * MB);
}

static void the_first_moments_of_writing_say_nothing(void **state)
{
	struct lb_update_counters c = plan;
	struct lb_fetched f = { .bytes = MB, .busy_ms = 1000, .total_ms = 1000 };
	struct lb_estimate e;

	planned(&e, &nothing, &plan, &f);
	c.written_bytes = 500000;
	assert_int_equal(lb_estimate_ms(&e, "write", 15500, &c, &f), 0);
	/* as slow as that: then it does */
	assert_int_equal(lb_estimate_ms(&e, "write", 17500, &c, &f),
			 30000 + 39500000ull * 1000 / 200000 + 4000);
}

static void reading_back_is_measured_itself(void **state)
{
	const struct lb_rates last = { .write = MB, .fetch = MB };
	struct lb_update_counters c = plan;
	struct lb_estimate e;

	planned(&e, &last, &plan, NULL);
	c.durable_bytes = 4 * MB;
	assert_int_equal(lb_estimate_ms(&e, "verify", 50000, &c, NULL), 9600);
	c.durable_bytes = 50 * MB;
	/* 46 MB in 10 s: what was proven or read when it was first told is not counted */
	assert_int_equal(lb_estimate_ms(&e, "verify", 60000, &c, NULL), 10869);
	c.durable_bytes = 100 * MB;
	assert_int_equal(lb_estimate_ms(&e, "verify", 70000, &c, NULL), 1);
	assert_int_equal(e.rates.write, MB);
}

/* A clock that stands still, and more than was planned, as after a bad read-back. */
static void no_figures_are_too_small_or_too_large(void **state)
{
	const struct lb_rates last = { .write = 1, .fetch = 1 };
	struct lb_update_counters c = { .total_bytes = 1ull << 40, .write_bytes = 5 };
	struct lb_fetched f = { .bytes = UINT64_MAX / 2000 };
	struct lb_estimate e;

	lb_estimate_begin(&e, 0, &last);
	assert_true(lb_estimate_ms(&e, "planned", 0, &c, &f));
	c.written_bytes = c.fetched_bytes = 1ull << 40;
	assert_true(lb_estimate_ms(&e, "write", 0, &c, &f));
	assert_true(lb_estimate_ms(&e, "verify", 0, &c, &f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_said_before_writing_was_ever_measured),
		cmocka_unit_test(the_last_update_s_rates_are_used_at_first),
		cmocka_unit_test(what_is_measured_now_counts_more_than_the_last_update),
		cmocka_unit_test(the_first_moments_of_writing_say_nothing),
		cmocka_unit_test(reading_back_is_measured_itself),
		cmocka_unit_test(no_figures_are_too_small_or_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
