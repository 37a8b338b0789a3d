// SPDX-License-Identifier: GPL-2.0-or-later
/* The response headers that we read, line by line, each in an allocation of its own. */
#include "fuzz.h"
#include "linux/http_headers.h"

static void check_headers(const struct lb_http_headers *h)
{
	size_t len = strnlen(h->etag, sizeof(h->etag));

	CHECK(!h->has_range || h->first <= h->last);
	CHECK(!h->has_range || !h->has_total || h->last < h->total_bytes);
	CHECK(h->first <= INT64_MAX && h->last <= INT64_MAX && h->total_bytes <= INT64_MAX);
	CHECK(h->retry_after_s <= LB_HTTP_RETRY_MAX_S);
	CHECK(len < sizeof(h->etag));
	/* it is sent back in If-Range: no byte in it may end that line */
	CHECK(!len || (len >= 2 && h->etag[0] == '"' && h->etag[len - 1] == '"'));
	for (size_t i = 0; i < len; i++)
		CHECK(h->etag[i] > ' ' && h->etag[i] <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *at = data, *end = data + size;
	struct lb_http_headers h = { 0 };

	while (at < end) {
		const uint8_t *nl = memchr(at, '\n', (size_t)(end - at));
		size_t len = nl ? (size_t)(nl - at) + 1 : (size_t)(end - at);
		uint8_t *line = fuzz_exact(at, len);

		lb_http_headers_line(&h, (const char *)line, len);
		check_headers(&h);
		free(line);
		at += len;
	}
	return 0;
}
