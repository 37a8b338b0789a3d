/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lies in front of a chunk, but further away than its window, and resembles it: a
 * program's other copies, the same table in another file. Of all that the packer chooses
 * one short stretch, the chunk's far region.
 */
#ifndef LIFEBOAT_PACK_FAR_H
#define LIFEBOAT_PACK_FAR_H

#include "pack_image.h"

#define PACK_FAR_BLOCKS_MAX 32u /* LB_FAR_BLOCKS_MAX and more would be a device's to read for each chunk */

struct pack_far;

struct pack_region {
	uint64_t offset; /* in the image */
	uint32_t bytes;	 /* whole blocks of LB_FAR_BLOCK_BYTES; 0: there is none */
};

/*
 * @p: with a scanned index; @image: borrowed, its bytes. Takes half a byte for each that is not in a zero
 * chunk, rarely more than 256 MiB, never more than 640. NULL: no memory.
 */
struct pack_far *pack_far_new(const struct pack_image *p, const uint8_t *image);
void pack_far_free(struct pack_far *f);

/**
 * pack_far_find() - the region that has most of what the chunk at @offset repeats
 * @near_bytes: what lies less far in front of the chunk needs no region
 * @blocks_max: the longest that is wanted
 *
 * The region ends in front of the chunk. May be called by several threads at once.
 * Return: 0, or -LB_E_NOMEM.
 */
int pack_far_find(const struct pack_far *f, uint64_t offset, uint32_t len, uint32_t near_bytes,
		  uint32_t blocks_max, struct pack_region *ret);

#endif
