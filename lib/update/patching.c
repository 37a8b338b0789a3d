// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The steps of patches, in the packer's order: none overwrites what a later one reads, so
 * any of them may be left out. As with other copies nothing is written before what
 * earlier writes replaced is durable elsewhere; what is kept for a later write step lies
 * in memory only, and a cut makes it something to fetch.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "update/internal.h"

/* Made chunks that are not kept for a write step, and so are written together. */
#define BATCH_BYTES (512u * LB_KIB)

/* Bytes of the payload from @first on that are wanted without a gap. */
static uint64_t run_length(const struct lb_update *u, const struct lb_update_image *im,
			   const struct lb_patch_step *first)
{
	struct lb_patch_cursor at = u->patching.at;
	uint64_t length = first->stored_length;
	struct lb_patch_step s;

	if (u->patching.trying)
		return length; /* copies may come first: nobody would read on for some time */
	while (lb_patches_next(&im->patches, &at, &s)) {
		if (s.type != LB_PATCH_PATCH)
			continue;
		if (!lb_bit(im->copied, s.number))
			break;
		length += s.stored_length;
	}
	return length;
}

/* The stored bytes of patch @s to u->patching.stored. */
static int fetch(struct lb_update *u, struct lb_update_image *im, const struct lb_patch_step *s,
		 struct lb_error *err)
{
	uint64_t at = im->patch_offset + s->stored_offset;
	int r = 0;

	u->patching.fetched_from = NULL;
	if (!lb_fetch_goes_on(u, at, s->stored_length))
		r = lb_fetch_seek(u, at, run_length(u, im, s), err);
	return r ? r : lb_fetch_read(u, s->stored_length, u->patching.stored, err);
}

/*
 * 1: @out holds chunk @c; 0: it cannot be made, whether slot or source is to blame: it is
 * fetched as a whole. Another failure is final. What begin() has fetched is not fetched again.
 */
static int make_patched(struct lb_update *u, struct lb_update_image *im,
			const struct lb_patch_step *s, const struct lb_chunk *c, uint8_t *out,
			struct lb_error *err)
{
	struct lb_patching *p = &u->patching;
	struct lb_chunk patched = *c;
	uint32_t prefix = 0;
	int r = lb_patch_read_prefix(u, im, s, &prefix);

	if (r < 0)
		return lb_blk_error(im->blk, r, err);
	if (!r)
		return 0;
	if (p->fetched_from != im || p->fetched_number != s->number)
		r = fetch(u, im, s, err);
	if (r < 0)
		return r;
	patched.stored_length = s->stored_length;
	if (s->recoded)
		r = lb_recoder_decode(&p->recoder, u->dctx, &patched, p->work, prefix, p->stored, out);
	else
		r = lb_chunk_decode(u->dctx, LB_ENC_ZSTD_FRAMES, &patched, p->work, prefix,
				    p->stored, out);
	if (r)
		return 0;
	p->fetched_from = im;
	p->fetched_number = s->number;
	return 1;
}

static struct lb_made *room_for_one(struct lb_patching *p)
{
	struct lb_made *made;

	if (p->made_count == p->made_room) {
		made = realloc(p->made, (p->made_room + 32) * sizeof(*made));
		if (!made)
			return NULL;
		p->made = made;
		p->made_room += 32;
	}
	return &p->made[p->made_count];
}

/* Writes what is due, makes it durable, and forgets it. */
static int commit(struct lb_update *u, struct lb_update_image *im, struct lb_error *err)
{
	struct lb_patching *p = &u->patching;
	uint32_t left = 0;
	struct lb_chunk c;

	for (uint32_t i = 0; i < p->made_count; i++) {
		int r = p->made[i].due ? lb_update_begin_writing(u, err) : 0;

		if (!r && p->made[i].due) {
			lb_chunk_at(im, p->made[i].number, &c);
			r = lb_update_write(u, im, c.offset, p->made[i].bytes, c.length, err);
		}
		if (r)
			return r;
	}
	for (uint32_t i = 0; i < p->made_count; i++) {
		struct lb_made *m = &p->made[i];

		if (!m->due) {
			p->made[left++] = *m;
			continue;
		}
		lb_bit_set(im->copied, m->number, false);
		lb_chunk_mark(im, m->number, true);
		u->counters.done_bytes += m->length;
		u->counters.copied_bytes += m->copied ? m->length : 0;
		free(m->bytes);
	}
	p->made_count = left;
	p->due_bytes = 0;
	return lb_update_flush(u, im, err); /* before anything that these came from is overwritten */
}

/* @length more are due: those that were before are written when it would be too many. */
static int make_room(struct lb_update *u, struct lb_update_image *im, uint32_t length,
		     struct lb_error *err)
{
	return u->patching.due_bytes && u->patching.due_bytes + length > BATCH_BYTES
		       ? commit(u, im, err) : 0;
}

