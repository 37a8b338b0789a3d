// SPDX-License-Identifier: GPL-2.0-or-later
/* Files of the host tool: whole or not at all. */
#define _GNU_SOURCE /* mkostemp() */

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

const char *cli_fd_path(int fd, char ret[CLI_FD_PATH])
{
	snprintf(ret, CLI_FD_PATH, "/proc/%d/fd/%d", (int)getpid(), fd);
	return ret;
}

int cli_pread_full(int fd, void *buf, size_t len, uint64_t offset)
{
	char *p = buf;

	while (len) {
		ssize_t n = pread(fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -LB_E_IO;
		p += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int cli_write_full(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -LB_E_IO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int cli_read_file(const char *path, size_t max_len, char **ret, size_t *ret_len,
		  struct lb_error *err)
{
	struct stat st;
	char *text = NULL;
	int fd, rc = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		rc = cli_errno(err, path, "read");
	else if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > max_len)
		rc = lb_error_set(err, LB_E_TOO_BIG, "%s is no file of at most %zu bytes", path, max_len);
	else if (!(text = malloc((size_t)st.st_size + 1)))
		rc = lb_error_set(err, LB_E_NOMEM, "no memory for %s", path);
	else if (cli_pread_full(fd, text, (size_t)st.st_size, 0))
		rc = cli_errno(err, path, "read");
	if (fd >= 0)
		close(fd);
	if (rc) {
		free(text);
		return rc;
	}
	text[st.st_size] = '\0';
	*ret = text;
	*ret_len = (size_t)st.st_size;
	return 0;
}

char *cli_beside(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');
	size_t dir = slash && name[0] != '/' ? (size_t)(slash - path) + 1 : 0;
	char *joined = malloc(dir + strlen(name) + 1);

	if (joined) {
		memcpy(joined, path, dir);
		strcpy(joined + dir, name);
	}
	return joined;
}

/* A new file ".tmp.XXXXXX" beside @path, with the mode that creat() would give. */
static int open_temporary(const char *path, char **ret_name, struct lb_error *err)
{
	char *name = cli_beside(path, ".lifeboat.XXXXXX");
	mode_t mask;
	int fd, rc;

	if (!name)
		return lb_error_set(err, LB_E_NOMEM, "no memory for a file name");
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0) {
		rc = cli_errno(err, path, "created");
		free(name);
		return rc;
	}
	mask = umask(022);
	umask(mask);
	(void)fchmod(fd, 0666 & ~mask); /* at worst it stays private */
	*ret_name = name;
	return fd;
}

int cli_file_create(struct cli_file *f, const char *path, struct lb_error *err)
{
	*f = (struct cli_file){ .path = path };
	f->fd = open_temporary(path, &f->temporary, err);
	return f->fd < 0 ? f->fd : 0;
}

/* Makes the new name durable; a file system that cannot do so has no better way. */
static void sync_folder(const char *path)
{
	char *folder = cli_beside(path, ".");
	int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
	free(folder);
}

int cli_file_commit(struct cli_file *f, struct lb_error *err)
{
	int rc = fsync(f->fd);

	rc |= close(f->fd);
	f->fd = -1;
	if (rc || rename(f->temporary, f->path)) {
		rc = cli_errno(err, f->path, "written");
		cli_file_abort(f);
		return rc;
	}
	sync_folder(f->path);
	free(f->temporary);
	f->temporary = NULL;
	return 0;
}

void cli_file_abort(struct cli_file *f)
{
	if (f->temporary) {
		if (f->fd >= 0)
			close(f->fd);
		unlink(f->temporary);
		free(f->temporary);
	}
	f->temporary = NULL;
	f->fd = -1;
}

int cli_file_unnamed(const char *path, struct lb_error *err)
{
	char *name;
	int fd = open_temporary(path, &name, err);

	if (fd >= 0) {
		unlink(name);
		free(name);
	}
	return fd;
}

int cli_file_temporary(struct lb_error *err)
{
	const char *folder = getenv("TMPDIR");
	char path[4096];

	snprintf(path, sizeof(path), "%s/lifeboat", folder && *folder ? folder : "/var/tmp");
	return cli_file_unnamed(path, err);
}
