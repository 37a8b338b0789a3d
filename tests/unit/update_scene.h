/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Slots in memory and a bundle for them, made chunk by chunk: what the engine's tests begin with. */
#ifndef TEST_UPDATE_SCENE_H
#define TEST_UPDATE_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zstd.h>

#include "../late_worker.h"
#include "base/bytes.h"
#include "port/source_mem.h"
#include "ram_blk.h"
#include "update/internal.h"

#define IMAGES 2
#define CHUNKS_MAX 4096

static uint32_t seed_of_case;
static bool prefixes; /* chunks are compressed, most with a prefix */

static inline uint32_t next_random(void)
{
	seed_of_case = seed_of_case * 1664525u + 1013904223u;
	return seed_of_case >> 8;
}

static inline uint32_t below(uint32_t n)
{
	return next_random() % n;
}

/* A third repeats what came up to 50,000 bytes before, so that prefixes matter. */
static inline void fill_random(uint8_t *p, size_t len)
{
	for (size_t at = 0; at < len;) {
		size_t n = len - at < 300 ? len - at : 300, back = 300 + below(50000);

		if (at >= back && !below(3)) {
			memcpy(p + at, p + at - back, n);
			at += n;
		}
		for (size_t end = len - at < 300 ? len : at + 300; at < end; at++)
			p[at] = (uint8_t)(next_random() >> 8);
	}
}

/* ---- a device with slots, and a bundle: indexes and payloads one behind the other ---- */

struct image {
	uint8_t *bytes;
	size_t len;
	uint32_t chunk[CHUNKS_MAX]; /* lengths */
	uint8_t reach[CHUNKS_MAX];
	uint32_t far_block[CHUNKS_MAX], far_blocks[CHUNKS_MAX]; /* of 4 KiB; no blocks: no far region */
	uint32_t count;
	bool own_reach;
};

struct scene {
	struct image image[IMAGES];
	struct ram_blk slot[IMAGES];
	uint32_t images;
	struct lb_manifest m;
	struct lb_bundle_layout layout;
	uint8_t *bundle;
	size_t bundle_len;
	struct lb_source_mem mem;
	struct lb_clock clock;
	struct late_worker worker;
	struct lb_update u;
};

static inline uint64_t no_time(struct lb_clock *c)
{
	return 0;
}

static inline int64_t no_wall(struct lb_clock *c)
{
	return 0;
}

static inline void no_sleep(struct lb_clock *c, uint32_t ms)
{
}

/* How far back, and what else, where a test has no wish of its own. */
static inline void choose_reaches(struct image *im)
{
	size_t at = 0;

	for (uint32_t n = 0; prefixes && !im->own_reach && n < im->count; at += im->chunk[n++]) {
		uint32_t blocks = 1 + n * 13 % 16;

		im->reach[n] = n % 4 ? (uint8_t)(1 + n * 7 % 32) : 0;
		if (n % 3 || at < blocks * 4096)
			continue;
		im->far_blocks[n] = blocks;
		im->far_block[n] = n * 37 % (uint32_t)(at / 4096 - blocks + 1);
	}
}

/* Chunk @n at @at, for the payload; *@ret_reference: its stored length and reach. */
static inline size_t store(ZSTD_CCtx *cctx, const struct image *im, uint32_t n, size_t at, uint8_t *out,
		    uint32_t *ret_reference)
{
	size_t reach = im->reach[n], near = reach * 8192, len = im->chunk[n];
	size_t far = im->far_blocks[n] * 4096;

	if (prefixes) {
		uint8_t *prefix;

		near = at < near ? at : near;
		prefix = malloc(far + near + 1);
		assert_non_null(prefix);
		memcpy(prefix, im->bytes + (size_t)im->far_block[n] * 4096, far);
		memcpy(prefix + far, im->bytes + at - near, near);
		assert_false(ZSTD_isError(ZSTD_CCtx_refPrefix(cctx, prefix, far + near)));
		len = ZSTD_compress2(cctx, out, ZSTD_compressBound(len), im->bytes + at, len);
		assert_false(ZSTD_isError(len));
		free(prefix);
	} else {
		memcpy(out, im->bytes + at, len);
	}
	*ret_reference = (uint32_t)len | (uint32_t)reach << 24;
	return len;
}

