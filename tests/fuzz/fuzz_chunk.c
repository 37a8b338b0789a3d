// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A stored chunk: 3 bytes of decoded length, then what is stored. Mode 1: not encoded;
 * 2: a type that has no stored bytes; 4: an unknown encoding; 8: in front of what is stored
 * come 2 bytes of length and a prefix; 16: which is not right in front of the output.
 */
#include <zstd.h>

#include "base/bytes.h"
#include "bundle/bundle.h"
#include "fuzz.h"

#define CANARY 64u
#define LENGTH_MAX 65536u /* hashing more than that only takes longer */

/* what libzstd allocates for a prefix that begins like a dictionary, whatever its length */
#define DDICT_BYTES (32u * 1024u)
#define DICTIONARY "\x37\xa4\x30\xec"

struct input {
	enum lb_encoding encoding;
	struct lb_chunk chunk;
	const uint8_t *prefix;
	size_t prefix_len;
	uint8_t *stored;
};

static int decode(ZSTD_DCtx *dctx, const struct input *in, uint8_t *out)
{
	const struct lb_chunk *c = &in->chunk;
	bool dictionary = in->prefix_len >= 8 && !memcmp(in->prefix, DICTIONARY, 4);
	struct fuzz_alloc spent;
	int rc;

	/* libzstd is not instrumented: what it writes behind the end is looked for here */
	memset(out + c->length, FUZZ_GUARD_BYTE, CANARY);
	fuzz_alloc_start(0);
	rc = lb_chunk_decode(dctx, in->encoding, c, in->prefix, in->prefix_len, in->stored, out);
	spent = fuzz_alloc_stop();
	CHECK(!rc || rc == -LB_E_DIGEST);
	/* a hostile window size allocates nothing */
	CHECK(spent.total_bytes <= (dictionary ? DDICT_BYTES : 0));
	for (uint32_t i = 0; i < CANARY; i++)
		CHECK(out[c->length + i] == FUZZ_GUARD_BYTE);
	return rc;
}

static void try(ZSTD_DCtx *dctx, struct input *in, uint8_t *out, uint8_t *digest)
{
	uint8_t *before = fuzz_exact(in->prefix, in->prefix_len);

	CHECK(decode(dctx, in, out) == -LB_E_DIGEST); /* of no digest that exists */
	lb_sha256(out, in->chunk.length, digest);
	if (!decode(dctx, in, out)) {
		CHECK(in->chunk.type == LB_CHUNK_DATA && in->encoding <= LB_ENC_ZSTD_FRAMES);
		CHECK(in->encoding != LB_ENC_NONE || in->chunk.stored_length == in->chunk.length);
	}
	CHECK(!in->prefix_len || !memcmp(before, in->prefix, in->prefix_len));
	free(before);
}

/* Takes a prefix off the front of what is stored. */
static const uint8_t *take_prefix(const uint8_t **data, size_t *size, size_t *ret_len)
{
	const uint8_t *prefix = *data + 2;
	size_t len = *size < 2 ? 0 : (size_t)((*data)[0] | (*data)[1] << 8);

	if (*size < 2 + len)
		return NULL;
	*data += 2 + len;
	*size -= 2 + len;
	*ret_len = len;
	return prefix;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static ZSTD_DCtx *dctx;
	uint8_t mode = fuzz_take_mode(data, &size), digest[LB_SHA256_BYTES] = { 0 };
	struct input in = {
		.encoding = mode & 4 ? (enum lb_encoding)7
			    : mode & 1 ? LB_ENC_NONE : LB_ENC_ZSTD_FRAMES,
		.chunk = { .type = mode & 2 ? LB_CHUNK_ZERO : LB_CHUNK_DATA, .sha256 = digest },
	};
	const uint8_t *prefix = NULL;
	uint8_t *room;

	if (size < 3)
		return 0;
	if (!dctx)
		dctx = ZSTD_createDCtx();
	CHECK(dctx);
	in.chunk.length = (uint32_t)data[0] | (uint32_t)data[1] << 8 | (uint32_t)(data[2] & 15) << 16;
	data += 3;
	size -= 3;
	if (mode & 8 && !(prefix = take_prefix(&data, &size, &in.prefix_len)))
		return 0;
	in.chunk.stored_length = (uint32_t)size;
	if (in.chunk.length > LENGTH_MAX || size > LB_STORED_MAX_BYTES)
		return 0;
	in.stored = fuzz_exact(data, size);
	room = calloc(1, in.prefix_len + in.chunk.length + CANARY);
	CHECK(room);
	in.prefix = mode & 16 ? prefix : room;
	if (in.prefix_len)
		memcpy(room, prefix, in.prefix_len);
	try(dctx, &in, room + in.prefix_len, digest);
	free(room);
	free(in.stored);
	return 0;
}
