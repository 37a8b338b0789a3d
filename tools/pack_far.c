// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every window of 32 bytes of the image whose rolling hash falls into one of 32 classes (of
 * more where the image is large) is in a table. Those of a chunk are looked up, nearest first;
 * one that is further away has to match clearly longer. The region has most bytes of what
 * then lies beyond the window.
 */
#include "pack_far.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "bundle/index.h"
#include "gear.h"

#define WINDOW 32u
#define CLASS_BITS 5u	       /* one window of 32 is in the table ... */
#define WINDOWS_MAX (1u << 24) /* ... or of as many more as give about this number */
#define PLACES_MAX (4 * WINDOWS_MAX) /* of an image that is of nothing but such windows: the first ones */
#define TRIES 64u	       /* places of one hash that are looked at */
#define STAY 16u	       /* a match elsewhere has to be so much longer */
#define BYTES_MIN 128u	       /* to be worth a region */

struct pack_far {
	const uint8_t *image; /* borrowed */
	uint32_t gear[256];
	unsigned int class_bits, bucket_bits;
	uint32_t *first; /* owned: where in @place each bucket begins; one more is the end */
	uint64_t *place; /* owned: of windows, by bucket, ascending in each */
};

/* Windows of @data from @at on. */
struct windows {
	const uint8_t *data;
	uint64_t len, at;
	uint32_t hash, seen;
};

struct match {
	uint64_t from; /* in the image */
	uint32_t at, length;
};

struct weight {
	uint64_t block;
	uint32_t bytes;
};

/* ---- the table ------------------------------------------------------------- */

/* The next window of the right class ends in front of @w->at; blocks of zeros have none. */
static bool next_window(const struct pack_far *f, struct windows *w)
{
	while (w->at < w->len) {
		uint64_t left = w->len - w->at;

		if (w->at % LB_FAR_BLOCK_BYTES == 0 && left >= LB_FAR_BLOCK_BYTES &&
		    lb_bytes_all_zero(w->data + w->at, LB_FAR_BLOCK_BYTES)) {
			w->at += LB_FAR_BLOCK_BYTES;
			w->seen = 0;
			continue;
		}
		w->hash = (w->hash << 1) + f->gear[w->data[w->at++]];
		w->seen += w->seen < WINDOW;
		if (w->seen == WINDOW && !(w->hash >> (32 - f->class_bits)))
			return true;
	}
	return false;
}

static uint32_t bucket(const struct pack_far *f, uint32_t hash)
{
	return hash * 2654435761u >> (32 - f->bucket_bits);
}

/* Stretches of an image between zero chunks, which are not looked at. */
struct stretch {
	const struct pack_image *p;
	uint32_t next; /* chunk */
	uint64_t offset;
};

/* The windows of the next one. */
static bool next_stretch(const struct pack_far *f, struct stretch *s, struct windows *ret)
{
	struct pack_entry e;

	*ret = (struct windows){ .data = f->image, .at = s->offset, .len = s->offset };
	for (; s->next < s->p->chunk_count; s->next++, s->offset += e.length) {
		pack_entry_get(s->p->index, s->next, &e);
		if (e.type != LB_CHUNK_ZERO)
			ret->len += e.length;
		else if (ret->len > ret->at)
			break;
		else
			ret->at = ret->len = s->offset + e.length;
	}
	return ret->len > ret->at;
}

static bool fill(struct pack_far *f, const struct pack_image *p)
{
	size_t buckets = (size_t)1 << f->bucket_bits;
	struct stretch s = { .p = p };
	struct windows w;
	uint32_t count = 0;

	f->first = calloc(buckets + 2, sizeof(*f->first));
	if (!f->first)
		return false;
	while (next_stretch(f, &s, &w))
		for (; count < PLACES_MAX && next_window(f, &w); count++)
			f->first[bucket(f, w.hash) + 2]++;
	f->place = malloc(((size_t)count + 1) * sizeof(*f->place));
	if (!f->place)
		return false;
	for (size_t i = 2; i < buckets + 2; i++)
		f->first[i] += f->first[i - 1];
	s = (struct stretch){ .p = p };
	while (next_stretch(f, &s, &w)) /* first[b + 1] moves to where the next bucket begins */
		while (count && next_window(f, &w)) {
			f->place[f->first[bucket(f, w.hash) + 1]++] = w.at - WINDOW;
			count--;
		}
	return true;
}

struct pack_far *pack_far_new(const struct pack_image *p, const uint8_t *image)
{
	struct pack_far *f = calloc(1, sizeof(*f));
	uint64_t len = p->image->size_bytes - p->zero_bytes;

	if (!f)
		return NULL;
	f->image = image;
	f->class_bits = CLASS_BITS;
	f->bucket_bits = 10;
	while (len >> f->class_bits > WINDOWS_MAX)
		f->class_bits++;
	while (len >> f->class_bits >> f->bucket_bits)
		f->bucket_bits++;
	gear_init(f->gear);
	if (fill(f, p))
		return f;
	pack_far_free(f);
	return NULL;
}

