// SPDX-License-Identifier: GPL-2.0-or-later
/* Fields of zstd frames that both directions read alike: RFC 8878, section 3.1.1. */
#include <string.h>

#include "base/bytes.h"
#include "recode/bits.h"
#include "recode/zframe_internal.h"

#define SINGLE_SEGMENT 0x20u
#define RESERVED 0x08u
#define DICTIONARY 0x03u

const struct zframe_range zframe_literal_ranges[36] = {
	{ 0, 0 }, { 1, 0 }, { 2, 0 }, { 3, 0 }, { 4, 0 }, { 5, 0 }, { 6, 0 }, { 7, 0 },
	{ 8, 0 }, { 9, 0 }, { 10, 0 }, { 11, 0 }, { 12, 0 }, { 13, 0 }, { 14, 0 }, { 15, 0 },
	{ 16, 1 }, { 18, 1 }, { 20, 1 }, { 22, 1 }, { 24, 2 }, { 28, 2 }, { 32, 3 }, { 40, 3 },
	{ 48, 4 }, { 64, 6 }, { 128, 7 }, { 256, 8 }, { 512, 9 }, { 1024, 10 }, { 2048, 11 },
	{ 4096, 12 }, { 8192, 13 }, { 16384, 14 }, { 32768, 15 }, { 65536, 16 },
};

const struct zframe_range zframe_match_ranges[53] = {
	{ 0, 0 }, { 1, 0 }, { 2, 0 }, { 3, 0 }, { 4, 0 }, { 5, 0 }, { 6, 0 }, { 7, 0 },
	{ 8, 0 }, { 9, 0 }, { 10, 0 }, { 11, 0 }, { 12, 0 }, { 13, 0 }, { 14, 0 }, { 15, 0 },
	{ 16, 0 }, { 17, 0 }, { 18, 0 }, { 19, 0 }, { 20, 0 }, { 21, 0 }, { 22, 0 }, { 23, 0 },
	{ 24, 0 }, { 25, 0 }, { 26, 0 }, { 27, 0 }, { 28, 0 }, { 29, 0 }, { 30, 0 }, { 31, 0 },
	{ 32, 1 }, { 34, 1 }, { 36, 1 }, { 38, 1 }, { 40, 2 }, { 44, 2 }, { 48, 3 }, { 56, 3 },
	{ 64, 4 }, { 80, 4 }, { 96, 5 }, { 128, 7 }, { 256, 8 }, { 512, 9 }, { 1024, 10 },
	{ 2048, 11 }, { 4096, 12 }, { 8192, 13 }, { 16384, 14 }, { 32768, 15 }, { 65536, 16 },
};

unsigned int zframe_literal_code(uint32_t length)
{
	unsigned int code = 24;

	if (length < 16)
		return length;
	if (length >= 64)
		return lb_bits_high(length) + 19;
	while (zframe_literal_ranges[code].first > length)
		code--;
	return code;
}

unsigned int zframe_match_code(uint32_t length)
{
	unsigned int code = 42;

	if (length < 32)
		return length;
	if (length >= 128)
		return lb_bits_high(length) + 36;
	while (zframe_match_ranges[code].first > length)
		code--;
	return code;
}

int zframe_copy(struct zframe_in *in, struct zframe_out *out, size_t len)
{
	if (zframe_left(in) < len)
		return -LB_E_FORMAT;
	if (zframe_room(out) < len)
		return -LB_E_TOO_BIG;
	if (len)
		memcpy(out->at, in->at, len);
	in->at += len;
	out->at += len;
	return 0;
}

void zframe_forget(struct lb_zframe_work *w)
{
	w->huf.max_bits = 0;
	for (unsigned int i = 0; i < ZFRAME_TABLES; i++)
		w->fse[i].ready = false;
}

size_t zframe_header_bytes(const struct zframe_in *in)
{
	static const uint8_t size_bytes[4] = { 0, 2, 4, 8 };
	size_t len;
	uint8_t flags;

	if (!zframe_left(in))
		return 0;
	flags = *in->at;
	if (flags & (RESERVED | DICTIONARY))
		return 0;
	/* a window descriptor, or at least one byte of content size */
	len = 1u + size_bytes[flags >> 6] + (flags & SINGLE_SEGMENT ? !(flags >> 6) : 1);
	return len <= zframe_left(in) ? len : 0;
}

struct zframe_form zframe_literals_form(enum zframe_literals type, unsigned int size_format)
{
	static const struct zframe_form plain[4] = {
		{ 1, 5, 0 }, { 2, 12, 0 }, { 1, 5, 0 }, { 3, 20, 0 }
	};
	static const struct zframe_form coded[4] = {
		{ 3, 10, 1 }, { 3, 10, 4 }, { 4, 14, 4 }, { 5, 18, 4 }
	};

	return type < ZFRAME_LIT_HUF ? plain[size_format & 3] : coded[size_format & 3];
}

bool zframe_stream_share(uint32_t count, unsigned int streams, unsigned int number, uint32_t *ret)
{
	uint32_t share = (count + 3) / 4;

	if (streams == 1) {
		*ret = count;
		return count;
	}
	if (3 * share >= count)
		return false;
	*ret = number < 3 ? share : count - 3 * share;
	return true;
}
