// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine alone, with patches against what the slot holds: blocks that moved, changed
 * a little, and changed places through memory. A cut may turn what was in memory or
 * under way into fetches, never into an error. The patches are made here, by hand: this
 * order, these regions.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#include "base/bytes.h"
#include "bundle/recoder.h"
#include "mini_bundle.h"
#include "scenarios.h"
#include "sim_internal.h"
#include "update/update.h"

#define CHANGED 100 /* block number + this: the same block with a byte changed here and there */
#define ROUNDS 4
#define BEHIND 30000u
#define SYMBOLS_BYTES (512u * 1024u)
#define END -1

/* What is done with chunk @chunk; of old block @block. */
struct step {
	char type; /* 'c'opy, 'p'atch, 'k'eep (a patch), 'w'rite; 0 ends the list */
	int chunk, block;
};

struct world {
	size_t block_bytes; /* a chunk each */
	bool recoded;	    /* a chunk is a zstd frame and some noise; patches are between symbols */
	const int *old, *new;
	const struct step *steps;
	uint32_t ms_per_call;
	struct mini_image before, after;
	struct mini_patches patches;
	struct mini_bundle bundle;
	uint64_t fetches; /* what a cut may cost: kept chunks and the patch index, beside the rest */
	uint64_t needed_payload, needed_writes;
};

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 24;
}

/* Noise; or a frame of words that the noise chooses, and as much noise as there is room for. */
static void fill_block(const struct world *w, int block, uint8_t *p)
{
	size_t len = w->recoded ? w->block_bytes * 2 : w->block_bytes, n = 0;
	uint32_t seed = 1000u + (uint32_t)(block % CHANGED);
	uint8_t *content = malloc(len);

	if (!content)
		abort();
	for (size_t i = 0; i < len; i++)
		content[i] = (uint8_t)(w->recoded ? next_random(&seed) % 7 * 31 : next_random(&seed));
	for (size_t i = 700; block >= CHANGED && i < len; i += w->recoded ? 20000 : 2000)
		content[i] ^= 0x55;
	if (w->recoded)
		n = ZSTD_compress(p, w->block_bytes, content, len, 5);
	if (ZSTD_isError(n))
		abort();
	memcpy(p + n, content, w->block_bytes - n);
	free(content);
}

static void build(const struct world *w, struct mini_image *im, const int *blocks)
{
	*im = (struct mini_image){ .name = "root", .encoding = LB_ENC_NONE };
	for (; *blocks != END; blocks++) {
		size_t len = w->block_bytes;

		im->bytes = realloc(im->bytes, im->len + len);
		if (!im->bytes)
			abort();
		fill_block(w, *blocks, im->bytes + im->len);
		im->len += len;
	}
}

static uint32_t add_frame(struct mini_patches *m, const uint8_t *prefix, size_t prefix_len,
			  const uint8_t *data, size_t len)
{
	size_t room = ZSTD_compressBound(len), n;
	ZSTD_CCtx *cctx = ZSTD_createCCtx();

	m->payload = realloc(m->payload, m->payload_len + room);
	if (!cctx || !m->payload)
		abort();
	ZSTD_CCtx_refPrefix(cctx, prefix, prefix_len);
	n = ZSTD_compress2(cctx, m->payload + m->payload_len, room, data, len);
	if (ZSTD_isError(n))
		abort();
	ZSTD_freeCCtx(cctx);
	m->payload_len += n;
	return (uint32_t)n;
}

/* The same between symbols, of which there are at most @room bytes. */
static uint32_t add_recoded(struct mini_patches *m, const uint8_t *regions, size_t regions_len,
			    const uint8_t *data, size_t len, size_t room)
{
	struct lb_recoder rec;
	size_t prefix, symbols;
	uint32_t n;

	if (lb_recoder_init(&rec, room) ||
	    lb_recode_unpack(regions, regions_len, rec.symbols, room, &prefix, rec.work) ||
	    lb_recode_unpack(data, len, rec.symbols + prefix, room - prefix, &symbols, rec.work))
		abort();
	n = add_frame(m, rec.symbols, prefix, rec.symbols + prefix, symbols);
	lb_recoder_free(&rec);
	return n;
}