static inline size_t put_index(struct scene *s, uint32_t i, uint8_t *index, uint8_t *payload,
			       size_t *ret_index_bytes)
{
	struct image *im = &s->image[i];
	ZSTD_CCtx *cctx = prefixes ? ZSTD_createCCtx() : NULL;
	size_t at = 0, stored = 0;
	uint8_t *far = index + LB_INDEX_HEADER_BYTES + im->count * LB_INDEX_ENTRY_BYTES;

	for (uint32_t n = 0; n < im->count; at += im->chunk[n], n++) {
		uint8_t *e = index + LB_INDEX_HEADER_BYTES + n * LB_INDEX_ENTRY_BYTES;
		uint32_t reference = im->chunk[n], type = LB_CHUNK_DATA;

		memset(e, 0, LB_INDEX_ENTRY_BYTES);
		if (lb_bytes_all_zero(im->bytes + at, im->chunk[n])) {
			type = LB_CHUNK_ZERO;
			reference = 0;
		} else {
			lb_sha256(im->bytes + at, im->chunk[n], e + 8);
		}
		for (uint32_t k = 0; type == LB_CHUNK_DATA && k < n; k++) {
			const uint8_t *o = e - (n - k) * LB_INDEX_ENTRY_BYTES;

			if ((o[0] == LB_CHUNK_DATA || o[0] == LB_CHUNK_FAR) &&
			    !memcmp(o + 8, e + 8, LB_SHA256_BYTES)) {
				type = LB_CHUNK_DUPLICATE;
				reference = k;
			}
		}
		if (type == LB_CHUNK_DATA)
			stored += store(cctx, im, n, at, payload + stored, &reference);
		if (type == LB_CHUNK_DATA && im->far_blocks[n]) {
			type = LB_CHUNK_FAR;
			lb_put_le32(far, im->far_block[n] | im->far_blocks[n] << 24);
			far += LB_INDEX_FAR_BYTES;
		}
		lb_put_le32(e, im->chunk[n] << 8 | type);
		lb_put_le32(e + 4, reference);
	}
	ZSTD_freeCCtx(cctx);
	memcpy(index, "LBINDEX1", 8);
	lb_put_le32(index + 8, LB_INDEX_ENTRY_BYTES);
	lb_put_le32(index + 12, im->count);
	lb_put_le64(index + 16, im->len);
	lb_put_le64(index + 24, stored);
	*ret_index_bytes = (size_t)(far - index);
	return stored;
}

static inline void pack(struct scene *s)
{
	size_t at = 0, room = 0;

	for (uint32_t i = 0; i < s->images; i++)
		room += s->image[i].len + LB_INDEX_HEADER_BYTES + 4096 +
			s->image[i].count * (LB_INDEX_ENTRY_BYTES + LB_INDEX_FAR_BYTES + 600);
	s->bundle = malloc(room);
	assert_non_null(s->bundle);
	s->m.image_count = s->images;
	for (uint32_t i = 0; i < s->images; i++)
		choose_reaches(&s->image[i]);
	for (uint32_t i = 0; i < s->images; i++) {
		uint8_t *payload = malloc(room);
		size_t index, stored;

		assert_non_null(payload);
		stored = put_index(s, i, s->bundle + at, payload, &index);
		memcpy(s->bundle + at + index, payload, stored);
		free(payload);
		s->m.images[i].encoding = prefixes ? LB_ENC_ZSTD_FRAMES : LB_ENC_NONE;
		s->m.images[i].size_bytes = s->image[i].len;
		s->m.images[i].payload.size_bytes = stored;
		s->m.images[i].index.size_bytes = index;
		snprintf(s->m.images[i].name, sizeof(s->m.images[i].name), "image%u", i);
		lb_sha256(s->bundle + at, index, s->m.images[i].index.sha256);
		s->layout.index_offset[i] = at;
		s->layout.payload_offset[i] = at + index;
		at += index + stored;
	}
	lb_source_mem_init(&s->mem, s->bundle, at);
	s->bundle_len = at;
}

/* Slots of @slot_bytes, filled with 0xff; the images are there. */
static inline void start(struct scene *s, const size_t *slot_bytes)
{
	static const struct lb_clock_ops ops = {
		.monotonic_ms = no_time, .wall_s = no_wall, .sleep_ms = no_sleep,
	};

	s->clock.ops = &ops;
	for (uint32_t i = 0; i < s->images; i++)
		ram_init(&s->slot[i], i ? "second" : "first", slot_bytes[i]);
	pack(s);
}

static inline void load(struct scene *s)
{
	struct lb_blk *slots[IMAGES] = { &s->slot[0].blk, &s->slot[1].blk };

	assert_int_equal(lb_update_load(&s->u, &s->m, &s->layout, slots, &s->mem.src, &s->clock,
					NULL, NULL), 0);
	lb_update_use_worker(&s->u, late_worker_init(&s->worker));
}

static inline void stop(struct scene *s)
{
	assert_null(s->worker.work);
	lb_update_free(&s->u);
	free(s->bundle);
	for (uint32_t i = 0; i < s->images; i++) {
		free(s->image[i].bytes);
		lb_blk_close(&s->slot[i].blk);
	}
	memset(s, 0, sizeof(*s));
}

static inline void expect_whole(struct scene *s)
{
	for (uint32_t i = 0; i < s->images; i++)
		assert_memory_equal(s->slot[i].bytes, s->image[i].bytes, s->image[i].len);
}

/* Where chunk @number of the image is. */
static inline size_t at_chunk(const struct image *im, uint32_t number)
{
	size_t at = 0;

	for (uint32_t n = 0; n < number; n++)
		at += im->chunk[n];
	return at;
}

static inline uint8_t *noise(size_t len, uint32_t seed)
{
	uint8_t *p = malloc(len);

	seed_of_case = seed;
	fill_random(p, len);
	return p;
}

#endif
