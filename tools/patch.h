/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making the patches of an image against an old one: which chunks the old image holds,
 * which regions of it help to encode the others, and in which order the device can do
 * all that in the old image's own place.
 */
#ifndef LIFEBOAT_PATCH_H
#define LIFEBOAT_PATCH_H

#include "bundle/patch.h"
#include "pack_image.h"

#define PATCH_REGIONS_MAX 32u /* that the packer takes for one chunk */
#define PATCH_MATCHES_MAX 8192u /* that are looked for in one */

struct patch_region {
	uint32_t block, count; /* of LB_PATCH_BLOCK_BYTES */
};

/* A chunk that is missing at its place in the old image, and how it can be had. */
struct patch_node {
	uint64_t offset; /* in the new image */
	uint32_t number, length, plain_length;
	bool copy;
	uint64_t from; /* copy: in the old image */
	struct patch_region regions[PATCH_REGIONS_MAX];
	uint32_t region_count;
	uint32_t crc;	      /* of the regions' bytes */
	uint8_t *frame;	      /* owned; NULL: a copy, or no patch helps */
	uint32_t frame_bytes;
	bool recoded;	      /* the frame is between symbols: ... */
	uint32_t symbols_bytes; /* ... so many of regions and chunk */
};

/* ---- patch_match.c: where the old image resembles a piece of the new one ---- */

struct patch_table;

/* @old is borrowed. NULL: no memory. Free with patch_table_free(). */
struct patch_table *patch_table_make(const uint8_t *old, uint64_t old_bytes);
void patch_table_free(struct patch_table *t);

/* Bytes that the old image has, too. */
struct patch_match {
	uint64_t from; /* in the old image */
	uint32_t at, length;
};

/*
 * What @data has of the old image: in ascending order, no byte twice, and only what is at
 * least 32 bytes long; shorter than 64 bytes it may be missed. May be called from several
 * threads. @ret: room for PATCH_MATCHES_MAX. Returns how many.
 */
uint32_t patch_matches(const struct patch_table *t, const uint8_t *data, size_t len,
		       struct patch_match *ret);

/*
 * The regions that hold most of what @data repeats, by place, neighbours joined. May be
 * called from several threads. Returns how many; 0: none; -LB_E_NOMEM.
 */
int patch_regions(const struct patch_table *t, const uint8_t *data, size_t len,
		  struct patch_region ret[PATCH_REGIONS_MAX]);

/* ---- patch_order.c: before a place is written, what reads it has to be done ---- */

enum patch_event_type { PATCH_MAKE, PATCH_HOLD, PATCH_WRITE };

struct patch_event {
	enum patch_event_type type;
	uint32_t node;
};

struct patch_order {
	struct patch_event *events; /* owned */
	uint32_t event_count;
	uint32_t held_bytes; /* most at once */
	uint64_t lost_bytes; /* more to fetch, because of nodes that could not be ordered */
};

/*
 * Orders @nodes; keeps at most @hold_limit bytes in memory between making and writing.
 * What goes round in a circle beyond that is left out. -LB_E_NOMEM.
 */
int patch_order_make(const struct patch_node *nodes, uint32_t count, uint32_t hold_limit,
		     struct patch_order *ret) LB_MUST_CHECK;
void patch_order_free(struct patch_order *o);

/* ---- patch_make.c ---- */

struct patch_pack {
	const struct pack_image *image; /* borrowed: packed already */
	int old_fd;			/* borrowed */
	uint64_t old_bytes;
	unsigned int threads;
	struct lb_patch_set *set; /* borrowed: members' sizes and digests are filled in */
	uint8_t *index;		  /* owned: of set->index.size_bytes */
	uint64_t payload_offset;  /* in the spool file */
	uint32_t copy_count, patch_count, recoded_count;
	uint64_t copy_bytes, patched_bytes; /* of the image */
	uint64_t lost_bytes;		    /* see above */
};

/* patch_store.c: the steps of @o to @p's index, its patches to the end of @spool. */
int patch_pack_store(struct patch_pack *p, const struct patch_node *nodes, uint32_t node_count,
		     const struct patch_order *o, int spool) LB_MUST_CHECK;

/* Appends the patches to @spool, whose end is @*spool_end. Free with patch_pack_free(). */
int patch_pack_make(struct patch_pack *p, int spool, uint64_t *spool_end,
		    struct lb_error *err) LB_MUST_CHECK;
void patch_pack_free(struct patch_pack *p);

#endif
