// SPDX-License-Identifier: GPL-2.0-or-later
/* Chunks that need the bytes in front of them: wherever those are, and whatever became of them. */
#include "update_scene.h"

#define BLOCK 50000u
#define REACH 13u /* two blocks, and a bit */

/* ---- images of blocks ---- */

static void add(struct image *im, const uint8_t *bytes, size_t len, uint8_t reach)
{
	im->bytes = realloc(im->bytes, im->len + len);
	assert_non_null(im->bytes);
	if (bytes)
		memcpy(im->bytes + im->len, bytes, len);
	else
		memset(im->bytes + im->len, 0, len);
	im->len += len;
	im->own_reach = true;
	im->chunk[im->count] = (uint32_t)len;
	im->reach[im->count++] = reach;
}

static void add_noise(struct image *im, uint32_t seed)
{
	uint8_t *p = noise(BLOCK, seed);

	add(im, p, BLOCK, 0);
	free(p);
}

/* Almost what the two blocks in front hold: is stored in a few bytes, and cannot be had without them. */
static void add_needy(struct image *im)
{
	uint8_t *p = malloc(BLOCK);

	memcpy(p, im->bytes + im->len - BLOCK - BLOCK / 2, BLOCK);
	p[BLOCK / 2] ^= (uint8_t)(1 + im->count);
	add(im, p, BLOCK, REACH);
	free(p);
}

/* Almost what chunk @number is, which is its far region; @reach: and what is right in front. */
static void add_distant(struct image *im, uint32_t number, uint8_t reach)
{
	size_t at = at_chunk(im, number);
	uint8_t *p = malloc(BLOCK);

	memcpy(p, im->bytes + at, BLOCK);
	if (reach)
		memcpy(p, im->bytes + im->len - 20000, 20000);
	p[BLOCK / 2] ^= (uint8_t)(1 + im->count);
	im->far_block[im->count] = (uint32_t)(at / 4096);
	im->far_blocks[im->count] = (uint32_t)((at + BLOCK + 4095) / 4096 - at / 4096);
	add(im, p, BLOCK, reach);
	free(p);
}

static size_t far_of(const struct image *im, uint32_t number)
{
	return im->far_blocks[number] * (size_t)4096;
}

static uint64_t stored_of(const struct scene *s, uint32_t number)
{
	struct lb_chunk c;

	lb_index_entry(&s->u.images[0].index, number, &c);
	return c.stored_length;
}

static struct scene *new_scene(void)
{
	struct scene *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->images = 1;
	return s;
}

static void begin(struct scene *s)
{
	size_t size = s->image[0].len + 5 * BLOCK;

	start(s, &size);
	load(s);
}

static void end(struct scene *s)
{
	stop(s);
	free(s);
}

/* Chunk @number lies in the slot at its place. */
static void put_in_place(struct scene *s, uint32_t number)
{
	size_t at = at_chunk(&s->image[0], number);

	memcpy(s->slot[0].bytes + at, s->image[0].bytes + at, s->image[0].chunk[number]);
}

/* ---- in order ---- */

static void a_full_install_reads_nothing_back(void **state)
{
	struct scene *s = new_scene();
	struct image *im = &s->image[0];
	uint64_t planned;

	add_noise(im, 1);
	add_noise(im, 2);
	for (int i = 0; i < 60; i++) {
		add_needy(im);
		if (i % 20 == 10)
			add(im, NULL, 70000, 0); /* zeros */
		if (i % 7 == 3)
			add_noise(im, 100 + (uint32_t)i);
	}
	begin(s);
	s->slot[0].zero_writes = true; /* or else it would be seen whether they are zero already */
	assert_int_equal(lb_update_plan(&s->u, NULL), 0);
	planned = s->slot[0].read_bytes;
	assert_int_equal(lb_update_apply(&s->u, NULL), 0);
	assert_int_equal(s->slot[0].read_bytes, planned);
	assert_true(s->u.counters.fetched_bytes < 12 * BLOCK);
	expect_whole(s);
	end(s);
}

static void as_much_is_read_as_the_prefix_is_long(void **state)
{
	struct scene *s = new_scene();
	struct image *im = &s->image[0];
	uint64_t planned;

	for (uint32_t i = 0; i < 20; i++)
		add_noise(im, i);
	add_needy(im);
	for (uint32_t i = 30; i < 50; i++)
		add_noise(im, i);
	add_needy(im);
	begin(s);
	memcpy(s->slot[0].bytes, im->bytes, im->len);
	memset(s->slot[0].bytes, 0, 5);
	memset(s->slot[0].bytes + at_chunk(im, 20), 0, 5);
	memset(s->slot[0].bytes + at_chunk(im, 41), 0, 5);
	assert_int_equal(lb_update_plan(&s->u, NULL), 0);
	planned = s->slot[0].read_bytes;
	assert_int_equal(lb_update_apply(&s->u, NULL), 0);
	assert_int_equal(s->slot[0].read_bytes - planned, 2 * REACH * 8192);
	assert_int_equal(s->u.counters.fetched_bytes, stored_of(s, 0) + stored_of(s, 20) + stored_of(s, 41));
	expect_whole(s);
	end(s);
}

