// SPDX-License-Identifier: GPL-2.0-or-later
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_STEP_MS 100

void agent_path(char *ret, const char *dir, const char *name)
{
	snprintf(ret, AGENT_PATH_MAX, "%s/%s", dir, name);
}

ptrdiff_t agent_file_read(const char *path, char *buf, size_t size, struct lb_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0)
		return lb_error_set(err, errno == ENOENT || errno == ENOTDIR ? LB_E_NOT_FOUND : LB_E_IO,
				    "%.150s cannot be opened: %s", path, strerror(errno));
	while (n && len < size) {
		n = read(fd, buf + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		len += (size_t)n;
	}
	close(fd);
	if (n < 0)
		return lb_error_set(err, LB_E_IO, "%.150s cannot be read", path);
	if (len == size)
		return lb_error_set(err, LB_E_TOO_BIG, "%.150s is larger than %zu bytes", path,
				    size - 1);
	buf[len] = '\0';
	return (ptrdiff_t)len;
}

static int write_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return fsync(fd);
}

static void sync_folder(const char *path)
{
	char dir[AGENT_PATH_MAX];
	char *slash;
	int fd;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (!slash)
		return;
	*slash = '\0';
	fd = open(*dir ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)!fsync(fd); /* the rename stands without it, only later */
	close(fd);
}

/* The parent of @path, one level: a whole missing tree is a wrong setting. */
static void make_folder(const char *path)
{
	char dir[AGENT_PATH_MAX];
	char *slash;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (!slash || slash == dir)
		return;
	*slash = '\0';
	(void)!mkdir(dir, 0755); /* open() tells when that did not help */
}

int agent_file_write(const char *path, const void *data, size_t len, struct lb_error *err)
{
	char temp[AGENT_PATH_MAX + 8];
	int fd, failed;

	make_folder(path);
	snprintf(temp, sizeof(temp), "%s.new", path);
	fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return lb_error_set(err, LB_E_IO, "%.150s cannot be created: %s", temp,
				    strerror(errno));
	failed = write_all(fd, data, len);
	if (close(fd))
		failed = -1;
	if (!failed)
		failed = rename(temp, path);
	if (failed) {
		lb_error_set(err, LB_E_IO, "%.150s cannot be written: %s", path, strerror(errno));
		(void)!unlink(temp);
		return -LB_E_IO;
	}
	sync_folder(path);
	return 0;
}

int agent_lock(const struct agent *a, const char *name, uint32_t wait_ms, struct lb_error *err)
{
	char path[AGENT_PATH_MAX];
	uint32_t waited = 0;
	int fd;

	agent_path(path, a->set.run_dir, name);
	make_folder(path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return lb_error_set(err, LB_E_IO, "lock %.150s cannot be opened: %s", path,
				    strerror(errno));
	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EINTR && waited >= wait_ms) {
			close(fd);
			return lb_error_set(err, LB_E_BUSY,
					    "another lifeboat-agent holds %.150s", path);
		}
		lb_clock_sleep(a->clock, LOCK_STEP_MS);
		waited += LOCK_STEP_MS;
	}
	return fd;
}
