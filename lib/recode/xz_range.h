/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The range coder of LZMA, in both directions through one function: whoever
 * walks over a packet's bits with lb_xz_bit() either learns them (decoding) or
 * has those that it passes written (encoding). So the order of the bits and
 * their contexts are said once, and what was decoded is encoded alike.
 *
 * Written from "LZMA specification" (Igor Pavlov, draft of 2015), section
 * "Range decoder", and for the carry of the encoder from the same arithmetic.
 */
#ifndef LB_RECODE_XZ_RANGE_H
#define LB_RECODE_XZ_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LB_XZ_PROB_BITS 11u
#define LB_XZ_PROB_HALF (1u << (LB_XZ_PROB_BITS - 1))
#define LB_XZ_RANGE_BYTES 5u /* a coder's code word; so many follow the last bit */

struct lb_xz_range {
	const uint8_t *in; /* borrowed; decoding: one chunk's bytes */
	uint8_t *out;	   /* borrowed; encoding: where they go */
	size_t at;	   /* the next byte of in or out */
	size_t end;	   /* their length or room */
	uint64_t low;	   /* encoding: the lower end of the interval, carry in bit 32 */
	uint32_t range;	   /* its width */
	uint32_t code;	   /* decoding: the code word relative to the lower end */
	uint32_t pending;  /* encoding: bytes held back for a carry: cache, then 0xff */
	uint8_t cache;
	bool encoding;
	bool failed; /* ran over the end; everything after that is meaningless */
};

/* Begin to read @len bytes at @in, which stay borrowed. False if they cannot be a code word. */
bool lb_xz_range_decode(struct lb_xz_range *r, const uint8_t *in, size_t len);

/* Begin to write at @out, at most @room bytes. */
void lb_xz_range_encode(struct lb_xz_range *r, uint8_t *out, size_t room);

/*
 * Decoding: true if exactly all bytes were used, as an encoder ends them.
 * Encoding: write what is left; true if it all had room.
 */
bool lb_xz_range_end(struct lb_xz_range *r);

/* One bit with its adaptive probability (of a 0, in 1/2048). Return: the bit, read or as given. */
unsigned lb_xz_bit(struct lb_xz_range *r, uint16_t *prob, unsigned bit);

/* @count bits of @value with even odds, highest first. */
uint32_t lb_xz_direct(struct lb_xz_range *r, unsigned count, uint32_t value);

/* @count bits of @value down a tree of probabilities (1 << count of them), highest first or lowest first. */
uint32_t lb_xz_tree(struct lb_xz_range *r, uint16_t *probs, unsigned count, uint32_t value);
uint32_t lb_xz_tree_reverse(struct lb_xz_range *r, uint16_t *probs, unsigned count, uint32_t value);

#endif
