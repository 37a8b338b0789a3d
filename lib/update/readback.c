// SPDX-License-Identifier: GPL-2.0-or-later
/* What the medium holds, and nothing else, decides whether main may boot. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "update/internal.h"

#define WHOLE_BUF_BYTES (256u * LB_KIB)
#define TELL_BYTES (4u * LB_MIB)

int lb_update_readback(struct lb_update *u, uint32_t *ret_bad, struct lb_error *err)
{
	uint64_t checked = 0, told = 0;
	uint32_t bad = 0;

	for (uint32_t i = 0; i < u->image_count; i++) {
		struct lb_update_image *im = &u->images[i];
		struct lb_chunk_cursor at = { 0 };
		struct lb_chunk c;

		while (lb_index_next(&im->index, &at, &c)) {
			int r = lb_chunk_matches(u, im, &c, lb_blk_read_medium);

			if (r < 0)
				return lb_blk_error(im->blk, r, err);
			if (!r) {
				bad++;
				u->zeros_spoilt = u->zeros_spoilt || c.type == LB_CHUNK_ZERO;
				if (lb_chunk_is_right(im, c.number))
					u->counters.done_bytes -= c.length;
				lb_chunk_mark(im, c.number, false);
			}
			checked += c.length;
			u->counters.durable_bytes = checked;
			if (checked - told >= TELL_BYTES || checked == u->counters.total_bytes) {
				told = checked;
				lb_update_tell(u, "verify", im);
			}
		}
	}
	u->counters.durable_bytes = u->counters.done_bytes;
	*ret_bad = bad;
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
	buf = malloc(WHOLE_BUF_BYTES);
	if (!buf)
		return lb_error_set(err, LB_E_NOMEM, "no memory to read slot %s", blk->name);
	r = sum_slot(blk, image, buf, progress, ctx, digest);
	free(buf);
	if (r)
		return lb_blk_error(blk, r, err);
	return !memcmp(digest, image->sha256, sizeof(digest));
}
