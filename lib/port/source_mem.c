// SPDX-License-Identifier: GPL-2.0-or-later
#include "port/source_mem.h"

#include <string.h>

static int mem_seek(struct lb_source *s, uint64_t offset, uint64_t len, struct lb_error *err)
{
	struct lb_source_mem *m = (struct lb_source_mem *)s;

	m->offset = offset < m->len ? (size_t)offset : m->len;
	m->end = len < m->len - m->offset ? m->offset + (size_t)len : m->len;
	return 0;
}

static ptrdiff_t mem_read(struct lb_source *s, void *buf, size_t len, struct lb_error *err)
{
	struct lb_source_mem *m = (struct lb_source_mem *)s;

	size_t end = m->end < m->len ? m->end : m->len, left = m->offset < end ? end - m->offset : 0;

	if (len > left)
		len = left;
	if (len)
		memcpy(buf, m->bytes + m->offset, len);
	m->offset += len;
	s->fetched_bytes += len;
	return (ptrdiff_t)len;
}

static void mem_close(struct lb_source *s)
{
}

static const struct lb_source_ops mem_ops = {
	.seek = mem_seek,
	.read = mem_read,
	.close = mem_close,
};

void lb_source_mem_init(struct lb_source_mem *m, const void *bytes, size_t len)
{
	*m = (struct lb_source_mem){ .src.ops = &mem_ops, .bytes = bytes, .len = len, .end = len };
}