static void put_patch(struct world *w, const struct step *t, uint8_t *s, uint8_t *region)
{
	size_t from = (size_t)t->block * w->block_bytes, to = (size_t)t->chunk * w->block_bytes;
	size_t first = from / LB_PATCH_BLOCK_BYTES;
	size_t end = from + w->block_bytes + LB_PATCH_BLOCK_BYTES - 1;
	size_t last = end / LB_PATCH_BLOCK_BYTES, bytes = (last - first) * LB_PATCH_BLOCK_BYTES;
	const uint8_t *prefix = w->before.bytes + first * LB_PATCH_BLOCK_BYTES;

	if (first * LB_PATCH_BLOCK_BYTES + bytes > w->before.len)
		bytes = w->before.len - first * LB_PATCH_BLOCK_BYTES;
	s[1] |= w->recoded ? LB_PATCH_RECODED : 0;
	lb_put_le32(s + 4, 1u << 24 |
		    (w->recoded ? add_recoded(&w->patches, prefix, bytes, w->after.bytes + to,
					      w->block_bytes, SYMBOLS_BYTES)
				: add_frame(&w->patches, prefix, bytes, w->after.bytes + to,
					    w->block_bytes)));
	lb_put_le32(s + 8, lb_crc32(0, prefix, bytes));
	lb_put_le32(region, (uint32_t)first);
	lb_put_le16(region + 4, (uint16_t)(last - first));
}

static void make_patches(struct world *w)
{
	struct mini_patches *m = &w->patches;
	uint32_t steps = 0, regions = 0, held = 0, most = 0;
	uint8_t *s, *region;

	while (w->steps[steps].type)
		steps++;
	m->index_len = LB_PATCH_HEADER_BYTES + steps * (LB_PATCH_STEP_BYTES + LB_PATCH_REGION_BYTES);
	m->index = calloc(1, m->index_len);
	if (!m->index)
		abort();
	s = m->index + LB_PATCH_HEADER_BYTES;
	region = s + steps * LB_PATCH_STEP_BYTES;
	for (uint32_t i = 0; i < steps; i++, s += LB_PATCH_STEP_BYTES) {
		const struct step *t = &w->steps[i];
		uint32_t length = (uint32_t)w->block_bytes;

		s[0] = t->type == 'c' ? LB_PATCH_COPY : t->type == 'w' ? LB_PATCH_WRITE : LB_PATCH_PATCH;
		s[1] = t->type == 'k' ? LB_PATCH_HOLD : 0;
		lb_put_le16(s + 2, (uint16_t)t->chunk);
		held += t->type == 'k' ? length : 0;
		held -= t->type == 'w' ? length : 0;
		most = held > most ? held : most;
		if (t->type == 'c') {
			lb_put_le32(s + 4, 1);
			lb_put_le64(s + 8, (uint64_t)t->block * w->block_bytes);
		} else if (t->type != 'w') {
			put_patch(w, t, s, region + LB_PATCH_REGION_BYTES * regions++);
		}
	}
	m->index_len -= (steps - regions) * LB_PATCH_REGION_BYTES;
	memcpy(m->index, "LBPATCH1", 8);
	lb_put_le32(m->index + 8, steps);
	lb_put_le32(m->index + 12, regions);
	lb_put_le32(m->index + 16, most);
	lb_put_le32(m->index + 20, w->recoded ? SYMBOLS_BYTES : 0);
	lb_put_le64(m->index + 24, w->before.len);
	lb_put_le64(m->index + 32, m->payload_len);
	lb_sha256(w->before.bytes, w->before.len, m->from);
	w->fetches = most + m->index_len;
}

static void setup(struct sim *s, struct world *w)
{
	struct sim_region *r;
	size_t longest;

	if (!w->bundle.bytes) {
		build(w, &w->before, w->old);
		build(w, &w->after, w->new);
		make_patches(w);
		mini_pack_patched(&w->bundle, 2, &w->after, w->block_bytes, &w->patches);
	}
	longest = w->after.len > w->before.len ? w->after.len : w->before.len;
	s->ms_per_call = w->ms_per_call;
	sim_add(s, "root", longest + BEHIND);
	r = sim_region(s, "root");
	memcpy(r->medium, w->before.bytes, w->before.len);
	r->releases[0] = w->after.bytes;
	r->release_bytes = w->after.len;
	s->payload_read = 0;
}

