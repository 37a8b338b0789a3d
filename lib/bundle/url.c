// SPDX-License-Identifier: GPL-2.0-or-later
/* The part of RFC 3986, section 5, that a channel file needs. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "bundle/channel.h"

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
