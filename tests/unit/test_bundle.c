// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A whole small bundle through everything that reads one: what is damaged in any
 * way is refused, or gives the very same images.
 */
#include "golden.h"

#include <zstd.h>

#include "base/bytes.h"
#include "bundle/bundle.h"
#include "port/source_mem.h"
#include "trust/keyring.h"

static struct lb_keyring ring;
static uint8_t *golden;
static size_t golden_len;
static uint8_t *want[2]; /* the images */
static size_t want_len[2];

static int load(void **state)
{
	size_t len;
	uint8_t *pem = golden_read("key.pub.pem", &len);

	assert_int_equal(lb_keyring_add(&ring, pem, len, NULL), 0);
	free(pem);
	pem = golden_read("prefix.pub.pem", &len);
	assert_int_equal(lb_keyring_add(&ring, pem, len, NULL), 0);
	free(pem);
	pem = golden_read("far.pub.pem", &len);
	assert_int_equal(lb_keyring_add(&ring, pem, len, NULL), 0);
	free(pem);
	golden = golden_read("small.lbu", &golden_len);
	want[0] = golden_read("boot.img", &want_len[0]);
	want[1] = golden_read("root.img", &want_len[1]);
	return 0;
}

static int unload(void **state)
{
	free(golden);
	free(want[0]);
	free(want[1]);
	lb_keyring_free(&ring);
	return 0;
}

/* A source that gives few bytes at a time, cannot go back, and fails when asked to. */
struct slow_source {
	struct lb_source src;
	struct lb_source_mem mem;
	uint64_t at;
	size_t step;
};

static int slow_seek(struct lb_source *s, uint64_t offset, uint64_t len, struct lb_error *err)
{
	struct slow_source *slow = (struct slow_source *)s;

	if (offset < slow->at)
		return lb_error_set(err, LB_E_UNSUPPORTED, "going back from %llu to %llu",
				    (unsigned long long)slow->at, (unsigned long long)offset);
	slow->at = offset;
	return lb_source_seek(&slow->mem.src, offset, len, err);
}

static ptrdiff_t slow_read(struct lb_source *s, void *buf, size_t len, struct lb_error *err)
{
	struct slow_source *slow = (struct slow_source *)s;
	ptrdiff_t n = lb_source_read(&slow->mem.src, buf, len < slow->step ? len : slow->step, err);

	slow->at += (uint64_t)n;
	return n;
}

static const struct lb_source_ops slow_ops = { .seek = slow_seek, .read = slow_read };

/* A verification costs milliseconds: only heads that differ from the golden one are verified. */
static bool trusted(const struct lb_bundle_head *head)
{
	static struct lb_bundle_head known;
	static uint8_t known_manifest[LB_MANIFEST_MAX_BYTES];

	if (known.manifest_len == head->manifest_len &&
	    !memcmp(known_manifest, head->manifest, head->manifest_len) &&
	    known.signature_count == head->signature_count &&
	    !memcmp(known.signatures, head->signatures, sizeof(known.signatures)))
		return true;
	if (lb_keyring_verify(&ring, head->manifest, head->manifest_len, head->signatures,
			      head->signature_count, NULL, NULL))
		return false;
	known = *head;
	memcpy(known_manifest, head->manifest, head->manifest_len);
	return true;
}

static int decode_chunk(struct lb_source *src, const struct lb_image *image, ZSTD_DCtx *dctx,
			uint64_t payload, const struct lb_chunk *c, uint8_t *out)
{
	uint8_t *stored = malloc(c->stored_length), *plain = malloc(c->length);
	uint8_t *prefix = malloc(lb_chunk_prefix_bytes(c) + 1);
	int rc = lb_source_seek(src, payload + c->stored_offset, c->stored_length, NULL);

	if (!rc)
		rc = lb_source_read_full(src, stored, c->stored_length, NULL);
	if (!rc) {
		memcpy(prefix, out + c->far_offset, c->far_bytes);
		memcpy(prefix + c->far_bytes, out + c->offset - lb_chunk_near_bytes(c),
		       lb_chunk_near_bytes(c));
		rc = lb_chunk_decode(dctx, image->encoding, c, prefix, lb_chunk_prefix_bytes(c),
				     stored, plain);
	}
	if (!rc)
		memcpy(out + c->offset, plain, c->length);
	free(prefix);
	free(stored);
	free(plain);
	return rc;
}

