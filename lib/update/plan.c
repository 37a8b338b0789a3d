// SPDX-License-Identifier: GPL-2.0-or-later
/* Loading the indexes, and finding out what is in place already, and what is to be done. */
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/bytes.h"
#include "update/internal.h"

#define CHUNK_BUF_MIN (64u * LB_KIB)

/* Image @n of the manifest becomes the next one of the update. */
static int load_image(struct lb_update *u, const struct lb_manifest *m,
		      const struct lb_bundle_layout *layout, uint32_t n, struct lb_blk *slot,
		      struct lb_error *err)
{
	struct lb_update_image *im = &u->images[u->image_count++];
	struct lb_chunk_cursor at = { 0 };
	struct lb_chunk c;
	uint32_t count;
	int r;

	im->image = &m->images[n];
	im->blk = slot;
	r = lb_bundle_read_index(u->src, m, layout, n, &im->index, err);
	if (!r && im->index.longest_prefix > LB_WINDOW_BYTES)
		r = lb_error_set(err, LB_E_UNSUPPORTED,
				 "image %s: its chunks refer to %u bytes in front of them, this build keeps at most %u",
				 im->image->name, im->index.longest_prefix, LB_WINDOW_BYTES);
	if (r)
		return r;
	count = im->index.chunk_count;
	im->payload_offset = layout->payload_offset[n];
	im->right = calloc(1, count / 8 + 1);
	im->copied = calloc(1, count / 8 + 1);
	im->proven = calloc(1, count / 8 + 1);
	im->marks = malloc((count / LB_INDEX_MARK + 1) * sizeof(*im->marks));
	if (!im->right || !im->copied || !im->proven || !im->marks)
		return lb_error_set(err, LB_E_NOMEM, "no memory for %u chunks of image %s", count,
				    im->image->name);
	do {
		if (at.next % LB_INDEX_MARK == 0)
			im->marks[at.next / LB_INDEX_MARK] = at;
	} while (lb_index_next(&im->index, &at, &c));
	return 0;
}

static int alloc_buffers(struct lb_update *u, struct lb_error *err)
{
	uint32_t chunk = CHUNK_BUF_MIN, stored = 1, prefix = 0, far = 0;
	int r;

	for (uint32_t i = 0; i < u->image_count; i++) {
		const struct lb_index *idx = &u->images[i].index;

		if (idx->longest_chunk > chunk)
			chunk = idx->longest_chunk;
		if (idx->longest_stored > stored)
			stored = idx->longest_stored;
		if (idx->longest_prefix > prefix)
			prefix = idx->longest_prefix;
		if (idx->longest_far > far)
			far = idx->longest_far;
	}
	r = lb_window_init(&u->window, prefix, chunk, far);
	u->stored_buf = malloc(stored);
	u->dctx = ZSTD_createDCtx();
	if (r || !u->stored_buf || !u->dctx)
		return lb_error_set(err, LB_E_NOMEM,
				    "no memory for chunks of %u bytes with %u in front of them", chunk,
				    prefix);
	return 0;
}

int lb_update_load(struct lb_update *u, const struct lb_manifest *m,
		   const struct lb_bundle_layout *layout, struct lb_blk *const *slots,
		   struct lb_source *src, struct lb_clock *clock,
		   const struct lb_update_observer *obs, struct lb_error *err)
{
	memset(u, 0, sizeof(*u));
	u->src = src;
	u->clock = clock;
	u->obs = obs;
	for (uint32_t i = 0; i < m->image_count; i++) {
		int r = slots[i] ? load_image(u, m, layout, i, slots[i], err) : 0;

		if (r)
			return r;
	}
	return alloc_buffers(u, err);
}

void lb_update_free(struct lb_update *u)
{
	for (uint32_t i = 0; i < u->image_count; i++) {
		lb_index_free(&u->images[i].index);
		lb_patches_free(&u->images[i].patches);
		free(u->images[i].right);
		free(u->images[i].copied);
		free(u->images[i].proven);
		free(u->images[i].marks);
	}
	lb_copies_free(u);
	lb_patching_free(u);
	ZSTD_freeDCtx(u->dctx);
	lb_window_free(&u->window);
	free(u->stored_buf);
	memset(u, 0, sizeof(*u));
}

void lb_update_add_source(struct lb_update *u, struct lb_blk *blk)
{
	if (u->source_count < LB_UPDATE_SOURCES_MAX)
		u->sources[u->source_count++] = blk;
}

void lb_chunk_at(const struct lb_update_image *im, uint32_t number, struct lb_chunk *ret)
{
	struct lb_chunk_cursor at = im->marks[number / LB_INDEX_MARK];

	while (lb_index_next(&im->index, &at, ret) && ret->number != number)
		;
}

void lb_update_tell(struct lb_update *u, const char *step, const struct lb_update_image *im)
{
	if (u->obs && u->obs->progress)
		u->obs->progress(u->obs->ctx, step, im ? im->image->name : "", &u->counters);
}

