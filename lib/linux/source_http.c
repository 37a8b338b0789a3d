// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A bundle on a server. Invariant: the bytes that read() hands out belong to
 * one file, as far as the server lets us know (ETag, size), and start at the
 * offset that was asked for, whether the server has ranges or not.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linux/http.h"
#include "linux/http_session.h"

/* A gap up to this is passed over: a new request costs a round trip. */
#define GAP_BYTES (64u * 1024u)

struct source_http {
	struct lb_source source;
	struct lb_http_session *http; /* owned */
	uint64_t at;		      /* next byte of the reader */
	uint64_t want_end;	      /* first byte that it will not want; LB_SOURCE_TO_END */
	bool flowing;		      /* an answer is being read: */
	uint64_t flow_at, flow_end;   /* its next byte, and the first that it has not */
	bool total_known;
	uint64_t total_bytes;
	char etag[LB_HTTP_ETAG_BYTES];
};

static struct source_http *to_http(struct lb_source *s)
{
	return (struct source_http *)s;
}

static void stop(struct source_http *h)
{
	lb_http_session_stop(h->http);
	h->flowing = false;
}

/* Can the answer that flows now serve @offset without too much waste? */
static bool worth_keeping(const struct source_http *h, uint64_t offset)
{
	if (!h->flowing || offset < h->flow_at || offset >= h->flow_end)
		return false;
	return h->source.sequential || offset - h->flow_at <= GAP_BYTES;
}

static int source_http_seek(struct lb_source *s, uint64_t offset, uint64_t len,
			    struct lb_error *err)
{
	struct source_http *h = to_http(s);

	if (offset > INT64_MAX)
		return lb_error_set(err, LB_E_INVALID, "offset %" PRIu64 " is no offset of a file",
				    offset);
	h->at = offset;
	h->want_end = len > INT64_MAX - offset ? LB_SOURCE_TO_END : offset + len;
	if (!worth_keeping(h, offset))
		stop(h);
	return 0;
}

/* Is it still the file that the first answer was about? */
static int same_file(struct source_http *h, bool has_total, uint64_t total, struct lb_error *err)
{
	const char *etag = h->http->headers.etag;

	if (has_total && h->total_known && total != h->total_bytes)
		return lb_error_set(err, LB_E_CHANGED,
				    "%s had %" PRIu64 " bytes and has %" PRIu64 " now",
				    h->http->place, h->total_bytes, total);
	if (etag[0] && h->etag[0] && strcmp(etag, h->etag))
		return lb_error_set(err, LB_E_CHANGED, "%s is another file now (ETag %s, was %s)",
				    h->http->place, etag, h->etag);
	if (has_total) {
		h->total_known = true;
		h->total_bytes = total;
	}
	if (etag[0])
		snprintf(h->etag, sizeof(h->etag), "%s", etag);
	return 0;
}

/* 206: exactly what was asked for, or its beginning. */
static int part_came(struct source_http *h, uint64_t asked_last, struct lb_error *err)
{
	const struct lb_http_headers *head = &h->http->headers;

	if (!head->has_range || head->first != h->at || head->last > asked_last)
		return lb_error_set(err, LB_E_REFUSED,
				    "%s sent bytes %" PRIu64 "-%" PRIu64 ", asked for were %" PRIu64
				    "-", h->http->place, head->first, head->last, h->at);
	h->flow_at = head->first;
	h->flow_end = head->last + 1;
	return same_file(h, head->has_total, head->total_bytes, err);
}

/* 200: the server has no ranges, or If-Range says that the file changed. */
static int whole_came(struct source_http *h, struct lb_error *err)
{
	int code = same_file(h, h->http->has_length, h->http->length_bytes, err);

	if (code)
		return code;
	h->source.sequential = true;
	h->flow_at = 0;
	h->flow_end = h->total_known ? h->total_bytes : UINT64_MAX;
	return 0;
}

