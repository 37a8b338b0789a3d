// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Decoding beside checking and writing: whoever does the work, and whenever, the slot is the same, nothing
 * that is not right is ever in it, and no more is unflushed than is allowed.
 */
#include "linux/worker.h"
#include "update_scene.h"

#define SLOT_SPARE 50000

enum who { NOBODY, LATE, THREAD, WORKERS };

/* Watches a slot's writes: each has to be what is signed for that place. */
struct guard {
	struct lb_blk blk;
	struct lb_blk *under; /* borrowed */
	const struct image *im;
	uint64_t unflushed, most; /* bytes */
	int writes, flushes, fail_flush;
	const struct lb_update *u; /* borrowed; NULL: what follows is not looked at */
	uint64_t flushed_bytes, dearest_cut; /* bytes: fetched and not durable */
};

static struct guard *guard_of(struct lb_blk *b)
{
	return (struct guard *)b;
}

static int guard_read(struct lb_blk *b, uint64_t offset, void *buf, size_t len)
{
	return lb_blk_read(guard_of(b)->under, offset, buf, len);
}

/* Of payload that compresses the same everywhere, in a slot that has none of it. */
static void look_at_cost(struct guard *g)
{
	uint64_t durable = g->u ? g->u->counters.fetch_bytes * g->flushed_bytes / g->im->len : 0;
	uint64_t cost = g->u ? g->u->counters.fetched_bytes - durable : 0;

	if (cost > g->dearest_cut)
		g->dearest_cut = cost;
}

static int guard_write(struct lb_blk *b, uint64_t offset, const void *buf, size_t len)
{
	struct guard *g = guard_of(b);
	int r;

	assert_true(offset + len <= g->im->len);
	assert_memory_equal(buf, g->im->bytes + offset, len);
	r = lb_blk_write(g->under, offset, buf, len);
	look_at_cost(g);
	g->writes++;
	g->unflushed += len;
	if (g->unflushed > g->most)
		g->most = g->unflushed;
	return r;
}

static int guard_flush(struct lb_blk *b)
{
	struct guard *g = guard_of(b);

	g->flushes++;
	look_at_cost(g);
	if (g->fail_flush && !--g->fail_flush)
		return -LB_E_IO;
	g->flushed_bytes += g->unflushed;
	g->unflushed = 0;
	return 0;
}

static struct lb_blk *guard_init(struct guard *g, struct scene *s)
{
	static const struct lb_blk_ops ops = {
		.read = guard_read, .read_medium = guard_read, .write = guard_write, .flush = guard_flush,
	};

	*g = (struct guard){
		.blk = { .ops = &ops, .size_bytes = s->slot[0].blk.size_bytes, .name = "watched" },
		.under = &s->slot[0].blk, .im = &s->image[0],
	};
	return &g->blk;
}

/* ---- a scene ---- */

struct setting {
	struct scene s;
	struct guard guard;
	struct late_worker late;
	struct lb_worker *thread;
};

/* @bytes in chunks of up to @longest; some zeros, some twice. */
static void add_chunks(struct image *im, size_t bytes, uint32_t longest)
{
	im->bytes = noise(bytes, 7);
	while (im->len < bytes) {
		uint32_t n = 1 + below(longest), k = im->count++;

		n = bytes - im->len < n ? (uint32_t)(bytes - im->len) : n;
		im->chunk[k] = n;
		if (k % 23 == 11)
			memset(im->bytes + im->len, 0, n);
		if (k % 19 == 17 && im->len >= 5 * (size_t)longest) {
			im->chunk[k] = im->chunk[k - 3] < n ? im->chunk[k - 3] : n;
			if (im->chunk[k] == im->chunk[k - 3])
				memcpy(im->bytes + im->len, im->bytes + at_chunk(im, k - 3), im->chunk[k]);
		}
		im->len += im->chunk[k];
	}
}

