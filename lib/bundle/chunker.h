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

#define LB_CHUNKER_LEVELS 12 /* 1 to 12; each has coarser chunks than the one before */
#define LB_CHUNKER_COARSE 4   /* from here on they end at blocks of compressed data, and at no files */

struct lb_chunker {
	uint64_t gear[256];
	uint32_t min_bytes, average_bytes, max_bytes; /* of data chunks */
	uint32_t zero_bytes;			      /* blocks of zeros: size and alignment */
	bool fine;			      /* they end at files of a block file system, too */
	size_t beginning_count;		      /* of those in chunker.c that a chunk ends behind */
	bool stop[256];				      /* by a chunk's last byte: look whether it does */
	unsigned int average_bits;
	size_t window_bytes; /* what lb_chunker_next() wants to see */
};

/* @level: from 1; level 4 has chunks of 16, 64 and 256 KiB, and zero blocks of 4 KiB. */
void lb_chunker_init(struct lb_chunker *c, unsigned int level);

/*
 * The first plain level whose expected number of chunks leaves a quarter of the index free:
 * of an image that does not say how it was cut, and with patches, whose index grows with the chunks.
 */
unsigned int lb_chunker_level(uint64_t image_bytes);

/* The first one that is expected to give no more than about 16,384 chunks, if it is finer than that. */
unsigned int lb_chunker_fine_level(uint64_t image_bytes);

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
 * @data: any bytes of an image, from @offset on; the first 64 are only looked back at
 *
 * For a reader that does not know where the packer began: a chunk that ends by
 * its content ends at one of these places, and the next one begins there.
 * Return: 64 to @len, or @len when there is none (also when @len is less than 64).
 */
size_t lb_chunker_resync(const struct lb_chunker *c, uint64_t offset, const uint8_t *data,
			 size_t len);

/*
 * Whether a chunk can end at a place follows from the 64 bytes before it, wherever the chunk
 * begins. A reader that tries many beginnings, each a little further on, hashes every byte
 * once if it keeps the places that were seen. All zeros to begin with, and for other bytes.
 */
struct lb_chunker_ends {
	uint64_t from, to; /* offsets: of the places in [from + 64, to) those below are the ends */
	uint64_t hash;	   /* of the bytes before @to */
	uint64_t last;	   /* the eight bytes before @to */
	uint32_t count;
	uint64_t at[256];  /* ascending: offset << 1, and 1 if it ends short chunks, too */
};

/* lb_chunker_next(), to the byte; @ends keeps what was seen of the same bytes before. */
size_t lb_chunker_next_again(const struct lb_chunker *c, struct lb_chunker_ends *ends,
			     uint64_t offset, const uint8_t *data, size_t len, bool *ret_zero);

/* lb_chunker_resync(), to the byte. */
size_t lb_chunker_resync_again(const struct lb_chunker *c, struct lb_chunker_ends *ends,
			       uint64_t offset, const uint8_t *data, size_t len);

#endif
