// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A patch index for an image of 14 chunks (number 2 is of zeros, 3 repeats the first). Mode 1: the
 * header's counts follow from the size as far as they can; 2: the manifest agrees with the header;
 * 8: its digest does not; 16, 64: the first or second allocation fails; 32: the file ends early.
 */
#include "base/bytes.h"
#include "bundle/bundle.h"
#include "fuzz.h"
#include "port/source_mem.h"

#define CHUNKS 14u
#define SIZE_MAX_TRIED 65536u

static void make_index(struct lb_index *ret)
{
	struct lb_image image = { .encoding = LB_ENC_ZSTD_FRAMES };
	size_t len = LB_INDEX_HEADER_BYTES + CHUNKS * LB_INDEX_ENTRY_BYTES;
	uint8_t *bytes = calloc(1, len);

	CHECK(bytes);
	memcpy(bytes, "LBINDEX1", 8);
	for (uint32_t i = 0; i < CHUNKS; i++) {
		uint8_t *e = bytes + LB_INDEX_HEADER_BYTES + i * LB_INDEX_ENTRY_BYTES;
		uint32_t length = i == 3 ? 1000 : 1000 * (i + 1);

		lb_put_le32(e, length << 8 | (i == 2 ? LB_CHUNK_ZERO
					      : i == 3 ? LB_CHUNK_DUPLICATE : LB_CHUNK_DATA));
		lb_put_le32(e + 4, i == 2 || i == 3 ? 0 : 100);
		e[8] = i == 2 ? 0 : i == 3 ? 1 : (uint8_t)(i + 1);
		image.size_bytes += length;
		image.payload.size_bytes += i == 2 || i == 3 ? 0 : 100;
	}
	lb_put_le32(bytes + 8, LB_INDEX_ENTRY_BYTES);
	lb_put_le32(bytes + 12, CHUNKS);
	lb_put_le64(bytes + 16, image.size_bytes);
	lb_put_le64(bytes + 24, image.payload.size_bytes);
	CHECK(!lb_index_parse(bytes, len, &image, ret, NULL));
}

struct seen {
	bool made[CHUNKS], held[CHUNKS];
	uint32_t kept, region;
	uint64_t payload;
};

/* Chunk @number is made: a data chunk, for the first time. */
static void check_made(const struct lb_patches *p, const struct lb_index *idx, struct seen *seen,
		       uint32_t number, bool hold, struct lb_chunk *ret)
{
	CHECK(number < CHUNKS);
	lb_index_entry(idx, number, ret);
	CHECK(ret->type == LB_CHUNK_DATA && !seen->made[number]);
	seen->made[number] = true;
	seen->held[number] = hold;
	seen->kept += hold ? ret->length : 0;
	CHECK(seen->kept <= p->held_bytes);
}

static void check_patch(const struct lb_patches *p, const struct lb_index *idx, struct seen *seen,
			const struct lb_patch_step *s)
{
	uint32_t prefix = 0;
	struct lb_chunk c;

	check_made(p, idx, seen, s->number, s->hold, &c);
	CHECK(s->region == seen->region && s->stored_offset == seen->payload);
	CHECK(s->stored_length && s->stored_length <= p->longest_stored);
	for (uint32_t k = 0; k < s->region_count; k++) {
		uint32_t length;
		uint64_t at;

		lb_patches_region(p, s->region + k, &at, &length);
		CHECK(length && at + length <= p->old_bytes);
		prefix += length;
	}
	CHECK(prefix <= p->longest_prefix && prefix <= LB_PATCH_PREFIX_MAX);
	seen->region += s->region_count;
	seen->payload += s->stored_length;
}

static void check_step(const struct lb_patches *p, const struct lb_index *idx, struct seen *seen,
		       const struct lb_patch_step *s)
{
	uint64_t from = s->from;
	struct lb_chunk c;

	if (s->type == LB_PATCH_PATCH)
		check_patch(p, idx, seen, s);
	for (uint32_t k = 0; k < s->count; k++) {
		check_made(p, idx, seen, lb_patch_copy(s, k, idx, &from), s->hold, &c);
		CHECK(from + c.length <= p->old_bytes);
	}
	if (s->type == LB_PATCH_WRITE) {
		CHECK(seen->held[s->number]);
		seen->held[s->number] = false;
		lb_index_entry(idx, s->number, &c);
		seen->kept -= c.length;
	}
}

static void check_all(const struct lb_patches *p, const struct lb_index *idx)
{
	struct lb_patch_cursor at = { 0 };
	struct seen seen = { 0 };
	struct lb_patch_step s;

	while (lb_patches_next(p, &at, &s))
		check_step(p, idx, &seen, &s);
	CHECK(!seen.kept && seen.region == p->region_count && seen.payload == p->payload_bytes);
}

static void agree(uint8_t *bytes, size_t size, uint8_t mode, struct lb_patch_set *set)
{
	uint64_t rest = size < LB_PATCH_HEADER_BYTES ? 0 : size - LB_PATCH_HEADER_BYTES;
	uint64_t regions = size < LB_PATCH_HEADER_BYTES ? 0 : lb_get_le32(bytes + 12) % 64;

	if (size < LB_PATCH_HEADER_BYTES)
		return;
	if (mode & 1 && rest >= regions * LB_PATCH_REGION_BYTES) {
		rest -= regions * LB_PATCH_REGION_BYTES;
		memcpy(bytes, "LBPATCH1", 8);
		lb_put_le32(bytes + 8, (uint32_t)(rest / LB_PATCH_STEP_BYTES));
		lb_put_le32(bytes + 12, (uint32_t)regions);
	}
	if (mode & 2)
		set->payload.size_bytes = lb_get_le64(bytes + 32);
}

static void read_patches(const uint8_t *file, size_t size, uint8_t mode, const struct lb_manifest *m,
			 const struct lb_index *idx)
{
	const struct lb_bundle_layout layout = { .end_offset = size };
	struct lb_error err = { 0 };
	struct lb_source_mem mem;
	struct fuzz_alloc spent;
	struct lb_patches p;
	int rc;

	lb_source_mem_init(&mem, file, mode & 32 ? size - 1 : size);
	fuzz_alloc_start(mode & 16 ? 1 : mode & 64 ? 2 : 0);
	rc = lb_bundle_read_patches(&mem.src, m, &layout, 0, 0, idx, &p, &err);
	spent = fuzz_alloc_stop();
	CHECK_RESULT(rc, &err);
	CHECK(spent.balance == !rc && spent.total_bytes <= size + 64);
	if (rc)
		return;
	check_all(&p, idx);
	lb_patches_free(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct lb_index idx;
	uint8_t mode = fuzz_take_mode(data, &size), *bytes;
	struct lb_manifest m = { .image_count = 1 };
	struct lb_patch_set *set = &m.images[0].patch_sets[0];

	if (!idx.bytes)
		make_index(&idx);
	if (!size || size > SIZE_MAX_TRIED)
		return 0;
	m.images[0].patch_set_count = 1;
	strcpy(set->index.name, "i.1.pidx");
	bytes = fuzz_exact(data, size);
	agree(bytes, size, mode, set);
	set->index.size_bytes = size;
	lb_sha256(bytes, size, set->index.sha256);
	set->index.sha256[0] ^= mode & 8 ? 1 : 0;
	read_patches(bytes, size, mode, &m, &idx);
	free(bytes);
	return 0;
}
