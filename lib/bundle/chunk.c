// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>
#include <zstd.h>

#include "bundle/bundle.h"

/* Decodes into @out directly: a hostile window size allocates nothing. */
static int unpack_frame(ZSTD_DCtx *dctx, const struct lb_chunk *chunk, const uint8_t *prefix,
			size_t prefix_len, const uint8_t *stored, uint8_t *out)
{
	/* raw content, whatever its first bytes are; holds for one frame, and allocates 27 KiB */
	if (prefix_len && ZSTD_isError(ZSTD_DCtx_refPrefix(dctx, prefix, prefix_len)))
		return -LB_E_NOMEM;
	return ZSTD_decompressDCtx(dctx, out, chunk->length, stored, chunk->stored_length) ==
			       chunk->length
		       ? 0 : -LB_E_DIGEST;
}

static int unpack(void *dctx, enum lb_encoding encoding, const struct lb_chunk *chunk,
		  const uint8_t *prefix, size_t prefix_len, const uint8_t *stored, uint8_t *out)
{
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

int lb_chunk_decode(void *dctx, enum lb_encoding encoding, const struct lb_chunk *chunk,
		    const uint8_t *prefix, size_t prefix_len, const uint8_t *stored, uint8_t *out)
{
	uint8_t digest[LB_SHA256_BYTES];
	int r = -LB_E_DIGEST;

	if (chunk->type == LB_CHUNK_DATA)
		r = unpack(dctx, encoding, chunk, prefix, prefix_len, stored, out);
	if (r)
		return r;
	lb_sha256(out, chunk->length, digest);
	return memcmp(digest, chunk->sha256, sizeof(digest)) ? -LB_E_DIGEST : 0;
}
