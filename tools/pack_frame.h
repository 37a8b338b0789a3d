/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One chunk as a zstd frame that is decoded with a prefix: from the matches that a
 * search over the image found, in blocks that end where the chunk's content changes.
 */
#ifndef LIFEBOAT_PACK_FRAME_H
#define LIFEBOAT_PACK_FRAME_H

#include "pack_search.h"

struct pack_frame {
	ZSTD_CCtx *cctx;	 /* owned, as all of these */
	ZSTD_Sequence *taken;	 /* as they were found */
	ZSTD_Sequence *near;	 /* those of them that stay in the chunk */
	ZSTD_Sequence *blocks;	 /* either, with a delimiter behind each block */
	size_t block_count;	 /* sequences and delimiters in @blocks */
	uint8_t *trial;
	size_t trial_bytes;
};

/* Free with pack_frame_close(), also after a failure. -LB_E_NOMEM. */
int pack_frame_open(struct pack_frame *f) LB_MUST_CHECK;
void pack_frame_close(struct pack_frame *f);

/**
 * pack_frame_write() - the next chunk of what @search found
 * @data: the chunk, of which @len bytes are taken out of @search
 * @window_bytes: how far a frame may reach in front of the chunk
 * @out: room for ZSTD_compressBound(@len)
 * @ret_reach: the bytes in front of the chunk that the frame refers to, in units of
 *             LB_REACH_UNIT_BYTES, rounded up. 0 when a frame that does without is hardly larger.
 *
 * Return: 0 with @ret_len set; -LB_E_NOMEM.
 */
int pack_frame_write(struct pack_frame *f, struct pack_search *search, const uint8_t *data,
		     uint32_t len, uint32_t window_bytes, uint8_t *out, size_t *ret_len,
		     uint8_t *ret_reach) LB_MUST_CHECK;

#endif
