// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * CONFIG_FLOOR of a build that has one: it is the floor of every program, also of the
 * agent, unless the file names another. The code under test is compiled in here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LB_LINUX_BUILT_IN_H
#define LB_BUILT_IN_FLOOR 7
#include "linux/config.c"

static uint64_t floor_of(const char *setting)
{
	char path[] = "/tmp/lifeboat-floor-XXXXXX", text[300];
	int fd = mkstemp(path), len;
	struct lb_error err = { 0 };
	struct lb_config c;

	assert_true(fd >= 0);
	len = snprintf(text, sizeof(text),
		       "{ \"product\": \"p\", %s \"state\": \"/s\", \"environment\": [\"/a\", \"/b\"], "
		       "\"slots\": { \"root\": \"/r\" }, \"keys\": \"/k\" }", setting);
	assert_int_equal(write(fd, text, (size_t)len), len);
	close(fd);
	if (lb_config_load(path, &c, NULL, &err))
		fail_msg("%s", err.text);
	unlink(path);
	return c.floor_release;
}

static void the_build_has_a_floor(void **state)
{
	(void)state;
	assert_int_equal(floor_of(""), 7);
}

static void the_file_may_name_another(void **state)
{
	(void)state;
	assert_int_equal(floor_of("\"floor\": 9,"), 9);
	assert_int_equal(floor_of("\"floor\": 0,"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_build_has_a_floor),
		cmocka_unit_test(the_file_may_name_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
