// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Records that say nothing: no handover may stop at one, and none may be believed.
 * The order of writing is tests/powercut's.
 */
#include "ram_blk.h"

#include "golden.h"

#include "bundle/bundle.h"
#include "flow/handover.h"
#include "port/source_mem.h"

static struct ram_blk ram, env[2];
static struct lb_log log_;
static struct lb_boot boot;
static struct lb_device_state d;
static struct lb_bundle_head head;
static const uint8_t digest[LB_SHA256_BYTES] = { 7 };

static int setup(void **state)
{
	struct lb_source_mem mem;
	size_t len;
	uint8_t *bytes = golden_read("small.lbu", &len);

	(void)state;
	lb_source_mem_init(&mem, bytes, len);
	assert_int_equal(lb_bundle_read_head(&mem.src, &head, NULL), 0);
	free(bytes);
	ram_init(&ram, "state", 512u * 1024u);
	ram_init(&env[0], "env0", 1024);
	ram_init(&env[1], "env1", 1024);
	assert_int_equal(lb_log_format(&log_, &ram.blk, NULL), 0);
	assert_int_equal(lb_boot_open(&boot, &env[0].blk, &env[1].blk, NULL), 0);
	d = (struct lb_device_state){ .log = &log_, .boot = &boot };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lb_boot_close(&boot);
	lb_bundle_head_free(&head);
	lb_blk_close(&ram.blk);
	lb_blk_close(&env[0].blk);
	lb_blk_close(&env[1].blk);
	return 0;
}

static void put(uint16_t type, const char *text)
{
	assert_int_equal(lb_log_put(&log_, type, text, strlen(text), NULL), 0);
}

static struct lb_release golden(void)
{
	return (struct lb_release){ .release = 7, .manifest = head.manifest,
				    .manifest_len = head.manifest_len,
				    .signature = head.signatures[0] };
}

static enum lb_state_name state_now(void)
{
	struct lb_state s;

	assert_int_equal(lb_state_load(&log_, &s, NULL), 0);
	return s.name;
}

/* ---- a state record that cannot be understood ---- */

static void from_a_newer_program(void)
{
	put(LB_REC_STATE, "{\"state\":\"trial\"}");
	for (uint32_t i = 0; i < log_.live_count; i++)
		if (log_.live[i].type == LB_REC_STATE)
			log_.live[i].version = LB_LOG_VERSION + 1;
}

static void of_no_known_state(void)
{
	put(LB_REC_STATE, "{\"state\":\"asleep\"}");
}

static void junk(void)
{
	put(LB_REC_STATE, "junk");
}

static int stage(void)
{
	const struct lb_request q = { .release = 9 };

	return lb_handover_stage(&d, &q, NULL, NULL);
}

static int visit(void)
{
	return lb_handover_reboot_recovery(&d, NULL);
}

static int give_back(void)
{
	const struct lb_result v = { .code = "ok" };

	return lb_handover_return(&d, &v, NULL);
}

static int begin_writing(void)
{
	return lb_handover_begin_writing(&d, 9, digest, NULL);
}

static int begin_rescue(void)
{
	return lb_handover_begin_rescue(&d, NULL, NULL, NULL);
}

static int finish(void)
{
	const struct lb_result v = { .code = "ok" };
	struct lb_release r = golden();

	return lb_handover_finish(&d, &r, &v, NULL);
}

static int confirm(void)
{
	return lb_handover_confirm(&d, NULL);
}

static int reconcile(void)
{
	return lb_handover_reconcile_main(&d, NULL, 0, NULL);
}

