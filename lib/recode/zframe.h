/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A zstd frame as the symbols that its entropy coder was given, and back, bit by bit: a
 * block of which a part changed differs everywhere, its symbols only there. Literals and
 * sequences stay as they are, so neither way needs the content, and headers and tables
 * stay as the compressor wrote them, so any version's frames come back. RFC 8878.
 * Bytes of the symbol stream: docs/SPEC.md, "Symbols of zstd frames".
 */
#ifndef LB_RECODE_ZFRAME_H
#define LB_RECODE_ZFRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define LB_ZFRAME_STATES_MAX 512u     /* of a table of sequences: accuracy 9 */
#define LB_ZFRAME_CODES_MAX 53u	      /* of match lengths, the largest alphabet */
#define LB_ZFRAME_HUF_BITS_MAX 11u    /* of a literal */
#define LB_ZFRAME_SEQUENCES_MAX 65536u /* of a block; 43690 fill the largest */
#define LB_ZFRAME_BLOCKS_MAX 256u     /* of a frame: bounds what a frame that is refused at its end costs */
#define LB_ZFRAME_GROUP 64u	      /* sequences from one mark to the next */

/* A table of codes of sequences, for either way. */
struct lb_zframe_fse {
	bool ready;
	uint8_t log; /* of the number of states */
	struct lb_zframe_state {
		uint16_t base;
		uint8_t bits, code;
	} state[LB_ZFRAME_STATES_MAX];
	uint16_t of_code[LB_ZFRAME_STATES_MAX]; /* states, sorted by code */
	uint16_t first[LB_ZFRAME_CODES_MAX], count[LB_ZFRAME_CODES_MAX]; /* in @of_code */
};

/* The table of literals, for either way. */
struct lb_zframe_huf {
	uint8_t max_bits;   /* 0: there is none */
	uint8_t bits[256];  /* 0: this one does not occur */
	uint16_t code[256];
	uint16_t literal[1u << LB_ZFRAME_HUF_BITS_MAX]; /* and its bits in the high byte */
};

struct lb_zframe_record {
	uint32_t offset, match, literal_count; /* match length minus 3 */
	const uint8_t *literals;	       /* borrowed */
};

/* 24 KiB, from the caller; nothing in it needs a value or is of use afterwards. */
struct lb_zframe_work {
	struct lb_zframe_huf huf;
	struct lb_zframe_fse fse[3], weights; /* literal lengths, offsets, match lengths */
	uint8_t spread[LB_ZFRAME_STATES_MAX];
	struct lb_zframe_record group[LB_ZFRAME_GROUP];
	uint32_t mark[LB_ZFRAME_SEQUENCES_MAX / LB_ZFRAME_GROUP]; /* offsets of records */
};

/**
 * lb_zframe_unpack() - symbols of the frame at the front of @in
 * @in: begins with a whole frame, behind its magic number; what follows it is not looked at
 * @ret_used: bytes of the frame
 * @out: the symbols; @room bytes, of which the last 16 may stay unused
 *
 * A frame that is accepted comes back from lb_zframe_pack() byte by byte. Checksums are
 * kept, not verified; offsets are not either. Takes time in proportion to @room at most.
 *
 * Return: 0, or with what @ret_* point to as it was:
 *   -LB_E_FORMAT   not a frame that can be recoded: damaged, with a dictionary, or
 *                  written as no compressor does it;
 *   -LB_E_TOO_BIG  @room is too small.
 */
int lb_zframe_unpack(const uint8_t *in, size_t in_len, size_t *ret_used, uint8_t *out, size_t room,
		     size_t *ret_len, struct lb_zframe_work *work) LB_MUST_CHECK;

/**
 * lb_zframe_pack() - the frame whose symbols are at the front of @in, behind its magic number
 *
 * The inverse of lb_zframe_unpack(), with the same errors; @room: the frame's length is
 * enough. Any bytes at @in do no harm, and take time in proportion to @in_len.
 */
int lb_zframe_pack(const uint8_t *in, size_t in_len, size_t *ret_used, uint8_t *out, size_t room,
		   size_t *ret_len, struct lb_zframe_work *work) LB_MUST_CHECK;

#endif
