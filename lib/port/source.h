/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the bytes of a bundle come from: an HTTP server, a file on a medium, a
 * pipe. A reader announces the range it wants, then reads it in order.
 */
#ifndef LB_PORT_SOURCE_H
#define LB_PORT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define LB_SOURCE_TO_END UINT64_MAX

struct lb_source;

struct lb_source_ops {
	/*
	 * The next read starts at @offset and at most @len bytes will be read
	 * (LB_SOURCE_TO_END: not known). Need not do any I/O. A source that
	 * cannot go back returns -LB_E_UNSUPPORTED for an offset behind it.
	 */
	int (*seek)(struct lb_source *s, uint64_t offset, uint64_t len, struct lb_error *err);
	/*
	 * Reads 1 to @len bytes, or 0 at the end of the bundle. Blocks for at
	 * most the source's own stall limit. -LB_E_AGAIN: the connection was
	 * lost or the server is busy; seek again to continue. Final failures:
	 * -LB_E_REFUSED, -LB_E_CERT_*, -LB_E_IO.
	 */
	ptrdiff_t (*read)(struct lb_source *s, void *buf, size_t len, struct lb_error *err);
	void (*close)(struct lb_source *s);
};

struct lb_source {
	const struct lb_source_ops *ops; /* borrowed, static */
	bool sequential;	/* cannot skip cheaply: read through, do not seek */
	uint64_t fetched_bytes; /* payload bytes that arrived so far, for reports */
	uint32_t requests;	/* range requests made so far */
	uint32_t retry_after_s;	/* with -LB_E_AGAIN: the server asks to wait so long; 0: no wish */
};

int lb_source_seek(struct lb_source *s, uint64_t offset, uint64_t len,
		   struct lb_error *err) LB_MUST_CHECK;
ptrdiff_t lb_source_read(struct lb_source *s, void *buf, size_t len,
			 struct lb_error *err) LB_MUST_CHECK;

/* Reads exactly @len bytes; -LB_E_TRUNCATED when the bundle ends before. */
int lb_source_read_full(struct lb_source *s, void *buf, size_t len,
			struct lb_error *err) LB_MUST_CHECK;

/* NULL is fine. */
void lb_source_close(struct lb_source *s);

#endif
