// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is missing, elsewhere on the device: slots and sources are cut by content as the
 * packer cut the new image, and the digest of each piece is looked up among the
 * missing chunks. Only a chunk's own digest says that it was found.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "bundle/chunker.h"
#include "update/internal.h"

#define READ_BYTES (64u * LB_KIB)
#define SPARE_BYTES (128u * LB_KIB) /* of the window: it is moved that much less often */
#define LENGTH_BITS (1u << 18)
#define TELL_BYTES (4u * LB_MIB)
/* Pieces that are looked at for each byte: a slot full of cuts must not take for ever. */
#define EFFORT 8u
#define EFFORT_FREE (4u * LB_MIB)
#define NONE 0u
#define GONE UINT32_MAX

struct finder {
	struct lb_update *u;
	struct lb_chunker chunker;
	struct lb_chunker_ends ends; /* of the window */
	uint32_t *table; /* owned: 1 + image << 16 + number, by the digest's first bytes */
	uint32_t table_mask, missing;
	uint8_t *lengths; /* owned: a bit for the lengths of missing chunks, modulo LENGTH_BITS */
	/* the window: bytes of the slot that is looked at */
	uint8_t *buf, *owned; /* the engine's, or owned if that is too small */
	size_t buf_room, buf_len;
	uint64_t buf_at, bad_at; /* where it begins; where reading failed */
	uint64_t told;
};

/* ---- the table of what is missing ---- */

static uint32_t count_missing(const struct lb_update *u)
{
	uint32_t count = 0;
	struct lb_chunk c;

	for (uint32_t i = 0; i < u->image_count; i++)
		for (struct lb_chunk_cursor at = { 0 }; lb_index_next(&u->images[i].index, &at, &c);)
			count += lb_chunk_is_wanted(&u->images[i], &c);
	return count;
}

static void enter(struct finder *f, uint32_t image, const struct lb_chunk *c)
{
	uint32_t i = lb_get_le32(c->sha256) & f->table_mask;

	while (f->table[i] != NONE)
		i = (i + 1) & f->table_mask;
	f->table[i] = 1 + (image << 16 | c->number);
	lb_bit_set(f->lengths, c->length % LENGTH_BITS, true);
}

static bool make_table(struct finder *f)
{
	struct lb_update *u = f->u;
	uint32_t room = 16;
	struct lb_chunk c;

	while (room < 2 * f->missing)
		room *= 2;
	f->table_mask = room - 1;
	f->table = calloc(room, sizeof(*f->table));
	f->lengths = calloc(1, LENGTH_BITS / 8);
	u->copies = malloc(f->missing * sizeof(*u->copies));
	if (!f->table || !f->lengths || !u->copies)
		return false;
	for (uint32_t i = 0; i < u->image_count; i++)
		for (struct lb_chunk_cursor at = { 0 }; lb_index_next(&u->images[i].index, &at, &c);)
			if (lb_chunk_is_wanted(&u->images[i], &c))
				enter(f, i, &c);
	return true;
}

/* These bytes are at @from of @slot: chunks that are missing are to be copied from there. */
static bool claim(struct finder *f, const uint8_t *digest, uint32_t length, uint32_t slot,
		  uint64_t from)
{
	struct lb_update *u = f->u;
	bool found = false;

	for (uint32_t i = lb_get_le32(digest) & f->table_mask; f->table[i] != NONE;
	     i = (i + 1) & f->table_mask) {
		uint32_t image = (f->table[i] - 1) >> 16, number = (f->table[i] - 1) & 0xffff;
		struct lb_chunk c;

		if (f->table[i] == GONE)
			continue;
		lb_index_entry(&u->images[image].index, number, &c);
		if (c.length != length || memcmp(c.sha256, digest, LB_SHA256_BYTES))
			continue;
		u->copies[u->copy_count++] = (struct lb_copy){
			.from = from, .number = number,
			.image = (uint8_t)image, .slot = (uint8_t)slot,
		};
		f->table[i] = GONE;
		f->missing--;
		found = true;
	}
	return found;
}

/* ---- looking ---- */

static size_t least(uint64_t a, size_t b)
{
	return a < b ? (size_t)a : b;
}

/* Reads the window full, up to @end or to what cannot be read. */
static int fill(struct finder *f, struct lb_blk *blk, uint64_t end)
{
	size_t step = f->buf_room; /* smaller once something cannot be read */

	while (f->buf_len < f->buf_room && f->buf_at + f->buf_len < end) {
		uint64_t at = f->buf_at + f->buf_len;
		size_t n = least(end - at, least(f->buf_room - f->buf_len, step));
		int r = lb_blk_read(blk, at, f->buf + f->buf_len, n);

		if (r == -LB_E_IO && n > READ_BYTES) {
			step = READ_BYTES;
			continue;
		}
		if (r == -LB_E_IO)
			f->bad_at = at;
		if (r)
			return r == -LB_E_IO ? 0 : r;
		f->buf_len += n;
	}
	return 0;
}

/* Bytes of the slot from @at on that can be seen: at most a window, and not beyond @end. */
static int look(struct finder *f, struct lb_blk *blk, uint64_t at, uint64_t end,
		const uint8_t **ret_data, size_t *ret_len)
{
	size_t want = least(end - at, f->chunker.window_bytes);
	size_t kept = at < f->buf_at + f->buf_len ? (size_t)(f->buf_at + f->buf_len - at) : 0;

	if (kept < want && at + kept < f->bad_at) {
		int r;

		memmove(f->buf, f->buf + f->buf_len - kept, kept);
		f->buf_at = at;
		f->buf_len = kept;
		r = fill(f, blk, end);
		if (r)
			return r;
		kept = f->buf_len;
	}
	*ret_data = f->buf + (at - f->buf_at);
	*ret_len = kept < want ? kept : want;
	return 0;
}

