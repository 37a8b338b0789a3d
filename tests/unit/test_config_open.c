// SPDX-License-Identifier: GPL-2.0-or-later
/* From a configuration to keys, hardware and slots, on files; what is wrong is named. */
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

#include "linux/config_open.h"

static char folder[32];
static struct lb_config config;

static const char *in_folder(const char *name)
{
	static char path[96];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void put(const char *name, const void *bytes, size_t len, mode_t mode)
{
	int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

/* The key that signed tests/golden. */
static void put_key(const char *name)
{
	char pem[1024];
	FILE *f = fopen("tests/golden/key.pub.pem", "r");
	size_t len;

	assert_non_null(f);
	len = fread(pem, 1, sizeof(pem), f);
	fclose(f);
	put(name, pem, len, 0644);
}

static int setup(void **state)
{
	memset(&config, 0, sizeof(config));
	snprintf(folder, sizeof(folder), "/tmp/lb-config-XXXXXX");
	assert_non_null(mkdtemp(folder));
	config.key_count = 1;
	snprintf(config.keys[0], sizeof(config.keys[0]), "%s", folder);
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = { "a.pem", "b.pem", ".c.pem", "d.txt", "slot" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(in_folder(names[i]));
	return rmdir(folder);
}

static int load_keys(uint32_t *count, struct lb_error *err)
{
	struct lb_keyring ring = { 0 };
	int r = lb_config_load_keys(&config, &ring, err);

	*count = ring.count;
	lb_keyring_free(&ring);
	return r;
}

static void test_folder_of_keys_is_its_pem_files(void **state)
{
	struct lb_error err = { 0 };
	uint32_t count;

	assert_int_equal(load_keys(&count, &err), -LB_E_NOT_FOUND);
	put_key("a.pem");
	put(".c.pem", "hidden", 6, 0644);
	put("d.txt", "no key", 6, 0644);
	assert_int_equal(load_keys(&count, &err), 0);
	assert_int_equal(count, 1);
	snprintf(config.keys[0], sizeof(config.keys[0]), "%s", in_folder("a.pem"));
	assert_int_equal(load_keys(&count, &err), 0);
	assert_int_equal(count, 1);
}

static void test_bad_key_is_named(void **state)
{
	struct lb_error err = { 0 };
	char large[8192] = { 0 };
	uint32_t count;

	put_key("a.pem");
	put("b.pem", "no key", 6, 0644);
	assert_true(load_keys(&count, &err) < 0);
	assert_non_null(strstr(err.text, "b.pem"));
	put("b.pem", large, sizeof(large), 0644);
	assert_int_equal(load_keys(&count, &err), -LB_E_TOO_BIG);
	assert_non_null(strstr(err.text, "b.pem"));
	unlink(in_folder("b.pem"));
	assert_int_equal(mkdir(in_folder("b.pem"), 0700), 0);
	assert_int_equal(load_keys(&count, &err), -LB_E_IO);
	rmdir(in_folder("b.pem"));
	snprintf(config.keys[0], sizeof(config.keys[0]), "%s", in_folder("nothing"));
	assert_int_equal(load_keys(&count, &err), -LB_E_IO);
	assert_non_null(strstr(err.text, "nothing"));
}

static void test_device_is_what_the_file_says(void **state)
{
	struct lb_device d = { .recovery_release = 7 };
	struct lb_error err = { 0 };

	snprintf(config.product, sizeof(config.product), "lamp");
	config.floor_release = 3;
	if (access("/proc/device-tree/compatible", F_OK)) { /* not on a board: nobody knows */
		assert_int_equal(lb_config_device(&config, &d, &err), -LB_E_NOT_FOUND);
		assert_int_equal(d.recovery_release, 7);
	}
	config.hardware_count = 1;
	snprintf(config.hardware[0], sizeof(config.hardware[0]), "acme,lamp");
	assert_int_equal(lb_config_device(&config, &d, &err), 0);
	assert_string_equal(d.product, "lamp");
	assert_int_equal(d.hardware_count, 1);
	assert_string_equal(d.hardware[0], "acme,lamp");
	assert_int_equal(d.floor_release, 3);
	assert_int_equal(d.recovery_release, 0);
}

static void add_slot(uint64_t offset, uint64_t size)
{
	struct lb_config_slot *slot = &config.slots[0];

	config.slot_count = 1;
	snprintf(slot->name, sizeof(slot->name), "root");
	snprintf(slot->region.path, sizeof(slot->region.path), "%s", in_folder("slot"));
	slot->region.offset = offset;
	slot->region.size_bytes = size;
}

static void test_slot_sizes_are_found_without_writing(void **state)
{
	struct lb_config_slots s;
	uint64_t bytes = 1;

	lb_config_slots_init(&s, &config);
	add_slot(1000, 0);
	assert_string_equal(s.lookup.name(&s.lookup, 0), "root");
	assert_null(s.lookup.name(&s.lookup, 1));
	assert_int_equal(s.lookup.size(&s.lookup, "boot", &bytes), -LB_E_NO_SLOT);
	assert_int_equal(s.lookup.size(&s.lookup, "root", &bytes), -LB_E_NO_SLOT);
	put("slot", (char[5000]){ 0 }, 5000, 0600);
	assert_int_equal(s.lookup.size(&s.lookup, "root", &bytes), 0);
	assert_int_equal(bytes, 4000);
	add_slot(1000, 3000);
	assert_int_equal(s.lookup.size(&s.lookup, "root", &bytes), 0);
	assert_int_equal(bytes, 3000);
	add_slot(5001, 0);
	assert_int_equal(s.lookup.size(&s.lookup, "root", &bytes), -LB_E_NO_SLOT);
	add_slot(0, 0);
	put("slot", (char[5000]){ 0 }, 5000, 0400);
	assert_int_equal(s.lookup.size(&s.lookup, "root", &bytes), -LB_E_READ_ONLY);
	assert_int_equal(bytes, 3000);
}

static void test_region_is_its_window(void **state)
{
	struct lb_error err = { 0 };
	struct lb_blk *b;

	put("slot", (char[5000]){ 0 }, 5000, 0600);
	add_slot(1000, 3000);
	assert_int_equal(lb_config_open_region(&config.slots[0].region, true, "root", &b, &err), 0);
	assert_int_equal(b->size_bytes, 3000);
	lb_blk_close(b);
	add_slot(1000, 5000);
	assert_int_equal(lb_config_open_region(&config.slots[0].region, true, "root", &b, &err),
			 -LB_E_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_folder_of_keys_is_its_pem_files),
		TEST(test_bad_key_is_named),
		TEST(test_device_is_what_the_file_says),
		TEST(test_slot_sizes_are_found_without_writing),
		TEST(test_region_is_its_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
