// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "bundle/bundle.h"
#include "bundle/frame.h"

static int unpack_frame(void *dctx, const struct lb_chunk *chunk, const uint8_t *prefix,
			size_t prefix_len, const uint8_t *stored, uint8_t *out)
{
	size_t len;
	int r = lb_frame_decode(dctx, prefix, prefix_len, stored, chunk->stored_length, out,
				chunk->length, &len);

	return r ? r : len == chunk->length ? 0 : -LB_E_DIGEST;
}

int lb_chunk_unpack(void *dctx, enum lb_encoding encoding, const struct lb_chunk *chunk,
		    const uint8_t *prefix, size_t prefix_len, const uint8_t *stored, uint8_t *out)
{
	if (chunk->type != LB_CHUNK_DATA)
		return -LB_E_DIGEST;
	switch (encoding) {
	case LB_ENC_NONE:
		if (chunk->stored_length != chunk->length)
			break;
		memcpy(out, stored, chunk->length);
		return 0;
	case LB_ENC_ZSTD_FRAMES:
		return unpack_frame(dctx, chunk, prefix, prefix_len, stored, out);
	}
	return -LB_E_DIGEST;
}

bool lb_chunk_is(const struct lb_chunk *chunk, const uint8_t *bytes)
{
	uint8_t digest[LB_SHA256_BYTES];

	lb_sha256(bytes, chunk->length, digest);
	return !memcmp(digest, chunk->sha256, sizeof(digest));
}

int lb_chunk_decode(void *dctx, enum lb_encoding encoding, const struct lb_chunk *chunk,
		    const uint8_t *prefix, size_t prefix_len, const uint8_t *stored, uint8_t *out)
{
	int r = lb_chunk_unpack(dctx, encoding, chunk, prefix, prefix_len, stored, out);

	return r || lb_chunk_is(chunk, out) ? r : -LB_E_DIGEST;
}
