// SPDX-License-Identifier: GPL-2.0-or-later
/* The part of RFC 3986, section 5, that a channel file needs; and what of a URL may be shown. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "bundle/channel.h"
#include "bundle/url.h"

/* With a server's name: what follows three slashes is a path to some readers, a server to others. */
static bool names_server(const char *url, const char *scheme)
{
	size_t len = strlen(scheme);

	return !strncmp(url, scheme, len) && url[len] && !strchr("/?#", url[len]);
}

static bool absolute(const char *url)
{
	return names_server(url, "https://") || names_server(url, "http://") ||
	       !strncmp(url, "file:///", 8);
}

/* Visible ASCII without quotes and backslash; no "..", which servers resolve each in their way. */
static bool acceptable(const char *url)
{
	if (!*url || strstr(url, ".."))
		return false;
	for (const char *p = url; *p; p++)
		if (*p <= ' ' || *p > '~' || strchr("\"\\<>", *p))
			return false;
	return true;
}

/* How much of @base stays in front of @ref: the server, or all up to the path's last slash. */
static size_t kept(const char *base, const char *ref)
{
	const char *server = strstr(base, "://") + 3;
	size_t len = (size_t)(server - base) + strcspn(server, "/?#");

	if (ref[0] == '/' || base[len] != '/')
		return len;
	len = strcspn(base, "?#");
	while (base[len - 1] != '/')
		len--;
	return len;
}

int lb_url_resolve(const char *base, const char *ref, char *ret, size_t size,
		   struct lb_error *err)
{
	size_t keep;
	int len;

	if (!acceptable(ref) || (!absolute(ref) && (strstr(ref, "://") || !strncmp(ref, "//", 2))))
		return lb_error_set(err, LB_E_FORMAT, "a URL in the channel file is not acceptable");
	if (absolute(ref)) {
		len = snprintf(ret, size, "%s", ref);
	} else {
		if (!absolute(base))
			return lb_error_set(err, LB_E_FORMAT, "the channel's own URL is not absolute");
		keep = kept(base, ref);
		len = snprintf(ret, size, "%.*s%s%s", (int)keep, base,
			       ref[0] == '/' || base[keep - 1] == '/' ? "" : "/", ref);
	}
	if (len < 0 || (size_t)len >= size)
		return lb_error_set(err, LB_E_TOO_BIG, "a URL in the channel file is too long");
	return 0;
}

/* Length of "https://" or the like in front of @url; 0 for a path and file://. */
static size_t server_scheme(const char *url)
{
	size_t len = strcspn(url, ":/?#@");

	if (!len || strncmp(url + len, "://", 3) || !strncasecmp(url, "file://", 7))
		return 0;
	return len + 3;
}

const char *lb_url_shown(const char *url, char *ret, size_t size)
{
	size_t scheme = server_scheme(url), server, len;
	const char *host = url + scheme;

	if (!scheme) {
		snprintf(ret, size, "%s", url);
		return ret;
	}
	server = strcspn(host, "/?#");
	len = strcspn(host, "?#");
	for (size_t i = 0; i < server; i++) /* the last @ ends the user's name */
		if (url[scheme + i] == '@') {
			host = url + scheme + i + 1;
			len = strcspn(host, "?#");
		}
	snprintf(ret, size, "%.*s%.*s", (int)scheme, url, (int)len, host);
	return ret;
}
