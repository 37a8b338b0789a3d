// SPDX-License-Identifier: GPL-2.0-or-later
#include "place.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bundle/url.h"

#define FILE_SCHEME "file://"

static bool is_http(const char *s)
{
	return !strncasecmp(s, "http://", 7) || !strncasecmp(s, "https://", 8);
}

/* Records and headers take printable ASCII without spaces. */
static bool is_plain(const char *s)
{
	for (; *s; s++)
		if (*s <= ' ' || *s > '~')
			return false;
	return true;
}

static int take_http(const char *url, struct agent_place *ret, struct lb_error *err)
{
	char shown[121];

	lb_url_shown(url, shown, sizeof(shown));
	if (strlen(url) > LB_URL_MAX)
		return lb_error_set(err, LB_E_INVALID, "URL %.60s... is longer than %d characters",
				    shown, LB_URL_MAX);
	if (!is_plain(url))
		return lb_error_set(err, LB_E_INVALID, "URL %s holds a space or something else "
				    "that has to be percent-encoded", shown);
	ret->is_file = false;
	snprintf(ret->here, sizeof(ret->here), "%s", url);
	snprintf(ret->there, sizeof(ret->there), "%s", url);
	return 0;
}

/* What of @path lies below @dir, with its leading slash; NULL if it is elsewhere. */
static const char *below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	while (len > 1 && dir[len - 1] == '/')
		len--;
	if (!len || strncmp(path, dir, len) || path[len] != '/' || !path[len + 1])
		return NULL;
	return path + len;
}

static int take_file(const struct agent *a, const char *name, struct agent_place *ret,
		     struct lb_error *err)
{
	char path[PATH_MAX], dir[PATH_MAX];
	const char *rest;
	int len;

	if (!*a->set.handover_dir)
		return lb_error_set(err, LB_E_INVALID,
				    "a file can be installed only when agent.handover_dir and "
				    "agent.recovery_dir tell where recovery finds it");
	if (!realpath(name, path))
		return lb_error_set(err, LB_E_NOT_FOUND, "%.150s: %s", name, strerror(errno));
	if (!realpath(a->set.handover_dir, dir))
		return lb_error_set(err, LB_E_NOT_FOUND, "%.150s: %s", a->set.handover_dir,
				    strerror(errno));
	rest = below(path, dir);
	if (!rest)
		return lb_error_set(err, LB_E_INVALID, "%.90s does not lie below %.90s: recovery could "
				    "not read it", path, dir);
	ret->is_file = true;
	len = snprintf(ret->there, sizeof(ret->there), FILE_SCHEME "%s%s", a->set.recovery_dir, rest);
	if (!is_plain(path) || len >= (int)sizeof(ret->there) || strlen(path) > LB_URL_MAX)
		return lb_error_set(err, LB_E_INVALID, "%.150s: the name is too long or not printable "
				    "ASCII without spaces", path);
	memcpy(ret->here, path, strlen(path) + 1);
	return 0;
}

int agent_place_of(const struct agent *a, const char *text, struct agent_place *ret,
		   struct lb_error *err)
{
	struct agent_place p = { 0 };
	char shown[121];
	int rc;

	if (is_http(text)) {
		rc = take_http(text, &p, err);
	} else if (!strncasecmp(text, FILE_SCHEME, strlen(FILE_SCHEME))) {
		rc = take_file(a, text + strlen(FILE_SCHEME), &p, err);
	} else if (strstr(text, "://")) {
		rc = lb_error_set(err, LB_E_INVALID,
				  "%s: only https, http and files are possible",
				  lb_url_shown(text, shown, sizeof(shown)));
	} else {
		rc = take_file(a, text, &p, err);
	}
	if (!rc) {
		lb_url_shown(p.here, p.shown, sizeof(p.shown));
		*ret = p;
	}
	return rc;
}

int agent_place_of_recovery(const struct agent *a, const char *url, struct agent_place *ret,
			    struct lb_error *err)
{
	char path[PATH_MAX], shown[151];
	const char *rest = NULL;

	if (is_http(url))
		return agent_place_of(a, url, ret, err);
	if (*a->set.recovery_dir && !strncasecmp(url, FILE_SCHEME, strlen(FILE_SCHEME)))
		rest = below(url + strlen(FILE_SCHEME), a->set.recovery_dir);
	if (!rest)
		return lb_error_set(err, LB_E_INVALID, "%s is out of main's reach",
				    lb_url_shown(url, shown, sizeof(shown)));
	snprintf(path, sizeof(path), "%s%s", a->set.handover_dir, rest);
	return agent_place_of(a, path, ret, err);
}
