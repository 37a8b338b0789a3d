// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * zstd frames as symbols: libzstd makes the frames, and the symbols are carried out here,
 * as RFC 8878 says, to see that they stand for the content.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zstd.h>

#include "base/bytes.h"
#include "recode/zframe_internal.h"

#define CONTENT (200u * LB_KIB)
#define ROOM(n) (3 * (n) + 4096)

#define MAGIC_BYTES 4u /* that a frame begins with, and the codec behind */

static struct lb_zframe_work work;

/* ---- content ---- */

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 16;
}

static void fill_noise(uint8_t *p, size_t len, uint32_t seed)
{
	while (len--)
		*p++ = (uint8_t)next_random(&seed);
}

/* Words that come again, with an unequal choice of letters. */
static void fill_words(uint8_t *p, size_t len, uint32_t seed)
{
	uint8_t word[64][16], size[64];
	size_t at = 0;

	for (int i = 0; i < 64; i++) {
		size[i] = (uint8_t)(2 + next_random(&seed) % 13);
		for (int k = 0; k < size[i]; k++)
			word[i][k] = (uint8_t)('a' + next_random(&seed) % (1 + next_random(&seed) % 26));
	}
	while (at < len) {
		uint32_t i = next_random(&seed) % (1 + next_random(&seed) % 64);

		for (int k = 0; k < size[i] && at < len; k++)
			p[at++] = word[i][k];
		if (at < len)
			p[at++] = next_random(&seed) % 20 ? ' ' : (uint8_t)next_random(&seed);
	}
}

/* Records of a program: little changes in a pattern. */
static void fill_records(uint8_t *p, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; i++)
		p[i] = i % 16 < 5 ? (uint8_t)next_random(&seed) : (uint8_t)(i / 512 + i % 16);
}

/* No string comes twice, but some letters more often than others. */
static void fill_letters(uint8_t *p, size_t len, uint32_t seed)
{
	while (len--) {
		uint32_t v = next_random(&seed);

		*p++ = (uint8_t)(v & 1 ? 'e' : v & 2 ? 'a' + (v >> 2) % 4 : (v >> 2) % 200);
	}
}

static void fill_zeros(uint8_t *p, size_t len, uint32_t seed)
{
	(void)seed;
	memset(p, 0, len);
}

typedef void fill(uint8_t *p, size_t len, uint32_t seed);
static fill *const fills[] = { fill_noise, fill_words, fill_records, fill_letters, fill_zeros };

struct frame {
	uint8_t *bytes, *symbols; /* owned */
	size_t len, symbols_len;
};

/* ---- symbols, carried out ---- */

struct player {
	const uint8_t *p;
	uint8_t *out;
	size_t len;
	uint32_t repeat[3];
};

static uint32_t play_length(struct player *s)
{
	uint32_t v = *s->p++;

	if (v == 255) {
		v = lb_get_le16(s->p) | (uint32_t)s->p[2] << 16;
		s->p += 3;
	}
	return v;
}

static uint32_t play_offset(struct player *s)
{
	uint32_t v = *s->p++;

	if (v < 4)
		return v;
	if (v < 0x83)
		v = v - 4;
	else if (v < 0xff)
		v = (v - 0x83) << 8 | *s->p++;
	else
		for (int i = v = 0; i < 3; i++)
			v = v << 8 | *s->p++;
	return v << 8 | *s->p++;
}

/* RFC 8878, section 3.1.1.5 */
static uint32_t play_distance(struct player *s, uint32_t value, uint32_t literals)
{
	uint32_t which, d;

	if (value > 3) {
		which = 3;
		d = value - 3;
	} else {
		which = value - 1 + !literals;
		d = which < 3 ? s->repeat[which] : s->repeat[0] - 1;
	}
	for (which = which > 2 ? 2 : which; which; which--)
		s->repeat[which] = s->repeat[which - 1];
	s->repeat[0] = d;
	return d;
}

static void play_literals(struct player *s, uint32_t n)
{
	memcpy(s->out + s->len, s->p, n);
	s->p += n;
	s->len += n;
}

/* From the first record to behind the last literals. */
static void play_records(struct player *s, bool sequences)
{
	uint32_t value, match, literals;

	for (;;) {
		literals = play_length(s);
		play_literals(s, literals);
		value = sequences ? play_offset(s) : 0;
		if (!value)
			return;
		match = play_length(s) + 3;
		value = play_distance(s, value, literals);
		assert_in_range(value, 1, s->len);
		for (; match--; s->len++)
			s->out[s->len] = s->out[s->len - value];
	}
}

