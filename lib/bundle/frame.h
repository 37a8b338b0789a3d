/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One zstd frame behind bytes that it may refer to. Spec: docs/SPEC.md, "Payload". */
#ifndef LB_BUNDLE_FRAME_H
#define LB_BUNDLE_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/**
 * lb_frame_decode() - decode a frame into @out directly: a hostile window size allocates nothing
 * @dctx: a ZSTD_DCtx*, reused between calls
 * @prefix: raw content, whatever its first bytes are, for this one frame; may be NULL without
 *	    @prefix_len
 * @out: room for @out_room bytes; undefined on failure
 * @ret_len: how many it decodes to
 *
 * Return: 0; -LB_E_DIGEST when the frame is broken or has more than @out_room bytes;
 * -LB_E_NOMEM, only with a prefix that looks like a dictionary.
 */
int lb_frame_decode(void *dctx, const uint8_t *prefix, size_t prefix_len, const uint8_t *stored,
		    size_t stored_len, uint8_t *out, size_t out_room,
		    size_t *ret_len) LB_MUST_CHECK;

#endif
