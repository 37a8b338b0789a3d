// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>
#include <zstd.h>

#include "bundle/bundle.h"

static bool unpack(void *dctx, enum lb_encoding encoding, const struct lb_chunk *chunk,
		   const uint8_t *stored, uint8_t *out)
{
	switch (encoding) {
	case LB_ENC_NONE:
		if (chunk->stored_length != chunk->length)
			return false;
		memcpy(out, stored, chunk->length);
		return true;
	case LB_ENC_ZSTD_FRAMES:
		/* decodes into @out directly: a hostile window size allocates nothing */
		return ZSTD_decompressDCtx(dctx, out, chunk->length, stored,
					   chunk->stored_length) == chunk->length;
	}
	return false;
}

int lb_chunk_decode(void *dctx, enum lb_encoding encoding, const struct lb_chunk *chunk,
		    const uint8_t *stored, uint8_t *out)
{
	uint8_t digest[LB_SHA256_BYTES];

	if (chunk->type != LB_CHUNK_DATA || !unpack(dctx, encoding, chunk, stored, out))
		return -LB_E_DIGEST;
	lb_sha256(out, chunk->length, digest);
	return memcmp(digest, chunk->sha256, sizeof(digest)) ? -LB_E_DIGEST : 0;
}