/* Only how long descriptions of tables are is left to the codec. */
static void play_tables(struct zframe_in *in, uint8_t first)
{
	uint8_t modes;

	if ((first >> 3 & 3) == 2)
		assert_int_equal(zframe_huf_read(&work, in), 0);
	if (!(first & 0x80))
		return;
	modes = *in->at++;
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(zframe_fse_read(&work, i, modes >> (6 - 2 * i) & 3, in), 0);
}

static void play_plain(struct player *s, bool rle)
{
	uint32_t n = lb_get_le16(s->p) | (uint32_t)s->p[2] << 16;

	s->p += 3;
	if (!rle) {
		play_literals(s, n);
		return;
	}
	memset(s->out + s->len, *s->p++, n);
	s->len += n;
}

static void assert_stands_for(const struct frame *f, const uint8_t *content, size_t len)
{
	struct zframe_in in = { f->symbols, f->symbols + f->symbols_len };
	struct player s = { .p = in.at, .out = malloc(len + 1), .repeat = { 1, 4, 8 } };
	uint8_t flags = *s.p, first;

	zframe_forget(&work);
	s.p += zframe_header_bytes(&in);
	do {
		first = *s.p++;
		if ((first & 3) < 2) {
			play_plain(&s, first & 1);
			continue;
		}
		in.at = s.p;
		play_tables(&in, first);
		s.p = in.at;
		play_records(&s, first & 0x80);
	} while (!(first & 4));
	s.p += flags & 4; /* the checksum has as many bytes */
	assert_ptr_equal(s.p, in.end);
	assert_int_equal(s.len, len);
	assert_memory_equal(s.out, content, len);
	free(s.out);
}

/* ---- there and back ---- */

static void frame_free(struct frame *f)
{
	free(f->bytes);
	free(f->symbols);
}

static void assert_comes_back(const struct frame *f)
{
	uint8_t *again = malloc(f->len);
	size_t used, len;

	assert_int_equal(lb_zframe_pack(f->symbols, f->symbols_len, &used, again, f->len, &len, &work), 0);
	assert_int_equal(used, f->symbols_len);
	assert_int_equal(len, f->len);
	assert_memory_equal(again, f->bytes, len);
	free(again);
}

static struct frame make_frame(ZSTD_CCtx *cctx, const uint8_t *content, size_t len)
{
	size_t room = ROOM(len), used;
	struct frame f = { .bytes = malloc(room), .symbols = malloc(room) };

	f.len = ZSTD_compress2(cctx, f.bytes, room, content, len);
	assert_false(ZSTD_isError(f.len));
	f.len -= MAGIC_BYTES;
	memmove(f.bytes, f.bytes + MAGIC_BYTES, f.len);
	memset(&work, 0xa5, sizeof(work)); /* nothing in it needs a value */
	assert_int_equal(lb_zframe_unpack(f.bytes, f.len, &used, f.symbols, room, &f.symbols_len, &work), 0);
	assert_int_equal(used, f.len);
	assert_comes_back(&f);
	assert_stands_for(&f, content, len);
	return f;
}

static struct frame frame_of(fill *with, size_t len, int level)
{
	uint8_t *content = malloc(len + 1);
	ZSTD_CCtx *cctx = ZSTD_createCCtx();
	struct frame f;

	with(content, len, 7);
	ZSTD_CCtx_setParameter(cctx, ZSTD_c_compressionLevel, level);
	f = make_frame(cctx, content, len);
	ZSTD_freeCCtx(cctx);
	free(content);
	return f;
}

