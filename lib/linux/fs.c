// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(struct lb_error *err, int code, const char *what, const char *path)
{
	return lb_error_set(err, code, "%s: %s: %s", path, what, strerror(errno));
}

/* Reads until the end or until the buffer is full. */
static ptrdiff_t read_all(int fd, uint8_t *buf, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, buf + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -LB_E_IO;
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ptrdiff_t)done;
}

ptrdiff_t lb_fs_read(const char *path, void *buf, size_t size, struct lb_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t more;
	ptrdiff_t n;

	if (fd < 0)
		return fail(err, errno == ENOENT ? LB_E_NOT_FOUND : LB_E_IO, "cannot be opened", path);
	n = read_all(fd, buf, size);
	if (n < 0)
		n = fail(err, LB_E_IO, "cannot be read", path);
	else if ((size_t)n == size && read_all(fd, &more, 1) == 1)
		n = lb_error_set(err, LB_E_TOO_BIG, "%s is longer than %zu bytes", path, size);
	close(fd);
	return n;
}

int lb_fs_write_all(int fd, const void *bytes, size_t len)
{
	const uint8_t *data = bytes;

	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int sync_folder_of(const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int fd, r;

	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1,
		 slash ? path : ".");
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	r = fsync(fd);
	close(fd);
	return r;
}

int lb_fs_write(const char *path, const void *data, size_t len, unsigned int mode,
		struct lb_error *err)
{
	char part[PATH_MAX];
	int fd, bad;

	if (snprintf(part, sizeof(part), "%s.part", path) >= (int)sizeof(part))
		return lb_error_set(err, LB_E_INVALID, "a path of %zu characters is too long",
				    strlen(path));
	fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0)
		return fail(err, LB_E_IO, "cannot be created", part);
	bad = lb_fs_write_all(fd, data, len) || fsync(fd);
	bad |= close(fd);
	if (bad || rename(part, path) || sync_folder_of(path)) {
		int r = fail(err, LB_E_IO, "cannot be written", path);

		unlink(part);
		return r;
	}
	return 0;
}
