/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where this recovery can get bundles from: servers, files, inserted media, uploads. */
#ifndef RECOVERY_SOURCES_H
#define RECOVERY_SOURCES_H

#include "media.h"
#include "page/web.h"
#include "settings.h"

struct source_context {
	const struct settings *settings; /* borrowed */
	bool (*tick)(void *ctx); /* about once a second of waiting for a server; true: stop */
	void *tick_ctx;		 /* borrowed */
	struct media *media;	 /* borrowed */
	struct web *web;	 /* borrowed: the page, where a person may upload a bundle */
};

/* @c is borrowed. */
struct lb_sources sources_of(struct source_context *c);

#endif
