// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Simulates worn blocks of disk.img, preloaded into recovery (test_worn.py):
 *
 *   WORN=AT[,AT...]      the 4 KiB blocks at these bytes cannot be read until they
 *			  are written as a whole
 *   STUCK=FROM-TO	  writing any of these bytes fails
 *
 * As with the page cache of a disk, a write of a part of a worn block has to read it first.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 4096
#define WORN_MAX 16

static off_t worn[WORN_MAX], stuck_from, stuck_to;
static int worn_count;

__attribute__((constructor)) static void configure(void)
{
	const char *at = getenv("WORN"), *stuck = getenv("STUCK");
	char *end;

	while (at && *at && worn_count < WORN_MAX) {
		worn[worn_count++] = strtoll(at, &end, 10) / BLOCK * BLOCK;
		at = *end ? end + 1 : end;
	}
	if (stuck) {
		stuck_from = strtoll(stuck, &end, 10);
		stuck_to = strtoll(end + 1, NULL, 10);
	}
}

static bool is_disk(int fd)
{
	char link[64], path[512];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	return n >= 9 && !strcmp(path + n - 9, "/disk.img");
}

static ssize_t io_error(void)
{
	errno = EIO;
	return -1;
}

static ssize_t read_disk(const char *name, int fd, void *buf, size_t len, off_t at)
{
	ssize_t (*real)(int, void *, size_t, off_t) = dlsym(RTLD_NEXT, name);

	for (int i = 0; i < worn_count; i++)
		if (at < worn[i] + BLOCK && worn[i] < at + (off_t)len && is_disk(fd))
			return io_error();
	return real(fd, buf, len, at);
}

static ssize_t write_disk(const char *name, int fd, const void *buf, size_t len, off_t at)
{
	ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, name);
	off_t end = at + (off_t)len;

	if (at < stuck_to && stuck_from < end && is_disk(fd))
		return io_error();
	for (int i = 0; i < worn_count; i++) {
		if (at >= worn[i] + BLOCK || worn[i] >= end || !is_disk(fd))
			continue;
		if (at > worn[i] || end < worn[i] + BLOCK)
			return io_error();
		worn[i] = -2 * BLOCK; /* fresh again */
	}
	return real(fd, buf, len, at);
}

ssize_t pread(int fd, void *buf, size_t len, off_t at)
{
	return read_disk("pread", fd, buf, len, at);
}

ssize_t pread64(int fd, void *buf, size_t len, off_t at)
{
	return read_disk("pread64", fd, buf, len, at);
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t at)
{
	return write_disk("pwrite", fd, buf, len, at);
}

ssize_t pwrite64(int fd, const void *buf, size_t len, off_t at)
{
	return write_disk("pwrite64", fd, buf, len, at);
}
