// SPDX-License-Identifier: GPL-2.0-or-later
/* What is right on the medium, read in long pieces; and what need not be read twice. */
#include "linux/worker.h"
#include "update_scene.h"

#define SEEDS 60u

enum who { LATE, NOBODY, THREAD }; /* late: as in all scenes */

/* Chunks of 1 to 90,000 bytes, some of zeros, some twice; sometimes so short that a piece has more than go together. */
static struct scene *new_scene(uint32_t seed, uint32_t chunks)
{
	uint32_t longest = seed % 5 == 3 ? 600 : 90000;
	struct scene *s = calloc(1, sizeof(*s));
	struct image *im = &s->image[0];
	size_t at = 0;

	assert_non_null(s);
	seed_of_case = seed;
	s->images = 1;
	im->count = chunks;
	for (uint32_t n = 0; n < chunks; n++)
		im->len += im->chunk[n] = below(4) ? 1 + below(longest) : 1 + below(300);
	im->bytes = malloc(im->len);
	fill_random(im->bytes, im->len);
	for (uint32_t n = 0; n < chunks; at += im->chunk[n++])
		if (!below(6))
			memset(im->bytes + at, 0, im->chunk[n]);
	return s;
}

static void begin(struct scene *s, size_t slot_bytes)
{
	start(s, &slot_bytes);
	memcpy(s->slot[0].bytes, s->image[0].bytes, s->image[0].len);
	load(s);
}

static void end(struct scene *s)
{
	stop(s);
	free(s);
}

/* Is chunk @n of @length bytes at @at in its place? As plainly as it can be said. */
static bool is_there(const struct scene *s, uint64_t at, uint32_t length)
{
	const struct ram_blk *slot = &s->slot[0];

	if (slot->bad_len && slot->bad_at < at + length && at < slot->bad_at + slot->bad_len)
		return false;
	return !memcmp(s->image[0].bytes + at, slot->bytes + at, length);
}

static void expect_what_is_there(struct scene *s)
{
	const struct image *im = &s->image[0];
	size_t at = 0;

	for (uint32_t n = 0; n < im->count; at += im->chunk[n++])
		assert_int_equal(lb_chunk_is_right(&s->u.images[0], n), is_there(s, at, im->chunk[n]));
}

/* Places that hold something else, and at times one that cannot be read. */
static void spoil(struct scene *s, uint32_t seed)
{
	uint32_t len = (uint32_t)s->image[0].len;

	for (uint32_t spoilt = below(6); spoilt; spoilt--)
		s->slot[0].bytes[below(len)] ^= 0x40;
	if (seed % 4 == 3) {
		s->slot[0].bad_at = below(len);
		s->slot[0].bad_len = 1 + below(5000);
	}
}

static size_t slot_size(const struct scene *s, uint32_t seed)
{
	size_t len = s->image[0].len;

	return seed % 3 == 0 ? len : seed % 3 == 1 ? len + 1 + below(9000) : (len + 4096) / 4096 * 4096;
}

static void let_work(struct scene *s, uint32_t seed, struct lb_worker *thread)
{
	enum who who = seed / 3 % 3;

	if (who != LATE)
		lb_update_use_worker(&s->u, who == NOBODY ? NULL : thread);
}

/* Slots end with a block, within one, and with the image; read by nobody else, by who is late, by a thread. */
static void every_chunk_is_judged_by_itself(void **state)
{
	struct lb_worker *thread = lb_worker_open();

	assert_non_null(thread);
	for (uint32_t seed = 0; seed < SEEDS; seed++) {
		struct scene *s = new_scene(seed, 1 + seed * (seed % 5 == 3 ? 20 : 2));
		size_t len = s->image[0].len;

		begin(s, slot_size(s, seed));
		spoil(s, seed);
		let_work(s, seed, thread);
		assert_int_equal(lb_update_plan(&s->u, NULL), 0);
		assert_int_equal(s->u.counters.total_bytes, len);
		assert_int_equal(s->u.counters.chunks, s->image[0].count);
		expect_what_is_there(s);
		s->slot[0].bad_len = 0;
		end(s);
	}
	lb_worker_close(thread);
}

struct finding {
	const struct scene *s;
	uint32_t next;
	bool proven[CHUNKS_MAX]; /* before */
};

static void next_is_found(void *ctx, struct lb_update_image *im, const struct lb_chunk *c, bool right)
{
	struct finding *f = ctx;

	while (f->proven[f->next])
		f->next++;
	assert_int_equal(c->number, f->next++);
	assert_int_equal(right, is_there(f->s, c->offset, c->length));
	assert_int_equal(lb_bit(im->proven, c->number), right);
}

/* Each that is not proven once, in order; the others not at all. */
static void what_is_proven_is_left_out(void **state)
{
	struct lb_worker *thread = lb_worker_open();

	assert_non_null(thread);
	for (uint32_t seed = 0; seed < 3 * SEEDS; seed++) {
		struct scene *s = new_scene(seed, 1 + seed % SEEDS * (seed % 5 == 3 ? 20 : 2));
		struct lb_update_image *im = &s->u.images[0];
		struct finding f = { .s = s };

		begin(s, slot_size(s, seed));
		spoil(s, seed);
		let_work(s, seed, thread);
		for (uint32_t n = 0; n < s->image[0].count; n++) {
			f.proven[n] = n && below(6) ? f.proven[n - 1] : !below(2);
			lb_bit_set(im->proven, n, f.proven[n]);
		}
		assert_int_equal(lb_scan(&s->u, im, seed % 2 ? lb_blk_read : lb_blk_read_medium,
					 next_is_found, &f), 0);
		while (f.next < s->image[0].count && f.proven[f.next])
			f.next++;
		assert_int_equal(f.next, s->image[0].count);
		end(s);
	}
	lb_worker_close(thread);
}

