// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Slots as files. What read_medium() returns decides whether main is called
 * whole: it must come from the medium, never from the page cache that the same
 * bytes were just written into.
 */
#define _GNU_SOURCE /* O_DIRECT, fallocate, sync_file_range */
#include "linux/blk_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOUNCE_BYTES (128u * 1024u)
/* So much is written before the device is told to begin with it: a flush waits for the rest. */
#define WRITE_BEHIND_BYTES (256u * 1024u)
#define LOOK_BYTES (32u * 1024u * 1024u)
#define DIRECT_ALIGN 4096u /* a multiple of every logical block size in use */

struct blk_file {
	struct lb_blk blk;
	int fd;
	int direct_fd;	 /* -1: the file system has no O_DIRECT */
	uint64_t offset; /* of the region in the file */
	uint64_t dirty_from, dirty_to; /* of the region, written since the last flush; equal: none */
	uint64_t begun_to, written_to; /* of the file: between them the device was not told to begin */
	bool no_zero;	 /* a hole was refused */
	uint8_t *bounce; /* owned, aligned; NULL until read_medium needs it */
	/* of the file: what of the medium lies in bounce; where the last read from it ended */
	uint64_t ahead_from, ahead_to, medium_at;
};

static struct blk_file *to_file(struct lb_blk *b)
{
	return (struct blk_file *)b;
}

static int fail(struct lb_blk *b, const char *verb, uint64_t offset, size_t len, int error)
{
	int code = error == ENOMEM ? LB_E_NOMEM : error == EROFS ? LB_E_READ_ONLY : LB_E_IO;

	return lb_error_set(&b->fault, code,
			    "slot %s: %s of %zu bytes at %" PRIu64 " failed: %s", b->name, verb, len,
			    offset, error ? strerror(error) : "the device ended there");
}

static int blk_file_read(struct lb_blk *b, uint64_t offset, void *buf, size_t len)
{
	struct blk_file *f = to_file(b);
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(f->fd, (char *)buf + done, len - done,
				  (off_t)(f->offset + offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail(b, "read", offset + done, len - done, n ? errno : 0);
		done += (size_t)n;
	}
	return 0;
}

/* Writes @len bytes at @at of the file: 0 or an errno; *@ret_done: so many are written. */
static int put(struct blk_file *f, uint64_t at, const void *buf, size_t len, size_t *ret_done)
{
	size_t done = 0;
	int error = 0;

	while (!error && done < len) {
		ssize_t n = pwrite(f->fd, (const char *)buf + done, len - done,
				   (off_t)(at + done));

		if (n > 0)
			done += (size_t)n;
		else if (!n || errno != EINTR)
			error = n ? errno : ENOSPC;
	}
	*ret_done = done;
	return error;
}

/*
 * Writing a part of a block makes the kernel read the rest of it first: one that cannot
 * be read could never be written in parts. Its bytes are lost already; zeros take their
 * place. True if the block of byte @at of the file was replaced.
 */
static bool replace_block(struct blk_file *f, uint64_t at)
{
	uint64_t start = at & ~(uint64_t)(DIRECT_ALIGN - 1);
	uint8_t block[DIRECT_ALIGN];
	size_t done;

	if (start < f->offset || start + sizeof(block) > f->offset + f->blk.size_bytes)
		return false;
	if (pread(f->fd, block, sizeof(block), (off_t)start) >= 0 || errno != EIO)
		return false;
	memset(block, 0, sizeof(block));
	return !put(f, start, block, sizeof(block), &done);
}

/* The kernel says only that some of it could not be written: where that may be. */
static void note_dirty(struct blk_file *f, uint64_t from, uint64_t to)
{
	bool clean = f->dirty_from == f->dirty_to;

	if (clean || from < f->dirty_from)
		f->dirty_from = from;
	if (clean || to > f->dirty_to)
		f->dirty_to = to;
}

/* Advice: how it ends, and whether it is durable, is what flush asks. */
static void begin_writing(struct blk_file *f)
{
	if (f->written_to > f->begun_to)
		(void)sync_file_range(f->fd, (off_t)f->begun_to,
				      (off_t)(f->written_to - f->begun_to), SYNC_FILE_RANGE_WRITE);
	f->begun_to = f->written_to;
}

/* The device writes while the next chunk is fetched, decoded and checked. */
static void write_behind(struct blk_file *f, uint64_t at, size_t len)
{
	if (at != f->written_to) {
		begin_writing(f);
		f->begun_to = at;
	}
	f->written_to = at + len;
	if (f->written_to - f->begun_to >= WRITE_BEHIND_BYTES)
		begin_writing(f);
}

/* What was read ahead of the medium may be other bytes now. */
static void forget_ahead(struct blk_file *f)
{
	f->ahead_from = 0;
	f->ahead_to = 0;
}

static int blk_file_write(struct lb_blk *b, uint64_t offset, const void *buf, size_t len)
{
	struct blk_file *f = to_file(b);
	uint64_t at = f->offset + offset;
	size_t done;
	int error = put(f, at, buf, len, &done);

	forget_ahead(f);
	note_dirty(f, offset, offset + len);
	if (!error)
		write_behind(f, at, len);
	if (error == EIO) {
		bool first = replace_block(f, at), last = replace_block(f, at + len - 1);

		if (first || last)
			error = put(f, at, buf, len, &done);
	}
	return error ? fail(b, "write", offset + done, len - done, error) : 0;
}

/*
 * A hole: a file's blocks are given back; a block device unmaps or clears them where it
 * reads zeros then, and otherwise refuses. In whole pages, as the kernel's cache has them.
 */
static int blk_file_zero(struct lb_blk *b, uint64_t offset, uint64_t len)
{
	static const uint8_t zeros[DIRECT_ALIGN];
	struct blk_file *f = to_file(b);
	uint64_t at = f->offset + offset, end = at + len;
	uint64_t from = (at + DIRECT_ALIGN - 1) & ~(uint64_t)(DIRECT_ALIGN - 1);
	uint64_t to = end & ~(uint64_t)(DIRECT_ALIGN - 1);
	int error, r;

	if (f->no_zero || from >= to)
		return 0;
	forget_ahead(f);
	note_dirty(f, offset, offset + len);
	do {
		error = fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
				  (off_t)(to - from)) ? errno : 0;
	} while (error == EINTR);
	if (error) { /* whatever it is: a write that meets the same says so */
		f->no_zero = true;
		return 0;
	}
	/* the edges as any write: one in a block that cannot be read replaces it */
	r = from > at ? blk_file_write(b, offset, zeros, from - at) : 0;
	if (!r && end > to)
		r = blk_file_write(b, to - f->offset, zeros, end - to);
	return r ? r : 1;
}

