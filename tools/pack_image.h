/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One image to index and payload, in two passes over its file: scan() finds the
 * chunks and digests, compress() stores the data chunks on several threads. The
 * result does not depend on their number.
 */
#ifndef LIFEBOAT_PACK_IMAGE_H
#define LIFEBOAT_PACK_IMAGE_H

#include <stdint.h>

#include "bundle/index.h"
#include "cli.h"

struct pack_image {
	int fd;			/* owned: the image */
	const char *path;	/* borrowed */
	struct lb_image *image; /* borrowed: name, kind, encoding, size; digests are filled in */
	uint8_t *index;		/* owned: LB_INDEX_MAX_BYTES, filled as it is stored */
	uint32_t chunk_count, data_count, zero_count, duplicate_count;
	uint64_t zero_bytes, duplicate_bytes;
	uint32_t prefix_count;	 /* data chunks that are decoded with a prefix */
	uint32_t far_count;	 /* ... with a far region */
	uint64_t payload_offset; /* in the spool file */
};

/* Opens the file; a FIT is looked at. Free with pack_image_close(). */
int pack_image_open(struct pack_image *p, const char *path, struct lb_image *image,
		    struct lb_error *err) LB_MUST_CHECK;
void pack_image_close(struct pack_image *p);

/*
 * First pass, at the image's level of chunking or the first one above it that gives few enough
 * chunks; that is noted in the image. -LB_E_TOO_BIG: none does.
 */
int pack_image_scan(struct pack_image *p, struct lb_error *err) LB_MUST_CHECK;

struct pack_options {
	unsigned int threads;
	int level;		/* of zstd */
	uint32_t window_bytes;	/* how far chunks may reach; of LB_REACH_UNIT_BYTES, 0: not at all */
};

/*
 * Second pass: appends the payload to @spool, whose end is @*spool_end, and completes
 * the index and the image's members.
 */
int pack_image_compress(struct pack_image *p, int spool, uint64_t *spool_end,
			const struct pack_options *options, struct lb_error *err) LB_MUST_CHECK;

/* Reading and writing entries of an index under construction. */
struct pack_entry {
	uint8_t type;
	uint8_t reach; /* data */
	bool far;      /* data: with a far region */
	uint32_t length;
	uint32_t reference; /* data: stored length */
	uint8_t sha256[LB_SHA256_BYTES];
};

void pack_entry_put(uint8_t *index, uint32_t number, const struct pack_entry *e);
/* An entry that is stored as one with a far region is read as data, with @ret->far. */
void pack_entry_get(const uint8_t *index, uint32_t number, struct pack_entry *ret);

#endif