/* With the image that it has. */
static void begin_with(struct setting *t, enum who who)
{
	struct scene *s = &t->s;
	struct lb_blk *slots[1];
	size_t size = s->image[0].len + SLOT_SPARE;

	s->images = 1;
	start(s, &size);
	slots[0] = guard_init(&t->guard, s);
	assert_int_equal(lb_update_load(&s->u, &s->m, &s->layout, slots, &s->mem.src, &s->clock, NULL, NULL), 0);
	t->thread = who == THREAD ? lb_worker_open() : NULL;
	assert_true(who != THREAD || t->thread);
	lb_update_use_worker(&s->u, who == LATE ? late_worker_init(&t->late) : t->thread);
}

static struct setting *begin(size_t bytes, uint32_t longest, enum who who)
{
	struct setting *t = calloc(1, sizeof(*t));

	add_chunks(&t->s.image[0], bytes, longest);
	begin_with(t, who);
	return t;
}

/* @count chunks of @length bytes, noise; those behind others refer to the last @reach times 8 KiB. */
static struct setting *even_scene(uint32_t count, uint32_t length, uint8_t reach)
{
	struct setting *t = calloc(1, sizeof(*t));
	struct image *im = &t->s.image[0];

	prefixes = true;
	im->own_reach = true;
	im->len = (size_t)count * length;
	im->bytes = malloc(im->len);
	seed_of_case = 3;
	for (size_t i = 0; i < im->len; i++)
		im->bytes[i] = (uint8_t)(next_random() >> 8);
	for (im->count = 0; im->count < count; im->count++) {
		im->chunk[im->count] = length;
		im->reach[im->count] = im->count ? reach : 0;
	}
	return t;
}

static void end(struct setting *t)
{
	assert_null(t->late.work);
	stop(&t->s);
	lb_worker_close(t->thread);
	free(t);
}

static int plan_and_apply(struct setting *t, struct lb_error *err)
{
	int r = lb_update_plan(&t->s.u, err);

	return r ? r : lb_update_apply(&t->s.u, err);
}

/* ---- it is the same ---- */

static void whoever_works_the_slot_becomes_the_same(void **state)
{
	for (int compressed = 0; compressed < 2; compressed++) {
		int writes = 0, flushes = 0;

		prefixes = compressed;
		for (enum who who = NOBODY; who < WORKERS; who++) {
			struct setting *t = begin(5000000, 40000, who);

			assert_int_equal(plan_and_apply(t, NULL), 0);
			expect_whole(&t->s);
			assert_int_equal(t->s.u.counters.done_bytes, t->s.image[0].len);
			assert_int_equal(t->s.u.counters.durable_bytes, t->s.image[0].len);
			assert_int_equal(t->s.u.counters.fetched_bytes, t->s.u.counters.fetch_bytes);
			assert_true(!writes || writes == t->guard.writes);
			assert_true(!flushes || flushes == t->guard.flushes);
			writes = t->guard.writes;
			flushes = t->guard.flushes;
			end(t);
		}
		prefixes = false;
	}
}

/* Chunks that are longer than a batch, or than what is kept of the image, are no exception. */
static void long_chunks_go_the_same_way(void **state)
{
	for (int compressed = 0; compressed < 2; compressed++) {
		prefixes = compressed;
		for (enum who who = NOBODY; who < WORKERS; who++) {
			struct setting *t = begin(9000000, 700000, who);

			assert_int_equal(plan_and_apply(t, NULL), 0);
			expect_whole(&t->s);
			end(t);
		}
		prefixes = false;
	}
}

static void what_is_unflushed_is_bounded(void **state)
{
	for (enum who who = NOBODY; who < WORKERS; who++) {
		struct setting *t = begin(5000000, 30000, who);

		assert_int_equal(plan_and_apply(t, NULL), 0);
		assert_true(t->guard.most > LB_FLUSH_BYTES / 3);
		assert_true(t->guard.most <= LB_FLUSH_BYTES);
		assert_int_equal(t->guard.unflushed, 0);
		end(t);
	}
}

