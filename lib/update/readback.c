// SPDX-License-Identifier: GPL-2.0-or-later
/* What the medium holds, and nothing else, decides whether main may boot. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "update/internal.h"

#define WHOLE_BUF_BYTES (256u * LB_KIB)
#define BLOCK_BYTES 4096u /* whose multiples the medium is read to without a copy */
#define TELL_BYTES (4u * LB_MIB)

struct check {
	struct lb_update *u;
	uint64_t checked, told;
	uint32_t bad;
};

static void checked(void *ctx, struct lb_update_image *im, const struct lb_chunk *c, bool right)
{
	struct check *check = ctx;
	struct lb_update *u = check->u;

	if (!right) {
		check->bad++;
		u->zeros_spoilt = u->zeros_spoilt || c->type == LB_CHUNK_ZERO;
		if (lb_chunk_is_right(im, c->number))
			u->counters.done_bytes -= c->length;
		lb_chunk_mark(im, c->number, false);
	}
	check->checked += c->length;
	u->counters.durable_bytes = check->checked;
	if (check->checked - check->told >= TELL_BYTES) {
		check->told = check->checked;
		lb_update_tell(u, "verify", im);
	}
}

/* Chunks from @behind on, below number @end, that lie near @offset, which is behind them. */
static void doubt_before(struct lb_update_image *im, struct lb_chunk_cursor *behind, uint32_t end,
			 uint64_t offset)
{
	struct lb_chunk c;

	while (behind->next < end) {
		lb_index_next(&im->index, behind, &c);
		if (c.offset + c.length + LB_NEAR_BYTES > offset)
			lb_bit_set(im->proven, c.number, false);
	}
}

static uint64_t proven_bytes(const struct lb_update_image *im)
{
	struct lb_chunk_cursor at = { 0 };
	uint64_t bytes = 0;
	struct lb_chunk c;

	while (lb_index_next(&im->index, &at, &c))
		bytes += lb_bit(im->proven, c.number) ? c.length : 0;
	return bytes;
}

/*
 * What is not proven was written, or is spoilt. What a medium does to a block it may do to those
 * beside it: they are not proven any more, nor is what lies at the slot's ends, since others write
 * beside it. @behind follows @at, so that what is doubted here raises no doubts itself.
 */
static void doubt_neighbours(struct lb_update_image *im)
{
	struct lb_chunk_cursor at = { 0 }, behind = { 0 };
	uint64_t near_end = LB_NEAR_BYTES;
	struct lb_chunk c;

	while (lb_index_next(&im->index, &at, &c)) {
		if (lb_bit(im->proven, c.number)) {
			if (c.offset < near_end)
				lb_bit_set(im->proven, c.number, false);
			continue;
		}
		near_end = c.offset + c.length + LB_NEAR_BYTES;
		doubt_before(im, &behind, at.next, c.offset);
	}
	doubt_before(im, &behind, at.next, im->index.image_bytes);
}

int lb_update_readback(struct lb_update *u, uint32_t *ret_bad, struct lb_error *err)
{
	struct check check = { .u = u };

	for (uint32_t i = 0; i < u->image_count; i++) {
		doubt_neighbours(&u->images[i]);
		check.checked += proven_bytes(&u->images[i]);
	}
	for (uint32_t i = 0; i < u->image_count; i++) {
		int r = lb_scan(u, &u->images[i], lb_blk_read_medium, checked, &check);

		if (r)
			return lb_blk_error(u->images[i].blk, r, err);
		lb_update_tell(u, "verify", &u->images[i]);
	}
	u->counters.durable_bytes = u->counters.done_bytes;
	*ret_bad = check.bad;
	return 0;
}

/* The first @image->size_bytes of @blk on the medium. */
static int sum_slot(struct lb_blk *blk, const struct lb_image *image, uint8_t *buf,
		    lb_update_progress *progress, void *ctx, uint8_t digest[LB_SHA256_BYTES])
{
	struct lb_update_counters told = { .total_bytes = image->size_bytes };
	struct lb_sha256 sha;
	uint64_t at = 0;
	int r = 0;

	lb_sha256_start(&sha);
	while (!r && at < image->size_bytes) {
		uint64_t left = image->size_bytes - at;
		size_t n = left < WHOLE_BUF_BYTES ? (size_t)left : WHOLE_BUF_BYTES;

		r = lb_blk_read_medium(blk, at, buf, n);
		if (!r)
			lb_sha256_update(&sha, buf, n);
		at += n;
		if (!r && progress && (at % TELL_BYTES == 0 || at == image->size_bytes)) {
			told.durable_bytes = at;
			progress(ctx, "check", image->name, &told);
		}
	}
	lb_sha256_finish(&sha, digest);
	return r;
}

int lb_update_image_whole(struct lb_blk *blk, const struct lb_image *image,
			  lb_update_progress *progress, void *ctx, struct lb_error *err)
{
	uint8_t digest[LB_SHA256_BYTES];
	uint8_t *buf;
	int r;

	if (image->size_bytes > blk->size_bytes)
		return lb_error_set(err, LB_E_TOO_BIG, "image %s has %llu bytes, slot %s %llu",
				    image->name, (unsigned long long)image->size_bytes, blk->name,
				    (unsigned long long)blk->size_bytes);
	buf = aligned_alloc(BLOCK_BYTES, WHOLE_BUF_BYTES);
	if (!buf)
		return lb_error_set(err, LB_E_NOMEM, "no memory to read slot %s", blk->name);
	r = sum_slot(blk, image, buf, progress, ctx, digest);
	free(buf);
	if (r)
		return lb_blk_error(blk, r, err);
	return !memcmp(digest, image->sha256, sizeof(digest));
}