static void a_longer_prefix_than_before_is_read_in_front(void **state)
{
	struct scene *s = new_scene();
	struct image *im = &s->image[0];
	uint64_t planned;

	for (uint32_t i = 0; i < 10; i++)
		add_noise(im, i);
	add_needy(im);
	add_needy(im);
	im->reach[11] = 40;
	begin(s);
	memcpy(s->slot[0].bytes, im->bytes, at_chunk(im, 10));
	s->slot[0].bytes[7] ^= 1;
	assert_int_equal(lb_update_plan(&s->u, NULL), 0);
	planned = s->slot[0].read_bytes;
	assert_int_equal(lb_update_apply(&s->u, NULL), 0);
	assert_int_equal(s->slot[0].read_bytes - planned, 40 * 8192 - BLOCK); /* each byte once */
	expect_whole(s);
	end(s);
}

/* ---- the first chunk of all ---- */

/* A block, zeros, the same block, another one, all of them to be copied or written; then one that needs them. */
static struct scene *first_chunk_scene(void)
{
	struct scene *s = new_scene();
	struct image *im = &s->image[0];

	add_noise(im, 1);
	add(im, NULL, 20000, 0);
	add_noise(im, 1);
	add_noise(im, 2);
	add_needy(im);
	im->reach[4] = 30;
	begin(s);
	return s;
}

/* It is decoded when nothing in front of it is in place yet. */
static void plan_copies(struct scene *s)
{
	const struct image *im = &s->image[0];
	struct lb_copy *copies = malloc(2 * sizeof(*copies));
	uint64_t at = im->len + 1000;

	memcpy(s->slot[0].bytes + at, im->bytes, BLOCK);
	memcpy(s->slot[0].bytes + at + BLOCK, im->bytes + at_chunk(im, 3), BLOCK);
	copies[0] = (struct lb_copy){ .from = at, .number = 0 };
	copies[1] = (struct lb_copy){ .from = at + BLOCK, .number = 3 };
	s->u.copies = copies;
	s->u.copy_count = 2;
	lb_copies_order(&s->u);
	lb_copies_ready(&s->u);
	s->mem.src.fetched_bytes = 0;
}

static void it_is_decoded_with_what_is_to_be_copied(void **state)
{
	struct scene *s = first_chunk_scene();

	plan_copies(s);
	assert_int_equal(lb_update_apply(&s->u, NULL), 0);
	expect_whole(s);
	assert_int_equal(s->mem.src.fetched_bytes, stored_of(s, 4));
	assert_true(stored_of(s, 4) < 200);
	end(s);
}

static struct scene *watched;

/* Nothing is written before it was fetched and decoded: all of it, if more than one is wanted. */
static int nothing_written_yet(void *ctx, struct lb_error *err)
{
	assert_int_equal(watched->slot[0].writes, 0);
	assert_true(watched->mem.src.fetched_bytes >= stored_of(watched, *(const uint32_t *)ctx));
	return 0;
}

/* A copy that it needs is spoilt: that chunk is wanted, and is the first one then. */
static void a_spoilt_copy_in_front_of_it_is_fetched_before(void **state)
{
	for (uint32_t spoilt = 0; spoilt < 3; spoilt++) {
		uint32_t first = spoilt == 1 ? 3 : 0;
		struct lb_update_observer obs = { .ctx = &first, .before_first_write = nothing_written_yet };
		struct scene *s = first_chunk_scene();
		uint64_t expected = stored_of(s, 4) + stored_of(s, first);

		watched = s;
		s->u.obs = &obs;
		plan_copies(s);
		if (spoilt < 2)
			s->slot[0].bytes[s->image[0].len + 1000 + spoilt * BLOCK + 77] ^= 1;
		if (spoilt == 2) {
			s->slot[0].bad_at = s->image[0].len + 1000;
			s->slot[0].bad_len = 2 * BLOCK;
			expected += stored_of(s, 3);
		}
		assert_int_equal(lb_update_apply(&s->u, NULL), 0);
		expect_whole(s);
		assert_int_equal(s->mem.src.fetched_bytes, expected);
		end(s);
	}
}

