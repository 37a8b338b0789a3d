// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every window of 32 bytes of the old image whose rolling hash falls into one of 32
 * classes is in a hash table; the windows of a chunk that do so are looked up, and
 * matches are as long as they get. A block of the old image counts by the bytes that
 * matches cover in it; what lies between two matches that moved alike counts a little,
 * since a few changed bytes lie in it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "gear.h"
#include "patch.h"

#define WINDOW 32u
#define CLASS_SHIFT 27u /* of a 32-bit hash: one window of 32 is taken */
#define TRIES 32u	/* places of one hash that are looked at */
#define BLOCKS_MAX (LB_PATCH_PREFIX_MAX / LB_PATCH_BLOCK_BYTES)
#define WEIGHT_MIN 64u	/* bytes: less than that is not worth a block */
#define WEIGHT_GAP 64u
#define STAY 16u	/* a match elsewhere has to be so much longer */
#define NONE UINT32_MAX

struct patch_table {
	const uint8_t *old; /* borrowed */
	uint64_t old_bytes;
	uint32_t gear[256];
	uint64_t *place;    /* owned: of each window */
	uint32_t *hash;	    /* owned */
	uint32_t *next;	    /* owned: window with the same hash */
	uint32_t *first;    /* owned; @mask + 1 */
	uint32_t count, mask;
};

struct weight {
	uint32_t block, bytes;
};

static uint32_t bucket(const struct patch_table *t, uint32_t hash)
{
	return hash * 2654435761u >> 4 & t->mask;
}

static bool add_window(struct patch_table *t, uint64_t place, uint32_t hash, size_t *room)
{
	if (t->count == *room) {
		size_t more = *room * 2;
		uint64_t *p = realloc(t->place, more * sizeof(*p));
		uint32_t *h = NULL;

		if (p)
			t->place = p;
		h = realloc(t->hash, more * sizeof(*h));
		if (h)
			t->hash = h;
		if (!p || !h)
			return false;
		*room = more;
	}
	t->place[t->count] = place;
	t->hash[t->count++] = hash;
	return true;
}

/* Windows of the old image; blocks of zeros have none. */
static bool find_windows(struct patch_table *t)
{
	size_t room = 65536;
	uint32_t hash = 0;
	uint64_t seen = 0;

	t->place = malloc(room * sizeof(*t->place));
	t->hash = malloc(room * sizeof(*t->hash));
	if (!t->place || !t->hash)
		return false;
	for (uint64_t i = 0; i < t->old_bytes; i++) {
		uint64_t left = t->old_bytes - i;

		if (i % LB_PATCH_BLOCK_BYTES == 0 &&
		    lb_bytes_all_zero(t->old + i,
				      left < LB_PATCH_BLOCK_BYTES ? (size_t)left
								  : LB_PATCH_BLOCK_BYTES)) {
			i += LB_PATCH_BLOCK_BYTES - 1;
			seen = 0;
			continue;
		}
		hash = (hash << 1) + t->gear[t->old[i]];
		if (++seen >= WINDOW && !(hash >> CLASS_SHIFT) && t->count < NONE - 1 &&
		    !add_window(t, i + 1 - WINDOW, hash, &room))
			return false;
	}
	return true;
}

struct patch_table *patch_table_make(const uint8_t *old, uint64_t old_bytes)
{
	struct patch_table *t = calloc(1, sizeof(*t));
	uint64_t size = 1024;

	if (!t)
		return NULL;
	t->old = old;
	t->old_bytes = old_bytes;
	gear_init(t->gear);
	if (find_windows(t)) {
		while (size < t->count)
			size *= 2;
		t->mask = (uint32_t)(size - 1);
		t->first = malloc(size * sizeof(*t->first));
		t->next = malloc((t->count + 1) * sizeof(*t->next));
	}
	if (!t->first || !t->next) {
		patch_table_free(t);
		return NULL;
	}
	memset(t->first, 0xff, size * sizeof(*t->first));
	for (uint32_t k = t->count; k-- > 0;) {
		uint32_t b = bucket(t, t->hash[k]);

		t->next[k] = t->first[b];
		t->first[b] = k;
	}
	return t;
}

void patch_table_free(struct patch_table *t)
{
	if (!t)
		return;
	free(t->place);
	free(t->hash);
	free(t->next);
	free(t->first);
	free(t);
}

/* ---- matches of one chunk ---- */

/* The match of @data around @at with the old image at @place; its bytes in front of @begin are taken. */
static struct patch_match extend(const struct patch_table *t, const uint8_t *data, size_t len, size_t at,
			   size_t begin, uint64_t place)
{
	size_t ahead = 0, back = 0;

	while (at + ahead < len && place + ahead < t->old_bytes &&
	       t->old[place + ahead] == data[at + ahead])
		ahead++;
	if (ahead < WINDOW)
		return (struct patch_match){ 0 };
	while (at - back > begin && place > back && t->old[place - back - 1] == data[at - back - 1])
		back++;
	return (struct patch_match){ place - back, (uint32_t)(at - back), (uint32_t)(ahead + back) };
}

