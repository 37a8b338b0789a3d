// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* pipe2() */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "cli.h"
#include "other_tool.h"
#include "stick.h"

#define MTOOLS "mtools"
#define PART_BYTES (64u * LB_KIB)

static void inside(const char *name, char *ret, size_t size)
{
	snprintf(ret, size, "::/" STICK_FOLDER "/%s", name);
}

int stick_put(const struct stick_medium *m, const char *name, int input, struct lb_error *err)
{
	char place[300];
	const char *const copy[] = { "mcopy", "-i", m->path, "-", place, NULL };

	inside(name, place, sizeof(place));
	if (input >= 0 && lseek(input, 0, SEEK_SET))
		return cli_errno(err, name, "read");
	return cli_prefix(err, name, other_tool_run(copy, MTOOLS, input, -1, err));
}

int stick_settle(const struct stick_medium *m, struct lb_error *err)
{
	if (fsync(m->fd) || posix_fadvise(m->fd, 0, 0, POSIX_FADV_DONTNEED))
		return cli_errno(err, m->name, "flushed");
	return 0;
}

/* Up to @len bytes, fewer only at the end; -1. */
static ssize_t read_full(int fd, uint8_t *buf, size_t len)
{
	size_t used = 0;

	while (used < len) {
		ssize_t n = read(fd, buf + used, len - used);

		if (n < 0)
			return -1;
		if (!n)
			break;
		used += (size_t)n;
	}
	return (ssize_t)used;
}

/* Both to their ends, so that the writer of a pipe is not cut off. */
static int compare(int a, int b, const char *name, struct lb_error *err)
{
	static const char differs[] = "lifeboat/%s is not on the medium as it was written";
	uint8_t one[PART_BYTES], other[PART_BYTES];
	bool same = true;
	ssize_t n, m;

	do {
		n = read_full(a, one, sizeof(one));
		m = read_full(b, other, sizeof(other));
		if (n < 0 || m < 0)
			return cli_errno(err, name, "read back");
		same = same && n == m && !memcmp(one, other, (size_t)n);
	} while (n || m);
	return same ? 0 : lb_error_set(err, LB_E_DIGEST, differs, name);
}

int stick_compare(const struct stick_medium *m, const char *name, int expected,
		  struct lb_error *err)
{
	char place[300];
	const char *const copy[] = { "mcopy", "-i", m->path, place, "-", NULL };
	struct lb_error why = { 0 };
	struct other_tool tool;
	int ends[2], rc, end;

	inside(name, place, sizeof(place));
	if (lseek(expected, 0, SEEK_SET) || pipe2(ends, O_CLOEXEC))
		return cli_errno(err, name, "read back");
	rc = other_tool_start(&tool, copy, MTOOLS, -1, ends[1], err);
	close(ends[1]);
	if (!rc) {
		rc = compare(ends[0], expected, name, err);
		end = other_tool_wait(&tool, &why);
		if (end) {
			*err = why;
			rc = end;
		}
	}
	close(ends[0]);
	return rc;
}
