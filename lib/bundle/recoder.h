/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Patches between the symbols of compressed blocks. Spec: docs/SPEC.md, "Patches" and "Symbols". */
#ifndef LB_BUNDLE_RECODER_H
#define LB_BUNDLE_RECODER_H

#include "bundle/index.h"
#include "recode/recode.h"

struct lb_recoder {
	uint8_t *symbols; /* owned: of the regions, and behind them of the chunk */
	size_t room;
	union lb_recode_work *work; /* owned */
};

/* @room: of symbols; 0: none will be decoded, and nothing is allocated. 0 or -LB_E_NOMEM. */
int lb_recoder_init(struct lb_recoder *r, size_t room) LB_MUST_CHECK;
void lb_recoder_free(struct lb_recoder *r);

/**
 * lb_recoder_decode() - a recoded patch to the chunk's bytes, digest checked
 * @dctx: a ZSTD_DCtx*
 * @chunk: with the patch's stored length
 * @regions: their bytes, one behind the other
 * @stored: @chunk->stored_length bytes
 * @out: room for @chunk->length bytes; undefined on failure
 *
 * Return: 0; -LB_E_DIGEST for whatever is wrong with patch or regions; -LB_E_NOMEM.
 */
int lb_recoder_decode(struct lb_recoder *r, void *dctx, const struct lb_chunk *chunk,
		      const uint8_t *regions, size_t regions_len, const uint8_t *stored,
		      uint8_t *out) LB_MUST_CHECK;

#endif
