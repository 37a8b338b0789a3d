// SPDX-License-Identifier: GPL-2.0-or-later
#include "update/window.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_MIN ((size_t)256 * 1024) /* that is lent for reading slots: small pieces are slow */
#define BLOCK_BYTES 4096u /* what is lent begins with one */

int lb_window_init(struct lb_window *w, size_t keep, size_t chunk, size_t far)
{
	/* behind the prefix half of it: a byte is moved about twice, and what is shown is seldom in the way */
	size_t slack = keep / 2 > chunk || !keep ? keep / 2 : chunk, room;

	if (slack < far) /* lb_window_far() */
		slack = far;
	room = keep + slack + chunk > ROOM_MIN ? keep + slack + chunk : ROOM_MIN;
	*w = (struct lb_window){ .keep = keep, .chunk = chunk };
	w->room = (room + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
	w->buf = aligned_alloc(BLOCK_BYTES, w->room);
	return w->buf ? 0 : -LB_E_NOMEM;
}

void lb_window_free(struct lb_window *w)
{
	free(w->buf);
	memset(w, 0, sizeof(*w));
}

/* Bytes [@from, @to) of the memory are about to change. */
static void keep_off(struct lb_window *w, size_t from, size_t to)
{
	if (from < w->lent_to && w->lent_from < to) {
		lb_worker_wait(w->worker);
		w->lent_from = w->lent_to = 0;
	}
}

uint8_t *lb_window_scratch(struct lb_window *w)
{
	keep_off(w, 0, w->room);
	w->len = w->far_len = w->shifted = 0;
	w->blk = NULL;
	return w->buf;
}

/* As before lb_window_far(), and what was decoded since. */
static void put_back(struct lb_window *w)
{
	if (!w->far_len)
		return;
	memcpy(w->buf + w->far_at, w->buf + w->room - w->far_len, w->far_len);
	w->len -= w->shifted;
	if (w->shifted)
		memmove(w->buf, w->buf + w->shifted, w->len);
	w->far_len = w->shifted = 0;
}

const uint8_t *lb_window_show(struct lb_window *w, size_t len)
{
	put_back(w);
	w->lent_from = w->len - len;
	w->lent_to = w->len;
	return w->buf + w->lent_from;
}

uint8_t *lb_window_lend(struct lb_window *w, size_t *ret_len)
{
	*ret_len = w->room;
	return lb_window_scratch(w);
}

uint8_t *lb_window_lend_behind(struct lb_window *w, uint8_t **keep, size_t len)
{
	uint8_t *buf = lb_window_scratch(w);

	if (len)
		memmove(buf, *keep, len);
	*keep = buf;
	return buf + len;
}

/* The window begins and ends at @at. */
static void restart(struct lb_window *w, struct lb_blk *blk, uint64_t at)
{
	w->blk = blk;
	w->at = at;
	w->len = 0;
}

/* Only the bytes from @at on stay. */
static void drop_front(struct lb_window *w, uint64_t at)
{
	size_t n = (size_t)(at - w->at);

	keep_off(w, 0, w->len - n);
	memmove(w->buf, w->buf + n, w->len - n);
	w->len -= n;
	w->at = at;
}

/* Bytes from @from on come in front. */
static int add_front(struct lb_window *w, uint64_t from)
{
	size_t n = (size_t)(w->at - from);
	int r;

	keep_off(w, 0, w->len + n);
	memmove(w->buf + n, w->buf, w->len);
	r = lb_blk_read(w->blk, from, w->buf, n);
	if (r) {
		memmove(w->buf, w->buf + n, w->len);
		return r;
	}
	w->len += n;
	w->at = from;
	return 0;
}

/* Bytes up to @end come behind. */
static int add_back(struct lb_window *w, uint64_t end)
{
	uint64_t at = w->at + w->len;
	size_t n = (size_t)(end - at);
	int r = 0;

	keep_off(w, w->len, w->len + n);
	if (n)
		r = lb_blk_read(w->blk, at, w->buf + w->len, n);
	if (!r)
		w->len += n;
	return r;
}

/* For @len bytes at @offset; what is known stays if it reaches from @from or before to there. */
static void make_room(struct lb_window *w, struct lb_blk *blk, uint64_t from, uint64_t offset,
		      size_t len)
{
	put_back(w);
	if (w->blk != blk || w->at > offset || w->at + w->len < from)
		restart(w, blk, from);
	if (w->at + w->len > offset)
		w->len = (size_t)(offset - w->at);
	if (offset - w->at > w->room - len)
		drop_front(w, offset - w->keep);
}

int lb_window_open(struct lb_window *w, struct lb_blk *blk, uint64_t offset, size_t prefix_len,
		   size_t len, uint8_t **ret_out)
{
	uint64_t from = offset - prefix_len;
	int r = 0;

	make_room(w, blk, from, offset, len);
	if (w->at > from)
		r = add_front(w, from);
	if (!r)
		r = add_back(w, offset);
	if (r)
		return r;
	keep_off(w, w->len, w->len + len);
	*ret_out = w->buf + w->len;
	return 0;
}

void lb_window_far(struct lb_window *w, size_t near_len, size_t far_len, size_t len,
		   uint8_t **ret_far, uint8_t **ret_out)
{
	if (w->len + len + far_len > w->room)
		drop_front(w, w->at + w->len - w->keep);
	if (w->len < near_len + far_len) {
		w->shifted = near_len + far_len - w->len;
		keep_off(w, 0, w->len + w->shifted);
		memmove(w->buf + w->shifted, w->buf, w->len);
		w->len += w->shifted;
	}
	w->far_len = far_len;
	w->far_at = w->len - near_len - far_len;
	keep_off(w, w->room - far_len, w->room);
	keep_off(w, w->far_at, w->far_at + far_len);
	keep_off(w, w->len, w->len + len);
	memcpy(w->buf + w->room - far_len, w->buf + w->far_at, far_len);
	*ret_far = w->buf + w->far_at;
	*ret_out = w->buf + w->len;
}

void lb_window_zeros(struct lb_window *w, struct lb_blk *blk, uint64_t offset, uint64_t len)
{
	uint64_t end = offset + len;

	if (len > w->keep)
		offset = end - w->keep;
	while (offset < end) {
		size_t n = end - offset < w->chunk ? (size_t)(end - offset) : w->chunk;

		make_room(w, blk, offset, offset, n);
		keep_off(w, w->len, w->len + n);
		memset(w->buf + w->len, 0, n);
		w->len += n;
		offset += n;
	}
}