static void what_is_in_place_in_front_of_it_may_be_spoilt_too(void **state)
{
	struct scene *s = first_chunk_scene();

	for (uint32_t n = 0; n < 4; n++)
		put_in_place(s, n);
	memset(s->slot[0].bytes + BLOCK, 0, 20000);
	assert_int_equal(lb_update_plan(&s->u, NULL), 0);
	assert_int_equal(s->u.counters.fetch_bytes, stored_of(s, 4));
	s->slot[0].bytes[3] ^= 1;	    /* the original */
	s->slot[0].bytes[BLOCK + 30000] ^= 1; /* and the one that repeats it */
	assert_int_equal(lb_update_apply(&s->u, NULL), 0);
	expect_whole(s);
	assert_int_equal(s->u.counters.fetched_bytes, stored_of(s, 0) + stored_of(s, 4));
	assert_int_equal(s->u.counters.done_bytes, s->u.counters.total_bytes);
	end(s);
}

/* ---- later on ---- */

/* A chunk to fetch, one in place, and one to fetch that needs it. */
static struct scene *later_scene(void)
{
	struct scene *s = new_scene();

	add_noise(&s->image[0], 1);
	add_noise(&s->image[0], 2);
	add_noise(&s->image[0], 3);
	add_needy(&s->image[0]);
	begin(s);
	put_in_place(s, 1);
	put_in_place(s, 2);
	assert_int_equal(lb_update_plan(&s->u, NULL), 0);
	return s;
}

static void a_chunk_in_place_that_changed_is_fetched_again(void **state)
{
	for (int how = 0; how < 2; how++) {
		struct scene *s = later_scene();
		uint64_t twice = how ? 0 : stored_of(s, 3); /* seen before it was fetched, or after */

		s->slot[0].bytes[2 * BLOCK + 99] ^= 1;
		if (how) {
			s->slot[0].bad_at = 2 * BLOCK + 10;
			s->slot[0].bad_len = 500;
		}
		assert_int_equal(lb_update_apply(&s->u, NULL), 0);
		expect_whole(s);
		assert_int_equal(s->u.counters.fetched_bytes,
				 s->u.counters.fetch_bytes + stored_of(s, 2) + twice);
		assert_int_equal(s->u.counters.done_bytes, s->u.counters.total_bytes);
		end(s);
	}
}

/* What was just fetched is in memory, and no matter what the medium makes of it. */
static void a_medium_that_lies_does_not_come_into_it(void **state)
{
	struct scene *s = later_scene();

	s->slot[0].lie_at = 2 * BLOCK + 99;
	assert_int_equal(lb_update_apply(&s->u, NULL), 0);
	expect_whole(s);
	end(s);
}

/*
 * A chunk that the medium never gives back, and that is not in memory when it is needed: it
 * repeats one that cannot be read, so that one is fetched in its stead.
 */
static void a_medium_that_lies_again_and_again_is_to_blame(void **state)
{
	struct scene *s = new_scene();
	struct lb_error err = { 0 };

	add_noise(&s->image[0], 1);
	add_noise(&s->image[0], 2);
	add_noise(&s->image[0], 1);
	add_needy(&s->image[0]);
	s->image[0].reach[3] = 12; /* not as far as the first one */
	begin(s);
	put_in_place(s, 0);
	put_in_place(s, 1);
	assert_int_equal(lb_update_plan(&s->u, NULL), 0);
	s->u.writing = true; /* as after a failure in the middle */
	s->slot[0].bad_at = 7;
	s->slot[0].bad_len = 1;
	s->slot[0].lie_at = 2 * BLOCK + 99;
	assert_int_equal(lb_update_apply(&s->u, &err), -LB_E_IO);
	assert_int_equal(err.code, LB_E_IO);
	assert_true(s->u.counters.fetched_bytes < 20 * (stored_of(s, 0) + stored_of(s, 3)));
	end(s);
}

static void with_a_right_prefix_the_source_is_to_blame(void **state)
{
	struct scene *s = later_scene();
	uint8_t *at = s->bundle + s->layout.payload_offset[0] + stored_of(s, 0) + stored_of(s, 1) +
		      stored_of(s, 2) + stored_of(s, 3) - 4;
	struct lb_error err = { 0 };

	*at ^= 0x10;
	assert_int_equal(lb_update_apply(&s->u, &err), -LB_E_DIGEST);
	assert_non_null(strstr(err.text, "chunk 3"));
	/* it was asked twice */
	assert_int_equal(s->u.counters.fetched_bytes, s->u.counters.fetch_bytes + stored_of(s, 3));
	assert_true(lb_chunk_is_right(&s->u.images[0], 2));
	*at ^= 0x10; /* another source */
	assert_int_equal(lb_update_apply(&s->u, &err), 0);
	expect_whole(s);
	end(s);
}

