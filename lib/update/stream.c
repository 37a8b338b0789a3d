// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Data chunks that follow one another: the caller fetches and decodes a batch of them while a
 * worker checks the digests of the batch before it, flushes what was written when that becomes too
 * much, and writes the batch. Nobody but the worker changes a slot meanwhile. What is not as it should be
 * and may be the slot's fault (a digest behind a prefix, a prefix that cannot be read) makes an end of
 * batches: those chunks are done alone, one by one.
 */
#include "base/bytes.h"
#include "update/internal.h"

#define TOGETHER 16 /* digests */
/* The longest batch, but for single chunks of up to twice as much. */
#define BATCH_BYTES (LB_FLUSH_BYTES / 6 < 128 * LB_KIB ? LB_FLUSH_BYTES / 6 : 128 * LB_KIB)

/* ---- the worker's part ---- */

/* Of the chunks at @at and behind it, which lie at @bytes, the first @count that there are: @ret, and how many. */
static uint32_t messages_of(const struct lb_batch *b, struct lb_chunk_cursor at, const uint8_t *bytes,
			    uint32_t count, struct lb_sha256_message ret[TOGETHER])
{
	struct lb_chunk c;
	uint32_t n = 0;

	while (n < count && n < TOGETHER && lb_index_next(&b->im->index, &at, &c)) {
		ret[n++] = (struct lb_sha256_message){ .data = bytes, .len = c.length };
		bytes += c.length;
	}
	return n;
}

/* Up to the first chunk that is not what was signed. */
static void check(struct lb_batch *b)
{
	struct lb_sha256_message m[TOGETHER];

	b->end = b->first;
	b->right_length = 0;
	for (uint32_t done = 0; done < b->count;) {
		uint32_t n = messages_of(b, b->end, b->bytes + b->right_length, b->count - done, m);

		lb_sha256_many(m, n);
		for (uint32_t i = 0; i < n; i++, done++) {
			struct lb_chunk_cursor next = b->end;
			struct lb_chunk c;

			if (!lb_index_next(&b->im->index, &next, &c) ||
			    memcmp(c.sha256, m[i].digest, sizeof(m[i].digest)))
				return;
			b->end = next;
			b->right_length += c.length;
		}
	}
}

static void do_batch(void *ctx)
{
	struct lb_batch *b = ctx;

	check(b);
	if (b->flush)
		b->result = lb_blk_flush(b->im->blk);
	if (!b->result && b->right_length)
		b->result = lb_blk_write(b->im->blk, b->first.offset, b->bytes, b->right_length);
}

/* ---- and the caller's ---- */

/* The right chunks of @b are in place. */
static void note_written(struct lb_update *u, const struct lb_batch *b)
{
	if (b->flush)
		lb_update_note_flushed(u, b->im);
	for (uint32_t n = b->first.next; n < b->end.next; n++)
		lb_chunk_mark(b->im, n, true);
	u->unflushed_bytes += b->right_length;
	u->counters.written_bytes += b->right_length;
	u->counters.done_bytes += b->right_length;
	b->im->dirty = true;
}

/* What was decoded and not on its way yet. */
static void forget(struct lb_update *u)
{
	u->stream.filling.count = 0;
	u->src_end = 0;
	lb_window_scratch(&u->window);
}

/* From @from on chunks up to number @below are done alone. */
static int go_alone(struct lb_update *u, const struct lb_chunk_cursor *from, uint32_t below, bool holds)
{
	lb_window_scratch(&u->window);
	u->stream.again = *from;
	u->stream.alone_below = below;
	u->stream.holds = holds;
	return LB_ALONE;
}

/* Of @b the chunk at its end is wrong. What was decoded from the source's bytes alone is the source's fault. */
static int not_right(struct lb_update *u, const struct lb_batch *b, struct lb_error *err)
{
	struct lb_chunk_cursor at = b->end;
	struct lb_chunk c;

	forget(u);
	if (lb_index_next(&b->im->index, &at, &c) && !lb_chunk_prefix_bytes(&c))
		return lb_update_not_decoded(u, b->im, &c, LB_E_DIGEST, err);
	return go_alone(u, &b->end, b->first.next + b->count, false);
}

/* Waits for what is under way. 0, LB_ALONE, or a failure of slot or source. */
static int finish(struct lb_update *u, struct lb_error *err)
{
	struct lb_batch b;

	if (!u->stream.under_way.count)
		return 0;
	lb_worker_wait(u->window.worker);
	b = u->stream.under_way;
	u->stream.under_way.count = 0;
	if (b.result) {
		forget(u);
		return lb_blk_error(b.im->blk, b.result, err);
	}
	note_written(u, &b);
	return b.right_length < b.length ? not_right(u, &b, err) : 0;
}