/* Decodes as an engine does; duplicates from what is there already. */
static int decode_image(struct lb_source *src, const struct lb_image *image,
			const struct lb_index *idx, uint64_t payload, uint8_t *out)
{
	ZSTD_DCtx *dctx = ZSTD_createDCtx();
	struct lb_chunk_cursor cursor = { 0 };
	uint64_t starts[64];
	struct lb_chunk c;
	int rc = 0;

	while (!rc && lb_index_next(idx, &cursor, &c)) {
		starts[c.number] = c.offset;
		if (c.type == LB_CHUNK_DATA)
			rc = decode_chunk(src, image, dctx, payload, &c, out);
		else if (c.type == LB_CHUNK_DUPLICATE)
			memcpy(out + c.offset, out + starts[c.original], c.length);
		else
			memset(out + c.offset, 0, c.length);
	}
	ZSTD_freeDCtx(dctx);
	return rc;
}

/* Everything, in the order of a sequential source: head, indexes, payloads. */
static int decode_images(struct lb_source *src, const struct lb_manifest *m,
			 const struct lb_bundle_layout *layout, uint8_t *out[2])
{
	struct lb_index idx[LB_IMAGES_MAX] = { 0 };
	int rc = 0;

	for (uint32_t i = 0; !rc && i < m->image_count; i++)
		rc = lb_bundle_read_index(src, m, layout, i, &idx[i], NULL);
	for (uint32_t i = 0; !rc && i < m->image_count; i++) {
		out[i] = malloc(m->images[i].size_bytes);
		rc = decode_image(src, &m->images[i], &idx[i], layout->payload_offset[i], out[i]);
	}
	for (uint32_t i = 0; i < m->image_count; i++)
		lb_index_free(&idx[i]);
	return rc;
}

static int decode(struct lb_source *src, uint8_t *out[2])
{
	struct lb_bundle_layout layout;
	struct lb_bundle_head head;
	struct lb_manifest m;
	int rc = lb_bundle_read_head(src, &head, NULL);

	if (rc)
		return rc;
	rc = trusted(&head) ? 0 : -LB_E_SIGNATURE;
	if (!rc)
		rc = lb_manifest_parse(head.manifest, head.manifest_len, &m, NULL);
	if (!rc)
		rc = lb_bundle_layout(&m, head.end_offset, &layout, NULL);
	if (!rc)
		rc = decode_images(src, &m, &layout, out);
	lb_bundle_head_free(&head);
	return rc;
}

/* 0: the images are the golden ones; anything else: refused. Fails on other images. */
static int decode_bytes(const uint8_t *bytes, size_t len, size_t step)
{
	struct slow_source slow = { .src.ops = &slow_ops, .step = step };
	uint8_t *exact = malloc(len + !len), *out[2] = { NULL, NULL };
	int rc;

	memcpy(exact, bytes, len);
	lb_source_mem_init(&slow.mem, exact, len);
	rc = decode(&slow.src, out);
	for (int i = 0; i < 2; i++) {
		if (!rc)
			assert_memory_equal(out[i], want[i], want_len[i]);
		free(out[i]);
	}
	free(exact);
	return rc;
}

static void a_bundle_made_by_other_tools_is_read(void **state)
{
	assert_int_equal(decode_bytes(golden, golden_len, SIZE_MAX), 0);
}

/* Another bundle with the same boot image. */
static void decode_other(const char *bundle, const char *image)
{
	uint8_t *root = want[1], *bytes;
	size_t root_len = want_len[1], len;

	bytes = golden_read(bundle, &len);
	want[1] = golden_read(image, &want_len[1]);
	assert_int_equal(decode_bytes(bytes, len, SIZE_MAX), 0);
	free(bytes);
	free(want[1]);
	want[1] = root;
	want_len[1] = root_len;
}

/* Frames that refer to what is in front of them, made by zstd --patch-from. */
static void so_is_one_whose_chunks_have_prefixes(void **state)
{
	decode_other("prefix.lbu", "prefix.img");
}