static int zeros_match(struct lb_update *u, struct lb_blk *blk, const struct lb_chunk *c,
		       lb_blk_reader *reader)
{
	uint8_t *buf = lb_window_scratch(&u->window);
	uint32_t at = 0;

	while (at < c->length) {
		size_t n = c->length - at < u->window.chunk ? c->length - at : u->window.chunk;
		int r = reader(blk, c->offset + at, buf, n);

		if (r) /* a worn sector is no dead end: writing it may bring it back */
			return r == -LB_E_IO ? 0 : r;
		if (!lb_bytes_all_zero(buf, n))
			return 0;
		at += (uint32_t)n;
	}
	return 1;
}

int lb_chunk_read(struct lb_blk *blk, uint64_t at, const struct lb_chunk *c, uint8_t *buf,
		  lb_blk_reader *reader)
{
	uint8_t digest[LB_SHA256_BYTES];
	int r = reader(blk, at, buf, c->length);

	if (r)
		return r == -LB_E_IO ? 0 : r;
	lb_sha256(buf, c->length, digest);
	return !memcmp(digest, c->sha256, sizeof(digest));
}

int lb_chunk_matches(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c,
		     lb_blk_reader *reader)
{
	if (c->type == LB_CHUNK_ZERO)
		return zeros_match(u, im->blk, c, reader);
	return lb_chunk_read(im->blk, c->offset, c, lb_window_scratch(&u->window), reader);
}

static void count_right(struct lb_update_counters *t, const struct lb_chunk *c)
{
	t->chunks_skipped++;
	t->skip_bytes += c->length;
	t->done_bytes += c->length;
	t->durable_bytes += c->length;
}

struct look {
	struct lb_update *u;
	uint64_t told;
};

static void looked_at(void *ctx, struct lb_update_image *im, const struct lb_chunk *c, bool right)
{
	struct look *look = ctx;
	struct lb_update_counters *t = &look->u->counters;

	lb_chunk_mark(im, c->number, right);
	lb_bit_set(im->copied, c->number, false);
	t->chunks++;
	t->total_bytes += c->length;
	if (right)
		count_right(t, c);
	if (t->total_bytes - look->told >= 4 * LB_MIB) {
		look->told = t->total_bytes;
		lb_update_tell(look->u, "plan", im);
	}
}

/*
 * Reads each chunk's place from the medium. What an earlier attempt wrote has to be durable before: else
 * what is right may be so in the device's cache only. Where that cannot be had nothing is proven.
 */
static int look_in_place(struct lb_update *u, struct lb_update_image *im, struct look *look,
			 struct lb_error *err)
{
	int fresh = lb_blk_forget(im->blk), r;

	if (fresh < 0 && fresh != -LB_E_IO)
		return lb_blk_error(im->blk, fresh, err);
	lb_doubt(im);
	r = lb_scan(u, im, fresh == 1 ? lb_blk_read : lb_blk_read_medium, looked_at, look);
	if (fresh < 0)
		lb_doubt(im);
	return r ? lb_blk_error(im->blk, r, err) : 0;
}

void lb_update_count(const struct lb_update *u, uint32_t number, struct lb_update_counters *t)
{
	const struct lb_update_image *im = &u->images[number];
	struct lb_chunk_cursor at = { 0 };
	bool alone = !lb_patches_planned(u) && (lb_copies_left(u) || u->patching.active);
	uint64_t patched = t->patch_bytes;
	bool in_range = false;
	struct lb_chunk c;

	lb_patches_count(u, im, t);
	while (lb_index_next(&im->index, &at, &c)) {
		bool wanted = lb_chunk_is_wanted(im, &c);

		if (wanted) {
			t->plan_ranges += !in_range;
			/* the very first is fetched alone before copies are made */
			in_range = t->fetch_bytes || !alone;
			t->fetch_bytes += c.stored_length;
			t->fetch_end = im->payload_offset + c.stored_offset + c.stored_length;
		} else if (c.type == LB_CHUNK_DATA) {
			in_range = false;
		}
		if (lb_chunk_is_right(im, c.number))
			continue;
		t->write_bytes += c.length;
		t->zero_bytes += c.type == LB_CHUNK_ZERO ? c.length : 0;
		t->copy_bytes += wanted || c.type == LB_CHUNK_ZERO ? 0 : c.length;
	}
	t->copy_bytes -= t->patch_bytes - patched;
}

int lb_update_plan(struct lb_update *u, struct lb_error *err)
{
	struct look look = { .u = u };
	int r = 0;

	memset(&u->counters, 0, sizeof(u->counters));
	lb_copies_free(u);
	for (uint32_t i = 0; !r && i < u->image_count; i++)
		r = look_in_place(u, &u->images[i], &look, err);
	if (!r)
		r = lb_patches_plan(u, err);
	if (!r && !lb_patches_know_all(u))
		r = lb_copies_find(u, err);
	if (r)
		return r;
	lb_patches_spoil_copies(u);
	lb_copies_order(u);
	lb_copies_ready(u);
	for (uint32_t i = 0; i < u->image_count; i++)
		lb_update_count(u, i, &u->counters);
	lb_update_tell(u, "planned", NULL);
	return 0;
}