/* ---- one start of the engine ---- */

enum mistake { NONE, OTHER_WAY_ROUND, UNVERIFIED };

/* The steps the other way round. */
static void turn_round(struct lb_patches *p)
{
	for (uint32_t i = 0; i < p->step_count / 2; i++) {
		uint8_t *a = p->bytes + LB_PATCH_HEADER_BYTES + i * LB_PATCH_STEP_BYTES, keep[16];
		uint8_t *b = p->bytes + LB_PATCH_HEADER_BYTES +
			     (p->step_count - 1 - i) * LB_PATCH_STEP_BYTES;

		memcpy(keep, a, sizeof(keep));
		memcpy(a, b, sizeof(keep));
		memcpy(b, keep, sizeof(keep));
	}
}

/* The first copy comes from beside its place, and nothing that it is compared with says so. */
static void blind(struct lb_update_image *im)
{
	struct lb_patch_cursor at = { 0 };
	struct lb_patch_step s;
	struct lb_chunk c;

	while (lb_patches_next(&im->patches, &at, &s) && s.type != LB_PATCH_COPY)
		;
	lb_put_le64(im->patches.bytes + LB_PATCH_HEADER_BYTES +
		    (at.next_step - 1) * LB_PATCH_STEP_BYTES + 8, s.from + 1);
	lb_index_entry(&im->index, s.number, &c);
	lb_sha256(((struct sim_region *)im->blk)->medium + s.from + 1, c.length,
		  im->index.bytes + (c.sha256 - im->index.bytes));
}

static int install(struct lb_update *u, enum mistake mistake)
{
	uint32_t bad = 1;
	int r = lb_update_plan(u, NULL);

	if (mistake == OTHER_WAY_ROUND)
		turn_round(&u->images[0].patches);
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
	struct lb_blk *slots[LB_IMAGES_MAX] = { sim_blk(s, "root") };
	struct lb_update_old old = { .target = "root" };
	struct lb_bundle_layout layout;
	struct lb_bundle_head head;
	struct lb_manifest m;
	struct lb_update u;
	int r = lb_bundle_read_head(src, &head, NULL);

	memcpy(old.sha256, w->patches.from, sizeof(old.sha256));
	if (!r) {
		r = lb_manifest_parse(head.manifest, head.manifest_len, &m, NULL);
		if (!r)
			r = lb_bundle_layout(&m, head.end_offset, &layout, NULL);
		lb_bundle_head_free(&head);
	}
	if (!r) {
		r = lb_update_load(&u, &m, &layout, slots, src, &s->clock, NULL, NULL);
		lb_update_use_worker(&u, &s->worker.worker);
		if (!r)
			r = lb_update_use_patches(&u, &m, &layout, &old, 1, NULL);
		if (!r && mistake == UNVERIFIED)
			blind(&u.images[0]);
		if (!r)
			r = install(&u, mistake);
		lb_update_free(&u);
	}
	lb_source_close(src);
	return r;
}

/* ---- promises ---- */

static uint64_t allowed_by(const struct sim *s, const struct world *w)
{
	return s->power_cycles * (LB_MIB + w->bundle.longest_stored + w->fetches);
}

/* DESIGN, promise 4, and what is kept; without a cut, what was to be expected. */
static int check_cost(struct sim *s, struct world *w)
{
	uint64_t more = allowed_by(s, w), written = s->region[0].written;

	if (!s->power_cycles) {
		w->needed_payload = s->payload_read;
		w->needed_writes = written;
		/* one block is new; the rest are patches of less than a tenth */
		if (s->payload_read > 2 * w->bundle.longest_stored + w->patches.index_len)
			return sim_fail(s, "%llu bytes of payload were fetched for one block",
					(unsigned long long)s->payload_read);
	}
	if (s->payload_read > w->needed_payload + more || written > w->needed_writes + more)
		return sim_fail(s, "%llu bytes were fetched and %llu written, %llu and %llu are needed",
				(unsigned long long)s->payload_read, (unsigned long long)written,
				(unsigned long long)w->needed_payload,
				(unsigned long long)w->needed_writes);
	return 0;
}

