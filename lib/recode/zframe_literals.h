/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Literals of a compressed block, as lb_zframe_unpack() takes them out one after the other. */
#ifndef LB_RECODE_ZFRAME_LITERALS_H
#define LB_RECODE_ZFRAME_LITERALS_H

#include "recode/bits.h"
#include "recode/zframe_internal.h"

/* Literals of a block, in the order in which they are taken. */
struct zframe_literals_in {
	enum zframe_literals type;
	const struct lb_zframe_huf *huf;
	uint32_t count, left; /* of all, not taken yet */
	struct zframe_in bytes;
	unsigned int streams, number; /* the one being read */
	size_t stream_bytes[4];
	uint32_t stream_left;
	struct lb_bits_in bits;
};

/*
 * @in: a block's content; in->at moves behind the section. What @first, the first byte of
 * the block's symbols, says of literals is added; the table's description goes to @out.
 */
int zframe_open_literals(struct lb_zframe_work *w, struct zframe_in *in,
			 struct zframe_literals_in *l, uint8_t *first, struct zframe_out *out);

/* The next @n; with the last one of a stream that has to be at its end. */
int zframe_take_literals(struct zframe_literals_in *l, struct zframe_out *out, uint32_t n);

#endif
