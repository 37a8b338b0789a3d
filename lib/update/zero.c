// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs of zeros: the device makes them itself where it can; elsewhere only what is
 * not zero yet is written. What the device claims is believed no further than to
 * the read-back: when that finds anything else there, zeros are written from then on.
 */
#include <string.h>

#include "base/bytes.h"
#include "update/internal.h"

#define PIECE_BYTES (64u * LB_KIB)

/* Zeros cost no payload when they are lost; but what is done has to become durable in time. */
static int clear(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c,
		 struct lb_error *err)
{
	int r = 0;

	if (lb_clock_ms(u->clock) - u->flushed_at_ms >= LB_FLUSH_MS)
		r = lb_update_flush(u, im, err);
	if (r)
		return r;
	im->dirty = true;
	r = lb_blk_zero(im->blk, c->offset, c->length);
	if (r < 0)
		return lb_blk_error(im->blk, r, err);
	u->counters.zeroed_bytes += r ? c->length : 0;
	return r;
}

static int write_piece(struct lb_update *u, struct lb_update_image *im, uint64_t offset, uint32_t n,
		       struct lb_error *err)
{
	uint8_t *buf;
	int r = lb_window_open(&u->window, im->blk, offset, 0, n, &buf);

	if (r)
		return lb_blk_error(im->blk, r, err);
	r = u->zeros_spoilt ? 1 : lb_blk_read(im->blk, offset, buf, n);
	if (!r && lb_bytes_all_zero(buf, n))
		u->counters.zeroed_bytes += n;
	else
		r = 1;
	memset(buf, 0, n);
	lb_window_take(&u->window, n);
	return r ? lb_update_write(u, im, offset, buf, n, err) : 0;
}

int lb_update_write_zeros(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c,
			  struct lb_error *err)
{
	int r = u->zeros_spoilt ? 0 : clear(u, im, c, err);
	uint32_t at = 0;

	if (r > 0)
		lb_window_zeros(&u->window, im->blk, c->offset, c->length);
	if (r)
		return r < 0 ? r : 0;
	while (!r && at < c->length) {
		uint32_t n = c->length - at < PIECE_BYTES ? c->length - at : PIECE_BYTES;

		r = write_piece(u, im, c->offset + at, n, err);
		at += n;
	}
	return r;
}
