// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine alone, over slots that hold most of the new images at other places. A
 * cut may turn copies into fetches, but only as many as are promised, and the
 * slots always end up right. Images are built of blocks that each end as a chunk does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "bundle/chunker.h"
#include "mini_bundle.h"
#include "scenarios.h"
#include "sim_internal.h"
#include "update/internal.h"

#define MARK 64u /* bytes that make the chunker cut behind them */
#define BLOCKS_MAX 100
#define ROUNDS 4
#define BEHIND 30000u /* of a slot, behind the larger image */
#define SECTOR_MAX 4096u
#define REACH 6	  /* of chunks: two small blocks and nearly a third one, or a part of a large one */
#define ZEROS 200 /* from this number on: a block of zeros */
#define END -1

/* Blocks by number: the same number is the same content everywhere; END ends a list. */
struct world {
	size_t block_bytes; /* each is a little longer than the one before */
	const int *old[MINI_IMAGES], *new[MINI_IMAGES]; /* NULL: made by @shift */
	int shift;	    /* instead: so many blocks come in front (> 0) or are taken away */
	uint32_t fetched;   /* blocks that have to be fetched when nothing is cut */
	uint32_t ms_per_call;
	bool write_zeros;   /* the device cannot make them */
	bool regions;	    /* what begins as something in front of it has that as a far region */
	const int *beside;  /* in a part of the device that nothing may write; NULL: there is none */
	struct mini_image source;
	struct mini_image before[MINI_IMAGES], after[MINI_IMAGES];
	struct mini_bundle bundle;
	uint64_t longest, needed_payload, needed_writes;
};

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 24;
}

/* The first 64 bytes of a generator behind which a chunk may end. */
static const uint8_t *mark_bytes(void)
{
	static uint8_t mark[MARK];
	static bool made;
	struct lb_chunker c;
	uint32_t seed = 7;

	lb_chunker_init(&c, LB_CHUNKER_COARSE);
	for (uint64_t hash = UINT64_MAX; !made; made = !(hash >> (64 - c.average_bits - 2))) {
		hash = 0;
		for (size_t i = 0; i < MARK; i++) {
			mark[i] = (uint8_t)next_random(&seed);
			hash = (hash << 1) + c.gear[mark[i]];
		}
	}
	return mark;
}

static size_t block_length(const struct world *w, int number)
{
	return w->block_bytes + (size_t)number * 37;
}

static void fill_block(uint8_t *p, size_t len, int number)
{
	uint32_t seed = 1000u + (uint32_t)number;

	while (len--)
		*p++ = (uint8_t)next_random(&seed);
}

/* A new block begins as one does that lies in front of it in a new image. */
static int echo_of(int number)
{
	return number == 20 || number == 21 ? 1 : number == 22 ? 4 : number;
}

static void add_block(const struct world *w, struct mini_image *im, int number)
{
	size_t len = block_length(w, number);
	uint8_t *p;

	im->bytes = realloc(im->bytes, im->len + len);
	if (!im->bytes)
		abort();
	p = im->bytes + im->len;
	fill_block(p, len - MARK, number);
	fill_block(p, len / 2, echo_of(number));
	memcpy(p + len - MARK, mark_bytes(), MARK);
	if (number >= ZEROS)
		memset(p, 0, len);
	im->len += len;
}

static void build(const struct world *w, struct mini_image *im, const char *name, const int *blocks)
{
	*im = (struct mini_image){
		.name = name, .encoding = LB_ENC_ZSTD_FRAMES, .reach = REACH, .far_every = w->regions,
	};
	while (*blocks != END)
		add_block(w, im, *blocks++);
}

/* 24 blocks, and the same behind others, or without the first ones. */
static void make_shifted(const struct world *w, int old[BLOCKS_MAX], int new[BLOCKS_MAX])
{
	int n = 0, o = 0;

	for (int i = 0; i < w->shift; i++)
		new[n++] = 50 + i;
	for (int i = 0; i < -w->shift; i++)
		old[o++] = 50 + i;
	for (int i = 0; i < 24; i++)
		old[o++] = new[n++] = i;
	old[o] = new[n] = END;
}

