// SPDX-License-Identifier: GPL-2.0-or-later
/* What the device has is copied, in an order that spoils nothing; the rest is fetched, and no more. */
#include "bundle/chunker.h"
#include "update_scene.h"

static uint64_t wanted_bytes(const struct lb_update *u)
{
	uint64_t sum = 0;
	struct lb_chunk c;

	for (uint32_t i = 0; i < u->image_count; i++)
		for (struct lb_chunk_cursor at = { 0 }; lb_index_next(&u->images[i].index, &at, &c);)
			sum += lb_chunk_is_wanted(&u->images[i], &c) ? c.stored_length : 0;
	return sum;
}

/* ---- the order, for sources that are laid out at will ---- */

struct layout {
	uint32_t seed, images, chunks, longest;
	uint32_t swaps; /* so many pairs changed places */
	bool reversed;
	uint32_t omit;	/* the first chunks of the first image are not on the device */
	uint32_t gap;	/* at most so many bytes between two */
	uint32_t begin; /* the first one lies there */
};

struct place {
	uint32_t image, number; /* of the chunk that lies here */
};

/* The chunks of all images in the order in which they lie in the slots. */
static uint32_t lay_out(const struct scene *s, const struct layout *how, struct place *places)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < s->images; i++)
		for (uint32_t n = i ? 0 : how->omit; n < s->image[i].count; n++)
			places[count++] = (struct place){ i, n };
	for (uint32_t k = 0; k < how->swaps; k++) {
		uint32_t a = below(count), b = below(count);
		struct place p = places[a];

		places[a] = places[b];
		places[b] = p;
	}
	for (uint32_t k = 0; how->reversed && k < count / 2; k++) {
		struct place p = places[k];

		places[k] = places[count - 1 - k];
		places[count - 1 - k] = p;
	}
	return count;
}

/* Puts them there and tells the engine that it found them. */
static void put_places(struct scene *s, const struct layout *how, const struct place *places,
		       uint32_t count)
{
	struct lb_update *u = &s->u;
	uint64_t at = how->begin;
	uint32_t slot = 0;

	u->copies = malloc((count + 1) * sizeof(*u->copies));
	for (uint32_t k = 0; k < count; k++) {
		struct lb_update_image *im = &u->images[places[k].image];
		struct lb_chunk c;

		lb_chunk_at(im, places[k].number, &c);
		at += how->gap ? below(how->gap) : 0;
		if (at + c.length > s->slot[slot].blk.size_bytes) {
			if (++slot == s->images)
				return;
			at = 0;
		}
		memcpy(s->slot[slot].bytes + at, s->image[places[k].image].bytes + c.offset,
		       c.length);
		if (slot == places[k].image && at == c.offset)
			lb_chunk_mark(im, c.number, true);
		else
			u->copies[u->copy_count++] = (struct lb_copy){
				at, c.number, (uint8_t)places[k].image, (uint8_t)slot, 0
			};
		at += c.length;
	}
}

static void make_images(struct scene *s, const struct layout *how)
{
	s->images = how->images;
	for (uint32_t i = 0; i < s->images; i++) {
		struct image *im = &s->image[i];

		im->count = how->chunks;
		for (uint32_t n = 0; n < im->count; n++)
			im->len += im->chunk[n] = 16 + below(how->longest);
		im->bytes = malloc(im->len);
		fill_random(im->bytes, im->len);
	}
}

/* Brings it about; returns the bytes fetched: exactly those that could not be ordered. */
static uint64_t order_case(const struct layout *how)
{
	struct place *places = malloc(IMAGES * CHUNKS_MAX * sizeof(*places));
	struct scene *s = calloc(1, sizeof(*s));
	uint64_t wanted, fetched;
	size_t sizes[IMAGES];
	uint32_t count;

	seed_of_case = how->seed;
	make_images(s, how);
	sizes[0] = how->begin + (size_t)how->gap * how->chunks +
		   (s->image[0].len > s->image[1].len ? s->image[0].len : s->image[1].len);
	sizes[1] = sizes[0];
	start(s, sizes);
	load(s);
	count = lay_out(s, how, places);
	put_places(s, how, places, count);
	lb_copies_order(&s->u);
	lb_copies_ready(&s->u);
	wanted = wanted_bytes(&s->u);
	s->mem.src.fetched_bytes = 0;
	assert_int_equal(lb_update_apply(&s->u, NULL), 0);
	fetched = s->mem.src.fetched_bytes;
	expect_whole(s);
	assert_int_equal(fetched, wanted); /* no source was spoilt before it was read */
	stop(s);
	free(places);
	free(s);
	return fetched;
}