static int blk_file_flush(struct lb_blk *b)
{
	struct blk_file *f = to_file(b);

	if (b->read_only)
		return 0;
	while (fdatasync(f->fd)) {
		int error = errno;

		if (error != EINTR)
			return lb_error_set(&b->fault, LB_E_IO,
					    "slot %s: flush of bytes %" PRIu64 " to %" PRIu64
					    " failed: %s", b->name, f->dirty_from, f->dirty_to,
					    strerror(error));
	}
	f->dirty_from = 0;
	f->dirty_to = 0;
	f->begun_to = f->written_to;
	return 0;
}

static int file_size(int fd, uint64_t *ret_bytes)
{
	struct stat st;
	off_t end;

	if (fstat(fd, &st))
		return errno;
	if (S_ISREG(st.st_mode)) {
		*ret_bytes = (uint64_t)st.st_size;
		return 0;
	}
	if (S_ISBLK(st.st_mode) && !ioctl(fd, BLKGETSIZE64, ret_bytes))
		return 0;
	end = lseek(fd, 0, SEEK_END);
	if (end < 0)
		return errno;
	*ret_bytes = (uint64_t)end;
	return 0;
}

/* Is no page of [@from, @to) of the file in the kernel's cache? */
static bool nothing_cached(const struct blk_file *f, uint64_t from, uint64_t to)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	unsigned char cached[LOOK_BYTES / 4096u]; /* no page is smaller */

	for (uint64_t at = from - from % page; at < to; at += LOOK_BYTES) {
		size_t n = to - at < LOOK_BYTES ? (size_t)(to - at) : LOOK_BYTES, any = 0;
		void *p = mmap(NULL, n, PROT_READ, MAP_SHARED, f->fd, (off_t)at);
		int error;

		if (p == MAP_FAILED)
			return false;
		error = mincore(p, n, cached);
		munmap(p, n);
		for (size_t i = 0; !error && i < (n + page - 1) / page; i++)
			any += cached[i] & 1;
		if (error || any)
			return false;
	}
	return true;
}

