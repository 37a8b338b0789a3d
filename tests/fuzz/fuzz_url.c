// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two lines: a channel's URL and a URL in it. What comes out is acceptable itself, and a
 * relative one stays with its server, also in the eyes of libcurl, which will fetch it.
 */
#include "bundle/channel.h"
#include "bundle/url.h"
#include "fuzz.h"
#include "linux/http_session.h"

static bool has_scheme(const char *url)
{
	return !strncmp(url, "https://", 8) || !strncmp(url, "http://", 7) ||
	       !strncmp(url, "file:///", 8);
}

/* Nothing of what may hold a token: user, password, query, fragment. */
static void check_shown(const char *url)
{
	char shown[300], tiny[9], *server, *end;

	CHECK(lb_url_shown(url, shown, sizeof(shown)) == shown);
	CHECK(memchr(shown, '\0', sizeof(shown)) && strlen(shown) <= strlen(url));
	CHECK(!strncmp(lb_url_shown(url, tiny, sizeof(tiny)), shown, sizeof(tiny) - 1));
	if (strncmp(url, "https://", 8) && strncmp(url, "http://", 7))
		return;
	CHECK(!strpbrk(shown, "?#"));
	server = strstr(shown, "://") + 3;
	end = server + strcspn(server, "/");
	CHECK(!memchr(server, '@', (size_t)(end - server)));
}

static void check_place(const char *url)
{
	char place[96];

	lb_http_place(url, place, sizeof(place));
	CHECK(strnlen(place, sizeof(place)) < sizeof(place));
	for (const char *p = place; *p; p++)
		CHECK(*p >= ' ' && *p <= '~');
	CHECK(lb_http_is_https(url) || strncmp(url, "https://", 8));
}

static void check_resolved(const char *base, const char *ref, const char *url)
{
	CHECK(has_scheme(url) && strlen(url) <= LB_URL_MAX && !strstr(ref, ".."));
	for (const char *p = ref; *p; p++)
		CHECK(*p > ' ' && *p <= '~');
	if (has_scheme(ref))
		CHECK(!strcmp(url, ref));
	else if (lb_http_same_origin(base, base)) /* libcurl understands it */
		CHECK(lb_http_same_origin(base, url));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *base = malloc(size + 1), *ref, url[LB_URL_MAX + 1], tiny[12] = "untouched";
	struct lb_error err = { 0 };
	int rc;

	CHECK(base);
	if (size)
		memcpy(base, data, size);
	base[size] = '\0';
	ref = strchr(base, '\n');
	if (ref) {
		*ref++ = '\0';
		rc = lb_url_resolve(base, ref, url, sizeof(url), &err);
		CHECK_RESULT(rc, &err);
		if (!rc)
			check_resolved(base, ref, url);
		rc = lb_url_resolve(base, ref, tiny, sizeof(tiny), NULL);
		CHECK(memchr(tiny, '\0', sizeof(tiny)));
		CHECK(rc || strlen(tiny) < sizeof(tiny) - 1 || !strcmp(tiny, url));
		(void)lb_http_same_origin(base, ref);
		check_shown(ref);
	}
	check_place(base);
	check_shown(base);
	free(base);
	return 0;
}