static void make_world(struct world *w)
{
	static const char *const names[MINI_IMAGES] = { "boot", "root" };
	static const int same[] = { 90, END };
	int old[BLOCKS_MAX], new[BLOCKS_MAX];

	if (w->bundle.bytes)
		return;
	if (w->shift) {
		make_shifted(w, old, new);
		build(w, &w->before[1], names[1], old);
		build(w, &w->after[1], names[1], new);
	}
	for (int i = 0; i < MINI_IMAGES; i++) {
		if (i == 1 && w->shift)
			continue;
		build(w, &w->before[i], names[i], w->old[i] ? w->old[i] : same);
		build(w, &w->after[i], names[i], w->new[i] ? w->new[i] : same);
	}
	if (w->beside)
		build(w, &w->source, "beside", w->beside);
	mini_pack(&w->bundle, 2, w->after, MINI_IMAGES, 0);
	w->longest = w->bundle.longest_stored;
}

static void setup(struct sim *s, struct world *w)
{
	make_world(w);
	s->ms_per_call = w->ms_per_call;
	for (int i = 0; i < MINI_IMAGES; i++) {
		const struct mini_image *b = &w->before[i], *a = &w->after[i];

		sim_add(s, b->name, (a->len > b->len ? a->len : b->len) + BEHIND);
		memcpy(sim_region(s, b->name)->medium, b->bytes, b->len);
		sim_region(s, b->name)->releases[0] = a->bytes;
		sim_region(s, b->name)->release_bytes = a->len;
		sim_region(s, b->name)->no_zero = w->write_zeros;
	}
	if (w->beside) {
		struct sim_region *r;

		sim_add(s, w->source.name, w->source.len);
		r = sim_region(s, w->source.name);
		memcpy(r->medium, w->source.bytes, w->source.len);
		sim_forget_digests(r);
		r->untouchable = true;
		r->pristine = sim_digest(r);
	}
	s->payload_read = 0;
}

/* ---- one start of the engine ---- */

enum mistake { NONE, OTHER_WAY_ROUND, UNVERIFIED };

/* What the plan says is done the other way round. */
static void turn_round(struct lb_update *u)
{
	for (uint32_t i = 0; i < u->order_count / 2; i++) {
		uint32_t n = u->order[i];

		u->order[i] = u->order[u->order_count - 1 - i];
		u->order[u->order_count - 1 - i] = n;
	}
}

/* The first copy comes from beside its place, and nothing that it is compared with says so. */
static void blind(struct lb_update *u)
{
	struct lb_copy *copy = &u->copies[u->order[0]];
	struct lb_index *index = &u->images[copy->image].index;
	struct sim_region *r = (struct sim_region *)u->images[copy->slot].blk;
	struct lb_chunk c;

	lb_index_entry(index, copy->number, &c);
	lb_sha256(r->medium + ++copy->from, c.length,
		  index->bytes + (c.sha256 - index->bytes));
}

static int install(struct lb_update *u, enum mistake mistake)
{
	uint32_t bad = 1;
	int r = lb_update_plan(u, NULL);

	if (!r && mistake == OTHER_WAY_ROUND)
		turn_round(u);
	if (!r && mistake == UNVERIFIED && u->order_count)
		blind(u);
	for (int round = 0; !r && bad && round < ROUNDS; round++) {
		r = lb_update_apply(u, NULL);
		if (!r)
			r = lb_update_readback(u, &bad, NULL);
	}
	return r ? r : bad ? -LB_E_MEDIUM : 0;
}

