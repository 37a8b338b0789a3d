/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records of sequences in a symbol stream, as lb_zframe_pack() reads them, several times. */
#ifndef LB_RECODE_ZFRAME_RECORD_H
#define LB_RECODE_ZFRAME_RECORD_H

#include <string.h>

#include "base/bytes.h"
#include "recode/zframe_internal.h"

/* A compressed block's records and what was counted of them. */
struct zframe_records {
	struct zframe_in in; /* from the first record on */
	bool sequences;	     /* there is at least one, and an end mark */
	uint32_t count, literal_count;
};

/* Offset of the record at @p, of which 5 bytes can be read. 0: not in the shortest form. */
static inline unsigned int zframe_read_offset(const uint8_t *p, uint32_t *ret)
{
	uint32_t v = p[0];

	if (v <= ZFRAME_OFFSET_1) {
		*ret = v;
		return 1;
	}
	if (v < ZFRAME_OFFSET_3_FIRST) {
		*ret = (v - ZFRAME_OFFSET_2_FIRST) << 8 | p[1];
		return *ret > ZFRAME_OFFSET_1 ? 2 : 0;
	}
	if (v < ZFRAME_OFFSET_5_FIRST) {
		*ret = (v - ZFRAME_OFFSET_3_FIRST) << 16 | (uint32_t)p[1] << 8 | p[2];
		return *ret >= ZFRAME_OFFSET_2 ? 3 : 0;
	}
	*ret = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
	return *ret >= ZFRAME_OFFSET_3 ? 5 : 0;
}

/* A length at @p, of which 4 bytes can be read. 0: not in the shortest form, or too long. */
static inline unsigned int zframe_read_length(const uint8_t *p, uint32_t *ret)
{
	*ret = p[0];
	if (*ret < ZFRAME_LENGTH_ESCAPE)
		return 1;
	*ret = lb_get_le16(p + 1) | (uint32_t)p[3] << 16;
	return *ret >= ZFRAME_LENGTH_ESCAPE && *ret <= ZFRAME_BLOCK_MAX ? 4 : 0;
}

/* Offset and match length; offset 0 is the end and has none. 0: malformed. */
static inline unsigned int zframe_read_match(const uint8_t *p, struct lb_zframe_record *r)
{
	unsigned int len = zframe_read_offset(p, &r->offset), more;

	if (!len || !r->offset)
		return len;
	more = zframe_read_length(p + len, &r->match);
	return more && r->match < ZFRAME_BLOCK_MAX ? len + more : 0;
}

/* Where ZFRAME_FIELDS_MAX bytes can be read: near the end from @copy, with zeros behind. */
static inline const uint8_t *zframe_readable(const struct zframe_in *in, uint8_t *copy)
{
	if (zframe_left(in) >= ZFRAME_FIELDS_MAX)
		return in->at;
	memset(copy, 0, ZFRAME_FIELDS_MAX);
	memcpy(copy, in->at, zframe_left(in));
	return copy;
}

/* The last record has offset 0, and the literals behind all sequences. */
static inline bool zframe_record_next(struct zframe_in *in, bool sequences,
				      struct lb_zframe_record *r)
{
	uint8_t copy[ZFRAME_FIELDS_MAX];
	unsigned int len = zframe_read_length(zframe_readable(in, copy), &r->literal_count);

	if (!len || len > zframe_left(in) || r->literal_count > zframe_left(in) - len)
		return false;
	r->literals = in->at + len;
	in->at += len + r->literal_count;
	r->offset = r->match = 0;
	if (!sequences)
		return true;
	len = zframe_read_match(zframe_readable(in, copy), r);
	if (!len || len > zframe_left(in))
		return false;
	in->at += len;
	/* as many only behind the last sequence */
	return !r->offset || r->literal_count < ZFRAME_BLOCK_MAX;
}

/* The section of literals: header, @tree, which may be none, and the literals of @r. */
int zframe_pack_literals(struct lb_zframe_work *w, uint8_t first, struct zframe_in tree,
			 const struct zframe_records *r, struct zframe_out *out);

#endif
