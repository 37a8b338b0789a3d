// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A stored chunk: 3 bytes of decoded length, then what is stored. Mode 1: not encoded;
 * 2: a type that has no stored bytes; 4: an unknown encoding.
 */
#include <zstd.h>

#include "base/bytes.h"
#include "bundle/bundle.h"
#include "fuzz.h"

#define CANARY 64u
#define LENGTH_MAX 65536u /* hashing more than that only takes longer */

static int decode(ZSTD_DCtx *dctx, enum lb_encoding encoding, const struct lb_chunk *c,
		  const uint8_t *stored, uint8_t *out)
{
	struct fuzz_alloc spent;
	int rc;

	/* libzstd is not instrumented: what it writes behind the end is looked for here */
	memset(out + c->length, FUZZ_GUARD_BYTE, CANARY);
	fuzz_alloc_start(0);
	rc = lb_chunk_decode(dctx, encoding, c, NULL, 0, stored, out);
	spent = fuzz_alloc_stop();
	CHECK(!rc || rc == -LB_E_DIGEST);
	CHECK(!spent.total_bytes); /* a hostile window size allocates nothing */
	for (uint32_t i = 0; i < CANARY; i++)
		CHECK(out[c->length + i] == FUZZ_GUARD_BYTE);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static ZSTD_DCtx *dctx;
	uint8_t mode = fuzz_take_mode(data, &size), digest[LB_SHA256_BYTES] = { 0 };
	enum lb_encoding encoding = mode & 4 ? (enum lb_encoding)7
				    : mode & 1 ? LB_ENC_NONE : LB_ENC_ZSTD_FRAMES;
	struct lb_chunk c = { .sha256 = digest };
	uint8_t *stored, *out;

	if (size < 3)
		return 0;
	if (!dctx)
		dctx = ZSTD_createDCtx();
	CHECK(dctx);
	c.type = mode & 2 ? LB_CHUNK_ZERO : LB_CHUNK_DATA;
	c.length = (uint32_t)data[0] | (uint32_t)data[1] << 8 | (uint32_t)(data[2] & 15) << 16;
	c.stored_length = (uint32_t)(size - 3);
	if (c.length > LENGTH_MAX || c.stored_length > LB_STORED_MAX_BYTES)
		return 0;
	stored = fuzz_exact(data + 3, size - 3);
	out = malloc(c.length + CANARY);
	CHECK(out);
	memset(out, 0, c.length);
	CHECK(decode(dctx, encoding, &c, stored, out) == -LB_E_DIGEST); /* of no digest that exists */
	lb_sha256(out, c.length, digest);
	if (!decode(dctx, encoding, &c, stored, out)) {
		CHECK(c.type == LB_CHUNK_DATA && encoding <= LB_ENC_ZSTD_FRAMES);
		CHECK(encoding != LB_ENC_NONE || c.stored_length == c.length);
	}
	free(out);
	free(stored);
	return 0;
}