static int check(struct sim *s, struct world *w, enum sim_moment moment)
{
	if (sim_check_writes(s))
		return 1;
	if (moment == SIM_AFTER_CUT)
		return 0;
	if (memcmp(sim_region(s, "root")->medium, w->after.bytes, w->after.len))
		return sim_fail(s, "slot root does not hold the image");
	return check_cost(s, w);
}

static void burden_of(const struct sim *s, const struct world *w, int64_t ret[2])
{
	ret[0] = (int64_t)s->payload_read - (int64_t)allowed_by(s, w);
	ret[1] = (int64_t)s->region[0].written - (int64_t)allowed_by(s, w);
}

/* ---- scenarios ---- */

#define LIST(...) ((const int[]){ __VA_ARGS__, END })
#define STEPS(...) ((const struct step[]){ __VA_ARGS__, { 0 } })

/* The first two change places, and themselves; a new block moves the others, every second changed. */
#define TO_THE_RIGHT                                                                       \
	.old = LIST(0, 1, 2, 3, 4, 5, 6, 7, 8, 9),                                         \
	.new = LIST(101, 100, 20, 2, 103, 4, 105, 6, 107, 8),                              \
	.steps = STEPS({ 'c', 9, 8 }, { 'p', 8, 7 }, { 'c', 7, 6 }, { 'p', 6, 5 },         \
		       { 'c', 5, 4 }, { 'p', 4, 3 }, { 'c', 3, 2 }, { 'k', 0, 1 },         \
		       { 'p', 1, 0 }, { 'w', 0, 0 })
static struct world right = { .block_bytes = 16500, .ms_per_call = 150, TO_THE_RIGHT };
static struct world far_right = { .block_bytes = 250000, TO_THE_RIGHT };

/* A block went away: what was behind it comes forward. The last two change places. */
static struct world left = {
	.block_bytes = 16500, .ms_per_call = 150,
	.old = LIST(20, 0, 1, 2, 3, 4, 5, 6, 7), .new = LIST(100, 1, 102, 3, 104, 21, 106, 105),
	.steps = STEPS({ 'p', 0, 1 }, { 'c', 1, 2 }, { 'p', 2, 3 }, { 'c', 3, 4 }, { 'p', 4, 5 },
		       { 'k', 7, 6 }, { 'p', 6, 7 }, { 'w', 7, 0 }),
};

/* The same, of which each patch has to take a frame apart and put one together. */
static struct world recoded = {
	.block_bytes = 16500, .ms_per_call = 150, .recoded = true,
	.old = LIST(20, 0, 1, 2, 3, 4, 5, 6, 7), .new = LIST(100, 1, 102, 3, 104, 21, 106, 105),
	.steps = STEPS({ 'p', 0, 1 }, { 'c', 1, 2 }, { 'p', 2, 3 }, { 'c', 3, 4 }, { 'p', 4, 5 },
		       { 'k', 7, 6 }, { 'p', 6, 7 }, { 'w', 7, 0 }),
};

#define SCENARIO(world)                                                                   \
	static void setup_##world(struct sim *s)                                          \
	{                                                                                 \
		setup(s, &world);                                                         \
	}                                                                                 \
	static int run_##world(struct sim *s)                                             \
	{                                                                                 \
		return run_engine(s, &world, NONE);                                       \
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
SCENARIO(far_right)
SCENARIO(recoded)

#define ENTRY(text, world, depth, few)                                                    \
	{ .name = text, .setup = setup_##world, .run = run_##world,                       \
	  .check = check_##world, .burden = burden_##world, .cuts = depth, .brief = few }

const struct sim_scenario patch_scenarios[] = {
	ENTRY("patch-right", right, 2, true),
	ENTRY("patch-left", left, 1, false),
	ENTRY("patch-far-right", far_right, 1, true),
	ENTRY("patch-recoded", recoded, 1, true),
	{ 0 },
};

/* ---- canaries ---- */

/* Nothing is durable before it is read back. */
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

const struct sim_canary patch_canaries[] = {
	{ "patch-no-flush-before-a-source-is-overwritten", "patch-far-right", NULL, flush_late },
	{ "patch-wrong-order", "patch-far-right", run_wrong_order, NULL },
	{ "patch-source-not-verified", "patch-right", run_unverified, NULL },
	{ 0 },
};
