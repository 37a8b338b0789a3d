// SPDX-License-Identifier: GPL-2.0-or-later
/* Fetching and writing what is missing. Order: verify, write, flush; never another one. */
#include <string.h>

#include "base/bytes.h"
#include "update/internal.h"

/* So often chunks that were in place may turn out not to be, before the medium is given up. */
#define SPOILT_ROUNDS 8

void lb_update_note_flushed(struct lb_update *u, const struct lb_update_image *im)
{
	for (uint32_t i = 0; i < u->image_count; i++)
		u->images[i].dirty = false;
	u->unflushed_bytes = 0;
	u->flushed_at_ms = lb_clock_ms(u->clock);
	u->counters.durable_bytes = u->counters.done_bytes;
	lb_update_tell(u, "write", im);
}

int lb_update_flush(struct lb_update *u, struct lb_update_image *im, struct lb_error *err)
{
	bool dirty = false;

	for (uint32_t i = 0; i < u->image_count; i++)
		dirty = dirty || u->images[i].dirty;
	if (!dirty)
		return 0;
	for (uint32_t i = 0; i < u->image_count; i++) {
		struct lb_blk *blk = u->images[i].blk;
		int r = u->images[i].dirty ? lb_blk_flush(blk) : 0;

		if (r)
			return lb_blk_error(blk, r, err);
	}
	lb_update_note_flushed(u, im);
	return 0;
}

/* Makes room for @length more unflushed bytes. */
static int flush_if_due(struct lb_update *u, struct lb_update_image *im, uint32_t length,
			struct lb_error *err)
{
	bool due = u->unflushed_bytes + length > LB_FLUSH_BYTES ||
		   lb_clock_ms(u->clock) - u->flushed_at_ms >= LB_FLUSH_MS;

	return due ? lb_update_flush(u, im, err) : 0;
}

int lb_update_begin_writing(struct lb_update *u, struct lb_error *err)
{
	int r;

	if (u->writing)
		return 0;
	if (u->obs && u->obs->before_first_write) {
		r = u->obs->before_first_write(u->obs->ctx, err);
		if (r)
			return r;
	}
	u->flushed_at_ms = lb_clock_ms(u->clock);
	u->writing = true;
	return 0;
}

int lb_update_write(struct lb_update *u, struct lb_update_image *im, uint64_t offset,
		    const uint8_t *data, uint32_t length, struct lb_error *err)
{
	int r = flush_if_due(u, im, length, err);

	if (r)
		return r;
	im->dirty = true;
	r = lb_blk_write(im->blk, offset, data, length);
	if (r)
		return lb_blk_error(im->blk, r, err);
	u->unflushed_bytes += length;
	u->counters.written_bytes += length;
	return 0;
}

/* To @out, behind the prefix. */
static int decode(struct lb_update *u, const struct lb_update_image *im, const struct lb_chunk *c,
		  uint8_t *out)
{
	uint32_t prefix = lb_chunk_prefix_bytes(c);
	int r = lb_chunk_decode(u->dctx, im->image->encoding, c, out - prefix, prefix,
				u->stored_buf, out);

	if (!r)
		lb_window_take(&u->window, c->length);
	return r;
}

int lb_update_not_decoded(struct lb_update *u, const struct lb_update_image *im, const struct lb_chunk *c,
			  int code, struct lb_error *err)
{
	u->src_end = 0;
	return lb_error_set(err, code, "image %s: chunk %u (bytes %llu to %llu) %s",
			    im->image->name, c->number, (unsigned long long)c->offset,
			    (unsigned long long)(c->offset + c->length),
			    code == LB_E_DIGEST ? "is not what was signed"
						: "cannot be decoded: no memory");
}

/*
 * Data chunk @c into the window, digest checked. If it is wrong, slot or source may be to
 * blame: with a prefix that is proven it is the source. Or LB_WANTED_FIRST.
 */
static int fetch_chunk(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c,
		       uint8_t **ret_data, struct lb_error *err)
{
	bool doubtful = c->number < u->stream.alone_below && lb_chunk_prefix_bytes(c);
	int r = doubtful ? lb_prefix_prove(u, im, c, ret_data, err)
			 : lb_prefix_get(u, im, c, ret_data, err);

	if (!r)
		r = lb_fetch_stored(u, im, c, err);
	/* a source that cannot go back does not get another chance: it was wrong */
	if (r == -LB_E_UNSUPPORTED && lb_stream_blames(u, c))
		return lb_update_not_decoded(u, im, c, LB_E_DIGEST, err);
	if (r)
		return r;
	r = decode(u, im, c, *ret_data);
	if (r == -LB_E_DIGEST && lb_chunk_prefix_bytes(c) && !doubtful) {
		r = lb_prefix_prove(u, im, c, ret_data, err);
		if (r)
			return r;
		r = decode(u, im, c, *ret_data);
	}
	return r ? lb_update_not_decoded(u, im, c, -r, err) : 0;
}