static void no_handover_stops_at_a_state_that_is_not_understood(void **state)
{
	static void (*const spoil[])(void) = { from_a_newer_program, of_no_known_state, junk };
	static const struct {
		int (*step)(void);
		enum lb_state_name after;
	} steps[] = {
		{ stage, LB_STATE_REQUESTED },	   { give_back, LB_STATE_CONFIRMED },
		{ begin_writing, LB_STATE_UPDATING }, { begin_rescue, LB_STATE_RESCUE },
		{ finish, LB_STATE_TRIAL },	   { confirm, LB_STATE_CONFIRMED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(spoil) / sizeof(*spoil); i++)
		for (size_t n = 0; n < sizeof(steps) / sizeof(*steps); n++) {
			spoil[i]();
			assert_int_equal(steps[n].step(), 0);
			assert_int_equal(state_now(), steps[n].after);
		}
	junk();
	assert_int_equal(visit(), 0);
	assert_int_equal(reconcile(), 0);
}

/* The medium's word is not guessed. */
static void a_state_that_cannot_be_read_stops_a_handover(void **state)
{
	(void)state;
	put(LB_REC_STATE, "{\"state\":\"updating\"}");
	ram.fail_reads = true;
	assert_int_equal(give_back(), -LB_E_IO);
	assert_int_equal(confirm(), -LB_E_IO);
}

/* ---- other records ---- */

static void spoiled_records_do_not_keep_a_good_release_on_trial(void **state)
{
	struct lb_release r = golden(), got = { 0 };
	uint64_t floor = 0;

	(void)state;
	assert_int_equal(lb_release_save(&log_, LB_REC_INSTALLED, &r, NULL), 0);
	put(LB_REC_STATE, "{\"state\":\"trial\",\"release\":7}");
	put(LB_REC_CONFIRMED, "junk");
	put(LB_REC_FLOOR, "junk");
	put(LB_REC_CLOCK, "[]");
	assert_int_equal(confirm(), 0);
	assert_int_equal(state_now(), LB_STATE_CONFIRMED);
	assert_int_equal(lb_release_load(&log_, LB_REC_CONFIRMED, &got, NULL), 0);
	assert_int_equal(got.release, 7);
	lb_release_free(&got);
	assert_int_equal(lb_floor_load(&log_, &floor, NULL), 0);
	assert_int_equal(floor, 5); /* its min_release */

	put(LB_REC_STATE, "{\"state\":\"trial\",\"release\":7}");
	put(LB_REC_INSTALLED, "junk");
	assert_int_equal(confirm(), 0);
	assert_int_equal(state_now(), LB_STATE_CONFIRMED);
}

/* The log was lost while a release was on trial: only its health ends that. */
static void an_empty_log_does_not_end_a_trial(void **state)
{
	struct lb_boot_status st;

	(void)state;
	assert_int_equal(lb_boot_set_main(&boot, true, NULL), 0);
	assert_int_equal(reconcile(), 0);
	lb_boot_read(&boot, &st);
	assert_true(st.trial);
	assert_int_equal(confirm(), 0);
	lb_boot_read(&boot, &st);
	assert_false(st.trial);
	assert_int_equal(state_now(), LB_STATE_CONFIRMED);
}

/* ---- tries of a newer recovery ---- */

static struct lb_self_update note_after_return(char copy, uint32_t tries, char running)
{
	const struct lb_self_update note = { .image = { 1 }, .tries = tries, .copy = copy };
	struct lb_self_update left = { .tries = 99 };

	d.copy = running;
	put(LB_REC_STATE, "{\"state\":\"requested\"}");
	assert_int_equal(lb_self_update_save(&log_, &note, NULL), 0);
	assert_int_equal(give_back(), 0);
	if (lb_log_find(&log_, LB_REC_SELF_UPDATE))
		assert_int_equal(lb_self_update_load(&log_, &left, NULL), 0);
	return left;
}

static void tries_are_forgotten_when_main_is_given_back(void **state)
{
	struct lb_self_update left = note_after_return(0, 2, 'a');

	(void)state;
	assert_int_equal(left.tries, 99); /* no note */
	left = note_after_return('b', 2, 'a'); /* b did not start, and is not mended yet */
	assert_int_equal(left.copy, 'b');
	assert_int_equal(left.tries, 0);
	left = note_after_return('b', 1, 'b'); /* on trial: its own word does not count */
	assert_int_equal(left.copy, 'b');
	assert_int_equal(left.tries, 1);
}

/* ---- a person's wish ---- */

static void a_flag_that_a_person_set_outlives_the_state_it_leads_to(void **state)
{
	struct lb_boot_status st;

	(void)state;
	assert_int_equal(lb_boot_set_recovery(&boot, NULL), 0);
	assert_int_equal(lb_env_set(&boot.env, "lifeboat_boot", "manual"), 0);
	assert_int_equal(lb_env_commit(&boot.env, NULL), 0);
	put(LB_REC_STATE, "{\"state\":\"confirmed\"}");
	ram.fail_write = 1; /* of the state, which is the first */
	assert_int_equal(begin_writing(), -LB_E_IO);
	lb_boot_read(&boot, &st);
	assert_true(st.manual);
	assert_int_equal(begin_writing(), 0);
	lb_boot_read(&boot, &st);
	assert_true(st.target == LB_BOOT_RECOVERY && !st.manual);
}

/* ... but a flag that leads to main is changed before the state is. */
static void a_flag_of_main_is_changed_before_the_state(void **state)
{
	struct lb_boot_status st;

	(void)state;
	assert_int_equal(lb_boot_set_main(&boot, false, NULL), 0);
	put(LB_REC_STATE, "{\"state\":\"confirmed\"}");
	ram.fail_write = 1;
	assert_int_equal(begin_writing(), -LB_E_IO);
	lb_boot_read(&boot, &st);
	assert_int_equal(st.target, LB_BOOT_RECOVERY);
}

/* ---- a log whose newest record cannot be read ---- */

static void nothing_takes_the_place_of_a_lost_state_before_a_new_one(void **state)
{
	const struct lb_result v = { .code = "trial-failed" };

	(void)state;
	put(LB_REC_STATE, "{\"state\":\"requested\"}");
	log_.damaged = true;
	ram.fail_write = 2; /* a cut after the first one */
	assert_int_equal(lb_handover_begin_rescue(&d, NULL, &v, NULL), -LB_E_IO);
	assert_int_equal(state_now(), LB_STATE_RESCUE);
	assert_int_equal(lb_handover_begin_rescue(&d, NULL, &v, NULL), 0);
	assert_non_null(lb_log_find(&log_, LB_REC_RESULT));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(no_handover_stops_at_a_state_that_is_not_understood),
		CASE(a_state_that_cannot_be_read_stops_a_handover),
		CASE(spoiled_records_do_not_keep_a_good_release_on_trial),
		CASE(an_empty_log_does_not_end_a_trial),
		CASE(tries_are_forgotten_when_main_is_given_back),
		CASE(a_flag_that_a_person_set_outlives_the_state_it_leads_to),
		CASE(a_flag_of_main_is_changed_before_the_state),
		CASE(nothing_takes_the_place_of_a_lost_state_before_a_new_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
