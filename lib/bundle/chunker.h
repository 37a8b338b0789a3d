/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where an image is cut into chunks: by its content, so that an insertion does not
 * move every later cut, and around runs of zeros. A reader never needs this: any
 * cutting gives a valid bundle. Spec: docs/SPEC.md, "Chunking".
 */
#ifndef LB_BUNDLE_CHUNKER_H
#define LB_BUNDLE_CHUNKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LB_CHUNKER_LEVELS 9 /* each has coarser chunks than the one before */

struct lb_chunker {
	uint64_t gear[256];
	uint32_t min_bytes, average_bytes, max_bytes; /* of data chunks */
	uint32_t zero_bytes;			      /* blocks of zeros: size and alignment */
	unsigned int average_bits;
	size_t window_bytes; /* what lb_chunker_next() wants to see */
};

/* @level 0 is the default: 16, 64 and 256 KiB, zero blocks of 4 KiB. */
void lb_chunker_init(struct lb_chunker *c, unsigned int level);

/* The first level whose expected number of chunks leaves a quarter of the index free. */
unsigned int lb_chunker_level(uint64_t image_bytes);

/**
 * lb_chunker_next() - how long the next chunk is
 * @offset: in the image, where the chunk begins
 * @data: the image from there on; @c->window_bytes, fewer only at the image's end
 * @ret_zero: the chunk is of zeros. A run of zeros can be longer than the window:
 *            the next call then continues it.
 *
 * Return: 1 to @len.
 */
size_t lb_chunker_next(const struct lb_chunker *c, uint64_t offset, const uint8_t *data,
		       size_t len, bool *ret_zero);

/**
 * lb_chunker_resync() - the next place at which a chunk may begin, whatever began before it
 * @data: any bytes of an image; the first 64 are only looked back at
 *
 * For a reader that does not know where the packer began: a chunk that ends by
 * its content ends at one of these places, and the next one begins there.
 * Return: 64 to @len, or @len when there is none (also when @len is less than 64).
 */
size_t lb_chunker_resync(const struct lb_chunker *c, const uint8_t *data, size_t len);

#endif
