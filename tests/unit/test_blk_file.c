// SPDX-License-Identifier: GPL-2.0-or-later
/* Slots on regular files: every offset, length and address reads what was written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#include "linux/blk_file.h"

#define FILE_BYTES (300u * 1024u + 123u) /* ends inside a block */

static char path[64];

static uint8_t expected(uint64_t at)
{
	return (uint8_t)(at * 2654435761u >> 13);
}

static void make_file(const char *dir)
{
	uint8_t *bytes = malloc(FILE_BYTES);
	int fd;

	snprintf(path, sizeof(path), "%s/lb-blk-XXXXXX", dir);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	for (uint32_t i = 0; i < FILE_BYTES; i++)
		bytes[i] = expected(i);
	assert_int_equal(write(fd, bytes, FILE_BYTES), FILE_BYTES);
	close(fd);
	free(bytes);
}

static struct lb_blk *open_ok(uint64_t offset, uint64_t size, bool writable)
{
	struct lb_error err = { 0 };
	struct lb_blk *b = NULL;

	if (lb_blk_file_open(path, offset, size, writable, "root", &b, &err))
		fail_msg("%s", err.text);
	return b;
}

static void check_range(struct lb_blk *b, uint64_t window, uint64_t offset, size_t len)
{
	uint8_t *buf = malloc(len + 1);

	for (int medium = 0; medium < 2; medium++) {
		memset(buf, 0xa5, len + 1);
		assert_int_equal(medium ? lb_blk_read_medium(b, offset, buf, len) :
					  lb_blk_read(b, offset, buf, len), 0);
		for (size_t i = 0; i < len; i++)
			assert_int_equal(buf[i], expected(window + offset + i));
		assert_int_equal(buf[len], 0xa5);
	}
	free(buf);
}

static void check_many(uint64_t window)
{
	static const uint64_t offsets[] = { 0, 1, 511, 512, 4095, 4096, 65535, 65536, 70001 };
	static const size_t lens[] = { 0, 1, 511, 4096, 4097, 65535, 65536, 65537, 200000 };
	struct lb_blk *b = open_ok(window, 0, false);

	assert_int_equal(b->size_bytes, FILE_BYTES - window);
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
		for (size_t j = 0; j < sizeof(lens) / sizeof(lens[0]); j++)
			if (offsets[i] + lens[j] <= b->size_bytes)
				check_range(b, window, offsets[i], lens[j]);
	check_range(b, window, b->size_bytes - 1, 1); /* the odd end of the device */
	check_range(b, window, b->size_bytes - 5000, 5000);
	lb_blk_close(b);
}

static void reads_any_offset_length_and_address(void **state)
{
	check_many(0);
	check_many(1);
	check_many(12345);
	check_many(65536);
}

static void range_outside_the_region_is_refused(void **state)
{
	struct lb_blk *b = open_ok(4096, 8192, true);
	char byte = 0;

	assert_int_equal(b->size_bytes, 8192);
	assert_int_equal(lb_blk_read(b, 8192, &byte, 1), -LB_E_INVALID);
	assert_int_equal(lb_blk_write(b, 8191, "ab", 2), -LB_E_INVALID);
	assert_int_equal(lb_blk_read_medium(b, UINT64_MAX, &byte, 1), -LB_E_INVALID);
	lb_blk_close(b);
}

static void region_larger_than_the_device_is_refused(void **state)
{
	struct lb_error err = { 0 };
	struct lb_blk *b = NULL;

	assert_int_equal(lb_blk_file_open(path, 4096, FILE_BYTES, false, "root", &b, &err),
			 -LB_E_INVALID);
	assert_non_null(strstr(err.text, "307323"));
	assert_int_equal(lb_blk_file_open(path, FILE_BYTES + 1, 0, false, "root", &b, &err),
			 -LB_E_INVALID);
	assert_null(b);
}

static void write_is_read_back_from_the_medium(void **state)
{
	uint8_t data[10000], back[10000];
	struct lb_blk *b = open_ok(4096, 131072, true);

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	assert_int_equal(lb_blk_write(b, 3333, data, sizeof(data)), 0);
	assert_int_equal(lb_blk_flush(b), 0);
	assert_int_equal(lb_blk_read_medium(b, 3333, back, sizeof(back)), 0);
	assert_memory_equal(data, back, sizeof(data));
	lb_blk_close(b);

	b = open_ok(0, 0, false);
	assert_int_equal(lb_blk_read(b, 4096 + 3333, back, sizeof(back)), 0);
	assert_memory_equal(data, back, sizeof(data));
	lb_blk_close(b);
}

