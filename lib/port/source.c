// SPDX-License-Identifier: GPL-2.0-or-later
#include "port/source.h"

int lb_source_seek(struct lb_source *s, uint64_t offset, uint64_t len, struct lb_error *err)
{
	return s->ops->seek(s, offset, len, err);
}

ptrdiff_t lb_source_read(struct lb_source *s, void *buf, size_t len, struct lb_error *err)
{
	return s->ops->read(s, buf, len, err);
}

int lb_source_read_full(struct lb_source *s, void *buf, size_t len, struct lb_error *err)
{
	char *p = buf;
	size_t left = len;

	while (left) {
		ptrdiff_t n = lb_source_read(s, p, left, err);

		if (n < 0)
			return (int)n;
		if (!n)
			return lb_error_set(err, LB_E_TRUNCATED,
					    "the source ended %zu bytes before the %zu wanted", left,
					    len);
		p += n;
		left -= (size_t)n;
	}
	return 0;
}

void lb_source_close(struct lb_source *s)
{
	if (s)
		s->ops->close(s);
}