/* The kernel need not do what it is told: only what is seen to be gone counts as gone. */
static int blk_file_forget(struct lb_blk *b)
{
	struct blk_file *f = to_file(b);
	uint64_t end = f->offset + b->size_bytes, file_bytes;
	int r = blk_file_flush(b);

	if (r || b->read_only)
		return r;
	forget_ahead(f);
	if (file_size(f->fd, &file_bytes))
		return 0;
	/* up to the end of the file with a page that ends behind it */
	if (posix_fadvise(f->fd, (off_t)f->offset, end < file_bytes ? (off_t)b->size_bytes : 0,
			  POSIX_FADV_DONTNEED))
		return 0;
	(void)posix_fadvise(f->fd, (off_t)f->offset, 0, POSIX_FADV_SEQUENTIAL);
	return nothing_cached(f, f->offset, end);
}

static ssize_t pread_direct(struct blk_file *f, size_t len, uint64_t at)
{
	ssize_t n;

	do {
		n = pread(f->direct_fd, f->bounce, len, (off_t)at);
	} while (n < 0 && errno == EINTR);
	return n;
}

/*
 * Fills the bounce buffer with the blocks around [@offset, @offset + @len) of the file. Who
 * reads on gets it full: chunks are short and no multiple of a block, so that the medium
 * would be asked for small pieces, and for the blocks between them twice.
 */
static int fill_bounce(struct blk_file *f, uint64_t offset, size_t len)
{
	uint64_t start = offset & ~(uint64_t)(DIRECT_ALIGN - 1);
	uint64_t end = (offset + len + DIRECT_ALIGN - 1) & ~(uint64_t)(DIRECT_ALIGN - 1);
	uint64_t region_end = f->offset + f->blk.size_bytes;
	size_t want = end - start < BOUNCE_BYTES ? (size_t)(end - start) : BOUNCE_BYTES, more = want;
	ssize_t n;

	if (offset == f->medium_at && start + BOUNCE_BYTES <= region_end)
		more = BOUNCE_BYTES;
	n = pread_direct(f, more, start);
	if (n < 0 && more > want) /* what nobody asked for may be what cannot be read */
		n = pread_direct(f, want, start);
	if (n < 0)
		return errno;
	if ((uint64_t)n <= offset - start)
		return ENODATA;
	f->ahead_from = start;
	f->ahead_to = start + (uint64_t)n;
	return 0;
}

/* The first bytes of [@offset, @offset + @len) of the file: *@ret_n of them. */
static int direct_chunk(struct blk_file *f, uint64_t offset, size_t len, uint8_t *buf, size_t *ret_n)
{
	int error = 0;

	/* kept for who reads on, and for nobody else */
	if (offset != f->medium_at || offset < f->ahead_from || offset >= f->ahead_to)
		error = fill_bounce(f, offset, len);
	if (error) {
		forget_ahead(f);
		return error;
	}
	*ret_n = f->ahead_to - offset < len ? (size_t)(f->ahead_to - offset) : len;
	memcpy(buf, f->bounce + (offset - f->ahead_from), *ret_n);
	f->medium_at = offset + *ret_n;
	return 0;
}

/* The next best thing: write back, drop the pages, read them again. */
static int uncached_read(struct lb_blk *b, uint64_t offset, void *buf, size_t len)
{
	struct blk_file *f = to_file(b);
	uint64_t start = (f->offset + offset) & ~(uint64_t)(DIRECT_ALIGN - 1);
	uint64_t end = f->offset + offset + len;
	int error = blk_file_flush(b);

	if (error)
		return error;
	error = posix_fadvise(f->fd, (off_t)start,
			      (off_t)((end - start + DIRECT_ALIGN - 1) & ~(uint64_t)(DIRECT_ALIGN - 1)),
			      POSIX_FADV_DONTNEED);
	if (error)
		return fail(b, "dropping the cache", offset, len, error);
	return blk_file_read(b, offset, buf, len);
}

static bool in_blocks(uint64_t n)
{
	return !(n % DIRECT_ALIGN);
}

/* From and into whole blocks, past every cache, without a copy. */
static bool whole_blocks(const struct blk_file *f, uint64_t offset, const void *buf, size_t len)
{
	return f->direct_fd >= 0 && in_blocks((uintptr_t)buf) && in_blocks(f->offset + offset) &&
	       in_blocks(len);
}

