/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One chunk as a zstd frame that is decoded with a prefix: from the matches that a
 * search over the image found, in blocks that end where the chunk's content changes.
 */
#ifndef LIFEBOAT_PACK_FRAME_H
#define LIFEBOAT_PACK_FRAME_H

#include "pack_stream.h"

struct pack_frame {
	ZSTD_CCtx *cctx;	 /* owned, as all of these */
	ZSTD_Sequence *taken;	 /* as they were found */
	ZSTD_Sequence *resolved; /* in terms of the image */
	ZSTD_Sequence *near;	 /* those of them that stay in the chunk */
	ZSTD_Sequence *blocks;	 /* either, with a delimiter behind each block */
	size_t block_count;	 /* sequences and delimiters in @blocks */
	uint8_t *trial;
	size_t trial_bytes;
};

/* Free with pack_frame_close(), also after a failure. -LB_E_NOMEM. */
int pack_frame_open(struct pack_frame *f) LB_MUST_CHECK;
void pack_frame_close(struct pack_frame *f);

struct pack_chunk {
	const uint8_t *data; /* borrowed */
	uint32_t len;
	uint32_t window_bytes; /* how far the frame may reach in front of the chunk, far region included */
	struct pack_place place; /* without a stream the image itself was searched */
};

struct pack_framed {
	size_t len;
	uint8_t reach; /* what it refers to in front of the chunk, in units of LB_REACH_UNIT_BYTES */
	bool far;      /* and to the far region */
};

/**
 * pack_frame_write() - the next chunk of what @search found
 * @c: so many bytes are taken out of @search
 * @out: room for ZSTD_compressBound() of them
 *
 * What is in front of the chunk is not referred to when a frame that does without is hardly larger.
 * Return: 0 with @ret set; -LB_E_NOMEM.
 */
int pack_frame_write(struct pack_frame *f, struct pack_search *search, const struct pack_chunk *c,
		     uint8_t *out, struct pack_framed *ret) LB_MUST_CHECK;

#endif
