// SPDX-License-Identifier: GPL-2.0-or-later
/* The state machine: invariants over the whole table, and the rows that people rely on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "flow/machine.h"

static void main_changed_only_ends_in_trial(void **state)
{
	/* once main was written the only way on is a verified whole */
	for (int ev = 0; ev < LB_EV_COUNT; ev++) {
		int next = lb_machine_next(LB_STATE_UPDATING, (enum lb_event)ev);

		assert_true(next < 0 || next == LB_STATE_UPDATING || next == LB_STATE_TRIAL ||
			    (next == LB_STATE_RESCUE && ev == LB_EV_MAIN_FAILED));
		next = lb_machine_next(LB_STATE_RESCUE, (enum lb_event)ev);
		assert_true(next < 0 || next == LB_STATE_RESCUE || next == LB_STATE_TRIAL);
	}
}

static void only_a_trial_is_confirmed(void **state)
{
	for (int s = 0; s < LB_STATE_COUNT; s++) {
		int next = lb_machine_next((enum lb_state_name)s, LB_EV_CONFIRMED);

		if (s == LB_STATE_TRIAL || s == LB_STATE_CONFIRMED)
			assert_int_equal(next, LB_STATE_CONFIRMED);
		else
			assert_true(next < 0);
	}
}

static void installed_always_leads_to_a_trial(void **state)
{
	for (int s = 0; s < LB_STATE_COUNT; s++)
		assert_int_equal(lb_machine_next((enum lb_state_name)s, LB_EV_INSTALLED),
				 LB_STATE_TRIAL);
}

static void numbers_outside_the_table_are_refused(void **state)
{
	assert_true(lb_machine_next(LB_STATE_COUNT, LB_EV_STAGED) < 0);
	assert_true(lb_machine_next(LB_STATE_CONFIRMED, LB_EV_COUNT) < 0);
}

static void a_lost_flag_heals_from_confirmed_only(void **state)
{
	for (int s = 0; s < LB_STATE_COUNT; s++) {
		enum lb_job job = lb_machine_job((enum lb_state_name)s, LB_REASON_FLAG_LOST, true);

		assert_int_equal(job == LB_JOB_HEAL, s == LB_STATE_CONFIRMED);
	}
}

static void a_person_is_never_overruled_while_main_is_good(void **state)
{
	static const enum lb_state_name good[] = {
		LB_STATE_CONFIRMED, LB_STATE_REQUESTED, LB_STATE_TRIAL,
	};

	for (size_t i = 0; i < 3; i++)
		assert_int_equal(lb_machine_job(good[i], LB_REASON_MANUAL, true), LB_JOB_WAIT);
}

static void an_interrupted_update_resumes_whatever_the_reason(void **state)
{
	for (int reason = 0; reason < LB_REASON_COUNT; reason++) {
		assert_int_equal(lb_machine_job(LB_STATE_UPDATING, (enum lb_reason)reason, false),
				 LB_JOB_RESUME);
		assert_int_equal(lb_machine_job(LB_STATE_RESCUE, (enum lb_reason)reason, false),
				 LB_JOB_RESCUE);
	}
}

static void a_failed_trial_is_rescued(void **state)
{
	assert_int_equal(lb_machine_job(LB_STATE_TRIAL, LB_REASON_BOOT_LIMIT, true),
			 LB_JOB_RESCUE);
	assert_int_equal(lb_machine_job(LB_STATE_TRIAL, LB_REASON_MAIN_INVALID, true),
			 LB_JOB_RESCUE);
	assert_int_equal(lb_machine_job(LB_STATE_TRIAL, LB_REASON_REQUESTED, true),
			 LB_JOB_HANDOVER);
}

/* It may have been the power switch: DESIGN, section 5, examine. */
static void a_confirmed_main_is_looked_at_before_it_is_given_up(void **state)
{
	assert_int_equal(lb_machine_job(LB_STATE_CONFIRMED, LB_REASON_BOOT_LIMIT, false),
			 LB_JOB_EXAMINE);
	assert_int_equal(lb_machine_job(LB_STATE_CONFIRMED, LB_REASON_MAIN_INVALID, false),
			 LB_JOB_RESCUE);
}

static void reasons_are_read_back_as_written(void **state)
{
	for (int i = 1; i < LB_REASON_COUNT; i++) {
		const char *text = lb_reason_text((enum lb_reason)i);

		assert_int_equal(lb_reason_parse(text, strlen(text)), i);
		assert_int_equal(lb_reason_parse(text, strlen(text) - 1), LB_REASON_NONE);
	}
	assert_int_equal(lb_reason_parse("", 0), LB_REASON_NONE);
	assert_int_equal(lb_reason_parse("none", 4), LB_REASON_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(main_changed_only_ends_in_trial),
		cmocka_unit_test(only_a_trial_is_confirmed),
		cmocka_unit_test(installed_always_leads_to_a_trial),
		cmocka_unit_test(numbers_outside_the_table_are_refused),
		cmocka_unit_test(a_lost_flag_heals_from_confirmed_only),
		cmocka_unit_test(a_person_is_never_overruled_while_main_is_good),
		cmocka_unit_test(an_interrupted_update_resumes_whatever_the_reason),
		cmocka_unit_test(a_failed_trial_is_rescued),
		cmocka_unit_test(a_confirmed_main_is_looked_at_before_it_is_given_up),
		cmocka_unit_test(reasons_are_read_back_as_written),
	};

	return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