/* ---- far regions ---- */

/* Nothing else is read: what such a region covered in the window is there again. */
static void a_full_install_reads_back_far_regions_only(void **state)
{
	struct scene *s = new_scene();
	struct image *im = &s->image[0];
	uint64_t planned, far = 0;

	for (uint32_t i = 0; i < 4; i++)
		add_noise(im, i);
	for (uint32_t i = 4; i < 90; i++) {
		if (i % 3 == 0)
			add_distant(im, i / 3, i % 2 ? 0 : (uint8_t)(1 + i));
		else
			add_needy(im);
		far += far_of(im, i);
		if (i % 3 == 1)
			im->reach[i] = (uint8_t)(REACH + i);
		if (i % 20 == 10)
			add(im, NULL, 70000, 0), i++;
	}
	assert_true(far > 20 * BLOCK);
	begin(s);
	s->slot[0].zero_writes = true;
	assert_int_equal(lb_update_plan(&s->u, NULL), 0);
	planned = s->slot[0].read_bytes;
	assert_int_equal(lb_update_apply(&s->u, NULL), 0);
	assert_int_equal(s->slot[0].read_bytes, planned + far);
	assert_true(s->u.counters.fetched_bytes < 6 * BLOCK);
	expect_whole(s);
	end(s);
}

/* Far from all others: as many bytes as the region and the prefix have. */
static void a_scattered_chunk_reads_its_far_region_and_no_more(void **state)
{
	for (uint8_t reach = 0; reach < 4; reach++) {
		struct scene *s = new_scene();
		struct image *im = &s->image[0];
		uint64_t planned;

		for (uint32_t i = 0; i < 30; i++)
			add_noise(im, i);
		add_distant(im, 3, reach);
		add_noise(im, 31);
		add_distant(im, 29, 0); /* right in front of what is still in the window */
		begin(s);
		memcpy(s->slot[0].bytes, im->bytes, im->len);
		memset(s->slot[0].bytes, 0, 5);
		memset(s->slot[0].bytes + at_chunk(im, 30), 0, 5);
		memset(s->slot[0].bytes + at_chunk(im, 32), 0, 5);
		assert_int_equal(lb_update_plan(&s->u, NULL), 0);
		planned = s->slot[0].read_bytes;
		assert_int_equal(lb_update_apply(&s->u, NULL), 0);
		assert_int_equal(s->slot[0].read_bytes - planned,
				 far_of(im, 30) + reach * 8192 + far_of(im, 32));
		assert_int_equal(s->u.counters.fetched_bytes,
				 stored_of(s, 0) + stored_of(s, 30) + stored_of(s, 32));
		assert_true(stored_of(s, 32) < 200);
		expect_whole(s);
		end(s);
	}
}

/*
 * A block, zeros, the same block, another one, then one that has parts of all four as a far
 * region and @reach in front.
 */
static struct scene *first_far_scene(uint8_t reach)
{
	struct scene *s = new_scene();
	struct image *im = &s->image[0];
	uint8_t *p = malloc(BLOCK);

	add_noise(im, 1);
	add(im, NULL, 20000, 0);
	add_noise(im, 1);
	add_noise(im, 2);
	memcpy(p, im->bytes + BLOCK - 20000, 40000);
	memcpy(p + 40000, im->bytes + at_chunk(im, 3) + 7000, 10000);
	p[77] ^= 1;
	im->far_block[4] = 6;
	im->far_blocks[4] = 30; /* from 24576 to 147456 */
	add(im, p, BLOCK, reach);
	free(p);
	begin(s);
	return s;
}

static void it_is_put_together_for_the_first_chunk(void **state)
{
	for (uint8_t reach = 0; reach < 9; reach += 4) {
		struct scene *s = first_far_scene(reach);

		plan_copies(s);
		assert_int_equal(lb_update_apply(&s->u, NULL), 0);
		expect_whole(s);
		assert_int_equal(s->mem.src.fetched_bytes, stored_of(s, 4));
		assert_true(stored_of(s, 4) < 200);
		end(s);
	}
}