/* Promise 4, with 256 KiB for what the connection holds: whatever has been fetched, at the worst moment. */
static void a_cut_costs_no_more_than_promised(void **state)
{
	static const uint32_t lengths[] = { 1000, 16384, 65536, 100000, 131071, 200000, 262144, 393216, 1048576 };

	for (size_t i = 0; i < LB_ARRAY_LEN(lengths); i++) {
		for (enum who who = NOBODY; who < THREAD; who++) {
			struct setting *t = even_scene(4000000 / lengths[i], lengths[i], 100);

			begin_with(t, who);
			assert_int_equal(lb_update_plan(&t->s.u, NULL), 0);
			t->guard.u = &t->s.u;
			assert_int_equal(lb_update_apply(&t->s.u, NULL), 0);
			expect_whole(&t->s);
			assert_true(t->guard.dearest_cut > LB_FLUSH_BYTES / 2);
			/* frames of noise are a little longer than chunks */
			assert_true(t->guard.dearest_cut <=
				    LB_FLUSH_BYTES + LB_FLUSH_BYTES / 50 + lengths[i] + lengths[i] / 3);
			prefixes = false;
			end(t);
		}
	}
}

struct slow_clock {
	struct lb_clock clock;
	uint64_t ms;
};

static uint64_t slow_ms(struct lb_clock *c)
{
	return ((struct slow_clock *)c)->ms += LB_FLUSH_MS;
}

/* Where a chunk takes as long as may pass without a flush, none of them waits for a batch. */
static void slow_chunks_become_durable_one_by_one(void **state)
{
	static const struct lb_clock_ops ops = {
		.monotonic_ms = slow_ms, .wall_s = no_wall, .sleep_ms = no_sleep,
	};

	for (enum who who = NOBODY; who < WORKERS; who++) {
		struct setting *t = begin(600000, 5000, who);
		struct slow_clock slow = { .clock = { &ops } };

		t->s.u.clock = &slow.clock;
		assert_int_equal(plan_and_apply(t, NULL), 0);
		expect_whole(&t->s);
		assert_true(t->guard.most <= 2 * 5000);
		end(t);
	}
}

/* ---- and nothing wrong is in it ---- */

enum harm { FRAME, CONTENT, HARMS }; /* it cannot be decoded, or gives something else */

/*
 * The guard sees to it that a wrong chunk is not written; what comes in front of it is. Only one that was decoded
 * behind a prefix, to something else, is asked for again: the prefix could be to blame, and its bytes are gone.
 */
static void with_a_wrong_chunk(uint32_t n, enum who who, enum harm harm)
{
	struct setting *t = begin(1500000, 20000, who);
	struct lb_error err = { 0 };
	struct lb_chunk c;
	uint8_t *at;

	lb_chunk_at(&t->s.u.images[0], n, &c);
	at = t->s.bundle + t->s.layout.payload_offset[0] + c.stored_offset;
	at += harm == FRAME ? 0 : c.stored_length / 2;
	if (c.type != LB_CHUNK_DATA) {
		end(t);
		return;
	}
	*at ^= 1;
	assert_int_equal(plan_and_apply(t, &err), -LB_E_DIGEST);
	assert_non_null(strstr(err.text, "is not what was signed"));
	if (n)
		assert_int_equal(t->s.u.counters.done_bytes, at_chunk(&t->s.image[0], n));
	assert_int_equal(t->s.u.counters.ranges,
			 harm == CONTENT && n && lb_chunk_prefix_bytes(&c) ? 2 : 1);
	if (harm == FRAME && prefixes)
		assert_int_equal(t->s.u.counters.fetched_bytes, c.stored_offset + c.stored_length);
	*at ^= 1;
	assert_int_equal(lb_update_apply(&t->s.u, &err), 0);
	expect_whole(&t->s);
	end(t);
}

static void a_wrong_chunk_ends_it_with_all_before_it_written(void **state)
{
	for (int compressed = 0; compressed < 2; compressed++) {
		prefixes = compressed;
		for (uint32_t n = 0; n < 120; n += 1 + n / 9)
			for (enum who who = NOBODY; who < WORKERS; who++)
				for (enum harm harm = FRAME; harm < HARMS; harm++)
					with_a_wrong_chunk(n, who, harm);
		prefixes = false;
	}
}

