// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mode 0: a zstd frame behind its magic number; mode 1: symbols of one. What one direction accepts, the other one
 * turns back into the same bytes; with too little room it says so and keeps inside.
 */
#include "base/error.h"
#include "fuzz.h"
#include "recode/zframe.h"

#define SYMBOLS_MAX (256u * 1024u)

typedef int recode(const uint8_t *in, size_t in_len, size_t *ret_used, uint8_t *out, size_t room,
		   size_t *ret_len, struct lb_zframe_work *work);

struct result {
	uint8_t *bytes; /* owned; NULL: refused */
	size_t used, len;
};

/* In an allocation of exactly @room bytes. */
static struct result run(recode *f, const uint8_t *in, size_t in_len, size_t room, int *ret_rc)
{
	struct lb_zframe_work *work = malloc(sizeof(*work));
	struct result r = { .bytes = malloc(room ? room : 1), .used = 12345, .len = 54321 };

	CHECK(work && r.bytes);
	memset(work, 0xa5, sizeof(*work)); /* nothing in it needs a value */
	*ret_rc = f(in, in_len, &r.used, r.bytes, room, &r.len, work);
	free(work);
	if (!*ret_rc) {
		CHECK(r.used <= in_len && r.len <= room);
		return r;
	}
	CHECK(*ret_rc == -LB_E_FORMAT || *ret_rc == -LB_E_TOO_BIG);
	CHECK(r.used == 12345 && r.len == 54321);
	free(r.bytes);
	return (struct result){ 0 };
}

static void check_less_room(recode *f, const uint8_t *in, size_t in_len, size_t room)
{
	int rc;
	struct result r = run(f, in, in_len, room, &rc);

	CHECK(!r.bytes && rc == -LB_E_TOO_BIG);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t mode = fuzz_take_mode(data, &size);
	recode *there = mode & 1 ? lb_zframe_pack : lb_zframe_unpack;
	recode *back = mode & 1 ? lb_zframe_unpack : lb_zframe_pack;
	uint8_t *exact = fuzz_exact(data, size);
	struct result first, second;
	int rc;

	first = run(there, exact, size, SYMBOLS_MAX, &rc);
	if (first.bytes) {
		/* unpack may leave its last bytes unused */
		second = run(back, first.bytes, first.len, first.used + (mode & 1 ? 16 : 0), &rc);
		CHECK(second.bytes && second.used == first.len && second.len == first.used);
		CHECK(!memcmp(second.bytes, exact, first.used));
		free(second.bytes);
		check_less_room(there, exact, size, first.len - 1);
		check_less_room(there, exact, size, first.len / 2);
		check_less_room(there, exact, size, size * 7919 % first.len);
		free(first.bytes);
	}
	free(exact);
	return 0;
}
