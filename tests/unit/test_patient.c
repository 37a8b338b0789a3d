// SPDX-License-Identifier: GPL-2.0-or-later
/* The waiting source against a scripted inner one and a clock that only sleeping moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "flow/patient.h"

struct fake {
	struct lb_source source;
	struct lb_clock clock;
	uint64_t now_ms;
	const int *script; /* >0: bytes, <=0: result; repeats its last entry */
	uint32_t step, steps;
	uint64_t seeks[8];
	uint32_t seek_count;
	int seek_result;
	uint32_t read_ms; /* an answer takes so long */
};

static int fake_seek(struct lb_source *s, uint64_t offset, uint64_t len, struct lb_error *err)
{
	struct fake *f = (struct fake *)s;

	int r = f->seek_result;

	f->seeks[f->seek_count++ % 8] = offset;
	f->seek_result = 0;
	return r;
}

static ptrdiff_t fake_read(struct lb_source *s, void *buf, size_t len, struct lb_error *err)
{
	struct fake *f = (struct fake *)s;
	int r = f->script[f->step];

	if (f->step + 1 < f->steps)
		f->step++;
	if (r < 0)
		return lb_error_set(err, -r, "the fake is silent");
	f->now_ms += f->read_ms;
	memset(buf, 0x5a, (size_t)r);
	return r;
}

static void fake_close(struct lb_source *s)
{
}

static const struct lb_source_ops fake_ops = { fake_seek, fake_read, fake_close };

static uint64_t fake_ms(struct lb_clock *c)
{
	return ((struct fake *)((char *)c - offsetof(struct fake, clock)))->now_ms;
}

static int64_t fake_wall(struct lb_clock *c)
{
	return 0;
}

static void fake_sleep(struct lb_clock *c, uint32_t ms)
{
	((struct fake *)((char *)c - offsetof(struct fake, clock)))->now_ms += ms;
}

static const struct lb_clock_ops fake_clock_ops = {
	.monotonic_ms = fake_ms, .wall_s = fake_wall, .sleep_ms = fake_sleep,
};

static void start(struct fake *f, struct lb_patient *p, const int *script, uint32_t steps,
		  uint64_t deadline_ms, uint32_t limit_ms)
{
	struct lb_patience how;

	*f = (struct fake){ .script = script, .steps = steps, .now_ms = 1000 };
	f->source.ops = &fake_ops;
	f->clock.ops = &fake_clock_ops;
	how = (struct lb_patience){
		.clock = &f->clock,
		.deadline_ms = deadline_ms,
		.limit_ms = limit_ms,
		.retry_min_ms = 1000,
		.retry_max_ms = 8000,
	};
	lb_patient_init(p, &f->source, &how);
}

static void goes_on_at_the_same_byte(void **state)
{
	static const int script[] = { 10, -LB_E_AGAIN, -LB_E_AGAIN, 5 };
	struct lb_error err = { 0 };
	struct lb_patient p;
	struct fake f;
	char buf[16];

	start(&f, &p, script, 4, 0, 0);
	assert_int_equal(lb_source_seek(&p.source, 100, 50, &err), 0);
	assert_int_equal(lb_source_read(&p.source, buf, 16, &err), 10);
	assert_int_equal(lb_source_read(&p.source, buf, 16, &err), 5);
	assert_int_equal(f.seek_count, 3);
	assert_int_equal(f.seeks[1], 110);
	assert_int_equal(f.seeks[2], 110);
	assert_int_equal(f.now_ms, 1000 + 1000 + 2000); /* the back-off doubles */
}

static void waits_as_long_as_the_server_asks_within_bounds(void **state)
{
	static const int script[] = { -LB_E_AGAIN, 5, -LB_E_AGAIN, 5 };
	struct lb_error err = { 0 };
	struct lb_patient p;
	struct fake f;
	char buf[16];

	start(&f, &p, script, 4, 0, 0);
	f.source.retry_after_s = 7;
	assert_int_equal(lb_source_read(&p.source, buf, 16, &err), 5);
	assert_int_equal(f.now_ms, 1000 + 7000);
	f.source.retry_after_s = 4000000;
	assert_int_equal(lb_source_read(&p.source, buf, 16, &err), 5);
	assert_int_equal(f.now_ms, 1000 + 7000 + 8000);
}

