/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where an encoder probably found a match: the longest there is, or the nearest
 * of a given length. Nearly all matches of any encoder are one of the two, so
 * that a packet can be named without its distance and length, which differ with
 * all that lies before, while the name stays. A wrong guess costs bytes, never
 * correctness: who unpacks compares, who packs guesses the same from the same content.
 */
#ifndef LB_RECODE_XZ_GUESS_H
#define LB_RECODE_XZ_GUESS_H

#include "recode/xz_lzma.h"

#define LB_XZ_GUESS_HEADS 65536u

/* Positions plus 1, the latest of each kind; 0: none. */
struct lb_xz_guess {
	uint32_t *chain;  /* borrowed: per position, the one before with the same four bytes' hash */
	size_t entered;	  /* all positions before it are */
	uint32_t two[LB_XZ_GUESS_HEADS];
	uint32_t three[LB_XZ_GUESS_HEADS];
	uint32_t four[LB_XZ_GUESS_HEADS];
};

/* Forget all; @chain has an entry for each byte of the content to come. */
void lb_xz_guess_begin(struct lb_xz_guess *g, uint32_t *chain);

/*
 * The guesses about @content at @at, none of whose bytes from @limit on are
 * looked at (those up to at + LB_XZ_MATCH_MAX are). @at must not go back.
 * Return: the match, or one with len 0 if there is none.
 */
struct lb_xz_packet lb_xz_guess_longest(struct lb_xz_guess *g, const uint8_t *content, size_t at, size_t limit);
struct lb_xz_packet lb_xz_guess_nearest(struct lb_xz_guess *g, const uint8_t *content, size_t at, size_t limit,
					uint32_t len);

/* How many bytes at @at equal those @distance + 1 before: LB_XZ_MATCH_MAX at most, 0 if there are none before. */
uint32_t lb_xz_guess_extent(const uint8_t *content, size_t at, size_t limit, uint32_t distance);

#endif
