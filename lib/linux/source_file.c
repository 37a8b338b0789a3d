// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A bundle on a stick, a card or standard input. A stick may be pulled and put
 * back: the path is opened again, and the same size is asked of what is found.
 */
#include "linux/source_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

struct source_file {
	struct lb_source source;
	int fd;		/* -1: vanished, open again */
	bool is_stdin;
	bool foreign;	/* somebody's medium: nothing but a regular file, no symbolic link */
	uint64_t base;	/* where the bundle starts in a seekable standard input */
	uint64_t at;	/* of the next byte, relative to base */
	uint64_t skip;	/* sequential: bytes to read and drop first */
	int64_t size;	/* of a regular file when it was first opened, else -1 */
	char path[];
};

static struct source_file *to_file(struct lb_source *s)
{
	return (struct source_file *)s;
}

/* Neither the file nor its folder is a link; a FIFO is not waited for. */
static int open_foreign(const char *path)
{
	char folder[PATH_MAX];
	const char *name = strrchr(path, '/');
	int dir, fd, error;

	if (!name || name - path >= (ptrdiff_t)sizeof(folder)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(folder, path, (size_t)(name - path));
	folder[name - path] = '\0';
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return -1;
	fd = openat(dir, name + 1, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	error = errno;
	close(dir);
	errno = error;
	return fd;
}

static int open_path(struct source_file *f, struct lb_error *err)
{
	struct stat st;
	int fd, error;

	fd = f->foreign ? open_foreign(f->path) : open(f->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st)) {
		error = errno;
		if (fd >= 0)
			close(fd);
		return lb_error_set(err, error == ENOENT || error == ENOTDIR ? LB_E_NOT_FOUND : LB_E_IO,
				    "%s cannot be opened: %s", f->path, strerror(error));
	}
	if (S_ISDIR(st.st_mode) || (f->foreign && !S_ISREG(st.st_mode))) {
		close(fd);
		return lb_error_set(err, LB_E_IO, "%s is %s", f->path,
				    S_ISDIR(st.st_mode) ? "a directory" : "no regular file");
	}
	if (f->size >= 0 && (!S_ISREG(st.st_mode) || st.st_size != f->size)) {
		close(fd);
		return lb_error_set(err, LB_E_CHANGED, "%s has another size than before", f->path);
	}
	f->size = S_ISREG(st.st_mode) ? st.st_size : -1;
	f->fd = fd;
	return 0;
}

static int source_file_seek(struct lb_source *s, uint64_t offset, uint64_t len,
			    struct lb_error *err)
{
	struct source_file *f = to_file(s);

	if (f->fd < 0) {
		int code = open_path(f, err);

		if (code == -LB_E_NOT_FOUND || code == -LB_E_IO)
			return lb_error_set(err, LB_E_AGAIN, "%s is not there", f->path);
		if (code)
			return code;
	}
	if (!s->sequential) {
		f->at = offset;
		return 0;
	}
	if (offset < f->at)
		return lb_error_set(err, LB_E_UNSUPPORTED,
				    "%s is a stream: byte %" PRIu64 " has passed already", f->path,
				    offset);
	f->skip = offset - f->at;
	return 0;
}

static bool vanished(int error)
{
	return error == EIO || error == ENXIO || error == ENODEV || error == ESTALE ||
	       error == ENOMEDIUM;
}

static ptrdiff_t read_some(struct source_file *f, void *buf, size_t len, struct lb_error *err)
{
	ssize_t n;
	int error;

	do {
		n = f->source.sequential ? read(f->fd, buf, len)
					 : pread(f->fd, buf, len, (off_t)(f->base + f->at));
	} while (n < 0 && errno == EINTR);
	if (n >= 0) {
		f->at += (uint64_t)n;
		f->source.fetched_bytes += (uint64_t)n;
		return n;
	}
	error = errno;
	if (f->is_stdin || f->source.sequential || !vanished(error))
		return lb_error_set(err, LB_E_IO, "reading %s at %" PRIu64 " failed: %s", f->path,
				    f->at, strerror(error));
	close(f->fd);
	f->fd = -1;
	return lb_error_set(err, LB_E_AGAIN, "%s vanished at byte %" PRIu64 ": %s", f->path, f->at,
			    strerror(error));
}

static ptrdiff_t source_file_read(struct lb_source *s, void *buf, size_t len, struct lb_error *err)
{
	struct source_file *f = to_file(s);

	if (f->fd < 0)
		return lb_error_set(err, LB_E_AGAIN, "%s is not there", f->path);
	while (f->skip) {
		char dropped[4096];
		ptrdiff_t n = read_some(f, dropped,
					f->skip < sizeof(dropped) ? (size_t)f->skip : sizeof(dropped),
					err);

		if (n <= 0)
			return n;
		f->skip -= (uint64_t)n;
	}
	return read_some(f, buf, len, err);
}

static void source_file_close(struct lb_source *s)
{
	struct source_file *f = to_file(s);

	if (f->fd >= 0 && !f->is_stdin)
		close(f->fd);
	free(f);
}

static int open_first(struct source_file *f, struct lb_error *err)
{
	off_t here;

	if (f->is_stdin) {
		f->fd = STDIN_FILENO;
	} else {
		int code = open_path(f, err);

		if (code)
			return code;
	}
	here = lseek(f->fd, 0, SEEK_CUR);
	f->source.sequential = here < 0;
	f->base = here < 0 ? 0 : (uint64_t)here;
	return 0;
}

static int open_source(const char *path, bool foreign, struct lb_source **ret, struct lb_error *err)
{
	static const struct lb_source_ops ops = {
		.seek = source_file_seek,
		.read = source_file_read,
		.close = source_file_close,
	};
	bool is_stdin = !foreign && !strcmp(path, "-");
	const char *shown = is_stdin ? "standard input" : path;
	struct source_file *f = calloc(1, sizeof(*f) + strlen(shown) + 1);
	int code;

	if (!f)
		return lb_error_set(err, LB_E_NOMEM, "no memory to open %s", shown);
	f->source.ops = &ops;
	f->is_stdin = is_stdin;
	f->foreign = foreign;
	f->size = -1;
	f->fd = -1;
	strcpy(f->path, shown);
	code = open_first(f, err);
	if (code) {
		free(f);
		return code;
	}
	*ret = &f->source;
	return 0;
}

int lb_source_file_open(const char *path, struct lb_source **ret, struct lb_error *err)
{
	return open_source(path, false, ret, err);
}

int lb_source_medium_open(const char *path, struct lb_source **ret, struct lb_error *err)
{
	return open_source(path, true, ret, err);
}

bool lb_medium_bundle_name(const char *name)
{
	static const char suffix[] = ".lbu";
	size_t len = strlen(name), end = sizeof(suffix) - 1;

	return name[0] != '.' && len > end && !strcasecmp(name + len - end, suffix);
}
