// SPDX-License-Identifier: GPL-2.0-or-later
/* Boot selection: what the bootloader will read. Texts are literal: they are U-Boot's, not ours. */
#include "ram_blk.h"

#include "base/bytes.h"
#include "boot/select.h"

#define SIZE 0x400u

static struct ram_blk copy_[2];
static struct lb_boot boot;
static struct lb_boot_status st;

static int setup(void **state)
{
	(void)state;
	ram_init(&copy_[0], "env0", SIZE);
	ram_init(&copy_[1], "env1", SIZE);
	return lb_boot_open(&boot, &copy_[0].blk, &copy_[1].blk, NULL);
}

static int teardown(void **state)
{
	(void)state;
	lb_boot_close(&boot);
	lb_blk_close(&copy_[0].blk);
	lb_blk_close(&copy_[1].blk);
	return 0;
}

/* Replaces the whole environment by @vars, "a=1\0b=2\0". */
static void store(const char *vars, size_t len)
{
	uint8_t *p = copy_[0].bytes;

	memset(p, 0, SIZE);
	memcpy(p + 5, vars, len);
	p[4] = 1;
	lb_put_le32(p, lb_crc32(0, p + 5, SIZE - 5));
	memset(copy_[1].bytes, 0xff, SIZE);
	lb_boot_close(&boot);
	assert_int_equal(lb_boot_open(&boot, &copy_[0].blk, &copy_[1].blk, NULL), 0);
	copy_[0].writes = copy_[1].writes = 0;
}
#define STORE(vars) store(vars, sizeof(vars))

static void reread(void)
{
	lb_boot_close(&boot);
	assert_int_equal(lb_boot_open(&boot, &copy_[0].blk, &copy_[1].blk, NULL), 0);
	lb_boot_read(&boot, &st);
}

static void expect(const char *name, const char *value)
{
	const char *v = lb_env_get(&boot.env, name);

	assert_non_null(v);
	assert_string_equal(v, value);
}

static void only_main_means_main(void **state)
{
	(void)state;
	lb_boot_read(&boot, &st);
	assert_int_equal(st.target, LB_BOOT_LOST);
	assert_true(st.lost);
	STORE("lifeboat_boot=main\0lifeboat_slot=b\0upgrade_available=1\0bootcount=2\0"
	      "lifeboat_rtries=1\0");
	lb_boot_read(&boot, &st);
	assert_int_equal(st.target, LB_BOOT_MAIN);
	assert_int_equal(st.recovery_slot, 'b');
	assert_true(st.trial);
	assert_int_equal(st.main_boots, 2);
	assert_int_equal(st.recovery_boots, 1);
	STORE("lifeboat_boot=recovery\0");
	lb_boot_read(&boot, &st);
	assert_int_equal(st.target, LB_BOOT_RECOVERY);
	assert_false(st.manual);
	assert_int_equal(st.recovery_slot, 'a');
	STORE("lifeboat_boot=manual\0");
	lb_boot_read(&boot, &st);
	assert_int_equal(st.target, LB_BOOT_RECOVERY);
	assert_true(st.manual);
	STORE("lifeboat_boot=Main\0");
	lb_boot_read(&boot, &st);
	assert_int_equal(st.target, LB_BOOT_LOST);
	assert_false(st.lost);
	STORE("unrelated=1\0");
	lb_boot_read(&boot, &st);
	assert_int_equal(st.target, LB_BOOT_LOST);
}

static void a_counter_that_is_no_number_is_over_every_limit(void **state)
{
	(void)state;
	STORE("bootcount=0x1\0lifeboat_rtries=-1\0");
	lb_boot_read(&boot, &st);
	assert_int_equal(st.main_boots, LB_BOOT_COUNT_INVALID);
	assert_int_equal(st.recovery_boots, LB_BOOT_COUNT_INVALID);
	STORE("bootcount=a\0lifeboat_rtries=123456789\0");
	lb_boot_read(&boot, &st);
	assert_int_equal(st.main_boots, 10);
	assert_int_equal(st.recovery_boots, LB_BOOT_COUNT_INVALID);
	STORE("bootcount=\0");
	lb_boot_read(&boot, &st);
	assert_int_equal(st.main_boots, LB_BOOT_COUNT_INVALID);
	assert_int_equal(st.recovery_boots, 0);
}

static void staging_changes_the_flag_and_nothing_else(void **state)
{
	(void)state;
	STORE("fdtfile=x.dtb\0lifeboat_boot=main\0lifeboat_slot=b\0bootcount=1\0");
	assert_int_equal(lb_boot_set_recovery(&boot, NULL), 0);
	reread();
	assert_int_equal(st.target, LB_BOOT_RECOVERY);
	expect("fdtfile", "x.dtb");
	expect("lifeboat_slot", "b");
	expect("bootcount", "1");
	assert_int_equal(copy_[0].writes, 0);
	assert_int_equal(copy_[1].writes, 1);
}

