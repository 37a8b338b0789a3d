// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Chunks made from what an old image holds at places that the packer knows: which of them
 * are to be had, and what that costs. Doing it: patching.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "update/internal.h"

/* ---- what is used ---- */

uint32_t lb_update_old_of(const struct lb_manifest *m, struct lb_update_old *list, uint32_t count)
{
	for (uint32_t i = 0; i < m->image_count; i++) {
		if (m->images[i].kind == LB_KIND_RECOVERY)
			continue;
		memcpy(list[count].target, m->images[i].target, sizeof(list[count].target));
		memcpy(list[count++].sha256, m->images[i].sha256, LB_SHA256_BYTES);
	}
	return count;
}

static const struct lb_patch_set *set_for(const struct lb_image *image,
					  const struct lb_update_old *old, uint32_t old_count,
					  uint32_t *ret_number)
{
	for (uint32_t k = 0; k < old_count; k++) {
		if (strcmp(old[k].target, image->target))
			continue;
		for (uint32_t n = 0; n < image->patch_set_count; n++) {
			*ret_number = n;
			if (!memcmp(image->patch_sets[n].from, old[k].sha256, LB_SHA256_BYTES))
				return &image->patch_sets[n];
		}
	}
	return NULL;
}

int lb_update_use_patches(struct lb_update *u, const struct lb_manifest *m,
			  const struct lb_bundle_layout *layout, const struct lb_update_old *old,
			  uint32_t old_count, struct lb_error *err)
{
	for (uint32_t i = 0; i < u->image_count && !u->src->sequential; i++) {
		struct lb_update_image *im = &u->images[i];
		uint32_t image = (uint32_t)(im->image - m->images), set;
		const struct lb_patch_set *s;
		int r;

		s = im->image->kind == LB_KIND_RECOVERY ? NULL : set_for(im->image, old, old_count, &set);
		if (!s || s->index.size_bytes + im->index.bytes_len > LB_INDEX_MAX_BYTES)
			continue; /* as much memory as an index may take, and no more */
		r = lb_bundle_read_patches(u->src, m, layout, image, set, &im->index, &im->patches,
					   err);
		if (r)
			return r;
		im->patch_offset = layout->patch_offset[image][set];
		if (im->patches.held_bytes > LB_HOLD_BYTES ||
		    im->patches.symbols_bytes > LB_SYMBOLS_BYTES)
			lb_patches_free(&im->patches);
	}
	return 0;
}

bool lb_update_has_patches(const struct lb_update *u)
{
	for (uint32_t i = 0; i < u->image_count; i++)
		if (u->images[i].patches.step_count)
			return true;
	return false;
}

/* ---- memory ---- */

void lb_patching_free(struct lb_update *u)
{
	struct lb_patching *p = &u->patching;

	for (uint32_t i = 0; i < p->made_count; i++)
		free(p->made[i].bytes);
	free(p->made);
	free(p->work);
	free(p->stored);
	lb_recoder_free(&p->recoder);
	memset(p, 0, sizeof(*p));
}

static bool alloc_buffers(struct lb_update *u)
{
	struct lb_patching *p = &u->patching;
	size_t work = 0, stored = 0, symbols = 0;

	for (uint32_t i = 0; i < u->image_count; i++) {
		const struct lb_update_image *im = &u->images[i];

		if (!im->patches.step_count)
			continue;
		if (im->patches.longest_prefix > work)
			work = im->patches.longest_prefix;
		if (im->index.longest_chunk > work)
			work = im->index.longest_chunk;
		if (im->patches.longest_stored > stored)
			stored = im->patches.longest_stored;
		if (im->patches.symbols_bytes > symbols)
			symbols = im->patches.symbols_bytes;
	}
	if (!work)
		return false;
	p->work = malloc(work);
	p->stored = malloc(stored + 1);
	p->active = p->work && p->stored && !lb_recoder_init(&p->recoder, symbols);
	return p->active;
}

/* ---- sources ---- */

static int read_old(struct lb_blk *blk, uint64_t at, uint8_t *buf, uint32_t length)
{
	int r;

	if (at > blk->size_bytes || length > blk->size_bytes - at)
		return 0;
	r = lb_blk_read(blk, at, buf, length);
	return r == -LB_E_IO ? 0 : r ? r : 1;
}

