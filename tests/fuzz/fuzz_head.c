// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The front of a bundle or channel file, before anything vouches for it. Mode 1:
 * checksums of tar headers are put right; mode 2: a channel file; from 0x10 on: the
 * high four bits say which allocation fails.
 */
#include "bundle/bundle.h"
#include "bundle/tar.h"
#include "fuzz.h"
#include "port/source_mem.h"

/* what a head may cost to read, whatever it says */
#define READ_MAX (LB_TAR_BLOCK + LB_MANIFEST_MAX_BYTES + LB_SIGNATURES_MAX * 2 * LB_TAR_BLOCK + \
		  LB_TAR_BLOCK)

static void put_checksums(uint8_t *bytes, size_t size, const char *name)
{
	for (size_t at = 0; at + LB_TAR_BLOCK <= size; at += LB_TAR_BLOCK) {
		uint8_t *b = bytes + at;
		unsigned int sum = 0;

		if (memcmp(b, name, strlen(name)))
			continue;
		memset(b + 148, ' ', 8);
		for (unsigned int i = 0; i < LB_TAR_BLOCK; i++)
			sum += b[i];
		snprintf((char *)b + 148, 7, "%06o", sum & 0777777);
	}
}

static void check_head(const struct lb_bundle_head *h, const uint8_t *bytes, size_t size)
{
	uint8_t digest[LB_SHA256_BYTES];

	CHECK(h->manifest_len && h->manifest_len <= LB_MANIFEST_MAX_BYTES);
	CHECK(h->manifest_len <= size - LB_TAR_BLOCK);
	CHECK(!memcmp(h->manifest, bytes + LB_TAR_BLOCK, h->manifest_len));
	lb_sha256(h->manifest, h->manifest_len, digest);
	CHECK(!memcmp(digest, h->manifest_sha256, sizeof(digest)));
	CHECK(h->end_offset <= size && h->end_offset % LB_TAR_BLOCK == 0);
	CHECK(h->signature_count <= LB_SIGNATURES_MAX);
	for (uint32_t i = 0; i < h->signature_count; i++) {
		const struct lb_signature *s = &h->signatures[i];

		CHECK(s->length && s->length <= LB_SIGNATURE_MAX_BYTES);
		CHECK(strnlen(s->keyid, sizeof(s->keyid)) == LB_KEYID_HEX - 1);
		for (uint32_t k = 0; k < i; k++)
			CHECK(strcmp(s->keyid, h->signatures[k].keyid));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t mode = fuzz_take_mode(data, &size), *bytes = fuzz_exact(data, size);
	const char *name = mode & 2 ? "channel" : "manifest";
	struct lb_bundle_head head;
	struct lb_error err = { 0 };
	struct lb_source_mem mem;
	struct fuzz_alloc spent;
	int rc;

	if (mode & 1)
		put_checksums(bytes, size, name);
	lb_source_mem_init(&mem, bytes, size);
	fuzz_alloc_start(mode >> 4);
	rc = mode & 2 ? lb_signed_read_head(&mem.src, name, &head, &err)
		      : lb_bundle_read_head(&mem.src, &head, &err);
	spent = fuzz_alloc_stop();
	CHECK_RESULT(rc, &err);
	CHECK(spent.total_bytes <= LB_MANIFEST_MAX_BYTES);
	CHECK(spent.balance == !rc);
	CHECK(mem.src.fetched_bytes <= READ_MAX);
	if (!rc) {
		check_head(&head, bytes, size);
		lb_bundle_head_free(&head);
	}
	lb_bundle_head_free(NULL);
	free(bytes);
	return 0;
}
