/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The few response headers that decide whether bytes may be used. A pure
 * parser: every byte of it comes from a server that is not trusted yet.
 * Spec: RFC 9110 sections 8.8.3 (ETag), 10.2.3 (Retry-After), 14.4 (Content-Range).
 */
#ifndef LB_LINUX_HTTP_HEADERS_H
#define LB_LINUX_HTTP_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LB_HTTP_ETAG_BYTES 128
#define LB_HTTP_RETRY_MAX_S 86400u

struct lb_http_headers {
	bool done;		/* the empty line came */
	bool has_range;		/* Content-Range: bytes first-last/... */
	bool has_total;		/* Content-Range: .../total */
	bool encoded;		/* Content-Encoding other than identity */
	uint64_t first, last;	/* inclusive; first <= last < total */
	uint64_t total_bytes;
	uint32_t retry_after_s; /* 0: not said, or said as a date; at most LB_HTTP_RETRY_MAX_S */
	char etag[LB_HTTP_ETAG_BYTES]; /* with its quotes; "" : none, weak, malformed or too long */
};

/**
 * lb_http_headers_line() - take note of one header line
 * @line: with its line end, not terminated by NUL
 *
 * A status line ("HTTP/...") starts over, so that the last response of a
 * transfer counts. What is malformed is treated as absent.
 */
void lb_http_headers_line(struct lb_http_headers *h, const char *line, size_t len);

#endif