static bool is_missing(struct finder *f, const uint8_t *data, size_t len, uint32_t slot, uint64_t at)
{
	uint8_t digest[LB_SHA256_BYTES];

	if (!lb_bit(f->lengths, (uint32_t)len % LENGTH_BITS))
		return false;
	lb_sha256(data, len, digest);
	return claim(f, digest, (uint32_t)len, slot, at);
}

static void still_here(struct finder *f, uint32_t slot, size_t step)
{
	f->told += step;
	if (f->told < TELL_BYTES)
		return;
	f->told = 0;
	lb_update_tell(f->u, "plan", slot < LB_IMAGES_MAX ? &f->u->images[slot] : NULL);
}

/*
 * From one cut to the next. Behind a piece that is not known it is tried at each place at
 * which a chunk may begin: the old image was not cut from @at on.
 */
static int search(struct finder *f, uint32_t slot, uint64_t at, uint64_t end)
{
	struct lb_blk *blk = lb_copy_blk(f->u, slot);
	uint64_t effort = 0, from = at;

	f->buf_len = 0;
	f->buf_at = at;
	f->bad_at = UINT64_MAX;
	f->ends = (struct lb_chunker_ends){ 0 };
	while (at < end && f->missing) {
		const uint8_t *data;
		size_t len, step;
		bool zero;
		int r = look(f, blk, at, end, &data, &len);

		if (r)
			return r;
		if (!len) {
			step = READ_BYTES;
			f->bad_at = UINT64_MAX;
			f->buf_len = 0;
		} else {
			step = lb_chunker_next_again(&f->chunker, &f->ends, at, data, len, &zero);
			effort += step;
			if (!zero && !is_missing(f, data, step, slot, at) &&
			    effort < EFFORT * (at - from) + EFFORT_FREE)
				step = lb_chunker_resync_again(&f->chunker, &f->ends, at, data,
							       step);
		}
		at += step;
		still_here(f, slot, step);
	}
	return 0;
}

/*
 * What is right is known, what is not is looked at, in the order of the slot. The image
 * before may have been a longer one: behind the new one as much again is looked at.
 */
static int search_slot(struct finder *f, uint32_t slot)
{
	struct lb_update_image *im = &f->u->images[slot];
	struct lb_chunk_cursor at = { 0 };
	uint64_t wrong_from = 0, end = 2 * im->index.image_bytes;
	struct lb_chunk c;
	int r = 0;

	while (!r && f->missing && lb_index_next(&im->index, &at, &c)) {
		if (!lb_chunk_is_right(im, c.number))
			continue;
		r = search(f, slot, wrong_from, c.offset);
		wrong_from = at.offset;
		if (!r && c.type != LB_CHUNK_ZERO)
			claim(f, c.sha256, c.length, slot, c.offset);
	}
	if (end > im->blk->size_bytes)
		end = im->blk->size_bytes;
	return r || !f->missing ? r : search(f, slot, wrong_from, end);
}

/* As the packer says that it cut the image, or as one that says nothing cuts. */
static unsigned int level_of(const struct lb_update_image *im)
{
	uint32_t level = im->image->chunking;

	return level && level <= LB_CHUNKER_LEVELS ? level
						   : lb_chunker_level(im->index.image_bytes);
}

static bool make_window(struct finder *f, unsigned int level)
{
	size_t before = f->buf_room, lent;

	lb_chunker_init(&f->chunker, level);
	f->buf_room = f->chunker.window_bytes + SPARE_BYTES;
	f->buf = lb_window_lend(&f->u->window, &lent);
	if (lent >= f->buf_room)
		return true;
	if (!f->owned || before != f->buf_room) {
		free(f->owned);
		f->owned = malloc(f->buf_room);
	}
	f->buf = f->owned;
	return f->buf;
}

/* A bit for each level at which one of the images was cut. */
static uint32_t levels_of(const struct lb_update *u)
{
	uint32_t levels = 0;

	for (uint32_t i = 0; i < u->image_count; i++)
		levels |= 1u << level_of(&u->images[i]);
	return levels;
}

/* Once for each level: nothing tells which image's chunks may lie there. */
static int search_sources(struct finder *f, struct lb_error *err)
{
	struct lb_update *u = f->u;
	uint32_t levels = levels_of(u);

	for (uint32_t n = 0; n < u->source_count; n++)
		for (unsigned int level = 1; f->missing && level <= LB_CHUNKER_LEVELS; level++) {
			int r;

			if (!(levels >> level & 1))
				continue;
			if (!make_window(f, level))
				return 0;
			r = search(f, LB_IMAGES_MAX + n, 0, u->sources[n]->size_bytes);
			if (r)
				return lb_blk_error(u->sources[n], r, err);
		}
	return 0;
}

int lb_copies_find(struct lb_update *u, struct lb_error *err)
{
	struct finder f = { .u = u, .missing = count_missing(u) };
	int r = 0;

	if (f.missing && make_table(&f)) {
		for (uint32_t i = 0; !r && f.missing && i < u->image_count; i++) {
			if (!make_window(&f, level_of(&u->images[i])))
				break;
			r = search_slot(&f, i);
			if (r)
				lb_blk_error(u->images[i].blk, r, err);
		}
		if (!r)
			r = search_sources(&f, err);
	}
	free(f.table);
	free(f.lengths);
	free(f.owned);
	return r;
}
