// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux/http_headers.h"

#include <string.h>
#include <strings.h>

/* A piece of a line; every step checks what is left. */
struct text {
	const char *at, *end;
};

static bool take_word(struct text *t, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(t->end - t->at) < len || strncasecmp(t->at, word, len))
		return false;
	t->at += len;
	return true;
}

static void skip_blanks(struct text *t)
{
	while (t->at < t->end && (*t->at == ' ' || *t->at == '\t'))
		t->at++;
}

/* At least one digit; false when it does not fit 63 bits. */
static bool take_number(struct text *t, uint64_t *ret)
{
	const char *start = t->at;
	uint64_t n = 0;

	for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++) {
		if (n > (INT64_MAX - 9) / 10)
			return false;
		n = n * 10 + (uint64_t)(*t->at - '0');
	}
	*ret = n;
	return t->at > start;
}

/* bytes 0-499/1234, bytes 0-499/ *, bytes * /1234 (without the blanks) */
static void content_range(struct lb_http_headers *h, struct text t)
{
	uint64_t first = 0, last = 0, total = 0;
	bool has_range, has_total;

	if (!take_word(&t, "bytes"))
		return;
	skip_blanks(&t);
	has_range = !take_word(&t, "*");
	if (has_range &&
	    (!take_number(&t, &first) || !take_word(&t, "-") || !take_number(&t, &last)))
		return;
	if (!take_word(&t, "/"))
		return;
	has_total = !take_word(&t, "*");
	if (has_total && !take_number(&t, &total))
		return;
	if (t.at != t.end || first > last || (has_range && has_total && last >= total))
		return;

	h->has_range = has_range;
	h->first = first;
	h->last = last;
	h->has_total = has_total;
	h->total_bytes = total;
}

static void etag(struct lb_http_headers *h, struct text t)
{
	size_t len = (size_t)(t.end - t.at);

	if (len < 2 || len >= sizeof(h->etag) || t.at[0] != '"' || t.end[-1] != '"')
		return;
	for (size_t i = 1; i < len - 1; i++)
		if (t.at[i] <= ' ' || t.at[i] == '"' || t.at[i] > '~')
			return;
	memcpy(h->etag, t.at, len);
	h->etag[len] = '\0';
}

static void retry_after(struct lb_http_headers *h, struct text t)
{
	uint64_t seconds;

	if (!take_number(&t, &seconds) || t.at != t.end)
		return;
	h->retry_after_s = seconds < LB_HTTP_RETRY_MAX_S ? (uint32_t)seconds : LB_HTTP_RETRY_MAX_S;
}

static void content_encoding(struct lb_http_headers *h, struct text t)
{
	h->encoded = !take_word(&t, "identity") || t.at != t.end;
}

void lb_http_headers_line(struct lb_http_headers *h, const char *line, size_t len)
{
	static const struct {
		const char *name;
		void (*take)(struct lb_http_headers *h, struct text value);
	} known[] = {
		{ "content-range:", content_range },
		{ "etag:", etag },
		{ "retry-after:", retry_after },
		{ "content-encoding:", content_encoding },
	};
	struct text t = { line, line + len };

	while (t.end > t.at && (t.end[-1] == '\r' || t.end[-1] == '\n' || t.end[-1] == ' ' ||
				t.end[-1] == '\t'))
		t.end--;
	if (take_word(&t, "HTTP/")) {
		memset(h, 0, sizeof(*h));
		return;
	}
	if (t.at == t.end)
		h->done = true;
	if (h->done)
		return; /* nothing after the head counts: trailers */
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!take_word(&t, known[i].name))
			continue;
		skip_blanks(&t);
		known[i].take(h, t);
		return;
	}
}