/* Whoever reads on is served from what was read ahead, but never with bytes from before a write. */
static void what_was_read_ahead_is_forgotten_by_a_write(void **state)
{
	uint8_t new_bytes[9000], back[9000];
	struct lb_blk *b = open_ok(0, 0, true);

	(void)state;
	memset(new_bytes, 0xee, sizeof(new_bytes));
	for (uint64_t at = 0; at + sizeof(back) < b->size_bytes; at += sizeof(back) + 1000) {
		check_range(b, 0, at, 1000);
		assert_int_equal(lb_blk_write(b, at + 1000, new_bytes, sizeof(new_bytes)), 0);
		assert_int_equal(lb_blk_flush(b), 0);
		assert_int_equal(lb_blk_read_medium(b, at + 1000, back, sizeof(back)), 0);
		assert_memory_equal(back, new_bytes, sizeof(back));
	}
	check_range(b, 0, 0, 1000);
	if (lb_blk_zero(b, 0, b->size_bytes) == 1) { /* tmpfs and ext4 can */
		assert_int_equal(lb_blk_read_medium(b, 1000, back, sizeof(back)), 0);
		assert_int_equal(back[0] | back[1] | back[8999], 0);
	}
	lb_blk_close(b);
}

static void who_does_not_read_on_asks_the_medium(void **state)
{
	uint8_t new_bytes[9000], back[9000];
	struct lb_blk *b = open_ok(0, 0, false), *other = open_ok(0, 0, true);

	(void)state;
	memset(new_bytes, 0xee, sizeof(new_bytes));
	check_range(b, 0, 0, 1000);
	assert_int_equal(lb_blk_write(other, 8192, new_bytes, sizeof(new_bytes)), 0);
	assert_int_equal(lb_blk_flush(other), 0);
	assert_int_equal(lb_blk_read_medium(b, 8192, back, sizeof(back)), 0);
	assert_memory_equal(back, new_bytes, sizeof(back));
	lb_blk_close(other);
	lb_blk_close(b);
}

/* Whole blocks into memory that begins with one; at times another read comes between. */
static void whole_blocks_are_what_is_there(void **state)
{
	static const uint64_t starts[] = { 0, 4096 };
	uint32_t len = 32768, blocks = FILE_BYTES / 4096 * 4096;
	uint8_t *now = aligned_alloc(4096, len);

	for (size_t i = 0; i < 2; i++) {
		struct lb_blk *b = open_ok(starts[i], blocks - starts[i], true);

		for (uint64_t at = 0; at + len <= b->size_bytes; at += len) {
			assert_int_equal(lb_blk_read_medium(b, at, now, len), 0);
			for (uint32_t n = 0; n < len; n++)
				assert_int_equal(now[n], expected(starts[i] + at + n));
			if (at / len % 3 == 2)
				check_range(b, starts[i], at + 5, 1000);
		}
		lb_blk_close(b);
	}
	free(now);
}

/* What is in the cache need not be on the medium: afterwards nothing is in the cache, or nothing is promised. */
static void what_is_forgotten_comes_from_the_medium(void **state)
{
	uint8_t *bytes = calloc(1, FILE_BYTES);
	struct lb_blk *b = open_ok(0, 0, true), *read_only = open_ok(0, 0, false);
	int forgotten;

	assert_int_equal(lb_blk_write(b, 4096, bytes, 60000), 0);
	forgotten = lb_blk_forget(b);
	assert_in_range(forgotten, 0, 1); /* 0: tmpfs is nothing but cache */
	assert_int_equal(lb_blk_read(b, 4096, bytes, 60000), 0);
	for (uint32_t n = 0; n < 60000; n++)
		assert_int_equal(bytes[n], 0);
	check_range(b, 0, 0, 4096);
	assert_int_equal(lb_blk_forget(read_only), 0); /* its pages are others' too */
	lb_blk_close(read_only);
	lb_blk_close(b);
	free(bytes);
}

/* A page that somebody holds stays in the cache, whatever the kernel is told: that is noticed. */
static void what_stays_in_the_cache_is_not_called_forgotten(void **state)
{
	struct lb_blk *b = open_ok(0, 0, true);
	int fd = open(path, O_RDWR | O_CLOEXEC), forgotten = lb_blk_forget(b);
	volatile uint8_t *held = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	assert_ptr_not_equal(held, MAP_FAILED);
	assert_int_equal(held[17], expected(17));
	if (forgotten)
		assert_int_equal(lb_blk_forget(b), 0);
	munmap((void *)(uintptr_t)held, 4096);
	close(fd);
	lb_blk_close(b);
}

