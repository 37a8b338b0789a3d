// SPDX-License-Identifier: GPL-2.0-or-later
/* The boot environment; what is expected on the medium comes from U-Boot's mkenvimage. */
#define _GNU_SOURCE
#include "ram_blk.h"

#include <stdio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "boot/env.h"

#define SIZE 0x200u

static struct ram_blk copy_[2];
static struct lb_env env;

static int setup(void **state)
{
	(void)state;
	ram_init(&copy_[0], "env0", SIZE);
	ram_init(&copy_[1], "env1", SIZE);
	memset(&env, 0, sizeof(env));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lb_env_free(&env);
	lb_blk_close(&copy_[0].blk);
	lb_blk_close(&copy_[1].blk);
	return 0;
}

static void load(void)
{
	lb_env_free(&env);
	assert_int_equal(lb_env_load(&env, &copy_[0].blk, &copy_[1].blk, NULL), 0);
}

/* What mkenvimage makes of @text, for a redundant environment. Its serial is 1. */
static void mkenvimage(const char *text, uint8_t image[SIZE])
{
	char dir[] = "/tmp/lb-env-XXXXXX", cmd[160], in[32], out[32];
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(in, sizeof(in), "%s/in", dir);
	snprintf(out, sizeof(out), "%s/out", dir);
	f = fopen(in, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	snprintf(cmd, sizeof(cmd), "mkenvimage -r -p 0 -s %u -o %s %s", SIZE, out, in);
	assert_int_equal(system(cmd), 0);
	f = fopen(out, "r");
	assert_non_null(f);
	assert_int_equal(fread(image, 1, SIZE, f), SIZE);
	fclose(f);
	unlink(in);
	unlink(out);
	rmdir(dir);
}

static void store(int copy, const char *text, uint8_t serial)
{
	mkenvimage(text, copy_[copy].bytes);
	copy_[copy].bytes[4] = serial;
}

static void writes_what_mkenvimage_writes(void **state)
{
	uint8_t expected[SIZE];

	(void)state;
	load();
	assert_true(env.lost);
	assert_null(lb_env_get(&env, "lifeboat_boot"));
	assert_int_equal(lb_env_set(&env, "lifeboat_boot", "main"), 0);
	assert_int_equal(lb_env_set(&env, "bootcount", "0"), 0);
	assert_int_equal(lb_env_set(&env, "gone", "x"), 0);
	assert_int_equal(lb_env_set(&env, "upgrade_available", "1"), 0);
	assert_int_equal(lb_env_set(&env, "gone", NULL), 0);
	assert_int_equal(lb_env_commit(&env, NULL), 0);
	assert_false(env.lost);
	mkenvimage("lifeboat_boot=main\nbootcount=0\nupgrade_available=1\n", expected);
	assert_memory_equal(copy_[0].bytes, expected, SIZE);
	assert_int_equal(copy_[1].flushes, 0);
}

static void changes_keep_every_other_byte(void **state)
{
	uint8_t expected[SIZE];

	(void)state;
	store(1, "a=1\nfdtfile=x y=z;'\nlifeboat_boot=main\nz=9\nzz=\n", 7);
	load();
	assert_int_equal(env.live, 1);
	assert_string_equal(lb_env_get(&env, "fdtfile"), "x y=z;'");
	assert_string_equal(lb_env_get(&env, "lifeboat_boot"), "main");
	assert_null(lb_env_get(&env, "fdt"));
	assert_null(lb_env_get(&env, "lifeboat_boot=main"));
	assert_int_equal(lb_env_set(&env, "lifeboat_boot", "recovery"), 0);
	assert_int_equal(lb_env_commit(&env, NULL), 0);
	mkenvimage("a=1\nfdtfile=x y=z;'\nz=9\nzz=\nlifeboat_boot=recovery\n", expected);
	expected[4] = 8;
	assert_memory_equal(copy_[0].bytes, expected, SIZE);
}

/* U-Boot, env/common.c: which of two valid copies is used, and by our own commits. */
static void the_newer_copy_is_the_one_u_boot_would_use(void **state)
{
	static const struct {
		uint8_t serial0, serial1, live;
	} rows[] = {
		{ 1, 0, 0 }, { 0, 1, 1 }, { 5, 5, 0 }, { 255, 0, 1 }, { 0, 255, 0 },
		{ 255, 254, 0 }, { 254, 255, 1 }, { 255, 1, 0 }, { 1, 255, 1 }, { 127, 128, 1 },
	};

	(void)state;
	for (size_t i = 0; i < LB_ARRAY_LEN(rows); i++) {
		store(0, "who=0\n", rows[i].serial0);
		store(1, "who=1\n", rows[i].serial1);
		load();
		assert_int_equal(env.live, rows[i].live);
		assert_int_equal(env.serial, rows[i].live ? rows[i].serial1 : rows[i].serial0);
	}
}

static void six_hundred_commits_alternate_and_wrap(void **state)
{
	char value[16];

	(void)state;
	load();
	for (int i = 0; i < 600; i++) {
		snprintf(value, sizeof(value), "%d", i);
		assert_int_equal(lb_env_set(&env, "i", value), 0);
		assert_int_equal(lb_env_commit(&env, NULL), 0);
		load();
		assert_string_equal(lb_env_get(&env, "i"), value);
	}
	assert_int_equal(copy_[0].writes, 300);
	assert_int_equal(copy_[1].writes, 300);
}

static void a_broken_copy_is_passed_over_and_written_next(void **state)
{
	(void)state;
	for (int broken = 0; broken < 2; broken++) {
		store(0, "who=0\n", 9);
		store(1, "who=1\n", 9);
		copy_[broken].bytes[100] ^= 1;
		load();
		assert_string_equal(lb_env_get(&env, "who"), broken ? "0" : "1");
		assert_int_equal(lb_env_commit(&env, NULL), 0);
		load();
		assert_int_equal(env.live, broken);
		assert_int_equal(env.serial, 10);
	}
	store(0, "who=0\n", 9);
	copy_[1].fail_reads = true;
	load();
	assert_string_equal(lb_env_get(&env, "who"), "0");
	copy_[0].fail_reads = true;
	lb_env_free(&env);
	assert_int_equal(lb_env_load(&env, &copy_[0].blk, &copy_[1].blk, NULL), -LB_E_IO);
}

static void a_failed_commit_may_be_repeated(void **state)
{
	(void)state;
	store(0, "v=old\n", 3);
	load();
	assert_int_equal(lb_env_set(&env, "v", "new"), 0);
	copy_[1].fail_write = 1;
	copy_[0].fail_write = 1;
	assert_int_equal(lb_env_commit(&env, NULL), -LB_E_IO);
	copy_[1].fail_flush = 1;
	copy_[0].fail_write = 1;
	assert_int_equal(lb_env_commit(&env, NULL), -LB_E_IO);
	assert_string_equal((char *)copy_[0].bytes + LB_ENV_HEADER_BYTES, "v=old");
	assert_int_equal(lb_env_commit(&env, NULL), 0);
	load();
	assert_int_equal(env.live, 1);
	assert_string_equal(lb_env_get(&env, "v"), "new");
	assert_int_equal(env.serial, 4);
}

/* More often than a serial has values: the worn copy stays whole and must never be newer. */
static void a_copy_that_cannot_be_written_does_not_stop_commits(void **state)
{
	char value[16];

	(void)state;
	for (int worn = 0; worn < 2; worn++) {
		store(worn, "i=stale\n", 250);
		store(!worn, "i=live\n", 251);
		copy_[worn].stuck_len = SIZE;
		for (int i = 0; i < 600; i++) {
			load();
			snprintf(value, sizeof(value), "%d", i);
			assert_int_equal(lb_env_set(&env, "i", value), 0);
			assert_int_equal(lb_env_commit(&env, NULL), 0);
			load();
			assert_string_equal(lb_env_get(&env, "i"), value);
		}
		copy_[worn].stuck_len = 0; /* back again: it is used again */
		assert_int_equal(lb_env_set(&env, "i", "both"), 0);
		assert_int_equal(lb_env_commit(&env, NULL), 0);
		load();
		assert_int_equal(env.live, worn);
		assert_string_equal(lb_env_get(&env, "i"), "both");
	}
}

/* Hostile: the checksum is right, the rest is not. */
static void store_raw(const void *data, size_t len, uint8_t fill)
{
	uint8_t *p = copy_[0].bytes;

	memset(p, fill, SIZE);
	memcpy(p + 5, data, len);
	p[4] = 1;
	lb_put_le32(p, lb_crc32(0, p + 5, SIZE - 5));
}

static void garbage_with_a_valid_checksum_is_walked_within_its_bounds(void **state)
{
	(void)state;
	store_raw("=\0==\0=x\0a\0lifeboat_boot", 23, 'A'); /* the last entry never ends */
	load();
	assert_false(env.lost);
	assert_non_null(lb_env_get(&env, "lifeboat_bootAAAAAAAA") ? NULL : "absent");
	assert_null(lb_env_get(&env, "a"));
	assert_int_equal(lb_env_set(&env, "x", "1"), -LB_E_TOO_BIG);
	assert_int_equal(lb_env_set(&env, "x", NULL), 0);

	store_raw("v=1\0v=2\0w=3\0v=4\0", 17, 0); /* the last one counts, all are replaced */
	load();
	assert_string_equal(lb_env_get(&env, "v"), "4");
	assert_int_equal(lb_env_set(&env, "v", "5"), 0);
	assert_memory_equal(env.data, "w=3\0v=5\0\0\0\0", 11);

	store_raw("b=", 2, 'B'); /* an endless value, removed */
	load();
	assert_int_equal(strlen(lb_env_get(&env, "b")), SIZE - 5 - 2);
	assert_int_equal(lb_env_set(&env, "b", "1"), 0);
	assert_memory_equal(env.data, "b=1\0\0", 5);

	store_raw("\0hidden=1\0", 10, 0); /* behind the end of the list */
	load();
	assert_null(lb_env_get(&env, "hidden"));
}

static void values_that_u_boot_could_misread_are_refused(void **state)
{
	char long_value[SIZE];

	(void)state;
	load();
	assert_int_equal(lb_env_set(&env, "", "x"), -LB_E_INVALID);
	assert_int_equal(lb_env_set(&env, "a=b", "x"), -LB_E_INVALID);
	assert_int_equal(lb_env_set(&env, "a b", "x"), -LB_E_INVALID);
	assert_int_equal(lb_env_set(&env, "a", "x\ny"), -LB_E_INVALID);
	assert_int_equal(lb_env_set(&env, "a", "\x80"), -LB_E_INVALID);
	memset(long_value, 'x', sizeof(long_value));
	long_value[SIZE - 5 - 4] = '\0'; /* a= value NUL NUL: exactly one copy */
	assert_int_equal(lb_env_set(&env, "a", long_value), 0);
	assert_int_equal(lb_env_set(&env, "b", "1"), -LB_E_TOO_BIG);
	assert_int_equal(lb_env_commit(&env, NULL), 0);
	load();
	assert_string_equal(lb_env_get(&env, "a"), long_value);
	long_value[SIZE - 5 - 4] = 'x';
	long_value[SIZE - 5 - 3] = '\0';
	assert_int_equal(lb_env_set(&env, "a", long_value), -LB_E_TOO_BIG);
	assert_int_equal(lb_env_set(&env, "a", "short"), 0);
}

static void sizes_out_of_bounds_are_refused(void **state)
{
	(void)state;
	copy_[1].blk.size_bytes = SIZE - 1;
	assert_int_equal(lb_env_load(&env, &copy_[0].blk, &copy_[1].blk, NULL), -LB_E_INVALID);
	copy_[0].blk.size_bytes = copy_[1].blk.size_bytes = 63;
	assert_int_equal(lb_env_load(&env, &copy_[0].blk, &copy_[1].blk, NULL), -LB_E_INVALID);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(writes_what_mkenvimage_writes),
		CASE(changes_keep_every_other_byte),
		CASE(the_newer_copy_is_the_one_u_boot_would_use),
		CASE(six_hundred_commits_alternate_and_wrap),
		CASE(a_broken_copy_is_passed_over_and_written_next),
		CASE(a_failed_commit_may_be_repeated),
		CASE(a_copy_that_cannot_be_written_does_not_stop_commits),
		CASE(garbage_with_a_valid_checksum_is_walked_within_its_bounds),
		CASE(values_that_u_boot_could_misread_are_refused),
		CASE(sizes_out_of_bounds_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
