// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the medium holds at the places of an image's chunks. It is read in long pieces, from block
 * to block, into one half of the window's memory; meanwhile the worker digests what is in the other, and
 * who has read helps.
 */
#include <stdatomic.h>
#include <string.h>

#include "base/bytes.h"
#include "update/internal.h"

#define PIECE_BYTES (512u * LB_KIB)
#define CHUNKS_MOST 128u /* in a batch: a piece that holds more has several */
#define TOGETHER 4u	 /* digests that are taken at a time */
#define BLOCK_BYTES 4096u /* pieces begin and end with one: nothing is read twice, or copied */

/* Chunks that lie side by side and are not proven. */
struct run {
	struct lb_chunk_cursor first, behind;
};

/* From block to block, as far as the slot has them. */
struct piece {
	uint64_t from, to; /* equal: there is none */
	uint64_t end;	   /* of its run, in it or behind it */
	bool begins;	   /* the run */
	uint8_t *bytes;
	int result; /* of reading it */
};

/* Chunks that lie in one piece as a whole, one behind the other. */
struct batch {
	struct lb_chunk_cursor first;
	uint32_t count;
	const uint8_t *bytes;
	struct lb_sha256_message messages[CHUNKS_MOST]; /* of those that are not zeros */
	uint32_t message_count;
	atomic_uint taken; /* of the messages: somebody works, or has worked on them */
};

struct scan {
	struct lb_update *u;
	struct lb_update_image *im;
	lb_scan_found *found;
	void *ctx;
	lb_blk_reader *reader;
	struct lb_chunk_cursor next;
	struct lb_chunk chunk; /* that was begun, while @begun */
	bool begun, zeros;
	struct lb_sha256 sha;
	uint8_t *memory; /* of two pieces */
	size_t piece_bytes;
	struct run run; /* that is being read */
	struct batch batch;
};

static uint64_t block_down(uint64_t at)
{
	return at & ~(uint64_t)(BLOCK_BYTES - 1);
}

static void begin_chunk(struct scan *s)
{
	lb_index_next(&s->im->index, &s->next, &s->chunk);
	s->begun = true;
	s->zeros = true;
	lb_sha256_start(&s->sha);
}

static void settle(struct scan *s, const struct lb_chunk *c, bool right)
{
	lb_bit_set(s->im->proven, c->number, right);
	s->found(s->ctx, s->im, c, right);
}

static void end_chunk(struct scan *s, bool right)
{
	s->begun = false;
	settle(s, &s->chunk, right);
}

static bool is_right(struct scan *s)
{
	uint8_t digest[LB_SHA256_BYTES];

	lb_sha256_finish(&s->sha, digest);
	return s->chunk.type == LB_CHUNK_ZERO ? s->zeros
					      : !memcmp(digest, s->chunk.sha256, sizeof(digest));
}

/* As much of a chunk as lies between @at and @to, where the bytes end; returns where that ends. */
static uint64_t judge_part(struct scan *s, const uint8_t *bytes, uint64_t at, uint64_t to)
{
	uint64_t end;
	size_t n;

	if (!s->begun)
		begin_chunk(s);
	end = s->chunk.offset + s->chunk.length;
	n = (size_t)((end < to ? end : to) - at);
	if (s->chunk.type == LB_CHUNK_ZERO)
		s->zeros = s->zeros && lb_bytes_all_zero(bytes, n);
	else
		lb_sha256_update(&s->sha, bytes, n);
	if (at + n == end)
		end_chunk(s, is_right(s));
	return at + n;
}

/* ---- chunks that lie in a piece as a whole ---- */

/* The next ones of @p up to @to, behind the one that was begun. */
static void gather(struct scan *s, const struct piece *p, uint64_t to)
{
	struct batch *b = &s->batch;
	struct lb_chunk_cursor at = s->next;
	struct lb_chunk c;

	b->first = at;
	b->count = b->message_count = 0;
	b->bytes = p->bytes + (at.offset < to ? at.offset - p->from : 0);
	atomic_store(&b->taken, 0);
	while (b->count < CHUNKS_MOST && lb_index_next(&s->im->index, &at, &c) && at.offset <= to) {
		if (c.type != LB_CHUNK_ZERO)
			b->messages[b->message_count++] = (struct lb_sha256_message){
				.data = b->bytes + (c.offset - b->first.offset), .len = c.length,
			};
		b->count++;
		s->next = at;
	}
}

/* Two threads may be in here: each takes what nobody has taken, until nothing is left. */
static void digest_batch(void *ctx)
{
	struct batch *b = ctx;

	for (;;) {
		uint32_t i = atomic_fetch_add(&b->taken, TOGETHER);

		if (i >= b->message_count)
			return;
		lb_sha256_many(b->messages + i,
			       b->message_count - i < TOGETHER ? b->message_count - i : TOGETHER);
	}
}