static void a_slot_that_fails_is_told_and_can_be_gone_on_with(void **state)
{
	for (int how = 0; how < 2; how++) {
		for (int n = 1; n < 8; n++) {
			for (enum who who = NOBODY; who < WORKERS; who++) {
				struct setting *t = begin(3000000, 20000, who);

				t->s.slot[0].fail_write = how ? 0 : n;
				t->guard.fail_flush = how ? n % 4 + 2 : 0; /* the first is the plan's */
				assert_int_equal(plan_and_apply(t, NULL), -LB_E_IO);
				assert_int_equal(lb_update_apply(&t->s.u, NULL), 0);
				expect_whole(&t->s);
				assert_int_equal(t->s.u.counters.durable_bytes, t->s.image[0].len);
				end(t);
			}
		}
	}
}

/* What a long prefix needs in front of those in memory cannot be read while some of these are not written yet. */
static void a_prefix_that_cannot_be_read_loses_nothing(void **state)
{
	for (enum who who = NOBODY; who < WORKERS; who++) {
		struct setting *t = even_scene(60, 20000, 1);
		struct scene *s = &t->s;

		s->image[0].reach[32] = 32;
		begin_with(t, who);
		memcpy(s->slot[0].bytes, s->image[0].bytes, 30 * 20000);
		assert_int_equal(lb_update_plan(&s->u, NULL), 0);
		s->slot[0].bad_at = 29 * 20000 + 5000;
		s->slot[0].bad_len = 512;
		assert_int_equal(lb_update_apply(&s->u, NULL), 0);
		expect_whole(s);
		prefixes = false;
		end(t);
	}
}

/* A slot whose flush failed is flushed when it is gone on, whatever is written elsewhere. */
static void what_an_earlier_attempt_left_unflushed_is_flushed(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	size_t size[2] = { 3000000 + SLOT_SPARE, 100000 + SLOT_SPARE };
	int before;

	s->images = 2;
	add_chunks(&s->image[0], 3000000, 20000);
	add_chunks(&s->image[1], 100000, 20000);
	start(s, size);
	memcpy(s->slot[1].bytes, s->image[1].bytes, s->image[1].len);
	load(s);
	assert_int_equal(lb_update_plan(&s->u, NULL), 0);
	s->u.images[1].dirty = true;
	s->u.writing = true;
	before = s->slot[1].flushes;
	assert_int_equal(lb_update_apply(&s->u, NULL), 0);
	assert_true(s->slot[1].flushes > before);
	stop(s);
	free(s);
}

/* What came before a source failed is not fetched again. */
static void a_source_that_ends_costs_nothing_that_was_fetched(void **state)
{
	for (enum who who = NOBODY; who < WORKERS; who++) {
		struct setting *t = begin(3000000, 20000, who);
		size_t whole = t->s.mem.len;

		assert_int_equal(lb_update_plan(&t->s.u, NULL), 0);
		t->s.mem.len = whole / 2;
		assert_true(lb_update_apply(&t->s.u, NULL) < 0);
		t->s.mem.len = whole;
		assert_int_equal(lb_update_apply(&t->s.u, NULL), 0);
		expect_whole(&t->s);
		assert_int_equal(t->s.u.counters.fetched_bytes, t->s.u.counters.fetch_bytes);
		end(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whoever_works_the_slot_becomes_the_same),
		cmocka_unit_test(long_chunks_go_the_same_way),
		cmocka_unit_test(what_is_unflushed_is_bounded),
		cmocka_unit_test(a_cut_costs_no_more_than_promised),
		cmocka_unit_test(slow_chunks_become_durable_one_by_one),
		cmocka_unit_test(a_wrong_chunk_ends_it_with_all_before_it_written),
		cmocka_unit_test(a_slot_that_fails_is_told_and_can_be_gone_on_with),
		cmocka_unit_test(a_prefix_that_cannot_be_read_loses_nothing),
		cmocka_unit_test(what_an_earlier_attempt_left_unflushed_is_flushed),
		cmocka_unit_test(a_source_that_ends_costs_nothing_that_was_fetched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
