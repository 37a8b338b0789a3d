// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A patch refers to the old image alone, and a plain chunk to the new one alone. A chunk
 * of which one part is in the old image, and another one repeats what precedes it in the
 * new image and is not in the old one, would have to carry either part whole. So it is
 * cut between them: a content-defined chunk of that kind is nowhere on a device anyhow.
 */
#include "pack_cut.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <zstd.h>

#include "patch.h"

#define WORTH_BYTES 2048u /* that each part would cost; a cut costs about 100 */
#define WORTH_LEVEL 3	  /* of zstd, by which that is estimated */
#define CUTS_MAX 32u	  /* of a chunk */

/* A chunk of the new image that is looked at. */
struct piece {
	const uint8_t *data;
	uint32_t length;
	uint64_t offset;
	struct patch_match *old, *new; /* owned: PATCH_MATCHES_MAX each */
	uint32_t old_count, new_count;
	uint32_t at[CUTS_MAX]; /* ascending, inside the chunk */
	uint32_t count;
};

struct cutter {
	const struct pack_cut *c;
	const uint8_t *old, *new; /* mapped */
	struct patch_table *table; /* owned: of the old image */
	uint8_t *index;		   /* owned: the new one */
	uint32_t *numbers;	   /* owned: where the first part of each old entry went */
	bool *is_original;	   /* owned: a duplicate names it */
	uint32_t count;		   /* entries of the new one */
	ZSTD_CCtx *cctx;	   /* owned */
	uint8_t *trial;		   /* owned: room for a chunk */
};

/* Bytes of [@from, @end) that the old image has. */
static uint32_t old_bytes(const struct piece *p, uint32_t from, uint32_t end)
{
	uint32_t bytes = 0;

	for (uint32_t i = 0; i < p->old_count; i++) {
		uint32_t a = p->old[i].at, b = a + p->old[i].length;

		a = a > from ? a : from;
		b = b < end ? b : end;
		bytes += a < b ? b - a : 0;
	}
	return bytes;
}

/* Would @bytes of what lies in [@from, @end) cost much, if they were not found anywhere? */
static bool is_worth(const struct cutter *k, const struct piece *p, uint32_t from, uint32_t end,
		     uint32_t bytes)
{
	size_t n;

	if (bytes < WORTH_BYTES)
		return false;
	n = ZSTD_compressCCtx(k->cctx, k->trial, ZSTD_COMPRESSBOUND(LB_CHUNK_MAX_BYTES),
			      p->data + from, end - from, WORTH_LEVEL);
	return !ZSTD_isError(n) && (uint64_t)n * bytes / (end - from) >= WORTH_BYTES;
}

/* Has the old image much of [@from, @end)? */
static bool is_old(const struct cutter *k, const struct piece *p, uint32_t from, uint32_t end)
{
	return from < end && is_worth(k, p, from, end, old_bytes(p, from, end));
}

static void add_cut(struct piece *p, uint32_t at)
{
	if (at && at < p->length && p->count < CUTS_MAX)
		p->at[p->count++] = at;
}

/* Around each stretch that only the new image has, if enough of the old one lies on that side. */
static void choose_cuts(const struct cutter *k, struct piece *p)
{
	uint32_t begin = 0, end = 0; /* of the part that is not cut off yet; of the last stretch in it */

	for (uint32_t i = 0; i < p->new_count; i++) {
		uint32_t at = p->new[i].at, next = at + p->new[i].length;

		if (!is_worth(k, p, at, next, p->new[i].length - old_bytes(p, at, next)))
			continue;
		if (end > begin && is_old(k, p, end, at)) {
			add_cut(p, end);
			begin = end;
		}
		if (end <= begin && is_old(k, p, begin, at)) {
			add_cut(p, at);
			begin = at;
		}
		end = next;
	}
	if (end > begin && is_old(k, p, end, p->length))
		add_cut(p, end);
}

/* -LB_E_NOMEM */
static int look_at(const struct cutter *k, struct piece *p)
{
	uint64_t before = p->offset < k->c->window_bytes ? p->offset : k->c->window_bytes;
	struct patch_table *table;
	uint32_t covered;

	p->count = 0;
	if (p->offset + p->length <= k->c->old_bytes &&
	    !memcmp(k->old + p->offset, p->data, p->length))
		return 0;
	p->old_count = patch_matches(k->table, p->data, p->length, p->old);
	covered = old_bytes(p, 0, p->length);
	if (covered < WORTH_BYTES || p->length - covered < WORTH_BYTES)
		return 0;
	table = patch_table_make(p->data - before, before);
	if (!table)
		return -LB_E_NOMEM;
	p->new_count = patch_matches(table, p->data, p->length, p->new);
	patch_table_free(table);
	choose_cuts(k, p);
	return 0;
}