/* The longest one; one that moved like @last is preferred. */
static struct patch_match best_match(const struct patch_table *t, uint32_t hash, const uint8_t *data,
			       size_t len, size_t at, size_t begin, const struct patch_match *last)
{
	struct patch_match best = { 0 };
	uint32_t tries = 0, bonus = 0;

	if (last && last->from + (at - last->at) < t->old_bytes) {
		best = extend(t, data, len, at, begin, last->from + (at - last->at));
		bonus = best.length ? STAY : 0;
	}
	for (uint32_t k = t->first[bucket(t, hash)]; k != NONE && tries < TRIES; k = t->next[k], tries++) {
		struct patch_match m;

		if (t->hash[k] != hash)
			continue;
		m = extend(t, data, len, at, begin, t->place[k]);
		if (m.length > best.length + bonus) {
			best = m;
			bonus = 0;
		}
	}
	return best;
}

uint32_t patch_matches(const struct patch_table *t, const uint8_t *data, size_t len,
		       struct patch_match *ret)
{
	uint32_t count = 0, hash = 0;
	size_t begin = 0;

	for (size_t i = 0; i < len && count < PATCH_MATCHES_MAX; i++) {
		struct patch_match m;

		hash = (hash << 1) + t->gear[data[i]];
		if (i + 1 < WINDOW || hash >> CLASS_SHIFT || i + 1 - WINDOW < begin)
			continue;
		m = best_match(t, hash, data, len, i + 1 - WINDOW, begin,
			       count ? &ret[count - 1] : NULL);
		if (!m.length)
			continue;
		ret[count++] = m;
		begin = m.at + m.length;
	}
	return count;
}

/* ---- regions ---- */

static int by_block(const void *a, const void *b)
{
	const struct weight *x = a, *y = b;

	return x->block < y->block ? -1 : x->block > y->block;
}

static int by_bytes(const void *a, const void *b)
{
	const struct weight *x = a, *y = b;

	return x->bytes != y->bytes ? (x->bytes > y->bytes ? -1 : 1) : by_block(a, b);
}

static void add_weight(struct weight *w, uint32_t *count, uint32_t room, uint64_t from,
		       uint64_t end, uint32_t at_most)
{
	while (from < end && *count < room) {
		uint64_t edge = (from / LB_PATCH_BLOCK_BYTES + 1) * LB_PATCH_BLOCK_BYTES;
		uint64_t n = (edge < end ? edge : end) - from;

		w[(*count)++] = (struct weight){ (uint32_t)(from / LB_PATCH_BLOCK_BYTES),
						 (uint32_t)(n < at_most ? n : at_most) };
		from += n;
	}
}

static uint32_t weigh(const struct patch_match *m, uint32_t count, struct weight *w, uint32_t room)
{
	uint32_t n = 0, joined = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t end = m[i].from + m[i].length;

		add_weight(w, &n, room, m[i].from, end, LB_PATCH_BLOCK_BYTES);
		if (i + 1 < count && m[i + 1].from > end &&
		    m[i + 1].from - end < m[i + 1].at - (m[i].at + m[i].length) + LB_PATCH_BLOCK_BYTES)
			add_weight(w, &n, room, end, m[i + 1].from, WEIGHT_GAP);
	}
	qsort(w, n, sizeof(*w), by_block);
	for (uint32_t i = 1; i < n; i++)
		if (w[i].block == w[joined].block)
			w[joined].bytes += w[i].bytes;
		else
			w[++joined] = w[i];
	return n ? joined + 1 : 0;
}

/* The heaviest blocks that fit, as few enough regions: the lightest block goes until they are. */
static int choose(struct weight *w, uint32_t count, struct patch_region *ret)
{
	uint32_t regions;

	qsort(w, count, sizeof(*w), by_bytes);
	while (count && w[count - 1].bytes < WEIGHT_MIN)
		count--;
	if (count > BLOCKS_MAX)
		count = BLOCKS_MAX;
	for (;; count--) {
		struct weight sorted[BLOCKS_MAX];

		memcpy(sorted, w, count * sizeof(*w));
		qsort(sorted, count, sizeof(*w), by_block);
		regions = 0;
		for (uint32_t i = 0; i < count && regions <= PATCH_REGIONS_MAX; i++) {
			if (i && sorted[i].block == sorted[i - 1].block + 1) {
				ret[regions - 1].count++;
				continue;
			}
			if (regions < PATCH_REGIONS_MAX)
				ret[regions] = (struct patch_region){ sorted[i].block, 1 };
			regions++;
		}
		if (regions <= PATCH_REGIONS_MAX)
			return (int)regions;
	}
}

int patch_regions(const struct patch_table *t, const uint8_t *data, size_t len,
		  struct patch_region ret[PATCH_REGIONS_MAX])
{
	uint32_t room = 4 * PATCH_MATCHES_MAX;
	struct patch_match *m = malloc(PATCH_MATCHES_MAX * sizeof(*m));
	struct weight *w = malloc(room * sizeof(*w));
	int regions = -LB_E_NOMEM;

	if (m && w) {
		uint32_t count = patch_matches(t, data, len, m);

		count = weigh(m, count, w, room);
		regions = choose(w, count, ret);
	}
	free(m);
	free(w);
	return regions;
}