static void so_is_one_with_far_regions(void **state)
{
	decode_other("far.lbu", "far.img");
}

static void bytes_may_arrive_one_by_one(void **state)
{
	assert_int_equal(decode_bytes(golden, golden_len, 1), 0);
	assert_int_equal(decode_bytes(golden, golden_len, 511), 0);
}

static void truncation_anywhere_is_refused(void **state)
{
	size_t needed = golden_len - 1024 - (512 - 126); /* without end marker and last padding */

	for (size_t len = 0; len < needed; len++)
		if (!decode_bytes(golden, len, SIZE_MAX))
			fail_msg("%zu of %zu bytes are accepted", len, needed);
	assert_int_equal(decode_bytes(golden, needed, SIZE_MAX), 0);
}

/*
 * Must a change at @i be noticed? Not in tar headers and padding behind the head,
 * nor where a zstd frame has bits without meaning: there the images are the same.
 */
static bool must_be_noticed(size_t i)
{
	static const struct {
		size_t from, to;
	} part[] = { { 0, 3072 },		  /* head and the first index's header */
		     { 3072, 3072 + 152 },	  /* boot.idx */
		     { 4096, 4096 + 232 },	  /* root.idx */
		     { 5120, 5120 + 500 } };	  /* boot.raw */

	for (size_t p = 0; p < LB_ARRAY_LEN(part); p++)
		if (i >= part[p].from && i < part[p].to)
			return true;
	return false;
}

static void a_changed_byte_is_refused_or_changes_nothing(void **state)
{
	for (size_t i = 0; i < golden_len; i++) {
		uint8_t was = golden[i];
		bool accepted;

		golden[i] ^= (uint8_t)(1 << i % 8);
		accepted = !decode_bytes(golden, golden_len, SIZE_MAX);
		golden[i] = (uint8_t)~was;
		accepted |= !decode_bytes(golden, golden_len, SIZE_MAX);
		golden[i] = was;
		if (accepted && must_be_noticed(i))
			fail_msg("byte %zu was changed and the bundle accepted", i);
	}
}

static void foreign_files_are_not_bundles(void **state)
{
	static const uint8_t zeros[2048], elf[2048] = "\177ELF";
	struct lb_bundle_head head;
	struct lb_source_mem mem;
	struct lb_error err;

	lb_source_mem_init(&mem, zeros, sizeof(zeros));
	assert_int_equal(lb_bundle_read_head(&mem.src, &head, &err), -LB_E_FORMAT);
	lb_source_mem_init(&mem, elf, sizeof(elf));
	assert_int_equal(lb_bundle_read_head(&mem.src, &head, &err), -LB_E_FORMAT);
	lb_source_mem_init(&mem, elf, 0);
	assert_int_equal(lb_bundle_read_head(&mem.src, &head, &err), -LB_E_TRUNCATED);
	lb_bundle_head_free(NULL);
}