static void moves_to_the_left_and_right_fetch_nothing_else(void **state)
{
	for (uint32_t seed = 1; seed <= 40; seed++) {
		struct layout how = { .seed = seed, .images = 1, .chunks = 300, .longest = 5000 };

		how.begin = 1 + seed * seed * 7; /* also less than a chunk's length */
		assert_int_equal(order_case(&how), 0);
		how.gap = 300;
		assert_int_equal(order_case(&how), 0);
		how = (struct layout){ .seed = seed, .images = 1, .chunks = 300, .longest = 5000,
				       .omit = 1 + seed % 7 };
		assert_in_range(order_case(&how), how.omit * 16, how.omit * 5050);
	}
}

static void random_places_are_ordered_without_spoiling_any(void **state)
{
	for (uint32_t seed = 1; seed <= 300; seed++) {
		struct layout how = {
			.seed = seed, .images = 1 + seed % 2, .chunks = 2 + seed % 97,
			.longest = 1 + seed * 37 % 3000, .swaps = seed % 5 ? seed % 60 : 1000,
			.reversed = seed % 3 == 0, .omit = seed % 4 ? 0 : seed % 2,
			.gap = seed % 7 ? 0 : 100, .begin = seed % 11 * 13,
		};

		order_case(&how);
	}
}

static void large_batches_and_many_chunks_are_ordered(void **state)
{
	struct layout how = { .seed = 5, .images = 2, .chunks = CHUNKS_MAX, .longest = 1500,
			      .swaps = 100000 };

	order_case(&how);
	how.reversed = true;
	how.swaps = 0;
	order_case(&how);
	how = (struct layout){ .seed = 6, .images = 1, .chunks = 40, .longest = 300000, .omit = 1 };
	assert_in_range(order_case(&how), 1, 300100);
}

/* Two chunks that changed places: the smaller one is fetched, the other one is copied. */
static void a_circle_is_broken_where_it_is_cheapest(void **state)
{
	static const uint32_t lengths[2][2] = { { 1000, 3000 }, { 3000, 1000 } };

	for (int k = 0; k < 2; k++) {
		struct scene *s = calloc(1, sizeof(*s));
		struct image *im = &s->image[0];
		size_t size = 4000;

		s->images = 1;
		im->count = 2;
		im->len = 4000;
		memcpy(im->chunk, lengths[k], sizeof(lengths[k]));
		im->bytes = malloc(im->len);
		fill_random(im->bytes, im->len);
		start(s, &size);
		load(s);
		memcpy(s->slot[0].bytes, im->bytes + im->chunk[0], im->chunk[1]);
		memcpy(s->slot[0].bytes + im->chunk[1], im->bytes, im->chunk[0]);
		s->u.copies = malloc(2 * sizeof(*s->u.copies));
		s->u.copies[0] = (struct lb_copy){ .from = 0, .number = 1 };
		s->u.copies[1] = (struct lb_copy){ .from = im->chunk[1], .number = 0 };
		s->u.copy_count = 2;
		lb_copies_order(&s->u);
		lb_copies_ready(&s->u);
		assert_in_range(wanted_bytes(&s->u), 500, 1050);
		s->mem.src.fetched_bytes = 0;
		assert_int_equal(lb_update_apply(&s->u, NULL), 0);
		assert_in_range(s->mem.src.fetched_bytes, 500, 1050);
		expect_whole(s);
		stop(s);
		free(s);
	}
}

/* ---- the whole of it, cut by content ---- */

#define SIZE (4u * LB_MIB)
#define LONGEST (256u * LB_KIB)

static void cut_image(struct image *im)
{
	struct lb_chunker c;
	bool zero;

	lb_chunker_init(&c, LB_CHUNKER_COARSE);
	im->count = 0;
	for (size_t at = 0; at < im->len; at += im->chunk[im->count++]) {
		size_t ahead = im->len - at < c.window_bytes ? im->len - at : c.window_bytes;

		assert_true(im->count < CHUNKS_MAX);
		im->chunk[im->count] =
			(uint32_t)lb_chunker_next(&c, at, im->bytes + at, ahead, &zero);
	}
}

