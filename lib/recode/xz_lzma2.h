/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LZMA2, the form in which xz has LZMA: chunks, each with its sizes and how
 * much of the coder's state begins anew.
 *
 * Written from the format as Linux documents it (lib/xz, "LZMA2 chunk"):
 *   00            the end
 *   01, 02        content as it is (01: nothing before it is referred to),
 *                 then its length less 1, two bytes, higher first
 *   80 to ff      LZMA; bits 0-4 and two bytes: length of the content less 1;
 *                 two bytes: length of what follows, less 1; bits 5-6: what begins
 *                 anew: nothing, state, state with a byte of lc/lp/pb, all
 *
 * A list of chunks is these without the second length: control byte, two
 * bytes, lc/lp/pb where there is one; ended by 00.
 */
#ifndef LB_RECODE_XZ_LZMA2_H
#define LB_RECODE_XZ_LZMA2_H

#include "recode/xz_tokens.h"

#define LB_XZ_CHUNKS_MAX 64u /* in one block: bounds the time that resets take */

struct lb_xz_lzma2 {
	struct lb_xz_lzma lzma;
	struct lb_xz_tokens tokens;
};

/* One chunk's header. */
struct lb_xz_chunk {
	uint32_t content_bytes;
	uint32_t coded_bytes; /* 0 in a list */
	uint8_t control;
	uint8_t props; /* lc, lp and pb, if it has them */
};

/*
 * Walk over the chunks at @in (coded ones, or a @list), which must begin with one that
 * refers to nothing before it, and be the only such, and set lc/lp/pb before they are used.
 * @list_out: the list is appended to it, if not NULL. False if they are anything else.
 */
bool lb_xz_lzma2_scan(struct lb_xz_bytes *in, bool list, struct lb_xz_bytes *list_out, size_t *ret_content_bytes);

/* Chunks at @in, as scanned, become content at @content and tokens in @out. False: damaged, or no room. */
bool lb_xz_lzma2_unpack(struct lb_xz_lzma2 *z, uint32_t *chain, struct lb_xz_bytes *in, uint8_t *content,
			struct lb_xz_bytes *out);

/* The inverse: @list as scanned, @content and the tokens at @in become chunks and the end in @out. */
bool lb_xz_lzma2_pack(struct lb_xz_lzma2 *z, uint32_t *chain, struct lb_xz_bytes *list, const uint8_t *content,
		      struct lb_xz_bytes *in, struct lb_xz_bytes *out);

#endif
