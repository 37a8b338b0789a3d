// SPDX-License-Identifier: GPL-2.0-or-later
/* What a URL says about whom it talks to. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "linux/http_session.h"

static char *part(const char *url, CURLUPart which)
{
	CURLU *u = curl_url();
	char *text = NULL;

	if (u && !curl_url_set(u, CURLUPART_URL, url, 0))
		curl_url_get(u, which, &text, CURLU_DEFAULT_PORT);
	curl_url_cleanup(u);
	return text; /* free with curl_free(); NULL: no such part, or no URL */
}

static bool same_part(const char *a, const char *b, CURLUPart which)
{
	char *pa = part(a, which), *pb = part(b, which);
	bool same = pa && pb && !strcasecmp(pa, pb);

	curl_free(pa);
	curl_free(pb);
	return same;
}

bool lb_http_same_origin(const char *url_a, const char *url_b)
{
	return same_part(url_a, url_b, CURLUPART_SCHEME) &&
	       same_part(url_a, url_b, CURLUPART_HOST) && same_part(url_a, url_b, CURLUPART_PORT);
}

bool lb_http_is_https(const char *url)
{
	return !strncasecmp(url, "https://", 8);
}

void lb_http_place(const char *url, char *out, size_t size)
{
	char *host = part(url, CURLUPART_HOST), *path = part(url, CURLUPART_PATH);

	/* the server's answer is never shown: only what was asked for */
	snprintf(out, size, "%s%s", host ? host : "the server", path ? path : "");
	for (char *c = out; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	curl_free(host);
	curl_free(path);
}