/* One slot with @old, which is to become @new; takes @new over. */
static void begin_scene(struct scene *s, const uint8_t *old, size_t old_len, uint8_t *new,
			size_t new_len)
{
	size_t size = (old_len > new_len ? old_len : new_len) + 5000;

	s->images = 1;
	s->image[0].bytes = new;
	s->image[0].len = new_len;
	cut_image(&s->image[0]);
	start(s, &size);
	memcpy(s->slot[0].bytes, old, old_len);
	load(s);
}

/* @old with @n bytes put in at @at; @n < 0: taken out. */
static uint8_t *edited(const uint8_t *old, size_t len, size_t at, int n, size_t *ret_len)
{
	size_t in = n > 0 ? (size_t)n : 0, out = n < 0 ? (size_t)-n : 0;
	uint8_t *p = noise(len + in, 77);

	memcpy(p, old, at);
	memcpy(p + at + in, old + at + out, len - at - out);
	*ret_len = len + in - out;
	return p;
}

/* Plans, applies, and holds what was planned against what was done. */
static uint64_t update(struct scene *s)
{
	const struct lb_update_counters *c = &s->u.counters;
	uint64_t before;

	assert_int_equal(lb_update_plan(&s->u, NULL), 0);
	before = s->mem.src.fetched_bytes;
	assert_int_equal(lb_update_apply(&s->u, NULL), 0);
	expect_whole(s);
	assert_int_equal(s->mem.src.fetched_bytes - before, c->fetch_bytes);
	assert_int_equal(c->fetched_bytes, c->fetch_bytes);
	assert_int_equal(c->written_bytes + c->zeroed_bytes, c->write_bytes);
	assert_int_equal(c->copied_bytes, c->copy_bytes);
	assert_int_equal(c->ranges, c->plan_ranges);
	assert_int_equal(c->done_bytes, c->total_bytes);
	assert_int_equal(c->durable_bytes, c->total_bytes);
	return c->fetch_bytes;
}

static void an_insertion_or_deletion_is_all_that_is_fetched(void **state)
{
	static const int edits[] = { 1, 100, 4096, 5000, 300000, -1, -100, -4096, -5000, -300000 };
	uint8_t *old = noise(SIZE, 1);

	for (size_t k = 0; k < LB_ARRAY_LEN(edits); k++) {
		struct scene *s = calloc(1, sizeof(*s));
		size_t len, in = edits[k] > 0 ? (size_t)edits[k] : 0;
		uint8_t *new = edited(old, SIZE, 100000, edits[k], &len);

		begin_scene(s, old, SIZE, new, len);
		/* the chunks around it, and the last one, which ends with the image */
		assert_in_range(update(s), 1, in + 3 * LONGEST);
		assert_true(s->u.counters.copy_bytes > SIZE - 4 * LONGEST);
		stop(s);
		free(s);
	}
	free(old);
}

/* Wherever it is broken off, the rest is found again: cuts of the old image are not known any more. */
static void what_is_left_after_a_failure_is_found_again(void **state)
{
	static const int edits[] = { 70001, -70001 };
	uint8_t *old = noise(SIZE, 2);

	for (size_t k = 0; k < LB_ARRAY_LEN(edits); k++) {
		uint64_t needed = 0, worst = 0;

		for (int at = 0; at >= 0; at += 7) {
			struct scene *s = calloc(1, sizeof(*s));
			size_t len;
			uint8_t *new = edited(old, SIZE, 1000, edits[k], &len);
			uint64_t first, writes;

			begin_scene(s, old, SIZE, new, len);
			s->slot[0].fail_write = at;
			assert_int_equal(lb_update_plan(&s->u, NULL), 0);
			needed = s->u.counters.fetch_bytes;
			if (!lb_update_apply(&s->u, NULL) && at)
				at = -8; /* over before it failed */
			first = s->u.counters.fetched_bytes;
			writes = (uint64_t)s->slot[0].writes;
			lb_update_free(&s->u);
			load(s);
			update(s);
			if (first + s->u.counters.fetched_bytes > needed + worst)
				worst = first + s->u.counters.fetched_bytes - needed;
			assert_true(writes);
			stop(s);
			free(s);
		}
		print_message("again: at most %llu bytes\n", (unsigned long long)worst);
		assert_true(worst <= LB_FLUSH_BYTES + LONGEST);
	}
	free(old);
}

