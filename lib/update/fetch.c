// SPDX-License-Identifier: GPL-2.0-or-later
/* What the source has of a chunk; what stands together in the bundle in one request. */
#include "update/internal.h"

/*
 * Bytes of the payload from @first on that are wanted without a gap: one range request.
 * Before the copies are made only that chunk: nobody would read on for some time.
 */
static uint64_t run_length(const struct lb_update *u, const struct lb_update_image *im,
			   const struct lb_chunk *first)
{
	struct lb_chunk_cursor at = im->marks[first->number / LB_INDEX_MARK];
	uint64_t length = 0;
	struct lb_chunk c;

	if (lb_copies_left(u) || u->patching.active)
		return first->stored_length;
	while (lb_index_next(&im->index, &at, &c)) {
		if (c.number < first->number || c.type != LB_CHUNK_DATA)
			continue;
		if (!lb_chunk_is_wanted(im, &c))
			break;
		length += c.stored_length;
	}
	return length;
}

static int position_source(struct lb_update *u, const struct lb_update_image *im,
			   const struct lb_chunk *c, struct lb_error *err)
{
	uint64_t at = im->payload_offset + c->stored_offset, length;
	int r;

	if (u->src_pos == at && at + c->stored_length <= u->src_end)
		return 0;
	length = run_length(u, im, c);
	r = lb_source_seek(u->src, at, length, err);
	if (r)
		return r;
	u->src_pos = at;
	u->src_end = at + length;
	u->counters.ranges++;
	return 0;
}

int lb_fetch_stored(struct lb_update *u, const struct lb_update_image *im, const struct lb_chunk *c,
		    struct lb_error *err)
{
	int r = position_source(u, im, c, err);

	if (!r)
		r = lb_source_read_full(u->src, u->stored_buf, c->stored_length, err);
	if (r) {
		u->src_end = 0; /* seek again before the next read */
		return r;
	}
	u->src_pos += c->stored_length;
	u->counters.fetched_bytes += c->stored_length;
	return 0;
}
