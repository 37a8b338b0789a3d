/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of an image, one behind the other, that are known to be right: chunks are
 * decoded at their end, so that those in front serve as prefix and no slot has to be
 * read for it. What is not there is read from the slot.
 */
#ifndef LB_UPDATE_WINDOW_H
#define LB_UPDATE_WINDOW_H

#include "base/error.h"
#include "port/blk.h"
#include "port/worker.h"

struct lb_window {
	uint8_t *buf;	   /* owned */
	size_t room;	   /* of it */
	size_t keep;	   /* longest prefix: what is in front of a chunk stays that far */
	size_t chunk;	   /* longest chunk */
	struct lb_blk *blk;/* borrowed: the slot that these bytes belong to */
	uint64_t at;	   /* where in it they begin */
	size_t len;	   /* so many are right */
	size_t far_len;	   /* until the next call this many at @far_at are from elsewhere: ... */
	size_t far_at;	   /* ... what belongs there is at the end of @buf */
	size_t shifted;	   /* and all bytes were moved back by so many; @len counts these */
	struct lb_worker *worker; /* borrowed; NULL: nobody else reads here */
	size_t lent_from, lent_to; /* of @buf: it may be reading them; equal: none */
};

/*
 * @chunk > 0; @far: longest far region, at most @keep. 0 or -LB_E_NOMEM; to be freed with
 * lb_window_free() in any case.
 */
int lb_window_init(struct lb_window *w, size_t keep, size_t chunk, size_t far) LB_MUST_CHECK;
void lb_window_free(struct lb_window *w);

/*
 * The last @len bytes, for w->worker to read: they stay what and where they are until it has done its work, for
 * which the calls below wait if they have to.
 */
const uint8_t *lb_window_show(struct lb_window *w, size_t len);

/* Does it end at @offset of @blk? */
static inline bool lb_window_reaches(const struct lb_window *w, const struct lb_blk *blk, uint64_t offset)
{
	return w->blk == blk && w->at + w->len - w->shifted == offset;
}

/* Would its last @n bytes be forgotten in part, if @len more and a far region of @far_len had to have room? */
static inline bool lb_window_forgets(const struct lb_window *w, size_t len, size_t far_len, size_t n)
{
	return n > w->keep && w->len - w->shifted + len + far_len > w->room;
}

/* Forgets everything; the memory, w->chunk bytes, is the caller's until the next call. */
uint8_t *lb_window_scratch(struct lb_window *w);

/* Forgets everything; all of the memory, which begins at a multiple of 4096, is the caller's until the next call. */
uint8_t *lb_window_lend(struct lb_window *w, size_t *ret_len);

/* Forgets everything, and lends all of the memory but for the @len bytes at *@keep in it, which may move. */
uint8_t *lb_window_lend_behind(struct lb_window *w, uint8_t **keep, size_t len);

/**
 * lb_window_open() - room for bytes right behind those in front of them
 * @offset: where they belong
 * @prefix_len: at most w->keep, and @offset
 * @len: at most w->chunk
 * @ret_out: @len bytes; the @prefix_len in front of it are what @blk has there. Valid
 *	     until the next call.
 *
 * Of the prefix, what is not in the window is read from @blk; with @prefix_len 0 nothing
 * is. What the window knows from @offset on is forgotten.
 * Return: 0, or what lb_blk_read() returned: then it knows what it knew, or nothing if it had to begin anew.
 */
int lb_window_open(struct lb_window *w, struct lb_blk *blk, uint64_t offset, size_t prefix_len,
		   size_t len, uint8_t **ret_out) LB_MUST_CHECK;

/**
 * lb_window_far() - room for bytes from elsewhere in front of a prefix
 * @near_len, @len: prefix_len and len of the lb_window_open() just before
 * @far_len: with @near_len at most w->keep
 * @ret_far: @far_len bytes for the caller to fill, then the prefix, then *@ret_out
 * @ret_out: as from lb_window_open(), where it may have moved
 *
 * Valid until the next call. The window remembers what those bytes have covered.
 */
void lb_window_far(struct lb_window *w, size_t near_len, size_t far_len, size_t len,
		   uint8_t **ret_far, uint8_t **ret_out);

/* The first @len bytes at the *@ret_out of the last call are right. */
static inline void lb_window_take(struct lb_window *w, size_t len)
{
	w->len += len;
}

/* @len bytes of zeros are right at @offset. */
void lb_window_zeros(struct lb_window *w, struct lb_blk *blk, uint64_t offset, uint64_t len);

#endif