/* Image 0 lies in the other slot; image 1 as well, or it is new. */
static uint64_t exchange_slots(bool both)
{
	struct scene *s = calloc(1, sizeof(*s));
	size_t sizes[IMAGES] = { 3 * LB_MIB, 3 * LB_MIB };
	uint64_t fetched;

	s->images = 2;
	for (uint32_t i = 0; i < 2; i++) {
		s->image[i].bytes = noise(2 * LB_MIB, 30 + i);
		s->image[i].len = 2 * LB_MIB;
		cut_image(&s->image[i]);
	}
	start(s, sizes);
	load(s);
	memcpy(s->slot[1].bytes + 54321, s->image[0].bytes, 2 * LB_MIB);
	if (both)
		memcpy(s->slot[0].bytes + 12345, s->image[1].bytes, 2 * LB_MIB);
	fetched = update(s);
	stop(s);
	free(s);
	return fetched;
}

static void images_that_changed_slots_are_copied(void **state)
{
	assert_in_range(exchange_slots(false), LB_MIB, 2 * LB_MIB + LONGEST);
	/* all of them wait for each other: half has to give way */
	assert_in_range(exchange_slots(true), LB_MIB / 2, 2 * LB_MIB + 2 * LONGEST);
}

static void what_a_duplicate_or_another_image_holds_in_place_is_copied(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	size_t sizes[IMAGES] = { 200000, 100000 };
	uint8_t *twice = noise(50000, 8);

	s->images = 2;
	s->image[0] = (struct image){ .bytes = noise(150000, 9), .len = 150000,
				      .chunk = { 50000, 50000, 50000 }, .count = 3 };
	s->image[1] = (struct image){ .bytes = noise(50000, 8), .len = 50000, .chunk = { 50000 },
				      .count = 1 };
	memcpy(s->image[0].bytes, twice, 50000);
	memcpy(s->image[0].bytes + 100000, twice, 50000);
	start(s, sizes);
	load(s);
	memcpy(s->slot[0].bytes + 50000, s->image[0].bytes + 50000, 100000);
	assert_int_equal(update(s), 0);
	stop(s);
	free(twice);
	free(s);
}

/* ---- sources that are not what they were ---- */

static void a_source_that_changed_since_is_fetched(void **state)
{
	uint8_t *old = noise(SIZE, 3);
	struct scene *s = calloc(1, sizeof(*s));
	uint64_t needed;
	size_t len;
	uint8_t *new = edited(old, SIZE, 1000, 500, &len);

	begin_scene(s, old, SIZE, new, len);
	assert_int_equal(lb_update_plan(&s->u, NULL), 0);
	needed = s->u.counters.fetch_bytes;
	s->slot[0].bytes[2 * LB_MIB] ^= 1;
	s->slot[0].bytes[3 * LB_MIB] ^= 1;
	assert_int_equal(lb_update_apply(&s->u, NULL), 0);
	expect_whole(s);
	assert_in_range(s->u.counters.fetched_bytes, needed + 16 * LB_KIB, needed + 2 * LONGEST);
	stop(s);
	free(s);
	free(old);
}

static void a_source_that_cannot_be_read_is_fetched(void **state)
{
	uint8_t *old = noise(SIZE, 4);
	size_t len;

	for (int late = 0; late < 2; late++) {
		struct scene *s = calloc(1, sizeof(*s));
		uint8_t *new = edited(old, SIZE, 1000, 500, &len);

		begin_scene(s, old, SIZE, new, len);
		for (int n = 0; n < 2; n++) {
			if (n == late) {
				s->slot[0].bad_at = 2 * LB_MIB;
				s->slot[0].bad_len = 10;
			}
			if (!n)
				assert_int_equal(lb_update_plan(&s->u, NULL), 0);
		}
		assert_int_equal(lb_update_apply(&s->u, NULL), 0);
		expect_whole(s);
		assert_in_range(s->u.counters.fetched_bytes, 1, 6 * LONGEST);
		stop(s);
		free(s);
	}
	free(old);
}

static ptrdiff_t no_payload(struct lb_source *src, void *buf, size_t len, struct lb_error *err)
{
	return lb_error_set(err, LB_E_AGAIN, "gone");
}

static int go_anywhere(struct lb_source *src, uint64_t offset, uint64_t len, struct lb_error *err)
{
	return 0;
}