/* Where the file system has no holes it says so, and nothing is promised. */
static void zeros_are_made_at_any_offset_and_nowhere_else(void **state)
{
	static const uint64_t offsets[] = { 0, 1, 4095, 4096, 12288 };
	static const uint64_t lens[] = { 1, 4095, 4096, 8192, 50000 };
	static uint8_t back[FILE_BYTES];

	for (size_t i = 0; i < 25; i++) {
		uint64_t from = 4096 + 77 + offsets[i / 5], to = from + lens[i % 5];
		struct lb_blk *b = open_ok(4096 + 77, 131072, true);
		int made = lb_blk_zero(b, offsets[i / 5], lens[i % 5]);

		assert_in_range(made, 0, 1);
		if (lens[i % 5] > 8192)
			assert_int_equal(made, 1); /* ext4, xfs, btrfs and tmpfs can */
		assert_int_equal(lb_blk_flush(b), 0);
		lb_blk_close(b);
		b = open_ok(0, 0, true);
		assert_int_equal(lb_blk_read_medium(b, 0, back, FILE_BYTES), 0);
		for (uint64_t at = 0; at < FILE_BYTES; at++) {
			bool zero = made && at >= from && at < to;

			assert_int_equal(back[at], zero ? 0 : expected(at));
			back[at] = expected(at);
		}
		assert_int_equal(lb_blk_write(b, 0, back, FILE_BYTES), 0);
		lb_blk_close(b);
	}
}

/* The file of the test as a block device; -1: not possible here. Detached when it is closed. */
static int attach_loop(char *ret_path, size_t size)
{
	struct loop_info64 info = { .lo_flags = LO_FLAGS_AUTOCLEAR };
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), loop = -1, file, number;

	if (control < 0)
		return -1;
	for (int tries = 0; loop < 0 && tries < 20; tries++) { /* somebody else may take it */
		number = ioctl(control, LOOP_CTL_GET_FREE);
		snprintf(ret_path, size, "/dev/loop%d", number);
		loop = number < 0 ? -1 : open(ret_path, O_RDWR | O_CLOEXEC);
		file = open(path, O_RDWR | O_CLOEXEC);
		if (loop >= 0 && (ioctl(loop, LOOP_SET_FD, file) ||
				  ioctl(loop, LOOP_SET_STATUS64, &info))) {
			close(loop);
			loop = -1;
		}
		close(file);
	}
	close(control);
	return loop;
}

/* Pages that the cache holds dirty meet the hole, and neighbours keep what they have. */
static void a_block_device_makes_zeros_too(void **state)
{
	static uint8_t back[FILE_BYTES];
	uint32_t bytes = FILE_BYTES / 4096 * 4096;
	struct lb_error err = { 0 };
	struct lb_blk *b = NULL;
	char device[32];
	int loop = attach_loop(device, sizeof(device));

	if (loop < 0)
		skip();
	if (lb_blk_file_open(device, 4096 + 512, 200000, true, "root", &b, &err))
		fail_msg("%s", err.text);
	for (uint32_t i = 0; i < bytes; i++)
		back[i] = (uint8_t)~expected(i);
	assert_int_equal(lb_blk_write(b, 0, back + 4608, 200000), 0); /* and not flushed */
	assert_int_equal(lb_blk_zero(b, 1000, 100001), 1);
	assert_int_equal(lb_blk_flush(b), 0);
	assert_int_equal(lb_blk_read_medium(b, 0, back, 200000), 0);
	for (uint32_t i = 0; i < 200000; i++)
		assert_int_equal(back[i], i >= 1000 && i < 101001 ? 0 : (uint8_t)~expected(4608 + i));
	lb_blk_close(b);
	close(loop);
}

static void zeros_are_refused_as_writes_are(void **state)
{
	struct lb_blk *b = open_ok(4096, 8192, true);

	assert_int_equal(lb_blk_zero(b, 8192, 1), -LB_E_INVALID);
	assert_int_equal(lb_blk_zero(b, 1, UINT64_MAX), -LB_E_INVALID);
	lb_blk_close(b);
	b = open_ok(4096, 8192, false);
	assert_int_equal(lb_blk_zero(b, 0, 8192), -LB_E_READ_ONLY);
	lb_blk_close(b);
}