/* A chunk that the image holds twice is copied on the device; if that fails it is fetched. */
static int obtain_duplicate(struct lb_update *u, struct lb_update_image *im,
			    const struct lb_chunk *c, uint8_t **ret_data, struct lb_error *err)
{
	struct lb_chunk original;
	int r = 0;

	lb_chunk_at(im, c->original, &original);
	if (lb_chunk_is_right(im, original.number)) {
		r = lb_window_open(&u->window, im->blk, c->offset, 0, c->length, ret_data);
		if (!r)
			r = lb_chunk_read(im->blk, original.offset, c, *ret_data, lb_blk_read);
		if (!r)
			lb_doubt(im);
		if (r < 0)
			return lb_blk_error(im->blk, r, err);
	}
	if (!r)
		return fetch_chunk(u, im, &original, ret_data, err);
	lb_window_take(&u->window, c->length);
	return 0;
}

/* @data, or zeros, go to the place of @c. */
static int put_chunk(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c,
		     const uint8_t *data, struct lb_error *err)
{
	int r = lb_update_begin_writing(u, err);

	if (r)
		return r;
	r = c->type == LB_CHUNK_ZERO ? lb_update_write_zeros(u, im, c, err)
				     : lb_update_write(u, im, c->offset, data, c->length, err);
	if (r)
		return r;
	lb_chunk_mark(im, c->number, true);
	u->counters.done_bytes += c->length;
	return 0;
}

static int apply_chunk(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c,
		       struct lb_error *err)
{
	uint64_t fetched_bytes = u->counters.fetched_bytes;
	uint8_t *data = NULL;
	int r = 0;

	if (c->type == LB_CHUNK_DATA)
		r = fetch_chunk(u, im, c, &data, err);
	else if (c->type == LB_CHUNK_DUPLICATE)
		r = obtain_duplicate(u, im, c, &data, err);
	if (!r)
		r = put_chunk(u, im, c, data, err);
	if (!r && c->type == LB_CHUNK_DUPLICATE && u->counters.fetched_bytes == fetched_bytes)
		u->counters.copied_bytes += c->length;
	return r;
}

/* @at: its cursor. */
static int bring_chunk(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c,
		       const struct lb_chunk_cursor *at, struct lb_error *err)
{
	int r;

	if (lb_chunk_is_right(im, c->number))
		return 0;
	if (lb_stream_takes(u, c))
		return lb_stream_add(u, im, c, at, err);
	r = lb_stream_settle(u, err);
	if (!r)
		r = apply_chunk(u, im, c, err);
	if (!r)
		lb_stream_absolve(u, c);
	return r;
}

static int apply_image(struct lb_update *u, struct lb_update_image *im, struct lb_error *err)
{
	struct lb_chunk_cursor next = { 0 };
	int flushed = lb_update_flush(u, im, err); /* the stream knows of no other slot */
	bool more = true;

	if (flushed)
		return flushed;
	lb_stream_begin(u);
	while (more) {
		struct lb_chunk_cursor at = next;
		struct lb_chunk c;
		int r;

		more = lb_index_next(&im->index, &next, &c);
		r = more ? bring_chunk(u, im, &c, &at, err) : lb_stream_settle(u, err);
		if (r && r != LB_ALONE)
			return r;
		if (r)
			next = u->stream.again;
		more = more || r;
	}
	return lb_update_flush(u, im, err); /* read-back counts per slot */
}

/* The first chunk that has to be fetched, wherever it lies; NULL: there is none. */
static struct lb_update_image *first_wanted(struct lb_update *u, struct lb_chunk *ret)
{
	for (uint32_t i = 0; i < u->image_count; i++) {
		struct lb_update_image *im = &u->images[i];
		struct lb_chunk_cursor at = { 0 };

		while (lb_index_next(&im->index, &at, ret))
			if (lb_chunk_is_wanted(im, ret))
				return im;
	}
	return NULL;
}

/*
 * Nothing is written before the source has shown that it delivers what was signed. What
 * it delivers first may belong where a copy is still to be read: it waits in memory.
 * Patches come before all else: they need what the slots held before.
 */
static int begin(struct lb_update *u, struct lb_error *err)
{
	struct lb_chunk first;
	struct lb_update_image *im = NULL;
	uint8_t *data = NULL;
	int r = u->writing ? 1 : lb_patches_begin(u, err);

	if (!r)
		im = first_wanted(u, &first);
	if (r >= 0)
		r = im ? fetch_chunk(u, im, &first, &data, err) : 0;
	if (!r)
		r = lb_patches_run(u, err);
	if (!r)
		r = lb_copies_run(u, &data, im ? first.length : 0, err);
	if (!r && im)
		r = put_chunk(u, im, &first, data, err);
	return r || !im ? r : lb_update_flush(u, im, err);
}

static int apply_images(struct lb_update *u, struct lb_error *err)
{
	int r;

	lb_stream_begin(u);
	r = begin(u, err);
	for (uint32_t i = 0; !r && i < u->image_count; i++)
		r = apply_image(u, &u->images[i], err);
	return r;
}

/*
 * What was found spoilt on the way is fetched, from the left again; but not for ever. Before
 * the first write nothing that was found spoilt becomes right again: that ends by itself.
 */
int lb_update_apply(struct lb_update *u, struct lb_error *err)
{
	int r;

	u->src_end = 0; /* the source may be another one than before */
	for (int round = 0; round < SPOILT_ROUNDS; round += u->writing) {
		r = apply_images(u, err);
		if (r != LB_WANTED_FIRST)
			return r;
	}
	return lb_error_set(err, LB_E_IO,
			    "chunks that were right before were spoilt when they were read again, %d times",
			    SPOILT_ROUNDS);
}
