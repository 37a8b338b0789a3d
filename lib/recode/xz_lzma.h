/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packets of LZMA (a literal, a match, a repeated match) and the contexts
 * in which each of their bits is coded; in both directions, as the range coder
 * under it. The bits of a literal depend on the bytes before it: decoding
 * rebuilds the content, encoding has it beforehand and holds each packet
 * against it.
 *
 * Written from "LZMA specification" (Igor Pavlov, draft of 2015).
 */
#ifndef LB_RECODE_XZ_LZMA_H
#define LB_RECODE_XZ_LZMA_H

#include "recode/xz_range.h"

#define LB_XZ_LCLP_MAX 4u /* LZMA2 allows no more of lc + lp */
#define LB_XZ_POS_STATES 16u
#define LB_XZ_STATES 12u
#define LB_XZ_MATCH_MIN 2u
#define LB_XZ_MATCH_MAX 273u

/* Where each group of probabilities begins. */
enum lb_xz_probs {
	LB_XZ_IS_MATCH = 0,
	LB_XZ_IS_REP = LB_XZ_IS_MATCH + LB_XZ_STATES * LB_XZ_POS_STATES,
	LB_XZ_IS_REP0 = LB_XZ_IS_REP + LB_XZ_STATES,
	LB_XZ_IS_REP1 = LB_XZ_IS_REP0 + LB_XZ_STATES,
	LB_XZ_IS_REP2 = LB_XZ_IS_REP1 + LB_XZ_STATES,
	LB_XZ_IS_REP0_LONG = LB_XZ_IS_REP2 + LB_XZ_STATES,
	LB_XZ_DIST_SLOT = LB_XZ_IS_REP0_LONG + LB_XZ_STATES * LB_XZ_POS_STATES,
	LB_XZ_DIST_SPECIAL = LB_XZ_DIST_SLOT + 4 * 64,
	LB_XZ_DIST_ALIGN = LB_XZ_DIST_SPECIAL + 128,
	LB_XZ_LEN_MATCH = LB_XZ_DIST_ALIGN + 16,
	LB_XZ_LEN_BYTES = 2 + 2 * LB_XZ_POS_STATES * 8 + 256,
	LB_XZ_LEN_REP = LB_XZ_LEN_MATCH + LB_XZ_LEN_BYTES,
	LB_XZ_LITERAL = LB_XZ_LEN_REP + LB_XZ_LEN_BYTES,
	LB_XZ_PROBS = LB_XZ_LITERAL + (0x300 << LB_XZ_LCLP_MAX),
};

enum lb_xz_op {
	LB_XZ_REP0, /* a match at the distance of the last one */
	LB_XZ_REP1, /* ... of the last but one, and so on */
	LB_XZ_REP2,
	LB_XZ_REP3,
	LB_XZ_SHORT, /* a single byte at the distance of the last match */
	LB_XZ_MATCH,
	LB_XZ_BYTE, /* a literal: the content's next byte */
};

struct lb_xz_packet {
	uint32_t distance; /* LB_XZ_MATCH: how far back, less 1 */
	uint16_t len;	   /* bytes of content; LB_XZ_MATCH_MIN to LB_XZ_MATCH_MAX if it is coded */
	uint8_t op;	   /* enum lb_xz_op */
};

struct lb_xz_lzma {
	struct lb_xz_range range;
	const uint8_t *content;
	uint8_t *made;	 /* decoding: content, to be written as far as limit */
	size_t pos;	 /* so much of it was coded */
	size_t limit;	 /* where this chunk's content ends */
	uint32_t rep[4]; /* the last distances, less 1 */
	unsigned state, lc, lp, pb;
	uint16_t probs[LB_XZ_PROBS];
};

/* Take lc, lp and pb from the byte that LZMA2 has for them. False if it is not one. */
bool lb_xz_lzma_props(struct lb_xz_lzma *z, uint8_t props);

/* Begin with even odds and without distances; the content and lc, lp and pb stay. */
void lb_xz_lzma_reset(struct lb_xz_lzma *z);

/**
 * lb_xz_lzma_packet() - read or write one packet
 * @z: with range begun, and pos below limit
 * @packet: filled when decoding, obeyed when encoding
 *
 * Return: false if the packet reaches over the limit or before the content's
 * begin, is not what the content says, or if the range coder's bytes have ended.
 */
bool lb_xz_lzma_packet(struct lb_xz_lzma *z, struct lb_xz_packet *packet);

#endif