/* Bytes as `zstd -19 --no-check` of version 1.5.4 writes them; symbols worked out by hand. */
static void a_known_frame_has_known_symbols(void **state)
{
	static const uint8_t plain[] = { 0x20, 0x03, 0x19, 0x00, 0x00, 'a', 'b', 'c' };
	static const uint8_t plain_symbols[] = { 0x20, 0x03, 0x04, 3, 0, 0, 'a', 'b', 'c' };
	static const uint8_t coded[] = { 0x20, 0x40, 0x45, 0x00, 0x00,
					 0x10, 'x', 'y', 0x01, 0x00, 0x4b, 0x72, 0x58 };
	static const uint8_t coded_symbols[] = { 0x20, 0x40, 0x86, 0x00, 2, 'x', 'y', 4, 5, 62 - 3, 0, 0 };
	uint8_t out[64];
	size_t used, len;

	(void)state;
	assert_int_equal(lb_zframe_unpack(plain, sizeof(plain), &used, out, sizeof(out), &len, &work), 0);
	assert_int_equal(len, sizeof(plain_symbols));
	assert_memory_equal(out, plain_symbols, len);
	assert_int_equal(lb_zframe_unpack(coded, sizeof(coded), &used, out, sizeof(out), &len, &work), 0);
	assert_int_equal(used, sizeof(coded));
	assert_int_equal(len, sizeof(coded_symbols));
	assert_memory_equal(out, coded_symbols, len);
}

/* ---- frames of all kinds ---- */

static void every_level_comes_back(void **state)
{
	static const size_t sizes[] = { 0, 1, 100, 3000, 20000, CONTENT };
	struct frame f;

	(void)state;
	for (int level = -5; level <= 22; level++)
		for (size_t k = 0; k < LB_ARRAY_LEN(fills); k++)
			for (size_t i = 0; i < LB_ARRAY_LEN(sizes); i++) {
				f = frame_of(fills[k], sizes[i], level);
				frame_free(&f);
			}
}

static void parameters_come_back(void **state)
{
	static const struct {
		ZSTD_cParameter what;
		int value;
	} tries[] = {
		{ ZSTD_c_checksumFlag, 1 }, { ZSTD_c_contentSizeFlag, 0 }, { ZSTD_c_windowLog, 12 },
		{ ZSTD_c_minMatch, 3 },	    { ZSTD_c_strategy, ZSTD_btultra2 },
		{ ZSTD_c_strategy, ZSTD_fast }, { ZSTD_c_enableLongDistanceMatching, 1 },
	};
	uint8_t *content = malloc(CONTENT);
	struct frame f;

	(void)state;
	fill_words(content, CONTENT / 2, 1);
	fill_records(content + CONTENT / 2, CONTENT / 2, 2);
	for (size_t i = 0; i < LB_ARRAY_LEN(tries); i++) {
		ZSTD_CCtx *cctx = ZSTD_createCCtx();

		assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(cctx, tries[i].what, tries[i].value)));
		f = make_frame(cctx, content, CONTENT);
		frame_free(&f);
		ZSTD_freeCCtx(cctx);
	}
	free(content);
}

/* A match from further away than three bytes say. */
static void far_offsets_come_back(void **state)
{
	size_t len = 10u * LB_MIB;
	uint8_t *content = malloc(len);
	ZSTD_CCtx *cctx = ZSTD_createCCtx();
	struct frame f;

	(void)state;
	fill_noise(content, len, 3);
	memcpy(content + len - 5000, content + 100, 5000);
	ZSTD_CCtx_setParameter(cctx, ZSTD_c_compressionLevel, 1);
	ZSTD_CCtx_setParameter(cctx, ZSTD_c_windowLog, 24);
	ZSTD_CCtx_setParameter(cctx, ZSTD_c_enableLongDistanceMatching, 1);
	f = make_frame(cctx, content, len);
	assert_true(f.len < len - 4000);
	frame_free(&f);
	ZSTD_freeCCtx(cctx);
	free(content);
}

/* 255 and more: lengths with three more bytes. */
static void long_lengths_come_back(void **state)
{
	uint8_t *content = malloc(CONTENT);
	ZSTD_CCtx *cctx = ZSTD_createCCtx();
	struct frame f;

	(void)state;
	fill_noise(content, CONTENT, 4);
	for (size_t at = 100; at + 70000 < CONTENT; at += 70000)
		memset(content + at, 'x', at < 200000 ? 300 : 66500);
	f = make_frame(cctx, content, CONTENT);
	frame_free(&f);
	ZSTD_freeCCtx(cctx);
	free(content);
}

/* @count times one literal and a match of 3: tables of one code, so none takes any bits. */
static size_t put_sequences(uint8_t *p, uint32_t count)
{
	/* no content size; the last block; literals all the same; codes 1, 0 and 0 */
	static const uint8_t head[] = { 0x00, 0x58, 0xee, 0x54, 1, 0, 0 };
	static const uint8_t record[] = { 1, 'x', 1, 0 };
	size_t at = sizeof(head);

	memcpy(p, head, at);
	for (; count--; at += sizeof(record))
		memcpy(p + at, record, sizeof(record));
	p[at++] = 0;
	p[at++] = 0;
	return at;
}