/* ---- the index ---- */

/* Entry @e, in parts. False: an index cannot hold so many. */
static bool put(struct cutter *k, const struct pack_entry *e, const struct piece *p)
{
	for (uint32_t i = 0, from = 0; i <= p->count; i++) {
		uint32_t end = i < p->count ? p->at[i] : e->length;
		struct pack_entry part = *e;

		if (k->count == LB_INDEX_CHUNKS_MAX)
			return false;
		part.length = end - from;
		if (p->count)
			lb_sha256(p->data + from, part.length, part.sha256);
		pack_entry_put(k->index, k->count++, &part);
		from = end;
	}
	return true;
}

/* -LB_E_TOO_BIG: see put() */
static int put_all(struct cutter *k, struct piece *p)
{
	const struct pack_image *im = k->c->image;
	struct pack_entry e;
	int rc = 0;

	for (uint32_t i = 0; !rc && i < im->chunk_count; i++, p->offset += e.length) {
		pack_entry_get(im->index, i, &e);
		p->data = k->new + p->offset;
		p->length = e.length;
		p->count = 0;
		k->numbers[i] = k->count;
		if (e.type == LB_CHUNK_DUPLICATE)
			e.reference = k->numbers[e.reference];
		else if (e.type == LB_CHUNK_DATA && !k->is_original[i])
			rc = look_at(k, p);
		if (!rc && !put(k, &e, p))
			rc = -LB_E_TOO_BIG;
	}
	return rc;
}

static void find_originals(struct cutter *k)
{
	struct pack_entry e;

	for (uint32_t i = 0; i < k->c->image->chunk_count; i++) {
		pack_entry_get(k->c->image->index, i, &e);
		if (e.type == LB_CHUNK_DUPLICATE)
			k->is_original[e.reference] = true;
	}
}

static int cut(struct cutter *k)
{
	struct pack_image *im = k->c->image;
	struct piece p = {
		.old = malloc(PATCH_MATCHES_MAX * sizeof(*p.old)),
		.new = malloc(PATCH_MATCHES_MAX * sizeof(*p.new)),
	};
	int rc = -LB_E_NOMEM;

	k->table = patch_table_make(k->old, k->c->old_bytes);
	k->index = calloc(1, LB_INDEX_MAX_BYTES);
	k->cctx = ZSTD_createCCtx();
	k->trial = malloc(ZSTD_COMPRESSBOUND(LB_CHUNK_MAX_BYTES));
	k->numbers = calloc(im->chunk_count, sizeof(*k->numbers));
	k->is_original = calloc(im->chunk_count, sizeof(*k->is_original));
	if (p.old && p.new && k->table && k->index && k->numbers && k->is_original && k->cctx &&
	    k->trial) {
		find_originals(k);
		rc = put_all(k, &p);
	}
	free(p.old);
	free(p.new);
	if (rc)
		return rc == -LB_E_TOO_BIG ? 0 : rc; /* as it was, then */
	im->data_count += k->count - im->chunk_count;
	im->chunk_count = k->count;
	free(im->index);
	im->index = k->index;
	k->index = NULL;
	return 0;
}

static bool map(int fd, uint64_t len, const uint8_t **ret)
{
	void *bytes = mmap(NULL, (size_t)len, PROT_READ, MAP_PRIVATE, fd, 0);

	if (bytes == MAP_FAILED)
		return false;
	*ret = bytes;
	return true;
}

static void unmap(const uint8_t *bytes, uint64_t len)
{
	if (bytes)
		munmap((void *)(uintptr_t)bytes, (size_t)len);
}

int pack_cut(const struct pack_cut *c)
{
	uint64_t new_bytes = c->image->image->size_bytes;
	struct cutter k = { .c = c };
	int rc = -LB_E_NOMEM;

	if (map(c->old_fd, c->old_bytes, &k.old) && map(c->image->fd, new_bytes, &k.new))
		rc = cut(&k);
	patch_table_free(k.table);
	ZSTD_freeCCtx(k.cctx);
	free(k.trial);
	free(k.index);
	free(k.numbers);
	free(k.is_original);
	unmap(k.old, c->old_bytes);
	unmap(k.new, new_bytes);
	return rc;
}