static void a_spoilt_copy_in_it_is_fetched_before(void **state)
{
	for (uint32_t spoilt = 0; spoilt < 2; spoilt++) {
		uint32_t first = spoilt ? 3 : 0;
		struct lb_update_observer obs = { .ctx = &first, .before_first_write = nothing_written_yet };
		struct scene *s = first_far_scene(0);
		uint64_t expected = stored_of(s, 4) + stored_of(s, first);

		watched = s;
		s->u.obs = &obs;
		plan_copies(s);
		s->slot[0].bytes[s->image[0].len + 1000 + spoilt * BLOCK + 77] ^= 1;
		assert_int_equal(lb_update_apply(&s->u, NULL), 0);
		expect_whole(s);
		assert_int_equal(s->mem.src.fetched_bytes, expected);
		end(s);
	}
}

/* Chunk 2 is in place and changes, or cannot be read, before chunk 24 needs it from far away. */
static void what_changed_in_it_is_fetched_again(void **state)
{
	for (int how = 0; how < 2; how++) {
		struct scene *s = new_scene();
		struct image *im = &s->image[0];

		for (uint32_t i = 0; i < 24; i++)
			add_noise(im, i);
		add_distant(im, 2, how ? 2 : 0);
		begin(s);
		memcpy(s->slot[0].bytes, im->bytes, im->len);
		s->slot[0].bytes[5] ^= 1;
		s->slot[0].bytes[at_chunk(im, 24)] ^= 1;
		assert_int_equal(lb_update_plan(&s->u, NULL), 0);
		assert_int_equal(s->u.counters.fetch_bytes, stored_of(s, 0) + stored_of(s, 24));
		s->slot[0].bytes[2 * BLOCK + 99] ^= 1;
		if (how) {
			s->slot[0].bad_at = 2 * BLOCK + 10;
			s->slot[0].bad_len = 500;
		}
		assert_int_equal(lb_update_apply(&s->u, NULL), 0);
		expect_whole(s);
		assert_int_equal(s->u.counters.fetched_bytes,
				 s->u.counters.fetch_bytes + stored_of(s, 2) +
					 (how ? 0 : stored_of(s, 24)));
		assert_int_equal(s->u.counters.done_bytes, s->u.counters.total_bytes);
		end(s);
	}
}

/* ---- the limit ---- */

static void a_prefix_longer_than_the_window_is_refused(void **state)
{
	for (uint32_t over = 0; over < 4; over++) {
		struct scene *s = new_scene();
		struct image *im = &s->image[0];
		bool refused = over & 1;
		struct lb_error err = { 0 };
		struct lb_blk *slots[IMAGES] = { &s->slot[0].blk };
		size_t size = 100 * BLOCK;
		int r;

		for (uint32_t i = 0; i < 24; i++)
			add_noise(im, i);
		add_needy(im);
		im->reach[3] = 255; /* counts as far as there is something in front */
		im->reach[24] = (uint8_t)(LB_WINDOW_BYTES / LB_REACH_UNIT_BYTES + over - 3 * (over > 1));
		im->far_blocks[24] = over > 1 ? 2 : 0; /* of half the size */
		start(s, &size);
		r = lb_update_load(&s->u, &s->m, &s->layout, slots, &s->mem.src, &s->clock, NULL, &err);
		assert_int_equal(r, refused ? -LB_E_UNSUPPORTED : 0);
		assert_int_equal(err.code, -r);
		if (!r) {
			assert_int_equal(lb_update_plan(&s->u, NULL), 0);
			assert_int_equal(lb_update_apply(&s->u, NULL), 0);
			expect_whole(s);
		}
		end(s);
	}
}

static int setup(void **state)
{
	prefixes = true;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_install_reads_nothing_back),
		cmocka_unit_test(as_much_is_read_as_the_prefix_is_long),
		cmocka_unit_test(a_longer_prefix_than_before_is_read_in_front),
		cmocka_unit_test(it_is_decoded_with_what_is_to_be_copied),
		cmocka_unit_test(a_spoilt_copy_in_front_of_it_is_fetched_before),
		cmocka_unit_test(what_is_in_place_in_front_of_it_may_be_spoilt_too),
		cmocka_unit_test(a_chunk_in_place_that_changed_is_fetched_again),
		cmocka_unit_test(a_medium_that_lies_does_not_come_into_it),
		cmocka_unit_test(a_medium_that_lies_again_and_again_is_to_blame),
		cmocka_unit_test(with_a_right_prefix_the_source_is_to_blame),
		cmocka_unit_test(a_full_install_reads_back_far_regions_only),
		cmocka_unit_test(a_scattered_chunk_reads_its_far_region_and_no_more),
		cmocka_unit_test(it_is_put_together_for_the_first_chunk),
		cmocka_unit_test(a_spoilt_copy_in_it_is_fetched_before),
		cmocka_unit_test(what_changed_in_it_is_fetched_again),
		cmocka_unit_test(a_prefix_longer_than_the_window_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
