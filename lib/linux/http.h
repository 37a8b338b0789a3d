/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP and HTTPS by libcurl and mbedTLS: a bundle as a struct lb_source, and
 * small files (the channel) with ETag. docs/DESIGN.md, "Network".
 */
#ifndef LB_LINUX_HTTP_H
#define LB_LINUX_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "port/source.h"

struct lb_http_options {
	const char *ca_pem;	 /* borrowed; NULL: ca_file */
	const char *ca_file;	 /* borrowed; NULL: HTTPS is refused */
	const char *header;	 /* one header line with a token, sent to the first host only; NULL none */
	const char *user_agent;
	int64_t not_before_s;	 /* dates: "expired" means expired before this second */
	uint32_t connect_ms;	 /* 0: 15 s */
	uint32_t stall_ms;	 /* no byte for so long: -LB_E_AGAIN; 0: 30 s */
	bool (*tick)(void *ctx); /* about once a second of waiting; true: -LB_E_AGAIN; NULL none */
	void *tick_ctx;		 /* borrowed, as long as the source is open */
};

/*
 * Once per program, from main() before the first call below and after the last:
 * libcurl and mbedTLS have process-wide state. 0 or -LB_E_NOMEM.
 */
int lb_http_init(void) LB_MUST_CHECK;
void lb_http_exit(void);

/**
 * lb_http_source_open() - a bundle on a server
 * @url, @opt: copied
 *
 * The head of an answer, redirects included, must be here after connect_ms + stall_ms.
 * Opens no connection: the first read does. Ranges are asked for with Range and
 * If-Range (the strong ETag of the first answer); a server without ranges is
 * read through from the start, and the source then is sequential. Redirects: at
 * most 5, never from https to http. Status 408, 416, 425, 429, 5xx and every
 * network failure: -LB_E_AGAIN; other 4xx: -LB_E_REFUSED; certificates:
 * -LB_E_CERT_UNTRUSTED, -LB_E_CERT_EXPIRED; another file under the same URL: -LB_E_CHANGED.
 * A 416 that states the file's size is its end: read returns 0.
 *
 * Going back in a source without ranges starts over at byte 0 and costs what it
 * costs: fetched_bytes counts every byte that came, also those passed over.
 * Passing over resets the stall limit with every byte, so one read may last as
 * long as that takes. A read sees 0 at the end of the file, not of the range.
 *
 * "Not yet valid" certificates are accepted; see opt->not_before_s for expired
 * ones. The token header is sent to scheme, host and port of @url only.
 * Memory: one receive buffer of 64 KiB beside those of libcurl (16 KiB) and of the
 * TLS connection (16 KiB in, 4 KiB out); none depends on the file's size. Names are
 * resolved anew for each connection, by the C library, which may block longer than
 * connect_ms (musl: 5 s when no name server answers).
 */
int lb_http_source_open(const char *url, const struct lb_http_options *opt,
			struct lb_source **ret, struct lb_error *err) LB_MUST_CHECK;

/* What a server said beside the body, for back-off. */
struct lb_http_reply {
	long status;		/* 200, 304, ... */
	uint32_t retry_after_s; /* 0: not said */
	char etag[128];		/* "" none */
	bool ranges;		/* a 206 answered a range request */
	uint64_t total_bytes;	/* of the whole file, 0 unknown */
};

/**
 * lb_http_get() - a small file into @buf
 * @etag: NULL or the ETag of what the caller already has: status 304, length 0
 *
 * Return: body length; -LB_E_TOO_BIG when it exceeds @size, otherwise as above.
 */
ptrdiff_t lb_http_get(const char *url, const struct lb_http_options *opt, const char *etag,
		      void *buf, size_t size, struct lb_http_reply *ret,
		      struct lb_error *err) LB_MUST_CHECK;

/*
 * As lb_http_get() for bytes @offset ... of at most @size: proves that ranges
 * work. 0 and @ret->ranges false: the server has none, its file can only be read
 * through. -LB_E_TRUNCATED: @offset is at or behind the end.
 */
ptrdiff_t lb_http_get_range(const char *url, const struct lb_http_options *opt, uint64_t offset,
			    void *buf, size_t size, struct lb_http_reply *ret,
			    struct lb_error *err) LB_MUST_CHECK;

#endif
