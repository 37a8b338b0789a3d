// SPDX-License-Identifier: GPL-2.0-or-later
/* Small files: the signed channel, and the agent's look at a bundle's first bytes. */
#include "linux/http.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "linux/clock.h"
#include "linux/http_session.h"

int lb_http_init(void)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) ? -LB_E_NOMEM : 0;
}

void lb_http_exit(void)
{
	curl_global_cleanup();
}

static void fill_reply(const struct lb_http_session *s, struct lb_http_reply *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->status = s->status;
	ret->retry_after_s = s->headers.retry_after_s;
	snprintf(ret->etag, sizeof(ret->etag), "%s", s->headers.etag);
	ret->ranges = s->status == 206;
	if (s->headers.has_total)
		ret->total_bytes = s->headers.total_bytes;
	else if (s->status == 200 && s->has_length)
		ret->total_bytes = s->length_bytes;
}

/* The whole body; a server that drips has as long as it has for a head. */
static ptrdiff_t read_body(struct lb_http_session *s, uint8_t *buf, size_t size,
			   struct lb_error *err)
{
	uint64_t deadline = s->started_ms + s->connect_ms + 4 * s->stall_ms;
	size_t done = 0;
	uint8_t extra;

	for (;;) {
		ptrdiff_t n = lb_http_session_read(s, done < size ? buf + done : &extra,
						   done < size ? size - done : 1, err);

		if (n < 0)
			return n;
		if (!n)
			return (ptrdiff_t)done;
		if (done == size)
			return lb_error_set(err, LB_E_TOO_BIG, "%s is longer than %zu bytes",
					    s->place, size);
		done += (size_t)n;
		if (lb_clock_ms(lb_clock_system()) > deadline)
			return lb_error_set(err, LB_E_AGAIN, "%s is too slow: %zu bytes so far",
					    s->place, done);
	}
}

static ptrdiff_t get(const char *url, const struct lb_http_options *opt,
		     const struct lb_http_ask *ask, void *buf, size_t size,
		     struct lb_http_reply *ret, struct lb_error *err)
{
	struct lb_http_session *s = NULL;
	ptrdiff_t n;

	memset(ret, 0, sizeof(*ret));
	n = lb_http_session_open(url, opt, &s, err);
	if (n)
		return n;
	n = lb_http_session_start(s, ask, err);
	fill_reply(s, ret);
	if (n)
		goto out;
	if (s->status == 416) {
		n = lb_error_set(err, LB_E_TRUNCATED,
				 "%s has %" PRIu64 " bytes, byte %" PRIu64 " was asked for",
				 s->place, ret->total_bytes, ask->first);
	} else if (s->status == 206 && s->headers.first != ask->first) {
		n = lb_error_set(err, LB_E_REFUSED,
				 "%s sent byte %" PRIu64 ", byte %" PRIu64 " was asked for",
				 s->place, s->headers.first, ask->first);
	} else if (s->status == 304 || (ask->range && s->status == 200)) {
		n = 0;
	} else {
		n = read_body(s, buf, size, err);
	}
out:
	lb_http_session_close(s);
	return n;
}

ptrdiff_t lb_http_get(const char *url, const struct lb_http_options *opt, const char *etag,
		      void *buf, size_t size, struct lb_http_reply *ret, struct lb_error *err)
{
	struct lb_http_ask ask = { .if_none_match = etag };

	return get(url, opt, &ask, buf, size, ret, err);
}

ptrdiff_t lb_http_get_range(const char *url, const struct lb_http_options *opt, uint64_t offset,
			    void *buf, size_t size, struct lb_http_reply *ret,
			    struct lb_error *err)
{
	struct lb_http_ask ask = { .range = true, .first = offset, .last = offset + size - 1 };

	if (!size || size > INT64_MAX || offset > INT64_MAX - size)
		return lb_error_set(err, LB_E_INVALID, "%zu bytes at %" PRIu64 " is no range", size,
				    offset);
	return get(url, opt, &ask, buf, size, ret, err);
}
