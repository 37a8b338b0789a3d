// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The bytes in front of a chunk that its frame refers to, and those of its far region. Once
 * what is in front was written they are in the window or in the slot. Before the first write, and when a slot is
 * under suspicion, they are put together from where the plan says they are, and
 * every chunk's digest is checked: what is not there any more is wanted from the source.
 */
#include <string.h>

#include "base/bytes.h"
#include "update/internal.h"

/* Where a chunk's bytes are until the copies are made, and whose word that is. */
struct place {
	struct lb_blk *blk;
	uint64_t at;
	uint32_t number; /* of the chunk that is right there, or is going to be copied */
};

static void find_copy(const struct lb_update *u, const struct lb_update_image *im, uint32_t number,
		      struct place *ret)
{
	for (uint32_t n = u->copies_done; n < u->order_count; n++) {
		const struct lb_copy *copy = &u->copies[u->order[n]];

		if (copy->number != number || &u->images[copy->image] != im)
			continue;
		ret->blk = lb_copy_blk(u, copy->slot);
		ret->at = copy->from;
	}
	if (!ret->blk && lb_patches_find_copy(im, number, &ret->at))
		ret->blk = im->blk;
}

/* False: nowhere on the device. */
static bool locate(const struct lb_update *u, const struct lb_update_image *im,
		   const struct lb_chunk *c, struct place *ret)
{
	struct lb_chunk original = *c;

	if (c->type == LB_CHUNK_DUPLICATE && !lb_chunk_is_right(im, c->number))
		lb_chunk_at(im, c->original, &original);
	*ret = (struct place){ .at = original.offset, .number = original.number };
	if (lb_chunk_is_right(im, original.number))
		ret->blk = im->blk;
	else if (lb_bit(im->copied, original.number))
		find_copy(u, im, original.number, ret);
	return ret->blk;
}

/* It is neither in place nor where the copy was to come from. */
static void distrust(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c,
		     const struct place *p)
{
	if (lb_chunk_is_right(im, p->number))
		u->counters.done_bytes -= c->length;
	lb_chunk_mark(im, p->number, false);
	lb_doubt(im);
	lb_bit_set(im->copied, p->number, false);
}

/* From wherever it is now, by its digest. 1; 0: the chunk is not there. */
static int read_proven(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c,
		       uint8_t *out)
{
	struct place p;
	int r = 0;

	if (locate(u, im, c, &p))
		r = lb_chunk_read(p.blk, p.at, c, out, lb_blk_read);
	if (!r)
		distrust(u, im, c, &p);
	return r;
}

/* Into the window; it begins there, or goes on. As read_proven(). */
static int add_data(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c)
{
	uint8_t *out;
	int r = lb_window_open(&u->window, im->blk, c->offset, 0, c->length, &out);

	if (!r)
		r = read_proven(u, im, c, out);
	if (r > 0)
		lb_window_take(&u->window, c->length);
	return r;
}

/* The first chunk that reaches beyond @offset, and those behind it. */
static struct lb_chunk_cursor cursor_at(const struct lb_update_image *im, uint64_t offset)
{
	uint32_t mark = 0, end = (im->index.chunk_count - 1) / LB_INDEX_MARK + 1;
	struct lb_chunk_cursor at, next;
	struct lb_chunk c;

	while (mark + 1 < end && im->marks[mark + 1].offset <= offset)
		mark++;
	at = next = im->marks[mark];
	while (lb_index_next(&im->index, &next, &c) && next.offset <= offset)
		at = next;
	return at;
}

/*
 * Makes the window end with what is right in front of @c, proven. 0; LB_WANTED_FIRST; a
 * failure that is not the medium's.
 */
static int prove(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c)
{
	struct lb_chunk_cursor at = cursor_at(im, c->offset - lb_chunk_near_bytes(c));
	struct lb_chunk k;
	bool whole = true;

	lb_window_scratch(&u->window);
	while (lb_index_next(&im->index, &at, &k) && k.number < c->number) {
		int r = 1;

		if (k.type == LB_CHUNK_ZERO)
			lb_window_zeros(&u->window, im->blk, k.offset, k.length);
		else
			r = add_data(u, im, &k);
		if (r < 0)
			return r;
		whole = whole && r;
	}
	return whole ? 0 : LB_WANTED_FIRST;
}

/* What @k has of the far region of @c goes from @bytes, all of @k, to its place in @far. */
static void take_part(const struct lb_chunk *c, const struct lb_chunk *k, const uint8_t *bytes,
		      uint8_t *far)
{
	uint64_t from = c->far_offset > k->offset ? c->far_offset : k->offset;
	uint64_t far_end = c->far_offset + c->far_bytes, end = k->offset + k->length;
	size_t n = (size_t)((end < far_end ? end : far_end) - from);

	if (bytes)
		memcpy(far + (from - c->far_offset), bytes + (from - k->offset), n);
	else
		memset(far + (from - c->far_offset), 0, n);
}

/*
 * The same for the far region of @c, once what is right in front of it is in the window. Its
 * chunks are read to where @c will be decoded: only parts of them may belong to the region.
 */
static int prove_far(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c,
		     uint8_t **ret_out)
{
	struct lb_chunk_cursor at = cursor_at(im, c->far_offset);
	uint64_t end = c->far_offset + c->far_bytes;
	bool whole = true;
	struct lb_chunk k;
	uint8_t *far;

	lb_window_far(&u->window, lb_chunk_near_bytes(c), c->far_bytes, u->window.chunk, &far,
		      ret_out);
	while (lb_index_next(&im->index, &at, &k) && k.offset < end) {
		int r = 1;

		if (k.type != LB_CHUNK_ZERO)
			r = read_proven(u, im, &k, *ret_out);
		if (r < 0)
			return r;
		if (r)
			take_part(c, &k, k.type == LB_CHUNK_ZERO ? NULL : *ret_out, far);
		whole = whole && r;
	}
	return whole ? 0 : LB_WANTED_FIRST;
}

int lb_prefix_prove(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c,
		    uint8_t **ret_out, struct lb_error *err)
{
	int r = prove(u, im, c);

	if (!r) /* all of it is in the window */
		r = lb_window_open(&u->window, im->blk, c->offset, lb_chunk_near_bytes(c),
				   c->far_bytes ? u->window.chunk : c->length, ret_out);
	if (!r && c->far_bytes)
		r = prove_far(u, im, c, ret_out);
	return r < 0 ? lb_blk_error(im->blk, r, err) : r;
}

int lb_prefix_take(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c,
		   uint8_t **ret_out)
{
	uint32_t near = lb_chunk_near_bytes(c);
	uint8_t *far;
	int r = lb_window_open(&u->window, im->blk, c->offset, near, c->length, ret_out);

	if (!r && c->far_bytes) {
		lb_window_far(&u->window, near, c->far_bytes, c->length, &far, ret_out);
		r = lb_blk_read(im->blk, c->far_offset, far, c->far_bytes);
	}
	return r;
}

int lb_prefix_get(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c,
		  uint8_t **ret_out, struct lb_error *err)
{
	int r;

	if (lb_chunk_prefix_bytes(c) && !u->writing) /* it may be anywhere yet */
		return lb_prefix_prove(u, im, c, ret_out, err);
	r = lb_prefix_take(u, im, c, ret_out);
	if (r == -LB_E_IO)
		return lb_prefix_prove(u, im, c, ret_out, err);
	return r ? lb_blk_error(im->blk, r, err) : 0;
}
