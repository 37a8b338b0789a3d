// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes to symbols and back, exactly; mode 1: any bytes as symbols, with two bytes of what
 * they are to become in front.
 */
#include "fuzz.h"
#include "recode/recode.h"

#define ROOM_FACTOR 16u
#define SIZE_MAX_TRIED 65536u

static union lb_recode_work work;

/* With less room than @need it says so, or where it is enough, the same. */
static void with_less(const uint8_t *data, size_t size, size_t need)
{
	for (size_t less = need; less; less /= 2) {
		uint8_t *out = malloc(less);
		size_t n;

		CHECK(out);
		CHECK(lb_recode_unpack(data, size, out, less - 1, &n, &work) == -LB_E_TOO_BIG);
		free(out);
	}
}

/* Blocks begin where the bytes begin, or behind a magic number. */
static void look_at_pieces(const uint8_t *data, size_t size, uint8_t *out, size_t room)
{
	struct lb_recode_cursor cursor = { 0 };

	while (cursor.at < size) {
		size_t from = cursor.at, block;
		struct lb_recode_piece p;
		uint32_t last = 0;

		CHECK(!lb_recode_next(data, size, &cursor, out, room, &p, &work));
		CHECK(cursor.at == from + p.plain + p.block && cursor.at <= size && cursor.at > from);
		block = from + p.plain;
		for (size_t i = 4; i && block >= 4; i--)
			last = last << 8 | data[block - i];
		CHECK(!p.block || !block || lb_recode_is_magic(last));
	}
}

static void there_and_back(const uint8_t *data, size_t size)
{
	size_t room = size * ROOM_FACTOR + 4096, n = 0;
	uint8_t *symbols = malloc(room), *again = malloc(room), *back = malloc(size + 1);
	int rc;

	CHECK(symbols && again && back);
	rc = lb_recode_unpack(data, size, symbols, room, &n, &work);
	CHECK(!rc || rc == -LB_E_TOO_BIG);
	if (!rc) {
		size_t m = 0;

		memset(&work, 0xa5, 4096); /* what it held before does not matter */
		CHECK(!lb_recode_unpack(data, size, again, room, &m, &work) && m == n);
		CHECK(!memcmp(symbols, again, n));
		CHECK(!lb_recode_pack(symbols, n, back, size, &work) && !memcmp(back, data, size));
		with_less(data, size, n);
		look_at_pieces(data, size, again, room);
	}
	free(symbols);
	free(again);
	free(back);
}

static void from_anything(const uint8_t *data, size_t size)
{
	size_t len;
	uint8_t *out;
	int rc;

	if (size < 2)
		return;
	len = (size_t)(data[0] | data[1] << 8);
	out = malloc(len ? len : 1);
	CHECK(out);
	rc = lb_recode_pack(data + 2, size - 2, out, len, &work);
	CHECK(!rc || rc == -LB_E_FORMAT);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t mode = fuzz_take_mode(data, &size), *bytes;

	if (size > SIZE_MAX_TRIED)
		return 0;
	bytes = fuzz_exact(data, size);
	if (mode & 1)
		from_anything(bytes, size);
	else
		there_and_back(bytes, size);
	free(bytes);
	return 0;
}
