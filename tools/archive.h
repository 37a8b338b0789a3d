/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing a bundle or a channel file: members in order, then the end marker. */
#ifndef LIFEBOAT_ARCHIVE_H
#define LIFEBOAT_ARCHIVE_H

#include "bundle/bundle.h"
#include "cli.h"

struct archive {
	struct cli_file file;
	uint64_t mtime_s; /* of every member */
};

int archive_create(struct archive *a, const char *path, uint64_t mtime_s,
		   struct lb_error *err) LB_MUST_CHECK;
int archive_add(struct archive *a, const char *name, const void *data, size_t len,
		struct lb_error *err) LB_MUST_CHECK;

/* Copies @len bytes of @fd from @offset on. */
int archive_add_range(struct archive *a, const char *name, int fd, uint64_t offset, uint64_t len,
		      struct lb_error *err) LB_MUST_CHECK;

/* NAME.json and NAME.sig.KEYID for all of @head's signatures. */
int archive_add_head(struct archive *a, const char *name, const struct lb_bundle_head *head,
		     struct lb_error *err) LB_MUST_CHECK;

/* Copies @len bytes of @fd, headers and all. */
int archive_copy(struct archive *a, int fd, uint64_t offset, uint64_t len,
		 struct lb_error *err) LB_MUST_CHECK;

/* Ends the archive; the file appears. */
int archive_commit(struct archive *a, struct lb_error *err) LB_MUST_CHECK;
void archive_abort(struct archive *a);

#endif