static void a_stick_that_is_out_is_waited_for(void **state)
{
	static const int script[] = { 5 };
	struct lb_error err = { 0 };
	struct lb_patient p;
	struct fake f;
	char buf[16];

	start(&f, &p, script, 1, 0, 0);
	f.seek_result = -LB_E_AGAIN;
	assert_int_equal(lb_source_seek(&p.source, 100, 50, &err), 0);
	assert_int_equal(lb_source_read(&p.source, buf, 16, &err), 5);
	assert_int_equal(f.seek_count, 2);
	assert_int_equal(f.seeks[1], 100);
}

static void gives_up_at_the_deadline(void **state)
{
	static const int script[] = { -LB_E_AGAIN };
	struct lb_error err = { 0 };
	struct lb_patient p;
	struct fake f;
	char buf[16];

	start(&f, &p, script, 1, 61000, 0);
	assert_int_equal(lb_source_read(&p.source, buf, 16, &err), -LB_E_UNREACHABLE);
	assert_int_equal(err.code, LB_E_UNREACHABLE);
	assert_non_null(strstr(err.text, "the fake is silent"));
	assert_int_equal(f.now_ms, 61000); /* not a second later */
}

static void never_gives_up_once_main_is_written(void **state)
{
	int script[200];
	struct lb_error err = { 0 };
	struct lb_patient p;
	struct fake f;
	char buf[16];

	for (int i = 0; i < 199; i++)
		script[i] = -LB_E_AGAIN;
	script[199] = 3;
	start(&f, &p, script, 200, 61000, 0);
	lb_patient_commit(&p);
	assert_int_equal(lb_source_read(&p.source, buf, 16, &err), 3);
	assert_true(f.now_ms > 190 * 8000); /* the back-off is bounded */
	assert_true(f.now_ms < 201 * 8000);
}

static void passes_silence_on_when_there_are_other_places(void **state)
{
	static const int script[] = { -LB_E_AGAIN };
	struct lb_error err = { 0 };
	struct lb_patient p;
	struct fake f;
	char buf[16];

	start(&f, &p, script, 1, 0, 10000);
	assert_int_equal(lb_source_read(&p.source, buf, 16, &err), -LB_E_AGAIN);
	assert_true(f.now_ms >= 11000 && f.now_ms < 25000);
}

static void final_failures_pass_unchanged(void **state)
{
	static const int script[] = { -LB_E_REFUSED };
	struct lb_error err = { 0 };
	struct lb_patient p;
	struct fake f;
	char buf[16];

	start(&f, &p, script, 1, 61000, 0);
	assert_int_equal(lb_source_read(&p.source, buf, 16, &err), -LB_E_REFUSED);
	assert_int_equal(f.now_ms, 1000);
}

/* For a rate: what was answered counts by itself, beside all the time that it took. */
static void time_with_and_without_waiting_is_kept(void **state)
{
	static const int script[] = { 7, -LB_E_AGAIN, -LB_E_AGAIN, 5 };
	struct lb_error err = { 0 };
	struct lb_patient p;
	struct fake f;
	char buf[16];

	start(&f, &p, script, 4, 0, 0);
	f.read_ms = 30;
	assert_int_equal(lb_source_read(&p.source, buf, sizeof(buf), &err), 7);
	assert_true(p.read_bytes == 7 && p.busy_ms == 30 && p.total_ms == 30);
	assert_int_equal(lb_source_read(&p.source, buf, sizeof(buf), &err), 5);
	assert_int_equal(p.read_bytes, 12);
	assert_int_equal(p.busy_ms, 60);
	assert_int_equal(p.total_ms, 60 + 1000 + 2000);
	lb_source_close(&p.source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_on_at_the_same_byte),
		cmocka_unit_test(waits_as_long_as_the_server_asks_within_bounds),
		cmocka_unit_test(a_stick_that_is_out_is_waited_for),
		cmocka_unit_test(gives_up_at_the_deadline),
		cmocka_unit_test(never_gives_up_once_main_is_written),
		cmocka_unit_test(passes_silence_on_when_there_are_other_places),
		cmocka_unit_test(final_failures_pass_unchanged),
		cmocka_unit_test(time_with_and_without_waiting_is_kept),
	};

	return cmocka_run_group_tests_name("patient", tests, NULL, NULL);
}
