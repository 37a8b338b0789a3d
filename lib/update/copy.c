// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Copies from place to place on the device. A batch of them is read, each one
 * checked, before anything of it is written; and what earlier batches wrote is
 * flushed before that. So at any moment only the chunks of one batch may have their
 * sources overwritten without being durable at their new places.
 */
#include <stdlib.h>

#include "base/bytes.h"
#include "update/internal.h"

/* Copies that are in memory at once, unless a single one is longer. */
#define BATCH_BYTES (512u * LB_KIB)

void lb_copies_free(struct lb_update *u)
{
	free(u->copies);
	free(u->order);
	free(u->batch_owned);
	u->copies = NULL;
	u->order = NULL;
	u->batch_owned = NULL;
	u->copy_count = u->order_count = u->copies_done = 0;
}

void lb_copies_ready(struct lb_update *u)
{
	uint64_t limit = LB_FLUSH_BYTES < BATCH_BYTES ? LB_FLUSH_BYTES : BATCH_BYTES;
	uint64_t needed = 0;
	bool fits;

	for (uint32_t i = 0; i < u->order_count; i++) {
		const struct lb_copy *copy = &u->copies[u->order[i]];
		struct lb_chunk c;

		lb_index_entry(&u->images[copy->image].index, copy->number, &c);
		needed += c.length;
	}
	if (needed > limit)
		needed = u->window.chunk > limit ? u->window.chunk : limit;
	fits = needed <= u->window.room - u->window.chunk;
	u->batch_len = (size_t)needed;
	u->batch_owned = fits ? NULL : malloc((size_t)needed);
	if (!needed || (!fits && !u->batch_owned)) {
		lb_copies_free(u);
		return;
	}
	for (uint32_t i = 0; i < u->order_count; i++) {
		const struct lb_copy *copy = &u->copies[u->order[i]];

		lb_bit_set(u->images[copy->image].copied, copy->number, true);
	}
}

/* Copy @n of the order, and its chunk. */
static struct lb_update_image *copy_at(struct lb_update *u, uint32_t n, const struct lb_copy **ret_copy,
				       struct lb_chunk *ret)
{
	const struct lb_copy *copy = &u->copies[u->order[n]];
	struct lb_update_image *im = &u->images[copy->image];

	lb_chunk_at(im, copy->number, ret);
	*ret_copy = copy;
	return im;
}

/* Reads as many copies as there is room for; those that are spoilt are wanted from the source. */
static int read_batch(struct lb_update *u, uint8_t *batch, uint32_t *ret_end, struct lb_error *err)
{
	uint32_t n = u->copies_done;
	size_t used = 0;

	for (; n < u->order_count; n++) {
		const struct lb_copy *copy;
		struct lb_chunk c;
		struct lb_update_image *im = copy_at(u, n, &copy, &c);
		int r;

		if (!lb_bit(im->copied, c.number))
			continue; /* it was found spoilt before */
		if (c.length > u->batch_len - used)
			break;
		r = lb_chunk_read(lb_copy_blk(u, copy->slot), copy->from, &c, batch + used, lb_blk_read);
		if (r < 0)
			return lb_blk_error(lb_copy_blk(u, copy->slot), r, err);
		if (!r && copy->slot < LB_IMAGES_MAX)
			lb_doubt(&u->images[copy->slot]);
		lb_bit_set(im->copied, c.number, r);
		used += r ? c.length : 0;
	}
	*ret_end = n;
	return 0;
}

static int write_batch(struct lb_update *u, const uint8_t *data, uint32_t end, struct lb_error *err)
{
	for (uint32_t n = u->copies_done; n < end; n++) {
		const struct lb_copy *copy;
		struct lb_chunk c;
		struct lb_update_image *im = copy_at(u, n, &copy, &c);
		int r;

		if (!lb_bit(im->copied, c.number))
			continue;
		r = lb_update_begin_writing(u, err);
		if (!r)
			r = lb_update_write(u, im, c.offset, data, c.length, err);
		if (r)
			return r;
		u->counters.copied_bytes += c.length;
		data += c.length;
	}
	return 0;
}

static void note_batch(struct lb_update *u, uint32_t end)
{
	for (; u->copies_done < end; u->copies_done++) {
		const struct lb_copy *copy;
		struct lb_chunk c;
		struct lb_update_image *im = copy_at(u, u->copies_done, &copy, &c);

		if (!lb_bit(im->copied, c.number))
			continue;
		lb_bit_set(im->copied, c.number, false);
		lb_chunk_mark(im, c.number, true);
		u->counters.done_bytes += c.length;
	}
}

/*
 * After a failure in the middle it may be called again: what the batch had overwritten by
 * then is found spoilt, and fetched.
 */
int lb_copies_run(struct lb_update *u, uint8_t **keep, size_t keep_len, struct lb_error *err)
{
	uint8_t *batch = u->batch_owned;

	if (lb_copies_left(u) && !batch)
		batch = lb_window_lend_behind(&u->window, keep, keep_len);
	while (lb_copies_left(u)) {
		struct lb_update_image *im = &u->images[u->copies[u->order[u->copies_done]].image];
		uint32_t end = 0;
		int r = read_batch(u, batch, &end, err);

		if (!r)
			r = write_batch(u, batch, end, err);
		if (r)
			return r;
		note_batch(u, end);
		/* before anything that these came from is overwritten */
		r = lb_update_flush(u, im, err);
		if (r)
			return r;
	}
	lb_copies_free(u);
	return 0;
}