/* The source has to show that it delivers before the first copy is made. */
static void nothing_is_written_while_the_source_is_silent(void **state)
{
	static const struct lb_source_ops ops = { .seek = go_anywhere, .read = no_payload };
	uint8_t *old = noise(SIZE, 5);
	struct scene *s = calloc(1, sizeof(*s));
	struct lb_source silent = { .ops = &ops };
	size_t len;
	uint8_t *new = edited(old, SIZE, 1000, 500, &len);

	begin_scene(s, old, SIZE, new, len);
	assert_int_equal(lb_update_plan(&s->u, NULL), 0);
	s->u.src = &silent;
	assert_int_equal(lb_update_apply(&s->u, NULL), -LB_E_AGAIN);
	assert_int_equal(s->slot[0].writes, 0);
	assert_memory_equal(s->slot[0].bytes, old, SIZE);
	s->u.src = &s->mem.src; /* another one, in the same start */
	assert_int_equal(lb_update_apply(&s->u, NULL), 0);
	expect_whole(s);
	assert_int_equal(s->u.counters.fetched_bytes, s->u.counters.fetch_bytes);
	stop(s);
	free(s);
	free(old);
}

/* ---- zeros ---- */

#define ZEROS_AT (1000u * LB_KIB)
#define ZEROS_LEN (500u * LB_KIB)

/* The slot holds @at_first where the new image has zeros, and everything else. */
static struct scene *begin_zeros(uint8_t at_first)
{
	struct scene *s = calloc(1, sizeof(*s));
	uint8_t *new = noise(SIZE, 60), *old = noise(SIZE, 60);

	memset(new + ZEROS_AT, 0, ZEROS_LEN);
	memset(old + ZEROS_AT, at_first, ZEROS_LEN);
	begin_scene(s, old, SIZE, new, SIZE);
	free(old);
	return s;
}

static void end_zeros(struct scene *s)
{
	stop(s);
	free(s);
}

static void zeros_that_are_there_are_not_written(void **state)
{
	struct scene *s = begin_zeros(0);

	s->slot[0].zero_writes = true;
	assert_int_equal(update(s), 0);
	assert_int_equal(s->u.counters.write_bytes, 0);
	assert_int_equal(s->slot[0].writes + s->slot[0].zeros, 0);
	end_zeros(s);
}

static void a_device_that_makes_zeros_is_not_sent_any(void **state)
{
	struct scene *s = begin_zeros(7);
	uint32_t bad = 1;

	s->slot[0].zero_writes = true;
	assert_int_equal(update(s), 0);
	assert_int_equal(s->u.counters.zero_bytes, ZEROS_LEN);
	assert_int_equal(s->u.counters.zeroed_bytes, ZEROS_LEN);
	assert_int_equal(s->slot[0].writes, 0);
	assert_true(s->slot[0].flushes); /* or they would not be durable */
	assert_int_equal(lb_update_readback(&s->u, &bad, NULL), 0);
	assert_int_equal(bad, 0);
	end_zeros(s);
}

static void only_what_is_not_zero_yet_is_written(void **state)
{
	struct scene *s = begin_zeros(0);

	s->slot[0].bytes[ZEROS_AT + ZEROS_LEN / 2] = 1;
	assert_int_equal(update(s), 0);
	assert_int_equal(s->u.counters.zero_bytes, s->u.counters.write_bytes);
	assert_int_equal(s->slot[0].writes, 1);
	assert_in_range(s->u.counters.written_bytes, 1, 64 * LB_KIB);
	end_zeros(s);
}

static void zeros_that_the_device_only_claims_are_written(void **state)
{
	struct scene *s = begin_zeros(7);
	uint32_t bad = 0;

	s->slot[0].zero_writes = s->slot[0].zero_lies = true;
	assert_int_equal(lb_update_plan(&s->u, NULL), 0);
	assert_int_equal(lb_update_apply(&s->u, NULL), 0);
	assert_int_equal(lb_update_readback(&s->u, &bad, NULL), 0);
	assert_true(bad);
	assert_int_equal(lb_update_apply(&s->u, NULL), 0);
	expect_whole(s);
	assert_int_equal(s->u.counters.written_bytes, ZEROS_LEN);
	assert_int_equal(lb_update_readback(&s->u, &bad, NULL), 0);
	assert_int_equal(bad, 0);
	end_zeros(s);
}

/* ---- sources beside the slots ---- */