/* The count takes 1 to 3 bytes: libzstd reads what was packed. */
static void counts_of_sequences_are_understood(void **state)
{
	static const uint32_t counts[] = { 1, 127, 128, 255, 256, 0x7eff, 0x7f00, 0x7f01, 32767 };
	size_t room = 4 * LB_ZFRAME_SEQUENCES_MAX + 100, used, len;
	uint8_t *symbols = malloc(room), *out = malloc(room), whole[100] = { 0x28, 0xb5, 0x2f, 0xfd };
	uint8_t *frame = whole + MAGIC_BYTES;

	(void)state;
	for (size_t i = 0; i < LB_ARRAY_LEN(counts); i++) {
		size_t symbols_len = put_sequences(symbols, counts[i]);

		assert_int_equal(lb_zframe_pack(symbols, symbols_len, &used, frame, sizeof(whole) - MAGIC_BYTES, &len, &work), 0);
		assert_int_equal(ZSTD_decompress(out, room, whole, MAGIC_BYTES + len), 4 * counts[i]);
		for (uint32_t k = 0; k < 4 * counts[i]; k++)
			assert_int_equal(out[k], 'x');
		assert_int_equal(lb_zframe_unpack(frame, len, &used, out, room, &used, &work), 0);
		assert_int_equal(used, symbols_len);
		assert_memory_equal(out, symbols, used);
	}
	used = put_sequences(symbols, LB_ZFRAME_SEQUENCES_MAX + 1);
	assert_int_equal(lb_zframe_pack(symbols, used, &used, frame, sizeof(whole) - MAGIC_BYTES, &len, &work), -LB_E_FORMAT);
	free(symbols);
	free(out);
}

static void what_follows_is_not_looked_at(void **state)
{
	struct frame f = frame_of(fill_words, 5000, 9);
	uint8_t *both = malloc(2 * f.len), *symbols = malloc(2 * f.symbols_len), out[8192];
	size_t used, len;

	(void)state;
	memcpy(both, f.bytes, f.len);
	memset(both + f.len, 0xff, f.len);
	assert_int_equal(lb_zframe_unpack(both, 2 * f.len, &used, out, sizeof(out), &len, &work), 0);
	assert_int_equal(used, f.len);
	memcpy(symbols, f.symbols, f.symbols_len);
	memset(symbols + f.symbols_len, 0xff, f.symbols_len);
	assert_int_equal(lb_zframe_pack(symbols, 2 * f.symbols_len, &used, out, sizeof(out), &len, &work), 0);
	assert_int_equal(used, f.symbols_len);
	assert_int_equal(len, f.len);
	free(both);
	free(symbols);
	frame_free(&f);
}

/* ---- hostile input ---- */

typedef int recode(const uint8_t *in, size_t in_len, size_t *ret_used, uint8_t *out, size_t room,
		   size_t *ret_len, struct lb_zframe_work *w);

/* Allocations of exactly these lengths: a sanitizer sees one byte too many. */
static int run_exact(recode *f, const uint8_t *in, size_t in_len, size_t room)
{
	uint8_t *from = malloc(in_len ? in_len : 1), *to = malloc(room ? room : 1);
	size_t used = 1234, len = 4321;
	int rc;

	memcpy(from, in, in_len);
	rc = f(from, in_len, &used, to, room, &len, &work);
	if (rc)
		assert_true(used == 1234 && len == 4321);
	free(from);
	free(to);
	return rc;
}

static void a_part_is_refused(void **state)
{
	struct frame f = frame_of(fill_words, 3000, 19);

	(void)state;
	for (size_t n = 0; n < f.len; n++)
		assert_int_equal(run_exact(lb_zframe_unpack, f.bytes, n, 8192), -LB_E_FORMAT);
	for (size_t n = 0; n < f.symbols_len; n++)
		assert_int_equal(run_exact(lb_zframe_pack, f.symbols, n, 8192), -LB_E_FORMAT);
	frame_free(&f);
}