static int run_engine(struct sim *s, const struct world *w, enum mistake mistake)
{
	const struct sim_source_manners manners = { .payload_offset = w->bundle.payload_offset };
	struct lb_source *src = sim_source_open(s, w->bundle.bytes, w->bundle.len, &manners);
	struct lb_blk *slots[LB_IMAGES_MAX] = { sim_blk(s, "boot"), sim_blk(s, "root") };
	struct lb_bundle_layout layout;
	struct lb_bundle_head head;
	struct lb_manifest m;
	struct lb_update u;
	int r = lb_bundle_read_head(src, &head, NULL);

	if (!r) {
		r = lb_manifest_parse(head.manifest, head.manifest_len, &m, NULL);
		if (!r)
			r = lb_bundle_layout(&m, head.end_offset, &layout, NULL);
		lb_bundle_head_free(&head);
	}
	if (!r) {
		r = lb_update_load(&u, &m, &layout, slots, src, &s->clock, NULL, NULL);
		lb_update_use_worker(&u, &s->worker.worker);
		if (!r && w->beside)
			lb_update_add_source(&u, sim_blk(s, w->source.name));
		if (!r)
			r = install(&u, mistake);
		lb_update_free(&u);
	}
	lb_source_close(src);
	return r;
}

/* ---- promises ---- */

static uint64_t written_so_far(const struct sim *s)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < s->region_count; i++)
		sum += s->region[i].written;
	return sum;
}

/* DESIGN, promise 4; without a cut, exactly what was to be expected. */
static int check_cost(struct sim *s, struct world *w)
{
	uint64_t more = s->power_cycles * (LB_MIB + w->longest);
	uint64_t written = written_so_far(s);

	if (!s->power_cycles) {
		w->needed_payload = s->payload_read;
		w->needed_writes = written;
		if (s->payload_read > w->fetched * w->longest)
			return sim_fail(s, "%llu bytes of payload were fetched for %u blocks",
					(unsigned long long)s->payload_read, w->fetched);
	}
	if (s->payload_read > w->needed_payload + more || written > w->needed_writes + more)
		return sim_fail(s, "%llu bytes were fetched and %llu written, %llu and %llu are needed",
				(unsigned long long)s->payload_read, (unsigned long long)written,
				(unsigned long long)w->needed_payload,
				(unsigned long long)w->needed_writes);
	return 0;
}

/* As sim_add() made it. */
static bool untouched(const uint8_t *p, size_t len)
{
	while (len && *p == 0xff) {
		p++;
		len--;
	}
	return !len;
}

static int check(struct sim *s, struct world *w, enum sim_moment moment)
{
	if (sim_check_writes(s))
		return 1;
	if (moment == SIM_AFTER_CUT)
		return 0;
	for (int i = 0; i < MINI_IMAGES; i++) {
		const struct mini_image *im = &w->after[i];
		const uint8_t *medium = sim_region(s, im->name)->medium;
		/* a sector under way may be lost as a whole */
		size_t from = (im->len + SECTOR_MAX - 1) / SECTOR_MAX * SECTOR_MAX;
		size_t used = w->before[i].len > im->len ? w->before[i].len : im->len;

		if (memcmp(medium, im->bytes, im->len))
			return sim_fail(s, "slot %s does not hold the image", im->name);
		if ((from < used && memcmp(medium + from, w->before[i].bytes + from, used - from)) ||
		    !untouched(medium + used + SECTOR_MAX, BEHIND - SECTOR_MAX))
			return sim_fail(s, "behind the image in slot %s something was written",
					im->name);
	}
	return check_cost(s, w);
}

static void burden_of(const struct sim *s, const struct world *w, int64_t ret[2])
{
	int64_t allowed = (int64_t)s->power_cycles * (int64_t)(LB_MIB + w->longest);

	ret[0] = (int64_t)s->payload_read - allowed;
	ret[1] = (int64_t)written_so_far(s) - allowed;
}

/* ---- scenarios ---- */

#define SMALL .block_bytes = 16500, .ms_per_call = 150
#define LIST(...) ((const int[]){ __VA_ARGS__, END })

/* Two new blocks in front: all others move to the right, by more and by less than a block. */
static struct world right = {
	SMALL, .fetched = 2,
	.old = { NULL, LIST(0, 1, 2, 3, 4, 5, 6) }, .new = { NULL, LIST(20, 0, 1, 2, 21, 3, 4, 5, 6) },
};

