// SPDX-License-Identifier: GPL-2.0-or-later
/* Small files are read whole or not at all, and replaced at once; a lock has one holder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#include "linux/fs.h"
#include "linux/lock.h"

static char folder[64], path[80], part[96];

static int setup(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/lb-fs-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/file", folder);
	snprintf(part, sizeof(part), "%s.part", path);
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	unlink(part);
	return rmdir(folder);
}

static void test_what_is_written_is_read(void **state)
{
	char buf[16];
	struct stat st;

	assert_int_equal(lb_fs_write(path, "first", 5, 0600, NULL), 0);
	assert_int_equal(lb_fs_write(path, "", 0, 0600, NULL), 0);
	assert_int_equal(lb_fs_read(path, buf, sizeof(buf), NULL), 0);
	assert_int_equal(lb_fs_write(path, "second", 6, 0600, NULL), 0);
	assert_int_equal(lb_fs_read(path, buf, sizeof(buf), NULL), 6);
	assert_memory_equal(buf, "second", 6);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(access(part, F_OK), -1);
}

static void test_longer_file_is_refused(void **state)
{
	struct lb_error err = { 0 };
	char buf[6];

	assert_int_equal(lb_fs_write(path, "123456", 6, 0644, NULL), 0);
	assert_int_equal(lb_fs_read(path, buf, 6, NULL), 6);
	assert_int_equal(lb_fs_read(path, buf, 5, &err), -LB_E_TOO_BIG);
	assert_non_null(strstr(err.text, "longer than 5 bytes"));
}

static void test_file_that_cannot_be_read_is_named(void **state)
{
	struct lb_error err = { 0 };
	char buf[8];

	assert_int_equal(lb_fs_read(path, buf, sizeof(buf), &err), -LB_E_NOT_FOUND);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(lb_fs_read(folder, buf, sizeof(buf), &err), -LB_E_IO);
	assert_int_equal(lb_fs_read("/dev/null/x", buf, sizeof(buf), &err), -LB_E_IO);
}

/* As when the file system is full: the old file stays, and nothing beside it. */
static void test_write_that_fails_leaves_the_old_file(void **state)
{
	struct rlimit old, none = { 0 };
	struct lb_error err = { 0 };
	char buf[8];

	assert_int_equal(lb_fs_write(path, "old", 3, 0644, NULL), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	none.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(lb_fs_write(path, "new", 3, 0644, &err), -LB_E_IO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(lb_fs_read(path, buf, sizeof(buf), NULL), 3);
	assert_memory_equal(buf, "old", 3);
	assert_int_equal(access(part, F_OK), -1);
}

static void test_place_that_cannot_be_written_is_refused(void **state)
{
	struct lb_error err = { 0 };
	char text[PATH_MAX + 1];

	assert_int_equal(lb_fs_write("/dev/null/x", "x", 1, 0644, &err), -LB_E_IO);
	assert_int_equal(lb_fs_write(folder, "x", 1, 0644, &err), -LB_E_IO);
	memset(text, 'a', PATH_MAX);
	text[PATH_MAX] = '\0';
	assert_int_equal(lb_fs_write(text, "x", 1, 0644, &err), -LB_E_INVALID);
	snprintf(text, sizeof(text), "%s.part", folder);
	assert_int_equal(access(text, F_OK), -1);
}

static void test_lock_has_one_holder(void **state)
{
	struct lb_error err = { 0 };
	int fd = lb_lock_take(path, &err);

	assert_true(fd >= 0);
	assert_int_equal(lb_lock_take(path, &err), -LB_E_BUSY);
	close(fd);
	fd = lb_lock_take(path, &err);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(lb_lock_take("/dev/null/x", &err), -LB_E_IO);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_written_is_read),
		TEST(test_longer_file_is_refused),
		TEST(test_file_that_cannot_be_read_is_named),
		TEST(test_write_that_fails_leaves_the_old_file),
		TEST(test_place_that_cannot_be_written_is_refused),
		TEST(test_lock_has_one_holder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