/* 0, or an errno. */
static int read_blocks(struct blk_file *f, uint64_t offset, uint8_t *buf, size_t len)
{
	size_t done = 0;

	forget_ahead(f);
	while (done < len) {
		ssize_t n = pread(f->direct_fd, buf + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? errno : ENODATA;
		done += (size_t)n;
	}
	return 0;
}

static int blk_file_read_medium(struct lb_blk *b, uint64_t offset, void *buf, size_t len)
{
	struct blk_file *f = to_file(b);
	size_t done = 0;

	if (f->direct_fd < 0)
		return uncached_read(b, offset, buf, len);
	if (whole_blocks(f, offset, buf, len)) {
		int error = read_blocks(f, f->offset + offset, buf, len);

		if (error != EINVAL)
			return error ? fail(b, "read from the medium", offset, len, error) : 0;
	}
	if (!f->bounce && posix_memalign((void **)&f->bounce, DIRECT_ALIGN, BOUNCE_BYTES))
		return fail(b, "read", offset, len, ENOMEM);

	while (done < len) {
		size_t n = 0;
		int error = direct_chunk(f, f->offset + offset + done, len - done,
					 (uint8_t *)buf + done, &n);

		if (error == EINVAL) { /* opened, but refused: some stacked file systems */
			close(f->direct_fd);
			f->direct_fd = -1;
			return uncached_read(b, offset + done, (uint8_t *)buf + done, len - done);
		}
		if (error)
			return fail(b, "read from the medium", offset + done, len - done, error);
		done += n;
	}
	return 0;
}

static void blk_file_close(struct lb_blk *b)
{
	struct blk_file *f = to_file(b);

	if (f->direct_fd >= 0)
		close(f->direct_fd);
	close(f->fd); /* everything that matters was flushed: fdatasync reported it */
	free(f->bounce);
	free(f);
}

static int open_error(const char *name, const char *path, int error, struct lb_error *err)
{
	int code = LB_E_IO;

	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ENXIO:
	case ENODEV:
	case ENOMEDIUM:
		code = LB_E_NO_SLOT;
		break;
	case EROFS:
	case EACCES:
	case EPERM:
		code = LB_E_READ_ONLY;
		break;
	}
	return lb_error_set(err, code, "slot %s: %s cannot be opened: %s", name, path,
			    strerror(error));
}

static bool write_protected(int fd)
{
	int read_only = 0;

	return !ioctl(fd, BLKROGET, &read_only) && read_only;
}

/* Checks the opened file and fills in the region. */
static int set_region(struct blk_file *f, const char *path, uint64_t size_bytes,
		      struct lb_error *err)
{
	const char *name = f->blk.name;
	uint64_t file_bytes;
	int error = file_size(f->fd, &file_bytes);

	if (error)
		return lb_error_set(err, LB_E_IO, "slot %s: size of %s is unknown: %s", name, path,
				    strerror(error));
	if (!f->blk.read_only && write_protected(f->fd))
		return lb_error_set(err, LB_E_READ_ONLY, "slot %s: %s is write-protected", name,
				    path);
	if (f->offset > file_bytes || size_bytes > file_bytes - f->offset)
		return lb_error_set(err, LB_E_INVALID,
				    "slot %s: %s has %" PRIu64 " bytes, the region is %" PRIu64
				    " bytes at %" PRIu64, name, path, file_bytes, size_bytes,
				    f->offset);
	f->blk.size_bytes = size_bytes ? size_bytes : file_bytes - f->offset;
	return 0;
}

int lb_blk_file_open(const char *path, uint64_t offset, uint64_t size_bytes, bool writable,
		     const char *name, struct lb_blk **ret, struct lb_error *err)
{
	static const struct lb_blk_ops ops = {
		.read = blk_file_read,
		.read_medium = blk_file_read_medium,
		.write = blk_file_write,
		.zero = blk_file_zero,
		.flush = blk_file_flush,
		.forget = blk_file_forget,
		.close = blk_file_close,
	};
	struct blk_file *f = calloc(1, sizeof(*f));
	int code;

	if (!f)
		return lb_error_set(err, LB_E_NOMEM, "slot %s: no memory", name);
	f->blk.ops = &ops;
	f->blk.read_only = !writable;
	f->offset = offset;
	snprintf(f->blk.name, sizeof(f->blk.name), "%s", name);

	f->fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY);
	if (f->fd < 0) {
		code = open_error(name, path, errno, err);
		free(f);
		return code;
	}
	f->direct_fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC | O_NOCTTY);
	code = set_region(f, path, size_bytes, err);
	if (code) {
		blk_file_close(&f->blk);
		return code;
	}
	*ret = &f->blk;
	return 0;
}