/* A tar header as tar writes it, for a head that is put together by hand. */
static size_t member(uint8_t *at, const char *name, size_t size)
{
	unsigned int sum = 0;

	memcpy(at, golden, 512);
	memset(at, 0, 100);
	strcpy((char *)at, name);
	snprintf((char *)at + 124, 12, "%011zo", size);
	memset(at + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += at[i];
	snprintf((char *)at + 148, 7, "%06o", sum);
	return 512 + (size + 511) / 512 * 512;
}

static int head_of(const uint8_t *bytes, size_t len, uint32_t *ret_signatures)
{
	struct lb_bundle_head head;
	struct lb_source_mem mem;
	int rc;

	lb_source_mem_init(&mem, bytes, len);
	rc = lb_bundle_read_head(&mem.src, &head, NULL);
	if (rc)
		return rc;
	*ret_signatures = head.signature_count;
	lb_bundle_head_free(&head);
	return 0;
}

static void heads_are_bounded(void **state)
{
	uint8_t *bytes = calloc(1, 256 * 1024);
	char name[64];
	uint32_t n;
	size_t at;

	for (uint32_t count = 0; count <= LB_SIGNATURES_MAX + 1; count++) {
		memset(bytes, 0, 256 * 1024);
		at = member(bytes, "manifest.json", LB_MANIFEST_MAX_BYTES);
		for (uint32_t i = 0; i < count; i++) {
			snprintf(name, sizeof(name), "manifest.sig.%016x", i);
			at += member(bytes + at, name, LB_SIGNATURE_MAX_BYTES);
		}
		if (count > LB_SIGNATURES_MAX) {
			assert_int_equal(head_of(bytes, 256 * 1024, &n), -LB_E_TOO_BIG);
		} else {
			assert_int_equal(head_of(bytes, 256 * 1024, &n), 0);
			assert_int_equal(n, count);
		}
	}
	member(bytes, "manifest.json", LB_MANIFEST_MAX_BYTES + 1);
	assert_int_equal(head_of(bytes, 256 * 1024, &n), -LB_E_TOO_BIG);
	member(bytes, "manifest.json", 0);
	assert_int_equal(head_of(bytes, 256 * 1024, &n), -LB_E_TOO_BIG);
	free(bytes);
}

static void signature_members_are_strict(void **state)
{
	static const struct {
		const char *name;
		size_t size;
		int code;
	} cases[] = {
		{ "manifest.sig.0123456789abcdef", 161, LB_E_TOO_BIG },
		{ "manifest.sig.0123456789abcdef", 0, LB_E_TOO_BIG },
		{ "manifest.sig.0123456789ABCDEF", 72, LB_E_FORMAT },
		{ "manifest.sig.0123456789abcde", 72, LB_E_FORMAT },
		{ "manifest.sig.0123456789abcdef0", 72, LB_E_FORMAT },
		{ "manifest.sig.", 72, LB_E_FORMAT },
	};
	uint8_t *bytes = calloc(1, 8192);
	uint32_t n;

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		size_t at = member(bytes, "manifest.json", 2);

		member(bytes + at, cases[i].name, cases[i].size);
		assert_int_equal(head_of(bytes, 8192, &n), -cases[i].code);
	}
	memset(bytes, 0, 8192);
	n = (uint32_t)member(bytes, "manifest.json", 2);
	n += (uint32_t)member(bytes + n, "manifest.sig.0123456789abcdef", 72);
	member(bytes + n, "manifest.sig.0123456789abcdef", 72);
	assert_int_equal(head_of(bytes, 8192, &n), -LB_E_FORMAT); /* twice the same key */
	free(bytes);
}

static void sizes_that_overflow_make_no_layout(void **state)
{
	struct lb_manifest m = { .image_count = 1 };
	struct lb_bundle_layout l;

	m.images[0].index.size_bytes = 72;
	m.images[0].payload.size_bytes = 1;
	assert_int_equal(lb_bundle_layout(&m, 1024, &l, NULL), 0);
	assert_true(l.index_offset[0] == 1536 && l.payload_offset[0] == 2560 && l.end_offset == 3072);
	m.images[0].payload.size_bytes = UINT64_MAX;
	assert_int_equal(lb_bundle_layout(&m, 1024, &l, NULL), -LB_E_FORMAT);
	m.images[0].payload.size_bytes = 1;
	assert_int_equal(lb_bundle_layout(&m, UINT64_MAX, &l, NULL), -LB_E_FORMAT);
	assert_int_equal(lb_bundle_layout(&m, INT64_MAX - 1000, &l, NULL), -LB_E_FORMAT);
}

static void frames_of_another_size_are_refused(void **state)
{
	uint8_t plain[300] = "plain", stored[1024], out[400], digest[LB_SHA256_BYTES];
	ZSTD_DCtx *dctx = ZSTD_createDCtx();
	struct lb_chunk c = { .type = LB_CHUNK_DATA, .length = sizeof(plain), .sha256 = digest };

	lb_sha256(plain, sizeof(plain), digest);
	c.stored_length = (uint32_t)ZSTD_compress(stored, sizeof(stored), plain, sizeof(plain), 3);
	assert_int_equal(lb_chunk_decode(dctx, LB_ENC_ZSTD_FRAMES, &c, NULL, 0, stored, out), 0);
	for (uint32_t length = 1; length < sizeof(out); length++) {
		c.length = length;
		if (length != sizeof(plain))
			assert_int_equal(lb_chunk_decode(dctx, LB_ENC_ZSTD_FRAMES, &c, NULL, 0, stored, out),
					 -LB_E_DIGEST);
	}
	c.length = sizeof(plain);
	assert_int_equal(lb_chunk_decode(NULL, LB_ENC_NONE, &c, NULL, 0, stored, out), -LB_E_DIGEST);
	digest[31] ^= 1;
	assert_int_equal(lb_chunk_decode(dctx, LB_ENC_ZSTD_FRAMES, &c, NULL, 0, stored, out), -LB_E_DIGEST);
	ZSTD_freeDCtx(dctx);
}

