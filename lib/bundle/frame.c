// SPDX-License-Identifier: GPL-2.0-or-later
#include "bundle/frame.h"

#include <zstd.h>

#include "base/bytes.h"

#define DICTIONARY_MAGIC 0xec30a437u
#define DICTIONARY_MIN_BYTES 8u

/*
 * ZSTD_DCtx_refPrefix() takes anything for raw content, but allocates 27 KiB each time, which
 * musl maps and unmaps again for every chunk. ZSTD_decompress_usingDict() allocates nothing,
 * and takes a prefix that begins like a dictionary for one.
 */
static bool looks_like_dictionary(const uint8_t *prefix, size_t len)
{
	return len >= DICTIONARY_MIN_BYTES && lb_get_le32(prefix) == DICTIONARY_MAGIC;
}

int lb_frame_decode(void *dctx, const uint8_t *prefix, size_t prefix_len, const uint8_t *stored,
		    size_t stored_len, uint8_t *out, size_t out_room, size_t *ret_len)
{
	size_t len;

	if (looks_like_dictionary(prefix, prefix_len)) {
		if (ZSTD_isError(ZSTD_DCtx_refPrefix(dctx, prefix, prefix_len)))
			return -LB_E_NOMEM;
		len = ZSTD_decompressDCtx(dctx, out, out_room, stored, stored_len);
	} else {
		len = ZSTD_decompress_usingDict(dctx, out, out_room, stored, stored_len, prefix,
						prefix_len);
	}
	if (ZSTD_isError(len))
		return -LB_E_DIGEST;
	*ret_len = len;
	return 0;
}