static struct world left = {
	SMALL, .fetched = 1,
	.old = { NULL, LIST(20, 0, 1, 2, 21, 3, 4, 5, 6) }, .new = { NULL, LIST(0, 1, 2, 3, 4, 22, 5, 6) },
};

/* Neighbours and whole groups change places: some of each circle is fetched. */
static struct world circles = {
	SMALL, .fetched = 5,
	.old = { NULL, LIST(0, 1, 2, 3, 4, 5, 6, 7) }, .new = { NULL, LIST(1, 0, 4, 2, 3, 7, 6, 5) },
};

/* From slot to slot, in both directions, and from behind the shorter new image. */
static struct world slots = {
	SMALL, .fetched = 2,
	.old = { LIST(0, 1, 2), LIST(10, 11, 12, 13, 14) },
	.new = { LIST(12, 1, 20, 14), LIST(10, 2, 13) },
};

/* A block from beside the slots comes between others that move: it waits for them, nobody for it. */
static struct world beside = {
	SMALL, .fetched = 1, .beside = LIST(30, 31, 32),
	.old = { NULL, LIST(0, 1, 2, 3, 4) }, .new = { NULL, LIST(31, 0, 1, 30, 21, 2, 3, 4) },
};

/* Zeros take the place of something, and something that of zeros. */
#define WITH_ZEROS                                                                        \
	SMALL, .fetched = 4, .old = { LIST(0, ZEROS + 1, 1), LIST(10, 11, 12, ZEROS, 13) }, \
	.new = { LIST(ZEROS + 2, 0, 2), LIST(10, ZEROS, ZEROS + 5, 12, 13) }
static struct world zeros = { WITH_ZEROS };
static struct world plain_zeros = { WITH_ZEROS, .write_zeros = true };

/* Larger than what may be unflushed. */
static struct world far_right = { .block_bytes = 66000, .shift = 2, .fetched = 2 };
static struct world far_left = { .block_bytes = 66000, .shift = -2, .fetched = 0 };

/* Nothing of it is there: batch behind batch, each decoded while the one before is on its way. */
static struct world stream = {
	.block_bytes = 66000, .fetched = 28, .old = { NULL, LIST(40) },
	.new = { NULL, LIST(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 23, 24, 25,
			    26, 27, 28, 29, 30) },
};

/* What is fetched needs a block that moves, from far in front of it. */
static struct world regions = {
	SMALL, .fetched = 2, .regions = true,
	.old = { NULL, LIST(30, 0, 1, 2, 3) }, .new = { NULL, LIST(0, 1, 2, 20, 3, 21) },
};

#define SCENARIO(world)                                                                   \
	static void setup_##world(struct sim *s)                                          \
	{                                                                                 \
		setup(s, &world);                                                         \
	}                                                                                 \
	static int run_##world(struct sim *s)                                             \
	{                                                                                 \
		return run_engine(s, &world, NONE);                                      \
	}                                                                                 \
	static int check_##world(struct sim *s, enum sim_moment moment)                   \
	{                                                                                 \
		return check(s, &world, moment);                                          \
	}                                                                                 \
	static void burden_##world(const struct sim *s, int64_t ret[2])                   \
	{                                                                                 \
		burden_of(s, &world, ret);                                                \
	}

SCENARIO(right)
SCENARIO(left)
SCENARIO(circles)
SCENARIO(slots)
SCENARIO(beside)
SCENARIO(zeros)
SCENARIO(plain_zeros)
SCENARIO(far_right)
SCENARIO(far_left)
SCENARIO(stream)
SCENARIO(regions)