/* A hundred chunks, of which number 50 is new. */
static struct scene *one_is_new(uint32_t *ret_bad, uint64_t *ret_read)
{
	struct scene *s = new_scene(7, 100);
	uint64_t before;

	begin(s, s->image[0].len);
	s->slot[0].bytes[at_chunk(&s->image[0], 50)] ^= 1;
	assert_int_equal(lb_update_plan(&s->u, NULL), 0);
	assert_int_equal(lb_update_apply(&s->u, NULL), 0);
	expect_whole(s);
	before = s->slot[0].read_bytes;
	assert_int_equal(lb_update_readback(&s->u, ret_bad, NULL), 0);
	*ret_read = s->slot[0].read_bytes - before;
	return s;
}

static void what_the_plan_read_is_not_read_again(void **state)
{
	uint32_t bad = 1;
	uint64_t read = 0;
	struct scene *s = one_is_new(&bad, &read);

	assert_int_equal(bad, 0);
	/* it, what is near on both sides, and both ends of the slot: each with a chunk more, in blocks */
	assert_in_range(read, 4 * LB_NEAR_BYTES, 4 * LB_NEAR_BYTES + 5 * 90000 + 6 * 4096);
	assert_true(read < s->image[0].len / 2);
	assert_int_equal(s->u.counters.durable_bytes, s->image[0].len);
	assert_int_equal(lb_update_readback(&s->u, &bad, NULL), 0); /* all of it is proven now */
	assert_int_equal(bad, 0);
	end(s);
}

/* A medium that spoils a block beside one that is written is found out, before and behind it. */
static void what_lies_near_a_write_is_read_again(void **state)
{
	for (int side = -1; side <= 1; side++) {
		struct scene *s = new_scene(7, 100);
		size_t at = at_chunk(&s->image[0], 50);
		size_t spoilt = side < 0 ? at - LB_NEAR_BYTES : at + s->image[0].chunk[50] - 1 + LB_NEAR_BYTES;
		uint32_t bad = 0;

		begin(s, s->image[0].len);
		s->slot[0].bytes[at] ^= 1;
		assert_int_equal(lb_update_plan(&s->u, NULL), 0);
		assert_int_equal(lb_update_apply(&s->u, NULL), 0);
		s->slot[0].bytes[side ? spoilt : at] ^= 8;
		assert_int_equal(lb_update_readback(&s->u, &bad, NULL), 0);
		assert_int_equal(bad, 1);
		assert_int_equal(lb_update_apply(&s->u, NULL), 0);
		assert_int_equal(lb_update_readback(&s->u, &bad, NULL), 0);
		assert_int_equal(bad, 0);
		expect_whole(s);
		end(s);
	}
}

/* The slot gives other bytes than it gave the plan, to a copy of a chunk that lies far from every write. */
static void what_was_seen_to_be_spoilt_is_read_again(void **state)
{
	for (int last = 0; last < 2; last++) {
		struct scene *s = new_scene(11, 120);
		struct image *im = &s->image[0];
		uint32_t bad = 0;
		size_t at, original = at_chunk(im, 20);

		im->chunk[60] = im->chunk[20] = 3000; /* twice the same */
		im->len = at_chunk(im, im->count);
		at = at_chunk(im, 60);
		im->bytes[original] |= 1;
		memcpy(im->bytes + at, im->bytes + original, 3000);
		begin(s, im->len);
		s->slot[0].bytes[at] ^= 2;
		assert_int_equal(lb_update_plan(&s->u, NULL), 0);
		s->slot[0].bytes[original + (last ? 2999 : 0)] ^= 4;
		assert_int_equal(lb_update_apply(&s->u, NULL), 0);
		assert_memory_equal(s->slot[0].bytes + at, im->bytes + at, 3000);
		assert_int_equal(lb_update_readback(&s->u, &bad, NULL), 0);
		assert_int_equal(bad, 1);
		assert_int_equal(lb_update_apply(&s->u, NULL), 0);
		expect_whole(s);
		end(s);
	}
}

/* What cannot be made durable may be right in a cache only. */
static void nothing_is_proven_when_the_flush_fails(void **state)
{
	struct scene *s = new_scene(9, 40);
	uint32_t bad = 0;

	begin(s, s->image[0].len);
	s->slot[0].fail_flush = 1;
	assert_int_equal(lb_update_plan(&s->u, NULL), 0);
	assert_int_equal(s->u.counters.skip_bytes, s->image[0].len);
	assert_int_equal(lb_update_apply(&s->u, NULL), 0);
	for (uint32_t n = 0; n < 40; n += 13)
		s->slot[0].bytes[at_chunk(&s->image[0], n)] ^= 1;
	assert_int_equal(lb_update_readback(&s->u, &bad, NULL), 0);
	assert_int_equal(bad, 4);
	end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_chunk_is_judged_by_itself),
		cmocka_unit_test(what_is_proven_is_left_out),
		cmocka_unit_test(what_the_plan_read_is_not_read_again),
		cmocka_unit_test(what_lies_near_a_write_is_read_again),
		cmocka_unit_test(what_was_seen_to_be_spoilt_is_read_again),
		cmocka_unit_test(nothing_is_proven_when_the_flush_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
