/* SPDX-License-Identifier: GPL-2.0-or-later */
/* URLs as people see them. What a channel's URLs mean: lb_url_resolve() in channel.h. */
#ifndef LB_BUNDLE_URL_H
#define LB_BUNDLE_URL_H

#include <stddef.h>

/**
 * lb_url_shown() - @url for consoles, logs and status
 * @size: of @ret, at least 1; a longer URL is cut
 *
 * Without user name, password, query and fragment of anything that names a server: they
 * may hold a token. Paths and file:// URLs stay as they are. Return: @ret.
 */
const char *lb_url_shown(const char *url, char *ret, size_t size);

#endif