static void too_little_room_is_said(void **state)
{
	struct frame f = frame_of(fill_words, 3000, 19);

	(void)state;
	for (size_t n = 0; n < f.symbols_len; n++)
		assert_int_equal(run_exact(lb_zframe_unpack, f.bytes, f.len, n), -LB_E_TOO_BIG);
	assert_int_equal(run_exact(lb_zframe_unpack, f.bytes, f.len, f.symbols_len + 16), 0);
	for (size_t n = 0; n < f.len; n++)
		assert_int_equal(run_exact(lb_zframe_pack, f.symbols, f.symbols_len, n), -LB_E_TOO_BIG);
	frame_free(&f);
}

/* What one direction still accepts, the other one turns back into just that. */
static void assert_refused_or_same(recode *there, recode *back, const uint8_t *in, size_t in_len)
{
	static uint8_t out[64 * LB_KIB], again[64 * LB_KIB];
	size_t used, len, used_again, len_again;
	int rc = there(in, in_len, &used, out, sizeof(out), &len, &work);

	if (rc) {
		assert_true(rc == -LB_E_FORMAT || rc == -LB_E_TOO_BIG);
		return;
	}
	assert_int_equal(back(out, len, &used_again, again, sizeof(again), &len_again, &work), 0);
	assert_int_equal(used_again, len);
	assert_int_equal(len_again, used);
	assert_memory_equal(again, in, used);
}

static void a_changed_byte_is_refused_or_kept(void **state)
{
	static const int levels[] = { 1, 7, 19 };

	(void)state;
	for (size_t i = 0; i < LB_ARRAY_LEN(levels); i++) {
		struct frame f = frame_of(fill_words, 2000, levels[i]);

		for (size_t at = 0; at < f.len; at++)
			for (int bit = 0; bit < 8; bit++) {
				f.bytes[at] ^= (uint8_t)(1 << bit);
				assert_refused_or_same(lb_zframe_unpack, lb_zframe_pack, f.bytes, f.len);
				f.bytes[at] ^= (uint8_t)(1 << bit);
			}
		for (size_t at = 0; at < f.symbols_len; at++)
			for (int bit = 0; bit < 8; bit++) {
				f.symbols[at] ^= (uint8_t)(1 << bit);
				assert_refused_or_same(lb_zframe_pack, lb_zframe_unpack, f.symbols,
						       f.symbols_len);
				f.symbols[at] ^= (uint8_t)(1 << bit);
			}
		frame_free(&f);
	}
}

/* The frame of above with its one sequence counted in two bytes. */
static void a_longer_form_than_needed_is_refused(void **state)
{
	static const uint8_t frame[] = { 0x20, 0x40, 0x4d, 0x00, 0x00, 0x10,
					 'x', 'y', 0x80, 0x01, 0x00, 0x4b, 0x72, 0x58 };
	static const uint8_t symbols[] = { 0x20, 0x40, 0x86, 0x00, 2, 'x', 'y', 4, 5, 0xff, 62 - 3, 0, 0, 0, 0 };

	(void)state;
	assert_int_equal(run_exact(lb_zframe_unpack, frame, sizeof(frame), 100), -LB_E_FORMAT);
	assert_int_equal(run_exact(lb_zframe_pack, symbols, sizeof(symbols), 100), -LB_E_FORMAT);
}

static void a_dictionary_is_refused(void **state)
{
	/* like "abc" of above, with an identifier of one byte */
	static const uint8_t named[] = { 0x21, 0x05, 0x03, 0x19, 0, 0, 'a', 'b', 'c' };

	(void)state;
	assert_int_equal(run_exact(lb_zframe_unpack, named, sizeof(named), 100), -LB_E_FORMAT);
	assert_int_equal(run_exact(lb_zframe_pack, named, sizeof(named), 100), -LB_E_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_known_frame_has_known_symbols),
		cmocka_unit_test(every_level_comes_back),
		cmocka_unit_test(parameters_come_back),
		cmocka_unit_test(far_offsets_come_back),
		cmocka_unit_test(long_lengths_come_back),
		cmocka_unit_test(counts_of_sequences_are_understood),
		cmocka_unit_test(what_follows_is_not_looked_at),
		cmocka_unit_test(a_part_is_refused),
		cmocka_unit_test(too_little_room_is_said),
		cmocka_unit_test(a_changed_byte_is_refused_or_kept),
		cmocka_unit_test(a_longer_form_than_needed_is_refused),
		cmocka_unit_test(a_dictionary_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