#define ENTRY(text, world, depth, few)                                                    \
	{ .name = text, .setup = setup_##world, .run = run_##world,                       \
	  .check = check_##world, .burden = burden_##world, .cuts = depth, .brief = few }

const struct sim_scenario reuse_scenarios[] = {
	ENTRY("reuse-right", right, 2, true),
	ENTRY("reuse-left", left, 1, false),
	ENTRY("reuse-circles", circles, 1, false),
	ENTRY("reuse-slots", slots, 1, false),
	ENTRY("reuse-beside", beside, 1, false),
	ENTRY("reuse-zeros", zeros, 2, true),
	ENTRY("reuse-plain-zeros", plain_zeros, 1, false),
	ENTRY("reuse-far-right", far_right, 1, true),
	ENTRY("reuse-far-left", far_left, 1, true),
	ENTRY("reuse-stream", stream, 1, true),
	ENTRY("reuse-regions", regions, 1, false),
	{ 0 },
};

/* ---- canaries ---- */

/* Nothing is durable before it is read back: sources are overwritten before their copies are. */
static void flush_late(struct sim *s)
{
	sim_region(s, "root")->lazy = true;
}

static int run_wrong_order(struct sim *s)
{
	return run_engine(s, &far_right, OTHER_WAY_ROUND);
}

static int run_unverified(struct sim *s)
{
	return run_engine(s, &right, UNVERIFIED);
}

/* A prefix is taken from the slot although nothing of it is there before the copies are made. */
static bool prefix_from_slot;

int __real_lb_prefix_get(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c,
			 uint8_t **ret_out, struct lb_error *err);
int __wrap_lb_prefix_get(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c,
			 uint8_t **ret_out, struct lb_error *err);
int __real_lb_prefix_prove(struct lb_update *u, struct lb_update_image *im,
			   const struct lb_chunk *c, uint8_t **ret_out, struct lb_error *err);
int __wrap_lb_prefix_prove(struct lb_update *u, struct lb_update_image *im,
			   const struct lb_chunk *c, uint8_t **ret_out, struct lb_error *err);

int __wrap_lb_prefix_get(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c,
			 uint8_t **ret_out, struct lb_error *err)
{
	uint32_t near = lb_chunk_near_bytes(c);
	uint8_t *far;
	int r;

	if (!prefix_from_slot)
		return __real_lb_prefix_get(u, im, c, ret_out, err);
	r = lb_window_open(&u->window, im->blk, c->offset, near, c->length, ret_out);
	if (r || !c->far_bytes)
		return r;
	lb_window_far(&u->window, near, c->far_bytes, c->length, &far, ret_out);
	return lb_blk_read(im->blk, c->far_offset, far, c->far_bytes);
}

int __wrap_lb_prefix_prove(struct lb_update *u, struct lb_update_image *im,
			   const struct lb_chunk *c, uint8_t **ret_out, struct lb_error *err)
{
	return prefix_from_slot ? __wrap_lb_prefix_get(u, im, c, ret_out, err)
				: __real_lb_prefix_prove(u, im, c, ret_out, err);
}

static int run_with_prefix_from_slot(struct sim *s, const struct world *w)
{
	int r;

	prefix_from_slot = true;
	r = run_engine(s, w, NONE);
	prefix_from_slot = false;
	return r;
}

static int run_prefix_from_slot(struct sim *s)
{
	return run_with_prefix_from_slot(s, &left);
}

static int run_region_from_slot(struct sim *s)
{
	return run_with_prefix_from_slot(s, &regions);
}

const struct sim_canary reuse_canaries[] = {
	{ "reuse-no-flush-before-a-source-is-overwritten", "reuse-far-right", NULL, flush_late },
	{ "reuse-no-flush-before-a-source-is-overwritten-left", "reuse-far-left", NULL, flush_late },
	{ "reuse-no-flush-between-batches", "reuse-stream", NULL, flush_late },
	{ "reuse-wrong-order", "reuse-far-right", run_wrong_order, NULL },
	{ "reuse-source-not-verified", "reuse-right", run_unverified, NULL },
	{ "reuse-prefix-taken-from-where-it-is-not-yet", "reuse-left", run_prefix_from_slot, NULL },
	{ "reuse-far-region-taken-from-where-it-is-not-yet", "reuse-regions", run_region_from_slot, NULL },
	{ 0 },
};
