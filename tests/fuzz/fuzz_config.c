// SPDX-License-Identifier: GPL-2.0-or-later
/* A configuration file, through a file in memory. The mode says which allocation fails. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "linux/config.h"

static int put_file(const uint8_t *data, size_t size, char *path, size_t path_size)
{
	int fd = memfd_create("config", MFD_CLOEXEC);

	CHECK(fd >= 0);
	CHECK(write(fd, data, size) == (ssize_t)size);
	snprintf(path, path_size, "/proc/self/fd/%d", fd);
	return fd;
}

static void check_path(const char *path)
{
	CHECK(memchr(path, '\0', LB_CONFIG_PATH_MAX + 1));
	CHECK(!path[0] || path[0] == '/');
}

static void check_config(const struct lb_config *c)
{
	CHECK(lb_name_valid(c->product));
	CHECK(c->hardware_count <= LB_CONFIG_HARDWARE_MAX && c->slot_count <= LB_CONFIG_SLOTS_MAX);
	CHECK(c->key_count && c->key_count <= LB_CONFIG_KEYS_MAX);
	for (uint32_t i = 0; i < c->hardware_count; i++)
		CHECK(lb_compatible_valid(c->hardware[i]));
	for (uint32_t i = 0; i < c->slot_count; i++) {
		CHECK(lb_name_valid(c->slots[i].name));
		check_path(c->slots[i].region.path);
		CHECK(lb_config_slot(c, c->slots[i].name) == &c->slots[i]);
	}
	CHECK(!lb_config_slot(c, "no slot has blanks"));
	for (uint32_t i = 0; i < c->key_count; i++)
		check_path(c->keys[i]);
	check_path(c->state.path);
	check_path(c->env[0].path);
	check_path(c->env[1].path);
	check_path(c->ca_file);
}

static void load(const char *path, uint8_t fail_nth, size_t size)
{
	static struct lb_config c, before;
	struct lb_error err = { 0 };
	struct fuzz_alloc spent;
	cJSON *root = NULL;
	int rc;

	memset(&c, 0x5a, sizeof(c));
	before = c;
	fuzz_alloc_start(fail_nth);
	rc = lb_config_load(path, &c, &root, &err);
	spent = fuzz_alloc_stop();
	CHECK_RESULT(rc, &err);
	CHECK(spent.total_bytes <= 64 * size + sizeof(c) + LB_CONFIG_MAX_BYTES + 4096);
	if (rc) {
		CHECK(!memcmp(&c, &before, sizeof(c)) && !root && !spent.balance);
	} else {
		check_config(&c);
		cJSON_Delete(root);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t mode = fuzz_take_mode(data, &size);
	char path[64];
	int fd;

	if (mode == 0xff) {
		load("/nowhere/that/exists", 0, 0);
		load("/proc/self", 0, 0); /* a folder: opens, but cannot be read */
		CHECK(lb_config_fail("f", NULL, -LB_E_FORMAT, NULL) == -LB_E_FORMAT);
		return 0;
	}
	fd = put_file(data, size, path, sizeof(path));
	load(path, mode, size);
	close(fd);
	return 0;
}