void pack_far_free(struct pack_far *f)
{
	if (!f)
		return;
	free(f->first);
	free(f->place);
	free(f);
}

/* ---- matches of one chunk -------------------------------------------------- */

struct search {
	const struct pack_far *f;
	uint64_t offset; /* of the chunk: matches lie in front of it */
	const uint8_t *data;
	uint32_t len, begin; /* bytes in front of @begin have their match */
};

/* The match of the bytes around @at with those around @place. */
static struct match extend(const struct search *s, uint32_t at, uint64_t place)
{
	const uint8_t *image = s->f->image;
	uint32_t ahead = 0, back = 0;

	while (at + ahead < s->len && place + ahead < s->offset &&
	       image[place + ahead] == s->data[at + ahead])
		ahead++;
	if (ahead < WINDOW)
		return (struct match){ 0 };
	while (at - back > s->begin && place > back && image[place - back - 1] == s->data[at - back - 1])
		back++;
	return (struct match){ place - back, at - back, ahead + back };
}

/* How many of the places from @first to @end lie in front of the chunk. */
static uint32_t before(const struct search *s, uint32_t first, uint32_t end)
{
	while (first < end) {
		uint32_t middle = first + (end - first) / 2;

		if (s->f->place[middle] < s->offset)
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}

static struct match best_match(const struct search *s, uint32_t hash, uint32_t at,
			       const struct match *last)
{
	uint32_t b = bucket(s->f, hash), first = s->f->first[b];
	uint32_t k = before(s, first, s->f->first[b + 1]);
	struct match best = { 0 };

	if (last && last->from + (at - last->at) < s->offset)
		best = extend(s, at, last->from + (at - last->at));
	for (uint32_t tries = 0; k-- > first && tries < TRIES; tries++) {
		struct match m = extend(s, at, s->f->place[k]);

		if (m.length > best.length + (best.length ? STAY : 0))
			best = m;
	}
	return best;
}

/* ---- regions --------------------------------------------------------------- */

static uint32_t weigh(const struct match *m, uint64_t offset, struct weight *w)
{
	uint64_t from = m->from, end = m->from + m->length;
	uint32_t n = 0;

	while (from < end) {
		uint64_t block = from / LB_FAR_BLOCK_BYTES, edge = (block + 1) * LB_FAR_BLOCK_BYTES;

		if (edge > offset)
			break;
		w[n++] = (struct weight){ block, (uint32_t)((edge < end ? edge : end) - from) };
		from = edge;
	}
	return n;
}

static int by_block(const void *a, const void *b)
{
	const struct weight *x = a, *y = b;

	return x->block < y->block ? -1 : x->block > y->block;
}

/* The stretch of at most @blocks_max that has most bytes. */
static void choose(struct weight *w, uint32_t count, uint32_t blocks_max, struct pack_region *ret)
{
	uint64_t bytes = 0, most = BYTES_MIN - 1;

	qsort(w, count, sizeof(*w), by_block);
	for (uint32_t first = 0, last = 0; last < count; last++) {
		bytes += w[last].bytes;
		while (w[last].block - w[first].block >= blocks_max)
			bytes -= w[first++].bytes;
		if (bytes <= most)
			continue;
		most = bytes;
		ret->offset = w[first].block * LB_FAR_BLOCK_BYTES;
		ret->bytes = (uint32_t)(w[last].block - w[first].block + 1) * LB_FAR_BLOCK_BYTES;
	}
}

int pack_far_find(const struct pack_far *f, uint64_t offset, uint32_t len, uint32_t near_bytes,
		  uint32_t blocks_max, struct pack_region *ret)
{
	struct search s = { .f = f, .offset = offset, .data = f->image + offset, .len = len };
	struct windows w = { .data = s.data, .len = len };
	/* no match is shorter than a window: each is in two blocks, and in one more for each 4 KiB */
	struct weight *weights = malloc((len / WINDOW * 2 + len / LB_FAR_BLOCK_BYTES + 2) *
					sizeof(*weights));
	struct match last = { 0 }, m;
	uint32_t count = 0;

	*ret = (struct pack_region){ 0 };
	if (!weights)
		return -LB_E_NOMEM;
	while (next_window(f, &w)) {
		uint32_t at = (uint32_t)w.at - WINDOW;

		if (at < s.begin)
			continue;
		m = best_match(&s, w.hash, at, last.length ? &last : NULL);
		if (!m.length)
			continue;
		last = m;
		s.begin = m.at + m.length;
		if (m.from + near_bytes < offset)
			count += weigh(&m, offset, weights + count);
	}
	choose(weights, count, blocks_max, ret);
	free(weights);
	return 0;
}
