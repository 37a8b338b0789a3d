/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The chunk table of one image. It is kept in memory as it is stored (40 bytes
 * an entry, 4 a far region, at most 2.5 MiB): offsets are running sums, so a cursor
 * walks it.
 * Spec: docs/SPEC.md, "Index".
 */
#ifndef LB_BUNDLE_INDEX_H
#define LB_BUNDLE_INDEX_H

#include <stdint.h>

#include "base/error.h"
#include "base/sha256.h"
#include "bundle/manifest.h"

#define LB_INDEX_HEADER_BYTES 32
#define LB_INDEX_ENTRY_BYTES 40
#define LB_INDEX_CHUNKS_MAX 65536u
#define LB_INDEX_MAX_BYTES (LB_INDEX_HEADER_BYTES + LB_INDEX_CHUNKS_MAX * LB_INDEX_ENTRY_BYTES)
#define LB_CHUNK_MAX_BYTES (1024u * 1024u)	 /* data and duplicate chunks */
#define LB_ZERO_MAX_BYTES 0xffffffu		 /* zero chunks: the field's limit */
#define LB_STORED_MAX_BYTES (LB_CHUNK_MAX_BYTES + 8192u)
#define LB_REACH_UNIT_BYTES 8192u
#define LB_REACH_MAX_BYTES (255u * LB_REACH_UNIT_BYTES)
#define LB_INDEX_FAR_BYTES 4
#define LB_FAR_BLOCK_BYTES 4096u
#define LB_FAR_BLOCKS_MAX 64u
#define LB_FAR_MAX_BYTES (LB_FAR_BLOCKS_MAX * LB_FAR_BLOCK_BYTES)
#define LB_CHUNK_FAR 3 /* type of an entry: data with a far region */

enum lb_chunk_type { LB_CHUNK_DATA, LB_CHUNK_ZERO, LB_CHUNK_DUPLICATE };

/* One chunk with the running sums worked out. */
struct lb_chunk {
	enum lb_chunk_type type;
	uint32_t number;
	uint32_t length;	/* bytes of the image */
	uint32_t stored_length; /* bytes of the payload; 0 unless data */
	uint32_t original;	/* duplicate: number of the data chunk that it repeats */
	uint8_t reach;		/* data: lb_reach_bytes() in front of it are needed to decode it */
	uint32_t far_bytes;	/* data: and so many in front of those: its far region; mostly 0 */
	uint64_t offset;	/* in the image */
	uint64_t stored_offset; /* in the payload */
	uint64_t far_offset;	/* in the image, where the region ends at @offset or before */
	const uint8_t *sha256;	/* borrowed from the index; zero chunks: undefined */
};

struct lb_index {
	uint8_t *bytes; /* owned */
	size_t bytes_len;
	uint32_t chunk_count;
	uint32_t longest_chunk;	 /* of data and duplicate chunks, bytes */
	uint32_t longest_stored; /* bytes */
	uint32_t longest_prefix; /* bytes, far region included */
	uint32_t longest_far;	 /* bytes */
	uint32_t far_count;	 /* chunks with a far region */
	uint64_t image_bytes, payload_bytes;
};

/* Bytes of the new image in front of @offset that a frame with @reach is decoded with. */
static inline uint32_t lb_reach_bytes(uint8_t reach, uint64_t offset)
{
	uint32_t bytes = reach * LB_REACH_UNIT_BYTES;

	return offset < bytes ? (uint32_t)offset : bytes;
}

/* The part of the prefix that lies right in front of the chunk. */
static inline uint32_t lb_chunk_near_bytes(const struct lb_chunk *c)
{
	return lb_reach_bytes(c->reach, c->offset);
}

/* All of it: the far region, then that part. */
static inline uint32_t lb_chunk_prefix_bytes(const struct lb_chunk *c)
{
	return c->far_bytes + lb_chunk_near_bytes(c);
}

/**
 * lb_index_parse() - check a whole index and take it over
 * @bytes: from malloc; owned by @ret on success, still the caller's on failure
 *
 * Checks every entry once: lengths in bounds, a duplicate names an earlier data
 * chunk of the same length and digest, no prefix without encoding, a far region
 * in front of its chunk, sums equal @image's sizes. How long a prefix may be is the engine's to decide.
 * The digest of @bytes must have been compared with the manifest before.
 *
 * Return: 0, -LB_E_FORMAT, -LB_E_TOO_BIG.
 */
int lb_index_parse(uint8_t *bytes, size_t len, const struct lb_image *image,
		   struct lb_index *ret, struct lb_error *err) LB_MUST_CHECK;
void lb_index_free(struct lb_index *idx);

/*
 * Walk in order: start with a zeroed struct lb_chunk_cursor; false at the end.
 * for (struct lb_chunk_cursor c = {0}; lb_index_next(idx, &c, &chunk); )
 */
struct lb_chunk_cursor {
	uint32_t next, far; /* numbers of the next entry, of the next far region */
	uint64_t offset, stored_offset;
};

_Bool lb_index_next(const struct lb_index *idx, struct lb_chunk_cursor *cursor,
		    struct lb_chunk *ret);

/* Entry @number < chunk_count by itself: the running sums are left at 0, and there is no far region. */
void lb_index_entry(const struct lb_index *idx, uint32_t number, struct lb_chunk *ret);

#endif
