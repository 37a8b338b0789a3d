/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What both directions share: fields of frames, tables, and the first byte of a block. */
#ifndef LB_RECODE_ZFRAME_INTERNAL_H
#define LB_RECODE_ZFRAME_INTERNAL_H

#include "recode/zframe.h"

#define ZFRAME_CHECKSUM_FLAG 4u
#define ZFRAME_CHECKSUM_BYTES 4u
#define ZFRAME_BLOCK_MAX (128u * 1024u)
#define ZFRAME_BLOCK_HEADER_BYTES 3u
#define ZFRAME_STREAM_MAX 65535u /* of each of four streams of literals */

enum zframe_block { ZFRAME_RAW, ZFRAME_RLE, ZFRAME_COMPRESSED };
enum zframe_literals { ZFRAME_LIT_RAW, ZFRAME_LIT_RLE, ZFRAME_LIT_HUF, ZFRAME_LIT_TREELESS };
enum zframe_mode { ZFRAME_PREDEFINED, ZFRAME_ONE_CODE, ZFRAME_DESCRIBED, ZFRAME_REPEAT };
enum zframe_table { ZFRAME_LL, ZFRAME_OF, ZFRAME_ML, ZFRAME_TABLES };

/* First byte of a block's symbols: enum zframe_block, then these. */
#define ZFRAME_LAST 4u
#define ZFRAME_LITERALS_SHIFT 3u /* 2 bits: enum zframe_literals */
#define ZFRAME_FORMAT_SHIFT 5u	 /* 2 bits: size format of the literals */
#define ZFRAME_SEQUENCES 128u

/* Offsets in the symbol stream: 1 to 3 bytes, or 5. */
#define ZFRAME_OFFSET_1 3u	   /* up to this: repeat codes */
#define ZFRAME_OFFSET_2 0x7f00u	   /* below this: 4 + high byte, low byte */
#define ZFRAME_OFFSET_3 0x7c0000u  /* below this: 0x83 + high byte, two more */
#define ZFRAME_OFFSET_2_FIRST 4u
#define ZFRAME_OFFSET_3_FIRST 0x83u
#define ZFRAME_OFFSET_5_FIRST 0xffu
#define ZFRAME_LENGTH_ESCAPE 255u
#define ZFRAME_LENGTH_BYTES_MAX 4u
#define ZFRAME_FIELDS_MAX 9u /* bytes of offset and match length */

struct zframe_in {
	const uint8_t *at, *end;
};

struct zframe_out {
	uint8_t *at, *end;
};

static inline size_t zframe_left(const struct zframe_in *in)
{
	return (size_t)(in->end - in->at);
}

static inline size_t zframe_room(const struct zframe_out *out)
{
	return (size_t)(out->end - out->at);
}

/* How a section of literals begins. */
struct zframe_form {
	unsigned int header_bytes, size_bits, streams; /* 0 streams: not coded, one size */
};

/* Copies @len bytes, which are as they are in both; -LB_E_FORMAT, -LB_E_TOO_BIG. */
int zframe_copy(struct zframe_in *in, struct zframe_out *out, size_t len);

/* A new frame begins: there are no tables to repeat. */
void zframe_forget(struct lb_zframe_work *w);

/* Length of a frame's header behind the magic; 0: not one that is recoded. */
size_t zframe_header_bytes(const struct zframe_in *in);

/* The header of a section of literals, as RFC 8878, 3.1.1.3.1.1 has it. */
struct zframe_form zframe_literals_form(enum zframe_literals type, unsigned int size_format);

/* Literals in stream @number of those that hold @count; false: they cannot be split so. */
bool zframe_stream_share(uint32_t count, unsigned int streams, unsigned int number, uint32_t *ret);

/* Values that a code of a length stands for: from a first one, and so many bits more. */
struct zframe_range {
	uint32_t first;
	uint8_t bits;
};
extern const struct zframe_range zframe_literal_ranges[36], zframe_match_ranges[53];

/* Code of a literal length, or of a match length minus 3. */
unsigned int zframe_literal_code(uint32_t length);
unsigned int zframe_match_code(uint32_t length);

/* Reads the description of a table of literals and makes the table; in->at moves behind it. */
int zframe_huf_read(struct lb_zframe_work *w, struct zframe_in *in);

/* Makes or keeps table @which as @mode says; in->at moves behind its description. */
int zframe_fse_read(struct lb_zframe_work *w, enum zframe_table which, enum zframe_mode mode,
		    struct zframe_in *in);

/* True: no lower state of @t stands for the code of @state. */
bool zframe_fse_is_first(const struct lb_zframe_fse *t, uint32_t state);

/* In the order of their descriptions: bits of the byte of modes. */
static inline enum zframe_mode zframe_mode_of(uint8_t modes, enum zframe_table which)
{
	return (enum zframe_mode)(modes >> (6 - 2 * (unsigned int)which) & 3);
}

#endif