static void missing_and_read_only_slots_have_their_codes(void **state)
{
	struct lb_error err = { 0 };
	struct lb_blk *b = NULL;

	assert_int_equal(lb_blk_file_open("/nonexistent/root", 0, 0, true, "root", &b, &err),
			 -LB_E_NO_SLOT);
	assert_non_null(strstr(err.text, "slot root"));
	b = open_ok(0, 0, false);
	assert_int_equal(lb_blk_write(b, 0, "x", 1), -LB_E_READ_ONLY);
	lb_blk_close(b);
}

/* A file system that turned read-only; needs root for the mount. */
static void read_only_file_system_is_a_read_only_slot(void **state)
{
	char dir[] = "/tmp/lb-ro-XXXXXX", file[64];
	struct lb_error err = { 0 };
	struct lb_blk *b = NULL;

	assert_non_null(mkdtemp(dir));
	if (mount("none", dir, "tmpfs", 0, "size=64k")) {
		rmdir(dir);
		skip();
	}
	snprintf(file, sizeof(file), "%s/root", dir);
	close(open(file, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(mount("none", dir, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(lb_blk_file_open(file, 0, 0, true, "root", &b, &err), -LB_E_READ_ONLY);
	umount(dir);
	rmdir(dir);
}

static void full_device_is_told_with_numbers(void **state)
{
	struct rlimit limit, old;
	struct lb_error err = { 0 };
	struct lb_blk *b = open_ok(0, 0, true);
	int code;

	/* the file may not grow past this: pwrite fails with EFBIG there */
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	limit = old;
	limit.rlim_cur = 8192;
	setrlimit(RLIMIT_FSIZE, &limit);
	code = lb_blk_write(b, 8000, path, sizeof(path));
	assert_int_equal(code, 0); /* short of the limit */
	code = lb_blk_write(b, 8190, path, sizeof(path));
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(code, -LB_E_IO);
	assert_int_equal(lb_blk_error(b, code, &err), -LB_E_IO);
	assert_string_equal(err.text,
			    "slot root: write of 62 bytes at 8192 failed: File too large");
	lb_blk_close(b);
}

static void a_failure_without_sentence_gets_its_meaning(void **state)
{
	struct lb_error err = { 0 };
	struct lb_blk *b = open_ok(0, 0, false);

	lb_blk_error(b, -LB_E_READ_ONLY, &err);
	assert_string_equal(err.text, "slot root: a slot cannot be written");
	lb_blk_close(b);
}

static int set_up(void **state)
{
	make_file("/var/tmp");
	return 0;
}

static int set_up_tmpfs(void **state)
{
	make_file("/dev/shm");
	return 0;
}

static int tear_down(void **state)
{
	return unlink(path);
}

int main(void)
{
#define ON_DISK(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ON_DISK(reads_any_offset_length_and_address),
		/* without O_DIRECT on older kernels: the fallback */
		cmocka_unit_test_setup_teardown(reads_any_offset_length_and_address, set_up_tmpfs,
						tear_down),
		ON_DISK(range_outside_the_region_is_refused),
		ON_DISK(region_larger_than_the_device_is_refused),
		ON_DISK(write_is_read_back_from_the_medium),
		ON_DISK(zeros_are_made_at_any_offset_and_nowhere_else),
		ON_DISK(what_was_read_ahead_is_forgotten_by_a_write),
		ON_DISK(who_does_not_read_on_asks_the_medium),
		ON_DISK(whole_blocks_are_what_is_there),
		ON_DISK(what_is_forgotten_comes_from_the_medium),
		cmocka_unit_test_setup_teardown(what_is_forgotten_comes_from_the_medium, set_up_tmpfs,
						tear_down),
		ON_DISK(what_stays_in_the_cache_is_not_called_forgotten),
		cmocka_unit_test_setup_teardown(zeros_are_made_at_any_offset_and_nowhere_else,
						set_up_tmpfs, tear_down),
		ON_DISK(a_block_device_makes_zeros_too),
		ON_DISK(zeros_are_refused_as_writes_are),
		ON_DISK(missing_and_read_only_slots_have_their_codes),
		cmocka_unit_test(read_only_file_system_is_a_read_only_slot),
		ON_DISK(full_device_is_told_with_numbers),
		ON_DISK(a_failure_without_sentence_gets_its_meaning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