int lb_patch_read_copy(struct lb_update_image *im, const struct lb_chunk *c, uint64_t from,
		     uint8_t *buf)
{
	uint8_t digest[LB_SHA256_BYTES];
	int r = read_old(im->blk, from, buf, c->length);

	if (r <= 0)
		return r;
	lb_sha256(buf, c->length, digest);
	return !memcmp(digest, c->sha256, sizeof(digest));
}

int lb_patch_read_prefix(struct lb_update *u, struct lb_update_image *im,
		       const struct lb_patch_step *s, uint32_t *ret_length)
{
	uint32_t used = 0;

	for (uint32_t k = 0; k < s->region_count; k++) {
		uint32_t length;
		uint64_t at;
		int r;

		lb_patches_region(&im->patches, s->region + k, &at, &length);
		r = read_old(im->blk, at, u->patching.work + used, length);
		if (r <= 0)
			return r;
		used += length;
	}
	*ret_length = used;
	return lb_crc32(0, u->patching.work, used) == s->crc;
}

/* ---- planning ---- */

/* Is what chunk @number is made of there? */
static int look_at(struct lb_update *u, struct lb_update_image *im, const struct lb_patch_step *s,
		   uint32_t number, uint64_t from, struct lb_error *err)
{
	uint32_t prefix;
	struct lb_chunk c;
	int r;

	if (lb_chunk_is_right(im, number))
		return 0;
	lb_index_entry(&im->index, number, &c);
	r = s->type == LB_PATCH_COPY ? lb_patch_read_copy(im, &c, from, u->patching.work)
				     : lb_patch_read_prefix(u, im, s, &prefix);
	if (r < 0)
		return lb_blk_error(im->blk, r, err);
	lb_bit_set(im->copied, number, r);
	if (!r)
		im->patches_miss = true;
	u->patching.looked_bytes += c.length;
	if (u->patching.looked_bytes >= 4 * LB_MIB) {
		u->patching.looked_bytes = 0;
		lb_update_tell(u, "plan", im);
	}
	return 0;
}

/* Most of what the patches want is not there: what is on the device is looked for by content instead. */
static void drop_if_useless(struct lb_update_image *im, uint32_t wanted)
{
	uint32_t found = 0;

	for (uint32_t n = 0; n < im->index.chunk_count; n++)
		found += lb_bit(im->copied, n);
	if (found >= wanted / 2)
		return;
	memset(im->copied, 0, im->index.chunk_count / 8 + 1);
	lb_patches_free(&im->patches);
}

static int plan_image(struct lb_update *u, struct lb_update_image *im, struct lb_error *err)
{
	uint32_t wanted = 0;

	struct lb_patch_cursor at = { 0 };
	struct lb_patch_step s;
	int r = 0;

	im->patches_miss = false;
	while (!r && lb_patches_next(&im->patches, &at, &s)) {
		uint64_t from = s.from;

		if (s.type == LB_PATCH_PATCH)
			r = look_at(u, im, &s, s.number, 0, err);
		wanted += s.type == LB_PATCH_PATCH ? !lb_chunk_is_right(im, s.number) : 0;
		for (uint32_t k = 0; !r && k < s.count; k++) {
			uint32_t number = lb_patch_copy(&s, k, &im->index, &from);

			r = look_at(u, im, &s, number, from, err);
			wanted += !lb_chunk_is_right(im, number);
		}
	}
	if (!r)
		drop_if_useless(im, wanted);
	return r;
}

int lb_patches_plan(struct lb_update *u, struct lb_error *err)
{
	int r = 0;

	lb_patching_free(u);
	if (!alloc_buffers(u)) {
		lb_patching_free(u);
		return 0;
	}
	for (uint32_t i = 0; !r && i < u->image_count; i++)
		if (u->images[i].patches.step_count)
			r = plan_image(u, &u->images[i], err);
	return r;
}

bool lb_patches_know_all(const struct lb_update *u)
{
	for (uint32_t i = 0; u->patching.active && i < u->image_count; i++) {
		const struct lb_update_image *im = &u->images[i];
		struct lb_chunk_cursor at = { 0 };
		struct lb_chunk c;

		if (im->patches.step_count && !im->patches_miss)
			continue;
		while (lb_index_next(&im->index, &at, &c))
			if (lb_chunk_is_wanted(im, &c))
				return false;
	}
	return u->patching.active;
}