/* @plain as a frame that refers to @prefix, by libzstd's own compressor. */
static uint32_t compress_behind(const uint8_t *prefix, size_t prefix_len, const uint8_t *plain,
				size_t len, uint8_t *stored, size_t room)
{
	ZSTD_CCtx *cctx = ZSTD_createCCtx();
	size_t n = ZSTD_CCtx_refPrefix(cctx, prefix, prefix_len);

	assert_false(ZSTD_isError(n));
	n = ZSTD_compress2(cctx, stored, room, plain, len);
	assert_false(ZSTD_isError(n));
	ZSTD_freeCCtx(cctx);
	return (uint32_t)n;
}

/* The image: 4000 bytes that do not compress, then the same with changes. */
static void a_frame_is_decoded_with_the_bytes_in_front_of_it(void **state)
{
	uint8_t image[8000], stored[5000], out[8000], apart[4000], digest[LB_SHA256_BYTES];
	struct lb_chunk c = { .type = LB_CHUNK_DATA, .length = 4000, .sha256 = digest };
	ZSTD_DCtx *dctx = ZSTD_createDCtx();
	uint64_t x = 1;

	for (size_t i = 0; i < 4000; i++)
		image[i] = (uint8_t)((x = x * 6364136223846793005u + 1442695040888963407u) >> 56);
	memcpy(image, "\x37\xa4\x30\xec", 4); /* looks like a dictionary, and is none */
	memcpy(image + 4000, image, 4000);
	image[5000] ^= 1;
	lb_sha256(image + 4000, 4000, digest);
	c.stored_length = compress_behind(image, 4000, image + 4000, 4000, stored, sizeof(stored));
	assert_true(c.stored_length < 100);

	memcpy(out, image, 4000);
	assert_int_equal(lb_chunk_decode(dctx, LB_ENC_ZSTD_FRAMES, &c, out, 4000, stored,
					 out + 4000), 0);
	assert_memory_equal(out, image, 8000);
	assert_int_equal(lb_chunk_decode(dctx, LB_ENC_ZSTD_FRAMES, &c, image, 4000, stored, apart), 0);
	assert_memory_equal(apart, image + 4000, 4000);
	/* without it, with less of it, with another one; and it holds for one frame only */
	assert_int_equal(lb_chunk_decode(dctx, LB_ENC_ZSTD_FRAMES, &c, NULL, 0, stored, apart),
			 -LB_E_DIGEST);
	assert_int_equal(lb_chunk_decode(dctx, LB_ENC_ZSTD_FRAMES, &c, image + 1, 3999, stored, apart),
			 -LB_E_DIGEST);
	out[2000] ^= 1;
	assert_int_equal(lb_chunk_decode(dctx, LB_ENC_ZSTD_FRAMES, &c, out, 4000, stored, apart),
			 -LB_E_DIGEST);
	ZSTD_freeDCtx(dctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bundle_made_by_other_tools_is_read),
		cmocka_unit_test(so_is_one_whose_chunks_have_prefixes),
		cmocka_unit_test(so_is_one_with_far_regions),
		cmocka_unit_test(bytes_may_arrive_one_by_one),
		cmocka_unit_test(truncation_anywhere_is_refused),
		cmocka_unit_test(a_changed_byte_is_refused_or_changes_nothing),
		cmocka_unit_test(foreign_files_are_not_bundles),
		cmocka_unit_test(heads_are_bounded),
		cmocka_unit_test(signature_members_are_strict),
		cmocka_unit_test(sizes_that_overflow_make_no_layout),
		cmocka_unit_test(frames_of_another_size_are_refused),
		cmocka_unit_test(a_frame_is_decoded_with_the_bytes_in_front_of_it),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
