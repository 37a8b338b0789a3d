// SPDX-License-Identifier: GPL-2.0-or-later
/* Bundles in files and pipes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux/source_file.h"

static char dir[] = "/tmp/lb-source-XXXXXX";
static char path[64];

static void put(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void read_equals(struct lb_source *s, const char *want)
{
	struct lb_error err = { 0 };
	char buf[64] = "";

	if (lb_source_read_full(s, buf, strlen(want), &err))
		fail_msg("%s", err.text);
	assert_string_equal(buf, want);
}

static void file_is_read_in_any_order(void **state)
{
	struct lb_error err = { 0 };
	struct lb_source *s = NULL;
	char byte;

	put("0123456789");
	assert_int_equal(lb_source_file_open(path, &s, &err), 0);
	assert_false(s->sequential);
	assert_int_equal(lb_source_seek(s, 6, 4, &err), 0);
	read_equals(s, "6789");
	assert_int_equal(lb_source_read(s, &byte, 1, &err), 0);
	assert_int_equal(lb_source_seek(s, 2, 3, &err), 0);
	read_equals(s, "234");
	assert_int_equal(s->fetched_bytes, 7);
	assert_int_equal(lb_source_seek(s, 100, 1, &err), 0);
	assert_int_equal(lb_source_read(s, &byte, 1, &err), 0);
	assert_int_equal(lb_source_read_full(s, &byte, 1, &err), -LB_E_TRUNCATED);
	lb_source_close(s);
}

static void pipe_is_read_through_and_never_back(void **state)
{
	struct lb_error err = { 0 };
	struct lb_source *s = NULL;
	int fds[2], keep = dup(STDIN_FILENO);

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "0123456789", 10), 10);
	close(fds[1]);
	dup2(fds[0], STDIN_FILENO);
	close(fds[0]);
	assert_int_equal(lb_source_file_open("-", &s, &err), 0);
	assert_true(s->sequential);
	read_equals(s, "01");
	assert_int_equal(lb_source_seek(s, 5, 2, &err), 0);
	read_equals(s, "56");
	assert_int_equal(lb_source_seek(s, 4, 2, &err), -LB_E_UNSUPPORTED);
	assert_int_equal(lb_source_seek(s, 7, 3, &err), 0);
	read_equals(s, "789");
	assert_int_equal(s->fetched_bytes, 10);
	lb_source_close(s);
	dup2(keep, STDIN_FILENO);
	close(keep);
}

static void a_file_as_standard_input_can_seek(void **state)
{
	struct lb_error err = { 0 };
	struct lb_source *s = NULL;
	int keep = dup(STDIN_FILENO), fd;

	put("xx0123456789");
	fd = open(path, O_RDONLY);
	assert_int_equal(lseek(fd, 2, SEEK_SET), 2);
	dup2(fd, STDIN_FILENO);
	close(fd);
	assert_int_equal(lb_source_file_open("-", &s, &err), 0);
	assert_false(s->sequential);
	assert_int_equal(lb_source_seek(s, 8, 2, &err), 0);
	read_equals(s, "89");
	assert_int_equal(lb_source_seek(s, 0, 2, &err), 0);
	read_equals(s, "01");
	lb_source_close(s);
	dup2(keep, STDIN_FILENO);
	close(keep);
}

static void missing_file_and_folder_are_told_apart(void **state)
{
	struct lb_error err = { 0 };
	struct lb_source *s = NULL;

	assert_int_equal(lb_source_file_open("/nonexistent/x.lbu", &s, &err), -LB_E_NOT_FOUND);
	assert_int_equal(lb_source_file_open("/tmp", &s, &err), -LB_E_IO);
	assert_null(s);
}

/* /proc/self/mem opens, and reading its unmapped byte 0 fails with EIO as a pulled stick does */
static void a_vanished_stick_is_opened_again_at_the_next_seek(void **state)
{
	struct lb_error err = { 0 };
	struct lb_source *s = NULL;
	char byte;

	assert_int_equal(symlink("/proc/self/mem", path), 0);
	assert_int_equal(lb_source_file_open(path, &s, &err), 0);
	assert_int_equal(lb_source_read(s, &byte, 1, &err), -LB_E_AGAIN);
	assert_int_equal(lb_source_read(s, &byte, 1, &err), -LB_E_AGAIN); /* not before a seek */

	assert_int_equal(unlink(path), 0); /* still pulled */
	assert_int_equal(lb_source_seek(s, 1, 4, &err), -LB_E_AGAIN);
	assert_int_equal(symlink("/proc/self/mem", path), 0);
	assert_int_equal(lb_source_seek(s, 1, 4, &err), 0);
	assert_int_equal(lb_source_read(s, &byte, 1, &err), -LB_E_AGAIN);

	assert_int_equal(unlink(path), 0);
	put("another file");
	assert_int_equal(lb_source_seek(s, 1, 4, &err), -LB_E_CHANGED);
	lb_source_close(s);
}

/* No link, neither the file nor its folder; a FIFO or a device is not even waited for. */
static void on_a_medium_only_regular_files_are_read(void **state)
{
	struct lb_error err = { 0 };
	struct lb_source *s = NULL;
	char link[64];
	char byte;

	assert_int_equal(lb_source_medium_open(path, &s, &err), -LB_E_NOT_FOUND);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(lb_source_medium_open(path, &s, &err), -LB_E_IO);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(lb_source_medium_open(path, &s, &err), -LB_E_IO);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(lb_source_medium_open(dir, &s, &err), -LB_E_IO);
	assert_null(s);

	put("bundle");
	snprintf(link, sizeof(link), "%s-link", dir);
	assert_int_equal(symlink(dir, link), 0);
	strcat(link, "/a.lbu");
	assert_int_not_equal(lb_source_medium_open(link, &s, &err), 0);
	assert_int_equal(lb_source_medium_open(path, &s, &err), 0);
	assert_int_equal(lb_source_read(s, &byte, 1, &err), 1);
	assert_int_equal(byte, 'b');
	lb_source_close(s);
	link[strlen(link) - strlen("/a.lbu")] = '\0';
	unlink(link);
}

static int set_up(void **state)
{
	strcpy(dir, "/tmp/lb-source-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a.lbu", dir);
	return 0;
}

static int tear_down(void **state)
{
	unlink(path);
	return rmdir(dir);
}

int main(void)
{
#define IN_DIR(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		IN_DIR(file_is_read_in_any_order),
		IN_DIR(pipe_is_read_through_and_never_back),
		IN_DIR(a_file_as_standard_input_can_seek),
		IN_DIR(a_vanished_stick_is_opened_again_at_the_next_seek),
		IN_DIR(on_a_medium_only_regular_files_are_read),
		IN_DIR(missing_file_and_folder_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