/* 416 that states a size: believed if it makes sense. */
static int behind_the_end(struct source_http *h, struct lb_error *err)
{
	uint64_t total = h->http->headers.total_bytes;

	if (total > h->at)
		return lb_error_set(err, LB_E_AGAIN,
				    "%s has %" PRIu64 " bytes but does not serve byte %" PRIu64,
				    h->http->place, total, h->at);
	return same_file(h, true, total, err);
}

/* Asks for what the reader wants next. Leaves it flowing, or the end known. */
static int ask(struct source_http *h, struct lb_error *err)
{
	struct lb_http_ask a = { .range = true, .first = h->at, .if_range = h->etag };
	int code;

	/* a reader that goes on behind what it announced gets the rest */
	a.last = h->want_end == LB_SOURCE_TO_END || h->want_end <= h->at ? LB_HTTP_TO_END :
									   h->want_end - 1;
	code = lb_http_session_start(h->http, &a, err);
	if (code)
		return code;
	if (h->http->status == 416)
		return behind_the_end(h, err);
	code = h->http->status == 206 ? part_came(h, a.last, err) : whole_came(h, err);
	if (code)
		lb_http_session_stop(h->http);
	else
		h->flowing = true;
	return code;
}

/* The answer ended where its length was not announced, or too early. */
static int flow_ended(struct source_http *h, struct lb_error *err)
{
	if (h->flow_end != UINT64_MAX)
		return lb_error_set(err, LB_E_AGAIN,
				    "%s ended its answer at byte %" PRIu64 " of %" PRIu64,
				    h->http->place, h->flow_at, h->flow_end);
	h->total_known = true;
	h->total_bytes = h->flow_at;
	return 0;
}

/* One step: bytes for the reader, or 0 when the answer that flowed has ended. */
static ptrdiff_t step(struct source_http *h, void *buf, size_t len, struct lb_error *err)
{
	uint64_t gap = h->at - h->flow_at;
	ptrdiff_t n;

	if (gap)
		n = lb_http_session_read(h->http, NULL, gap < SIZE_MAX ? (size_t)gap : SIZE_MAX,
					 err);
	else
		n = lb_http_session_read(h->http, buf, len, err);
	if (n <= 0)
		stop(h);
	if (n < 0)
		return n;
	if (!n)
		return flow_ended(h, err);
	h->flow_at += (uint64_t)n;
	if (gap)
		return 0;
	h->at += (uint64_t)n;
	return n;
}

static ptrdiff_t source_http_read(struct lb_source *s, void *buf, size_t len, struct lb_error *err)
{
	struct source_http *h = to_http(s);
	ptrdiff_t n = 0;

	while (!n && len && !(h->total_known && h->at >= h->total_bytes)) {
		if (h->flowing && h->flow_at >= h->flow_end)
			stop(h);
		n = h->flowing ? step(h, buf, len, err) : ask(h, err);
	}
	s->fetched_bytes = h->http->arrived_bytes;
	s->requests = h->http->requests;
	s->retry_after_s = n == -LB_E_AGAIN ? h->http->headers.retry_after_s : 0;
	return n;
}

static void source_http_close(struct lb_source *s)
{
	struct source_http *h = to_http(s);

	lb_http_session_close(h->http);
	free(h);
}

int lb_http_source_open(const char *url, const struct lb_http_options *opt,
			struct lb_source **ret, struct lb_error *err)
{
	static const struct lb_source_ops ops = {
		.seek = source_http_seek,
		.read = source_http_read,
		.close = source_http_close,
	};
	struct source_http *h = calloc(1, sizeof(*h));
	int code;

	if (!h)
		return lb_error_set(err, LB_E_NOMEM, "no memory for a connection");
	h->source.ops = &ops;
	h->want_end = LB_SOURCE_TO_END;
	code = lb_http_session_open(url, opt, &h->http, err);
	if (code) {
		free(h);
		return code;
	}
	*ret = &h->source;
	return 0;
}