/* The slot holds nothing; a part of the device holds the image before. */
static void begin_beside(struct scene *s, struct ram_blk *beside, const uint8_t *old, uint8_t *new,
			 size_t len)
{
	begin_scene(s, old, 0, new, len);
	ram_init(beside, "beside", SIZE + 777);
	memcpy(beside->bytes + 777, old, SIZE);
	beside->blk.read_only = true;
	lb_update_add_source(&s->u, &beside->blk);
}

static void end_beside(struct scene *s, struct ram_blk *beside, const uint8_t *old)
{
	assert_int_equal(beside->writes + beside->flushes, 0);
	assert_memory_equal(beside->bytes + 777, old, SIZE);
	stop(s);
	lb_blk_close(&beside->blk);
	free(s);
}

static void what_a_source_holds_is_copied(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	uint8_t *old = noise(SIZE, 42);
	struct ram_blk beside;
	size_t len;
	uint8_t *new = edited(old, SIZE, 100000, 300, &len);

	begin_beside(s, &beside, old, new, len);
	assert_in_range(update(s), 1, 300 + 3 * LONGEST);
	end_beside(s, &beside, old);
	free(old);
}

static void a_source_that_changed_or_fails_is_fetched(void **state)
{
	uint8_t *old = noise(SIZE, 44);

	for (int fails = 0; fails < 2; fails++) {
		struct scene *s = calloc(1, sizeof(*s));
		uint8_t *new = noise(SIZE, 44);
		struct ram_blk beside;
		uint64_t needed;

		begin_beside(s, &beside, old, new, SIZE);
		assert_int_equal(lb_update_plan(&s->u, NULL), 0);
		needed = s->u.counters.fetch_bytes;
		assert_in_range(needed, 0, LONGEST);
		beside.fail_reads = fails;
		beside.bytes[777 + SIZE / 2] ^= 1;
		assert_int_equal(lb_update_apply(&s->u, NULL), 0);
		beside.bytes[777 + SIZE / 2] ^= 1;
		expect_whole(s);
		if (fails)
			assert_int_equal(s->u.counters.fetched_bytes, s->m.images[0].payload.size_bytes);
		else
			assert_in_range(s->u.counters.fetched_bytes, needed + 1, needed + LONGEST);
		end_beside(s, &beside, old);
	}
	free(old);
}

/* ---- the same with prefixes ---- */

static int with_prefixes(void **state)
{
	prefixes = true;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moves_to_the_left_and_right_fetch_nothing_else),
		cmocka_unit_test(random_places_are_ordered_without_spoiling_any),
		cmocka_unit_test(large_batches_and_many_chunks_are_ordered),
		cmocka_unit_test(a_circle_is_broken_where_it_is_cheapest),
		cmocka_unit_test(an_insertion_or_deletion_is_all_that_is_fetched),
		cmocka_unit_test(what_is_left_after_a_failure_is_found_again),
		cmocka_unit_test(images_that_changed_slots_are_copied),
		cmocka_unit_test(what_a_duplicate_or_another_image_holds_in_place_is_copied),
		cmocka_unit_test(a_source_that_changed_since_is_fetched),
		cmocka_unit_test(a_source_that_cannot_be_read_is_fetched),
		cmocka_unit_test(nothing_is_written_while_the_source_is_silent),
		cmocka_unit_test(zeros_that_are_there_are_not_written),
		cmocka_unit_test(a_device_that_makes_zeros_is_not_sent_any),
		cmocka_unit_test(only_what_is_not_zero_yet_is_written),
		cmocka_unit_test(zeros_that_the_device_only_claims_are_written),
		cmocka_unit_test(what_a_source_holds_is_copied),
		cmocka_unit_test(a_source_that_changed_or_fails_is_fetched),
	};
	/* those in which a chunk is decoded before, or while, others find their place */
	const struct CMUnitTest again[] = {
		cmocka_unit_test(random_places_are_ordered_without_spoiling_any),
		cmocka_unit_test(what_a_duplicate_or_another_image_holds_in_place_is_copied),
		cmocka_unit_test(a_source_that_changed_since_is_fetched),
		cmocka_unit_test(a_source_that_cannot_be_read_is_fetched),
		cmocka_unit_test(nothing_is_written_while_the_source_is_silent),
		cmocka_unit_test(a_source_that_changed_or_fails_is_fetched),
	};

	return cmocka_run_group_tests_name("alone", tests, NULL, NULL) +
	       cmocka_run_group_tests_name("with prefixes", again, with_prefixes, NULL);
}