/* Where chunks arrive slowly none waits for others. */
static bool is_late(const struct lb_update *u)
{
	return lb_clock_ms(u->clock) - u->flushed_at_ms >= LB_FLUSH_MS;
}

/* With what is under way and what is decoded meanwhile, so much may be unflushed. */
static bool flush_is_due(const struct lb_update *u, const struct lb_batch *b)
{
	return u->unflushed_bytes + b->length + 2 * BATCH_BYTES > LB_FLUSH_BYTES || is_late(u);
}

/* What was decoded goes on its way. */
static int push(struct lb_update *u, struct lb_error *err)
{
	struct lb_stream *s = &u->stream;
	int r = finish(u, err);

	if (r || !s->filling.count)
		return r;
	r = lb_update_begin_writing(u, err);
	if (r)
		return r;
	s->under_way = s->filling;
	s->filling.count = 0;
	s->under_way.bytes = lb_window_show(&u->window, s->under_way.length);
	s->under_way.flush = s->under_way.im->dirty && flush_is_due(u, &s->under_way);
	s->under_way.im->dirty = true;
	lb_worker_start(u->window.worker, do_batch, &s->under_way);
	return 0;
}

int lb_stream_settle(struct lb_update *u, struct lb_error *err)
{
	int r = push(u, err);

	return r ? r : finish(u, err);
}

void lb_stream_begin(struct lb_update *u)
{
	u->stream = (struct lb_stream){ .alone_below = 0 };
}

bool lb_stream_takes(const struct lb_update *u, const struct lb_chunk *c)
{
	return u->writing && c->type == LB_CHUNK_DATA && c->number >= u->stream.alone_below &&
	       c->length <= 2 * BATCH_BYTES;
}

/* Is something in front of @end in the slot of @im not written yet? */
static bool is_on_its_way(const struct lb_update *u, const struct lb_update_image *im, uint64_t end)
{
	const struct lb_stream *s = &u->stream;
	const struct lb_batch *b = s->under_way.count ? &s->under_way : &s->filling;

	return b->count && b->im == im && end > b->first.offset;
}

/* What @c needs of the slot is written, the window can make room for it, and a cut does not cost too much. */
static int let_go(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c,
		  struct lb_error *err)
{
	const struct lb_stream *s = &u->stream;

	/* behind chunks that were done alone */
	if (!s->filling.count && !s->under_way.count && u->unflushed_bytes + 2 * BATCH_BYTES > LB_FLUSH_BYTES)
		return lb_update_flush(u, im, err);
	if (!lb_window_reaches(&u->window, im->blk, c->offset))
		return lb_stream_settle(u, err);
	if (c->far_bytes && is_on_its_way(u, im, c->far_offset + c->far_bytes))
		return lb_stream_settle(u, err);
	if (s->filling.count && s->filling.length + c->length > BATCH_BYTES)
		return push(u, err);
	if (lb_window_forgets(&u->window, c->length, c->far_bytes, s->filling.length))
		return push(u, err);
	return 0;
}

static void add(struct lb_batch *b, struct lb_update_image *im, const struct lb_chunk *c,
		const struct lb_chunk_cursor *at)
{
	if (!b->count)
		*b = (struct lb_batch){ .im = im, .first = *at };
	b->count++;
	b->length += c->length;
}

int lb_stream_add(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c,
		  const struct lb_chunk_cursor *at, struct lb_error *err)
{
	uint32_t prefix = lb_chunk_prefix_bytes(c);
	int r = let_go(u, im, c, err), wrong, settled;
	bool arrived = false;
	uint8_t *out;

	if (r)
		return r;
	wrong = lb_prefix_take(u, im, c, &out);
	if (!wrong) {
		r = lb_fetch_stored(u, im, c, err);
		arrived = !r;
	}
	if (arrived)
		wrong = lb_chunk_unpack(u->dctx, im->image->encoding, c, out - prefix, prefix,
					u->stored_buf, out);
	if (wrong || r) {
		settled = lb_stream_settle(u, err);
		if (settled)
			return settled;
		return wrong ? go_alone(u, at, c->number + 1, arrived) : r;
	}
	lb_window_take(&u->window, c->length);
	add(&u->stream.filling, im, c, at);
	if (is_late(u))
		return lb_stream_settle(u, err);
	return u->stream.filling.length < BATCH_BYTES ? 0 : push(u, err);
}
