/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the engine's files only. */
#ifndef LB_UPDATE_INTERNAL_H
#define LB_UPDATE_INTERNAL_H

#include "update/update.h"

typedef int lb_blk_reader(struct lb_blk *b, uint64_t offset, void *buf, size_t len);

static inline bool lb_chunk_is_right(const struct lb_update_image *im, uint32_t number)
{
	return im->right[number / 8] >> number % 8 & 1;
}

static inline void lb_chunk_mark(struct lb_update_image *im, uint32_t number, bool right)
{
	uint8_t bit = (uint8_t)(1u << number % 8);

	im->right[number / 8] = (uint8_t)(right ? im->right[number / 8] | bit
						: im->right[number / 8] & ~bit);
}

/*
 * 1 when the slot holds @c at its place; 0 when not, or when it cannot be read; a
 * failure of another kind (a simulated power cut). Uses u->chunk_buf.
 */
int lb_chunk_matches(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c,
		     lb_blk_reader *reader);

/* Chunk @number with its running sums, at most LB_INDEX_MARK steps away. */
void lb_chunk_at(const struct lb_update_image *im, uint32_t number, struct lb_chunk *ret);

void lb_update_tell(struct lb_update *u, const char *step, const struct lb_update_image *im);

#endif
