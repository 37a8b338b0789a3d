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
	return length > first->stored_length ? length : first->stored_length; /* at least what is asked for */
}

int lb_fetch_seek(struct lb_update *u, uint64_t at, uint64_t run, struct lb_error *err)
{
	int r = lb_source_seek(u->src, at, run, err);

	u->src_pos = at;
	u->src_end = r ? 0 : at + run;
	if (r)
		return r;
	u->counters.ranges++;
	return 0;
}

int lb_fetch_read(struct lb_update *u, uint32_t length, uint8_t *out, struct lb_error *err)
{
	int r = lb_source_read_full(u->src, out, length, err);

	if (r) {
		u->src_end = 0; /* seek again before the next read */
		return r;
	}
	u->src_pos += length;
	u->counters.fetched_bytes += length;
	return 0;
}

int lb_fetch_stored(struct lb_update *u, const struct lb_update_image *im, const struct lb_chunk *c,
		    struct lb_error *err)
{
	uint64_t at = im->payload_offset + c->stored_offset;
	int r = 0;

	if (lb_stream_holds(u, c)) {
		u->stream.holds = false;
		return 0;
	}
	if (!lb_fetch_goes_on(u, at, c->stored_length))
		r = lb_fetch_seek(u, at, run_length(u, im, c), err);
	return r ? r : lb_fetch_read(u, c->stored_length, u->stored_buf, err);
}
