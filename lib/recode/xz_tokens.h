/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How an encoder took a content apart, in bytes, for a reader who has the
 * content. The tokens of a chunk follow one another until its content is
 * complete:
 *   0..31     a run of 1 + length literals
 *   32..127   the nearest match of 2 + length bytes (xz_guess.h)
 *   128..191  a match at the last distance, of 2 + length bytes
 *   192..207  at the last but one;  208..223, 224..239: the two before
 *   240       a single byte at the last distance
 *   241       a match; distance less 1 in three bytes, highest first, length in a byte and its rest
 *   242       the longest match
 *   243..246  a match at the last, last but one, ... distance, as long as it can be
 * The length is the token's place in its range; at the last place bytes follow
 * that are added to it, as many as are 255 and one more.
 */
#ifndef LB_RECODE_XZ_TOKENS_H
#define LB_RECODE_XZ_TOKENS_H

#include "recode/xz_guess.h"

/* A cursor over bytes that are read or written. */
struct lb_xz_bytes {
	const uint8_t *in; /* borrowed; reading */
	uint8_t *out;	   /* borrowed; writing */
	size_t at;	   /* the next byte of in or out */
	size_t end;	   /* their length or room */
	bool failed;	   /* ran over the end, or read what cannot be */
};

void lb_xz_put(struct lb_xz_bytes *b, const uint8_t *p, size_t len);
void lb_xz_put_byte(struct lb_xz_bytes *b, uint8_t byte);

/* Return: where the next @len bytes are, or NULL (and failed) if there are not so many. */
const uint8_t *lb_xz_get(struct lb_xz_bytes *b, size_t len);
uint8_t lb_xz_get_byte(struct lb_xz_bytes *b);

#define LB_XZ_HELD 1024u /* packets; more than LB_XZ_MATCH_MAX */

struct lb_xz_tokens {
	struct lb_xz_guess guess;
	const uint8_t *content;
	size_t pos;	 /* so much of it has tokens */
	size_t limit;	 /* of the chunk */
	uint32_t rep[4]; /* the last distances, less 1 */
	uint32_t run;	 /* reading: literals yet to come of the last token */
	uint32_t held;	 /* writing: packets whose guesses want more content */
	struct lb_xz_packet hold[LB_XZ_HELD];
	uint32_t held_at[LB_XZ_HELD]; /* where in the content each begins */
};

/* Begin a block of @content; @chain as in xz_guess.h. */
void lb_xz_tokens_begin(struct lb_xz_tokens *t, const uint8_t *content, uint32_t *chain);

/* Begin a chunk: content from @pos to @limit; @reset: without the distances of the one before. */
void lb_xz_tokens_chunk(struct lb_xz_tokens *t, size_t pos, size_t limit, bool reset);

/* Write @packet, no literal, which begins at @at; content is known up to @known. */
void lb_xz_tokens_write(struct lb_xz_tokens *t, struct lb_xz_bytes *b, const struct lb_xz_packet *packet, size_t at,
			size_t known);

/* Write what is left when the content is known as far as the limit. */
void lb_xz_tokens_end(struct lb_xz_tokens *t, struct lb_xz_bytes *b);

/* Read the next packet, literals included, while pos is below limit. False (and b failed): it is none. */
bool lb_xz_tokens_read(struct lb_xz_tokens *t, struct lb_xz_bytes *b, struct lb_xz_packet *ret_packet);

#endif
