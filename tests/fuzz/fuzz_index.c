// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An index, fetched as lb_bundle_read_index() does; its digest is right unless mode 8.
 * Mode 1: stored without encoding; 2: header and manifest agree with the entries;
 * 4: only the manifest agrees with the header; 16: no memory; 32: the file ends early;
 * 64: the image has patches.
 */
#include "base/bytes.h"
#include "bundle/bundle.h"
#include "bundle/tar.h"
#include "fuzz.h"
#include "port/source_mem.h"

#define SIZE_MAX_TRIED (LB_INDEX_HEADER_BYTES + 4096u * LB_INDEX_ENTRY_BYTES)

static void agree(uint8_t *index, size_t size)
{
	uint64_t image = 0, payload = 0;
	uint32_t count = (uint32_t)((size - LB_INDEX_HEADER_BYTES) / LB_INDEX_ENTRY_BYTES);
	size_t far = 0;

	for (uint32_t i = 0; i < count; i++) /* what entries of that kind leave room for */
		if (index[LB_INDEX_HEADER_BYTES + i * LB_INDEX_ENTRY_BYTES] == LB_CHUNK_FAR &&
		    LB_INDEX_HEADER_BYTES + count * LB_INDEX_ENTRY_BYTES + ++far * LB_INDEX_FAR_BYTES >
			    size)
			count--;
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *e = index + LB_INDEX_HEADER_BYTES + i * LB_INDEX_ENTRY_BYTES;

		image += lb_get_le32(e) >> 8;
		payload += e[0] == LB_CHUNK_DATA || e[0] == LB_CHUNK_FAR ?
				   lb_get_le32(e + 4) & 0xffffff : 0;
	}
	memcpy(index, "LBINDEX1", 8);
	lb_put_le32(index + 8, LB_INDEX_ENTRY_BYTES);
	lb_put_le32(index + 12, count);
	lb_put_le64(index + 16, image);
	lb_put_le64(index + 24, payload);
}

static void describe(struct lb_manifest *m, const uint8_t *index, size_t size, uint8_t mode)
{
	struct lb_image *im = &m->images[0];

	m->image_count = 1;
	im->encoding = mode & 1 ? LB_ENC_NONE : LB_ENC_ZSTD_FRAMES;
	im->size_bytes = 1000;
	im->payload.size_bytes = 500;
	if (mode & 6 && size >= LB_INDEX_HEADER_BYTES) {
		im->size_bytes = lb_get_le64(index + 16);
		im->payload.size_bytes = lb_get_le64(index + 24);
	}
	im->index.size_bytes = size;
	lb_sha256(index, size, im->index.sha256);
	im->patch_set_count = mode & 64 ? 1 : 0;
	if (mode & 8)
		im->index.sha256[0] ^= 1;
}

static void check_chunk(const struct lb_index *idx, const struct lb_chunk *c)
{
	struct lb_chunk_cursor at = { 0 };
	struct lb_chunk o;

	CHECK(c->length);
	if (c->type == LB_CHUNK_ZERO) {
		CHECK(c->length <= LB_ZERO_MAX_BYTES && !c->stored_length);
		return;
	}
	CHECK(lb_chunk_prefix_bytes(c) <= idx->longest_prefix);
	CHECK(idx->longest_prefix <= LB_REACH_MAX_BYTES + LB_FAR_MAX_BYTES);
	CHECK(lb_chunk_near_bytes(c) <= c->offset);
	CHECK(c->far_bytes <= idx->longest_far && idx->longest_far <= LB_FAR_MAX_BYTES);
	CHECK(c->far_offset + c->far_bytes <= c->offset && (c->type == LB_CHUNK_DATA || !c->far_bytes));
	CHECK(c->length <= idx->longest_chunk && c->length <= LB_CHUNK_MAX_BYTES);
	CHECK(c->stored_length <= idx->longest_stored && c->stored_length <= LB_STORED_MAX_BYTES);
	if (c->type != LB_CHUNK_DUPLICATE)
		return;
	CHECK(c->original < c->number);
	while (lb_index_next(idx, &at, &o) && o.number < c->original)
		;
	CHECK(o.number == c->original && o.type == LB_CHUNK_DATA && o.length == c->length);
	CHECK(!memcmp(o.sha256, c->sha256, LB_SHA256_BYTES));
}

static void check_index(const struct lb_index *idx, const struct lb_image *im)
{
	uint64_t image = 0, payload = 0;
	struct lb_chunk_cursor at = { 0 };
	struct lb_chunk c;
	uint32_t n = 0, far = 0;

	CHECK(idx->chunk_count <= LB_INDEX_CHUNKS_MAX);
	while (lb_index_next(idx, &at, &c)) {
		CHECK(c.number == n++ && c.offset == image && c.stored_offset == payload);
		check_chunk(idx, &c);
		image += c.length;
		payload += c.stored_length;
		far += c.far_bytes != 0;
	}
	CHECK(far == idx->far_count);
	CHECK(n == idx->chunk_count);
	CHECK(image == im->size_bytes && image == idx->image_bytes);
	CHECK(payload == im->payload.size_bytes && payload == idx->payload_bytes);
}

static void read_index(const uint8_t *file, size_t file_size, const struct lb_manifest *m,
		       const struct lb_bundle_layout *layout, bool no_memory)
{
	struct lb_error err = { 0 };
	struct lb_source_mem mem;
	struct fuzz_alloc spent;
	struct lb_index idx;
	int rc;

	lb_source_mem_init(&mem, file, file_size);
	fuzz_alloc_start(no_memory);
	rc = lb_bundle_read_index(&mem.src, m, layout, 0, &idx, &err);
	spent = fuzz_alloc_stop();
	CHECK_RESULT(rc, &err);
	CHECK(spent.total_bytes <= m->images[0].index.size_bytes);
	CHECK(spent.balance == !rc);
	CHECK(mem.src.fetched_bytes <= m->images[0].index.size_bytes);
	if (!rc) {
		check_index(&idx, &m->images[0]);
		lb_index_free(&idx);
	}
	lb_index_free(NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t mode = fuzz_take_mode(data, &size), *file;
	struct lb_manifest m = { 0 };
	struct lb_bundle_layout layout;

	if (!size || size > SIZE_MAX_TRIED)
		return 0;
	file = malloc(LB_TAR_BLOCK + size);
	CHECK(file);
	memcpy(file + LB_TAR_BLOCK, data, size);
	if (mode & 2 && size >= LB_INDEX_HEADER_BYTES)
		agree(file + LB_TAR_BLOCK, size);
	describe(&m, file + LB_TAR_BLOCK, size, mode);
	if (!lb_bundle_layout(&m, 0, &layout, NULL)) {
		CHECK(layout.index_offset[0] == LB_TAR_BLOCK);
		CHECK(layout.payload_offset[0] >= LB_TAR_BLOCK + size + LB_TAR_BLOCK);
		CHECK(layout.end_offset - layout.payload_offset[0] >= m.images[0].payload.size_bytes);
		read_index(file, LB_TAR_BLOCK + size - (mode & 32 ? 1 : 0), &m, &layout, mode & 16);
	}
	free(file);
	return 0;
}