static int make(struct lb_update *u, struct lb_update_image *im, const struct lb_patch_step *s,
		uint32_t number, uint64_t from, struct lb_error *err)
{
	struct lb_patching *p = &u->patching;
	struct lb_chunk c;
	struct lb_made *m;
	uint8_t *bytes;
	int r;

	if (!lb_bit(im->copied, number))
		return 0;
	lb_index_entry(&im->index, number, &c);
	r = s->hold ? 0 : make_room(u, im, c.length, err);
	if (r)
		return r;
	m = room_for_one(p);
	bytes = m ? malloc(c.length) : NULL;
	if (bytes)
		r = s->type == LB_PATCH_PATCH ? make_patched(u, im, s, &c, bytes, err)
					      : lb_patch_read_copy(im, &c, from, bytes);
	if (r < 0 && s->type == LB_PATCH_COPY)
		r = lb_blk_error(im->blk, r, err);
	if (r == 1) {
		*m = (struct lb_made){
			.bytes = bytes, .number = number, .length = c.length,
			.due = !s->hold, .copied = s->type == LB_PATCH_COPY,
		};
		p->made_count++;
		p->due_bytes += s->hold ? 0 : c.length;
		return 0;
	}
	free(bytes);
	if (!r) {
		lb_bit_set(im->copied, number, false); /* wanted from now on */
		lb_doubt(im);
	}
	return r;
}

static int write_held(struct lb_update *u, struct lb_update_image *im, uint32_t number,
		      struct lb_error *err)
{
	struct lb_patching *p = &u->patching;

	for (uint32_t i = 0; i < p->made_count; i++) {
		struct lb_made *m = &p->made[i];
		int r;

		if (m->number != number || m->due)
			continue;
		r = make_room(u, im, m->length, err);
		if (r)
			return r;
		/* it may have moved up */
		for (i = 0; p->made[i].number != number; i++)
			;
		p->made[i].due = true;
		p->due_bytes += p->made[i].length;
		break;
	}
	return 0;
}

/* What was interrupted goes on at the very chunk. */
static int do_step(struct lb_update *u, struct lb_update_image *im, struct lb_error *err)
{
	struct lb_patching *p = &u->patching;
	const struct lb_patch_step *s = &p->step;

	if (s->type == LB_PATCH_WRITE)
		return write_held(u, im, s->number, err);
	if (s->type == LB_PATCH_PATCH)
		return make(u, im, s, s->number, 0, err);
	while (p->copied < s->count) {
		uint64_t from = p->from;
		uint32_t number = lb_patch_copy(s, p->copied, &im->index, &from);
		int r = make(u, im, s, number, from, err);

		if (r)
			return r;
		p->from = from;
		p->copied++;
	}
	return 0;
}

static int run_image(struct lb_update *u, struct lb_update_image *im, struct lb_error *err)
{
	struct lb_patching *p = &u->patching;

	while (p->in_step || lb_patches_next(&im->patches, &p->at, &p->step)) {
		int r;

		if (!p->in_step) {
			p->in_step = true;
			p->copied = 0;
			p->from = p->step.from;
		}
		r = do_step(u, im, err);
		if (r)
			return r;
		p->in_step = false;
	}
	return p->due_bytes ? commit(u, im, err) : 0;
}

int lb_patches_run(struct lb_update *u, struct lb_error *err)
{
	struct lb_patching *p = &u->patching;

	for (; p->active && p->image < u->image_count; p->image++) {
		int r = run_image(u, &u->images[p->image], err);

		if (r)
			return r;
		p->at = (struct lb_patch_cursor){ 0 };
	}
	lb_patching_free(u);
	return 0;
}

/* The first patch that can be made shows that the source delivers what was signed. */
static int try_first(struct lb_update *u, struct lb_update_image *im, struct lb_error *err)
{
	struct lb_patch_cursor at = { 0 };
	struct lb_patch_step s;
	int r = 0;

	while (!r && lb_patches_next(&im->patches, &at, &s)) {
		struct lb_chunk c;
		uint8_t *out;

		if (s.type != LB_PATCH_PATCH || !lb_bit(im->copied, s.number))
			continue;
		lb_index_entry(&im->index, s.number, &c);
		out = malloc(c.length);
		r = out ? make_patched(u, im, &s, &c, out, err) : 0;
		free(out);
		if (!r)
			lb_bit_set(im->copied, s.number, false);
	}
	return r;
}

int lb_patches_begin(struct lb_update *u, struct lb_error *err)
{
	int r = 0;

	u->patching.trying = true;
	for (uint32_t i = 0; !r && u->patching.active && i < u->image_count; i++)
		r = try_first(u, &u->images[i], err);
	u->patching.trying = false;
	return r;
}