/* Will a step write into these bytes of image @im? */
static bool is_replaced(const struct lb_update_image *im, uint64_t from, uint32_t length)
{
	uint32_t low = 0, high = (im->index.chunk_count - 1) / LB_INDEX_MARK;
	struct lb_chunk_cursor at;
	struct lb_chunk c;

	while (low < high) {
		uint32_t mid = low + (high - low + 1) / 2;

		if (im->marks[mid].offset <= from)
			low = mid;
		else
			high = mid - 1;
	}
	at = im->marks[low];
	while (lb_index_next(&im->index, &at, &c) && c.offset < from + length)
		if (c.offset + c.length > from && lb_bit(im->copied, c.number))
			return true;
	return false;
}

/* A bit for each chunk of @im that a step makes, or would; NULL without memory. */
static uint8_t *made_by_steps(const struct lb_update_image *im)
{
	uint8_t *made = calloc(1, im->index.chunk_count / 8 + 1);
	struct lb_patch_cursor at = { 0 };
	struct lb_patch_step s;

	while (made && lb_patches_next(&im->patches, &at, &s)) {
		uint64_t from = s.from;

		if (s.type == LB_PATCH_PATCH)
			lb_bit_set(made, s.number, true);
		for (uint32_t k = 0; k < s.count; k++)
			lb_bit_set(made, lb_patch_copy(&s, k, &im->index, &from), true);
	}
	return made;
}

/* im->copied cannot say both "a step makes it" and "it was found elsewhere": the step's are fetched. */
static void leave_to_steps(struct lb_update *u, uint32_t image)
{
	uint8_t *made = made_by_steps(&u->images[image]);
	uint32_t kept = 0;

	for (uint32_t i = 0; i < u->copy_count; i++)
		if (u->copies[i].image != image || (made && !lb_bit(made, u->copies[i].number)))
			u->copies[kept++] = u->copies[i];
	u->copy_count = kept;
	free(made);
}

void lb_patches_spoil_copies(struct lb_update *u)
{
	uint32_t kept = 0;

	if (!u->patching.active)
		return;
	for (uint32_t i = 0; i < u->image_count; i++)
		if (u->images[i].patches.step_count)
			leave_to_steps(u, i);
	for (uint32_t i = 0; i < u->copy_count; i++) {
		const struct lb_copy *copy = &u->copies[i];
		struct lb_chunk c;

		lb_index_entry(&u->images[copy->image].index, copy->number, &c);
		if (copy->slot >= LB_IMAGES_MAX ||
		    !is_replaced(&u->images[copy->slot], copy->from, c.length))
			u->copies[kept++] = *copy;
	}
	u->copy_count = kept;
}

void lb_patches_count(const struct lb_update *u, const struct lb_update_image *im,
		      struct lb_update_counters *t)
{
	struct lb_patch_cursor at = { 0 };
	struct lb_patch_step s;
	bool in_range = false;
	struct lb_chunk c;

	while (u->patching.active && lb_patches_next(&im->patches, &at, &s)) {
		if (s.type != LB_PATCH_PATCH)
			continue;
		if (!lb_bit(im->copied, s.number)) {
			in_range = false;
			continue;
		}
		t->plan_ranges += !in_range;
		in_range = t->patch_bytes; /* the very first is fetched alone */
		t->fetch_bytes += s.stored_length;
		lb_index_entry(&im->index, s.number, &c);
		t->patch_bytes += c.length;
	}
}

bool lb_patches_planned(const struct lb_update *u)
{
	struct lb_update_counters t = { 0 };

	for (uint32_t i = 0; !t.patch_bytes && i < u->image_count; i++)
		lb_patches_count(u, &u->images[i], &t);
	return t.patch_bytes;
}

bool lb_patches_find_copy(const struct lb_update_image *im, uint32_t number, uint64_t *ret_from)
{
	struct lb_patch_cursor at = { 0 };
	struct lb_patch_step s;

	while (lb_patches_next(&im->patches, &at, &s)) {
		uint64_t from = s.from;

		for (uint32_t k = 0; k < s.count; k++)
			if (lb_patch_copy(&s, k, &im->index, &from) == number) {
				*ret_from = from;
				return true;
			}
	}
	return false;
}
