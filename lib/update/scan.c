// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the medium holds at the places of an image's chunks. It is read in long pieces, from block
 * to block, into the window's memory; in a long run into one half of it, while what is in the other is judged.
 */
#include <string.h>

#include "base/bytes.h"
#include "update/internal.h"

#define PIECE_BYTES (512u * LB_KIB)
/* To read ahead in less gains nothing: Linux takes 30 to 40 ms to end it, in which so much is digested. */
#define AHEAD_BYTES (32u * LB_MIB)
#define SIDE_BY_SIDE 32u  /* chunks whose digests are worked out together */
#define BLOCK_BYTES 4096u /* pieces begin and end with one: nothing is read twice, or copied */

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
	uint8_t *memory;
	size_t room, piece_bytes;
	bool ahead; /* one piece is read while the other is judged */
};

/* From block to block, as far as the slot has them. */
struct piece {
	uint64_t from, to;
	uint8_t *bytes;
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

/* The chunks that begin at @at and end before @to, as many as go side by side; returns where the last one ends. */
static uint64_t judge_whole(struct scan *s, const uint8_t *bytes, uint64_t at, uint64_t to)
{
	struct lb_sha256_message messages[SIDE_BY_SIDE], *m = messages;
	struct lb_chunk chunks[SIDE_BY_SIDE];
	struct lb_chunk_cursor next = s->next;
	uint32_t count = 0;

	while (count < SIDE_BY_SIDE && lb_index_next(&s->im->index, &next, &chunks[count]) &&
	       next.offset <= to) {
		const struct lb_chunk *c = &chunks[count++];

		if (c->type != LB_CHUNK_ZERO)
			*m++ = (struct lb_sha256_message){ .data = bytes + (c->offset - at), .len = c->length };
		s->next = next;
	}
	lb_sha256_many(messages, (size_t)(m - messages));
	m = messages;
	for (const struct lb_chunk *c = chunks; c < chunks + count; c++)
		settle(s, c,
		       c->type == LB_CHUNK_ZERO
			       ? lb_bytes_all_zero(bytes + (c->offset - at), c->length)
			       : !memcmp(m++->digest, c->sha256, LB_SHA256_BYTES));
	return s->next.offset;
}

/* @bytes are those of the image from @at to @to: every chunk that ends there is found, or not. */
static void judge(struct scan *s, const uint8_t *bytes, uint64_t at, uint64_t to)
{
	while (at < to) {
		uint64_t end = s->begun ? at : judge_whole(s, bytes, at, to);

		if (end == at)
			end = judge_part(s, bytes, at, to);
		bytes += end - at;
		at = end;
	}
}

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

/* For a run of @bytes. What is in a cache is not waited for: the processor's likes short pieces. */
static void choose_pieces(struct scan *s, uint64_t bytes)
{
	bool medium = s->reader == lb_blk_read_medium;
	size_t most = PIECE_BYTES, room = s->room;

	s->ahead = medium && bytes >= AHEAD_BYTES;
	if (s->ahead)
		room /= 2;
	else if (medium)
		most *= 2;
	s->piece_bytes = block_down(room < most ? room : most);
}

static struct piece piece_at(const struct scan *s, uint64_t at, uint64_t end, unsigned int turn)
{
	uint64_t from = block_down(at), blocks_end = block_down(end + BLOCK_BYTES - 1);
	struct piece p = { from, from + s->piece_bytes, s->memory };

	if (s->ahead && turn % 2)
		p.bytes += s->piece_bytes;
	if (p.to >= blocks_end) /* the slot may end within a block */
		p.to = blocks_end <= s->im->blk->size_bytes ? blocks_end : end;
	return p;
}

/* Chunks that lie side by side, from the next one on, up to @end. */
static int scan_run(struct scan *s, uint64_t end)
{
	struct lb_blk *blk = s->im->blk;
	uint64_t at = s->next.offset;

	choose_pieces(s, end - at);
	for (unsigned int turn = 0; at < end; turn++) {
		struct piece p = piece_at(s, at, end, turn), ahead = piece_at(s, p.to, end, turn + 1);
		uint64_t to = p.to < end ? p.to : end;
		int r = s->reader(blk, p.from, p.bytes, (size_t)(p.to - p.from));

		if (!r) {
			if (p.to < end && s->ahead)
				lb_blk_read_ahead(blk, ahead.from, ahead.bytes,
						  (size_t)(ahead.to - ahead.from));
			judge(s, p.bytes + (at - p.from), at, to);
			at = to;
		} else if (r == -LB_E_IO) {
			r = one_by_one(s, to, &at);
		}
		if (r)
			return r;
	}
	return 0;
}

/* Where the run of chunks ends that begins with the one behind @at: before one that is proven, or at the end. */
static uint64_t run_end(const struct lb_update_image *im, struct lb_chunk_cursor at)
{
	uint64_t end = at.offset;
	struct lb_chunk c;

	while (lb_index_next(&im->index, &at, &c) && !lb_bit(im->proven, c.number))
		end = at.offset;
	return end;
}

int lb_scan(struct lb_update *u, struct lb_update_image *im, lb_blk_reader *reader,
	    lb_scan_found *found, void *ctx)
{
	struct scan s = { .u = u, .im = im, .reader = reader, .found = found, .ctx = ctx };
	struct lb_chunk_cursor at = { 0 };
	int r = 0;

	s.memory = lb_window_lend(&u->window, &s.room);
	while (!r && at.next < im->index.chunk_count) {
		struct lb_chunk_cursor before = at;
		struct lb_chunk c;

		lb_index_next(&im->index, &at, &c);
		if (lb_bit(im->proven, c.number))
			continue;
		s.next = before;
		r = scan_run(&s, run_end(im, before));
		at = s.next;
	}
	return r;
}