static void begin_batch(struct scan *s, const struct piece *p, uint64_t to)
{
	gather(s, p, to);
	lb_worker_start(s->u->window.worker, digest_batch, &s->batch);
}

/* Returns how many chunks were in it. */
static uint32_t end_batch(struct scan *s)
{
	struct batch *b = &s->batch;
	const struct lb_sha256_message *m = b->messages;
	struct lb_chunk_cursor at = b->first;
	struct lb_chunk c;

	digest_batch(b);
	lb_worker_wait(s->u->window.worker);
	for (uint32_t i = 0; i < b->count && lb_index_next(&s->im->index, &at, &c); i++)
		settle(s, &c,
		       c.type == LB_CHUNK_ZERO
			       ? lb_bytes_all_zero(b->bytes + (c.offset - b->first.offset), c.length)
			       : !memcmp(m++->digest, c.sha256, LB_SHA256_BYTES));
	return b->count;
}

/* ---- pieces ---- */

/*
 * A piece that ends at @to cannot be read as a whole: the chunks that reach into it, one by one.
 * *@ret_end: where the last one ended.
 */
static int one_by_one(struct scan *s, uint64_t to, uint64_t *ret_end)
{
	do {
		int r;

		if (!s->begun)
			begin_chunk(s);
		r = lb_chunk_matches(s->u, s->im, &s->chunk, s->reader);
		if (r < 0)
			return r;
		*ret_end = s->next.offset;
		end_chunk(s, r);
	} while (*ret_end < to);
	return 0;
}

/* Goes on to the run behind this one; false: there is none. */
static bool next_run(struct scan *s)
{
	const struct lb_update_image *im = s->im;
	struct lb_chunk_cursor at = s->run.behind;
	struct lb_chunk c;

	do {
		s->run.first = at;
		if (!lb_index_next(&im->index, &at, &c))
			return false;
	} while (lb_bit(im->proven, c.number));
	do {
		s->run.behind = at;
	} while (lb_index_next(&im->index, &at, &c) && !lb_bit(im->proven, c.number));
	return true;
}

/* From @at on, or from where the next run begins. */
static struct piece piece_at(struct scan *s, uint64_t at, unsigned int turn)
{
	struct piece p = { .bytes = s->memory + turn % 2 * s->piece_bytes };
	uint64_t blocks_end;

	if (at >= s->run.behind.offset) {
		if (!next_run(s))
			return p;
		p.begins = true;
		at = s->run.first.offset;
	}
	p.end = s->run.behind.offset;
	p.from = block_down(at);
	p.to = p.from + s->piece_bytes;
	blocks_end = block_down(p.end + BLOCK_BYTES - 1);
	if (p.to >= blocks_end) /* the slot may end within a block */
		p.to = blocks_end <= s->im->blk->size_bytes ? blocks_end : p.end;
	return p;
}

static struct piece read_piece(struct scan *s, uint64_t at, unsigned int turn)
{
	struct piece p = piece_at(s, at, turn);

	if (p.from < p.to)
		p.result = s->reader(s->im->blk, p.from, p.bytes, (size_t)(p.to - p.from));
	return p;
}

static uint64_t judged_to(const struct piece *p)
{
	return p->to < p->end ? p->to : p->end;
}

/* What lies in @p, from @at on, while @ret_next is read; returns where that ends. */
static uint64_t judge(struct scan *s, const struct piece *p, uint64_t at, unsigned int turn,
		      struct piece *ret_next)
{
	uint64_t to = judged_to(p);

	begin_batch(s, p, to);
	*ret_next = read_piece(s, to, turn + 1);
	if (s->begun)
		at = judge_part(s, p->bytes + (at - p->from), at, to);
	while (end_batch(s) == CHUNKS_MOST)
		begin_batch(s, p, to);
	if (at < to)
		at = s->next.offset;
	if (at < to) /* a chunk that ends behind it */
		at = judge_part(s, p->bytes + (at - p->from), at, to);
	return at;
}

int lb_scan(struct lb_update *u, struct lb_update_image *im, lb_blk_reader *reader,
	    lb_scan_found *found, void *ctx)
{
	struct scan s = { .u = u, .im = im, .reader = reader, .found = found, .ctx = ctx };
	uint64_t at = 0;
	size_t room;
	struct piece p, next;

	s.memory = lb_window_lend(&u->window, &room);
	s.piece_bytes = block_down(room / 2 < PIECE_BYTES ? room / 2 : PIECE_BYTES);
	p = read_piece(&s, 0, 0);
	for (unsigned int turn = 0; p.from < p.to; turn++, p = next) {
		int r;

		if (p.begins) {
			s.next = s.run.first;
			at = s.next.offset;
		}
		if (!p.result) {
			at = judge(&s, &p, at, turn, &next);
			continue;
		}
		r = p.result == -LB_E_IO ? one_by_one(&s, judged_to(&p), &at) : p.result;
		if (r)
			return r;
		next = read_piece(&s, at, turn + 1);
	}
	return 0;
}
