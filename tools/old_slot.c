// SPDX-License-Identifier: GPL-2.0-or-later
#include "old_slot.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static int slot_read(struct lb_blk *b, uint64_t offset, void *buf, size_t len)
{
	struct old_slot *s = (struct old_slot *)b;
	uint64_t left = offset < s->known_bytes ? s->known_bytes - offset : 0;
	size_t known = left < len ? (size_t)left : len;

	memset((char *)buf + known, 0, len - known);
	if (!cli_pread_full(s->fd, buf, known, offset))
		return 0;
	/* not LB_E_IO, which a plan takes for a worn sector: the figures would be wrong */
	return lb_error_set(&b->fault, LB_E_TRUNCATED,
			    "what slot %s holds cannot be read at byte %llu", b->name,
			    (unsigned long long)offset);
}

static int slot_write(struct lb_blk *b, uint64_t offset, const void *buf, size_t len)
{
	return -LB_E_READ_ONLY;
}

static int slot_flush(struct lb_blk *b)
{
	return 0;
}

static void slot_close(struct lb_blk *b)
{
	old_slot_close((struct old_slot *)b);
}

static void init(struct old_slot *s, const char *name)
{
	static const struct lb_blk_ops ops = {
		.read = slot_read, .read_medium = slot_read, .write = slot_write,
		.flush = slot_flush, .close = slot_close,
	};

	*s = (struct old_slot){ .blk = { .ops = &ops, .read_only = true }, .fd = -1 };
	snprintf(s->blk.name, sizeof(s->blk.name), "%s", name);
}

int old_slot_open(struct old_slot *s, const char *path, const char *name, struct lb_error *err)
{
	off_t size;

	init(s, name);
	s->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0)
		return cli_errno(err, path, "read");
	size = lseek(s->fd, 0, SEEK_END); /* of a device too */
	if (size < 0)
		return cli_errno(err, path, "read");
	s->known_bytes = s->blk.size_bytes = (uint64_t)size;
	return 0;
}

static int decode(struct old_slot *s, struct bundle_file *b, uint32_t number, struct lb_error *err)
{
	struct file_sink sink;
	uint64_t size = b->manifest.images[number].size_bytes;

	s->fd = cli_file_temporary(err);
	if (s->fd < 0)
		return s->fd;
	if (ftruncate(s->fd, (off_t)size))
		return cli_errno(err, "a temporary file", "written");
	s->known_bytes = s->blk.size_bytes = size;
	sink = (struct file_sink){ .sink.put = file_sink_put, .fd = s->fd };
	return bundle_file_walk(b, number, &sink.sink, err);
}

int old_slot_decode(struct old_slot *s, struct bundle_file *b, const char *name,
		    struct lb_error *err)
{
	const struct lb_manifest *m = &b->manifest;

	init(s, name);
	for (uint32_t i = 0; i < m->image_count; i++)
		if (m->images[i].kind != LB_KIND_RECOVERY && !strcmp(m->images[i].target, name))
			return decode(s, b, i, err);
	return lb_error_set(err, LB_E_NOT_FOUND, "%s has no image for slot %s", b->path, name);
}

void old_slot_close(struct old_slot *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}