static void finishing_is_one_commit(void **state)
{
	(void)state;
	STORE("lifeboat_boot=recovery\0bootcount=3\0upgrade_available=0\0");
	assert_int_equal(lb_boot_set_main(&boot, true, NULL), 0);
	assert_int_equal(copy_[0].writes + copy_[1].writes, 1);
	reread();
	assert_int_equal(st.target, LB_BOOT_MAIN);
	assert_true(st.trial);
	assert_int_equal(st.main_boots, 0);
	assert_int_equal(lb_boot_set_main(&boot, false, NULL), 0);
	reread();
	assert_false(st.trial);
}

static void a_healthy_main_clears_its_count_and_a_confirmed_one_its_trial(void **state)
{
	(void)state;
	STORE("lifeboat_boot=main\0bootcount=2\0upgrade_available=1\0lifeboat_rtries=2\0");
	assert_int_equal(lb_boot_main_healthy(&boot, false, NULL), 0);
	reread();
	assert_int_equal(st.main_boots, 0);
	assert_true(st.trial);
	assert_int_equal(lb_boot_main_healthy(&boot, true, NULL), 0);
	reread();
	assert_false(st.trial);
	assert_int_equal(st.recovery_boots, 2);
	assert_int_equal(lb_boot_recovery_alive(&boot, NULL), 0);
	reread();
	assert_int_equal(st.recovery_boots, 0);
	assert_int_equal(st.target, LB_BOOT_MAIN);
}

static void repeated_calls_do_not_wear_the_medium(void **state)
{
	int writes;

	(void)state;
	assert_int_equal(lb_boot_set_main(&boot, true, NULL), 0);
	writes = copy_[0].writes + copy_[1].writes;
	assert_int_equal(writes, 1);
	assert_int_equal(lb_boot_set_main(&boot, true, NULL), 0);
	assert_int_equal(lb_boot_main_healthy(&boot, false, NULL), 0);
	assert_int_equal(lb_boot_recovery_alive(&boot, NULL), 0);
	assert_int_equal(copy_[0].writes + copy_[1].writes, writes);
}

static void a_lost_environment_is_made_anew_by_a_decision_only(void **state)
{
	(void)state;
	assert_int_equal(lb_boot_recovery_alive(&boot, NULL), 0);
	assert_int_equal(lb_boot_main_healthy(&boot, true, NULL), 0);
	assert_int_equal(copy_[0].writes + copy_[1].writes, 0);
	assert_int_equal(lb_boot_set_recovery(&boot, NULL), 0);
	reread();
	assert_false(st.lost);
	assert_int_equal(st.target, LB_BOOT_RECOVERY);
	expect("lifeboat_slot", "a");
	expect("lifeboat_rtries", "0");
	expect("bootcount", "0");
	expect("upgrade_available", "0");
}

static void a_failed_commit_is_not_taken_for_done(void **state)
{
	(void)state;
	STORE("lifeboat_boot=recovery\0");
	copy_[1].fail_flush = 1;
	copy_[0].fail_write = 1;
	assert_int_equal(lb_boot_set_main(&boot, true, NULL), -LB_E_IO);
	copy_[1].fail_write = 1;
	copy_[0].fail_write = 1;
	assert_int_equal(lb_boot_set_main(&boot, true, NULL), -LB_E_IO);
	assert_int_equal(lb_boot_set_main(&boot, true, NULL), 0);
	reread();
	assert_int_equal(st.target, LB_BOOT_MAIN);
	assert_true(st.trial);
}

static void a_recovery_copy_is_selected_with_a_fresh_counter(void **state)
{
	STORE("lifeboat_boot=recovery\0lifeboat_slot=a\0lifeboat_rtries=3\0bootcount=2\0");
	assert_int_equal(lb_boot_set_copy(&boot, 'b', NULL), 0);
	reread();
	expect("lifeboat_slot", "b");
	expect("lifeboat_rtries", "0");
	expect("lifeboat_boot", "recovery");
	expect("bootcount", "2");
	assert_int_equal(st.recovery_slot, 'b');
	copy_[0].writes = copy_[1].writes = 0;
	assert_int_equal(lb_boot_set_copy(&boot, 'b', NULL), 0);
	assert_int_equal(copy_[0].writes + copy_[1].writes, 0);
	assert_int_equal(lb_boot_set_copy(&boot, 'a', NULL), 0);
	reread();
	expect("lifeboat_slot", "a");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(only_main_means_main),
		CASE(a_counter_that_is_no_number_is_over_every_limit),
		CASE(staging_changes_the_flag_and_nothing_else),
		CASE(finishing_is_one_commit),
		CASE(a_healthy_main_clears_its_count_and_a_confirmed_one_its_trial),
		CASE(repeated_calls_do_not_wear_the_medium),
		CASE(a_lost_environment_is_made_anew_by_a_decision_only),
		CASE(a_failed_commit_is_not_taken_for_done),
		CASE(a_recovery_copy_is_selected_with_a_fresh_counter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
