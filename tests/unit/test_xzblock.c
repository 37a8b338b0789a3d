// SPDX-License-Identifier: GPL-2.0-or-later
/* Streams that xz made, with all kinds of settings, come back byte for byte; nothing else does harm. */
#define _GNU_SOURCE /* memmem */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "recode/xzblock.h"

#define CONTENT_MAX (1024 * 1024u)
#define ROOM (2 * CONTENT_MAX)
#define MAGIC_BYTES 4u /* that chunks end behind */
#define FILTERS_AT 4u /* of the parts: check, flags, header, length of filters */

struct scene {
	struct lb_xzblock_work *work;
	uint8_t *content, *stream, *parts, *again;
	size_t content_len, stream_len, parts_len;
	uint32_t random;
};

static int set_up(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	s->work = malloc(LB_XZBLOCK_WORK_BYTES(CONTENT_MAX));
	s->work->content_max = CONTENT_MAX;
	s->content = malloc(ROOM);
	s->stream = malloc(ROOM);
	s->parts = malloc(ROOM);
	s->again = malloc(ROOM);
	s->random = 1;
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	free(s->work);
	free(s->content);
	free(s->stream);
	free(s->parts);
	free(s->again);
	free(s);
	return 0;
}

static uint32_t any(struct scene *s, uint32_t below)
{
	s->random = s->random * 1664525u + 1013904223u;
	return (s->random >> 8) % below;
}

/* Something with words, records of like form, long repetitions and some noise in it. */
static void make_content(struct scene *s, size_t len)
{
	static const char *const words[] = { "block ", "of ", "the ", "image", ", ", "which\n", "was ", "\0\0\0\1" };
	size_t at = 0;

	while (at < len) {
		uint32_t kind = any(s, 40), count = kind ? 1 : 5 + any(s, 700);
		const char *word = words[kind % 8];

		for (; count && at < len; count--) {
			if (kind < 32)
				s->content[at] = (uint8_t)(word[0] ? word[at % strlen(word)] : word[at % 4]);
			else
				s->content[at] = (uint8_t)(kind < 36 ? any(s, 256) : 'a' + any(s, 4));
			at++;
			if (kind >= 8 && kind < 32 && any(s, 8))
				count++;
		}
	}
	s->content_len = len;
}

static void make_noise(struct scene *s, size_t from, size_t len)
{
	for (size_t i = from; i < from + len; i++)
		s->content[i] = (uint8_t)any(s, 256);
}

/* The content becomes a stream, by the tool xz with @options; its first bytes are not the codec's. */
static void compress(struct scene *s, const char *options)
{
	char path[] = "/tmp/test_xzblock.XXXXXX", command[256];
	int fd = mkstemp(path);
	FILE *f;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, s->content, s->content_len), s->content_len);
	close(fd);
	snprintf(command, sizeof(command), "xz -F xz -c %s <%s", options, path);
	f = popen(command, "r");
	assert_non_null(f);
	s->stream_len = fread(s->stream, 1, ROOM, f);
	assert_int_equal(pclose(f), 0);
	unlink(path);
	s->stream_len -= MAGIC_BYTES;
	memmove(s->stream, s->stream + MAGIC_BYTES, s->stream_len);
	assert_true(s->stream_len > 28 && s->stream_len < ROOM);
}

static int unpack(struct scene *s, size_t in_len, size_t room, size_t *ret_used)
{
	return lb_xzblock_unpack(s->stream, in_len, ret_used, s->parts, room, &s->parts_len, s->work);
}

/* Whatever is accepted must come back. */
static void assert_comes_back(struct scene *s, size_t stream_len)
{
	size_t used = 0, len = 0;

	memset(s->again, 0xa5, s->stream_len);
	assert_int_equal(lb_xzblock_pack(s->parts, s->parts_len, &used, s->again, ROOM, &len, s->work), 0);
	assert_int_equal(used, s->parts_len);
	assert_int_equal(len, stream_len);
	assert_memory_equal(s->again, s->stream, len);
}

static void assert_round_trip(struct scene *s, const char *options)
{
	size_t used = 0;

	compress(s, options);
	if (unpack(s, s->stream_len, ROOM, &used))
		fail_msg("xz %s: not understood", options);
	assert_int_equal(used, s->stream_len);
	assert_comes_back(s, s->stream_len);
}

/* Behind the list of chunks: parts_len if it is not there. */
static size_t content_at(const struct scene *s)
{
	for (size_t at = FILTERS_AT; at + s->content_len <= s->parts_len; at++) {
		if (!memcmp(s->parts + at, s->content, s->content_len))
			return at;
	}
	return s->parts_len;
}

static void every_preset_comes_back(void **state)
{
	static const char *const options[] = {
		"-0", "-1", "-3", "-6", "-9e", "-6 -T2 --block-size=1048576", "--check=none", "--check=crc32",
		"--check=sha256", "--lzma2=preset=6,lc=0,lp=2,pb=0", "--lzma2=preset=6,lc=4,lp=0,pb=4",
		"--lzma2=preset=6,lc=1,lp=3,pb=1", "--lzma2=preset=9,nice=273,mf=bt2", "--lzma2=dict=4KiB,mode=fast,mf=hc3",
	};
	static const size_t sizes[] = { 1, 2, 3, 100, 5000, 131072, 400000 };
	struct scene *s = *state;

	for (size_t i = 0; i < LB_ARRAY_LEN(options); i++) {
		for (size_t n = 0; n < LB_ARRAY_LEN(sizes); n++) {
			make_content(s, sizes[n]);
			assert_round_trip(s, options[i]);
			assert_true(content_at(s) < 64);
		}
	}
}

/* How much of @p is found somewhere in @old, in pieces of 16 bytes; in percent. */
static unsigned found_in(const uint8_t *old, size_t old_len, const uint8_t *p, size_t len)
{
	unsigned pieces = 0, found = 0;

	for (size_t at = 0; at + 16 <= len; at += 16, pieces++)
		found += memmem(old, old_len, p + at, 16) != NULL;
	return 100 * found / pieces;
}

/* The point of it all: one byte more in front changes a stream, and hardly the tokens. */
static void a_change_stays_small(void **state)
{
	uint8_t stream[40000], tokens[40000];
	struct scene *s = *state;
	size_t at, stream_len, tokens_len;

	make_content(s, 100000);
	assert_round_trip(s, "-6");
	at = content_at(s) + s->content_len;
	stream_len = s->stream_len;
	tokens_len = s->parts_len - at;
	assert_true(stream_len <= sizeof(stream) && tokens_len <= sizeof(tokens));
	memcpy(stream, s->stream, stream_len);
	memcpy(tokens, s->parts + at, tokens_len);

	memmove(s->content + 1001, s->content + 1000, s->content_len - 1000);
	s->content_len++;
	assert_round_trip(s, "-6");
	at = content_at(s) + s->content_len;
	assert_true(found_in(stream, stream_len, s->stream, s->stream_len) < 10);
	assert_true(found_in(tokens, tokens_len, s->parts + at, s->parts_len - at) > 40);
}

/* Content that LZMA2 keeps as it is, alone and among other; more than one chunk. */
static void noise_comes_back(void **state)
{
	struct scene *s = *state;

	make_content(s, 700000);
	make_noise(s, 0, 300);
	make_noise(s, 150000, 250000);
	assert_round_trip(s, "-6");
	s->content_len = 300;
	assert_round_trip(s, "-6");
	assert_int_equal(s->parts[FILTERS_AT + s->parts[3]], 1); /* a chunk as it is, the first */
	make_noise(s, 0, 100000);
	s->content_len = 100000;
	assert_round_trip(s, "-0");
}

/* A branch filter: what LZMA2 has is not the content, and the check is not its check. */
static void filtered_content_comes_back(void **state)
{
	struct scene *s = *state;

	make_content(s, 60000);
	for (size_t i = 0; i < s->content_len; i += 16)
		memcpy(s->content + i, "\xe8\x10\x20\0\0", 5);
	assert_round_trip(s, "--check=crc32 --x86 --lzma2=preset=6");
	assert_int_equal(content_at(s), s->parts_len);
	assert_round_trip(s, "--check=crc32 --delta=dist=4 --lzma2=preset=6");
}

static void what_follows_is_left_alone(void **state)
{
	struct scene *s = *state;
	size_t used = 0;

	make_content(s, 5000);
	compress(s, "-6");
	memset(s->stream + s->stream_len, 0xfd, 100);
	assert_int_equal(unpack(s, s->stream_len + 100, ROOM, &used), 0);
	assert_int_equal(used, s->stream_len);
}

static void a_part_of_a_stream_is_refused(void **state)
{
	struct scene *s = *state;
	size_t used = 77;

	make_content(s, 900);
	compress(s, "-6 --check=crc32");
	for (size_t len = 0; len < s->stream_len; len++) {
		uint8_t *exact = malloc(len ? len : 1);

		memcpy(exact, s->stream, len);
		assert_int_equal(lb_xzblock_unpack(exact, len, &used, s->parts, ROOM, &s->parts_len, s->work),
				 -LB_E_FORMAT);
		assert_int_equal(used, 77);
		free(exact);
	}
}

static void a_changed_stream_is_refused_or_comes_back(void **state)
{
	struct scene *s = *state;
	size_t used, accepted = 0;

	make_content(s, 1200);
	compress(s, "-6 --check=crc32");
	for (size_t bit = 0; bit < 8 * s->stream_len; bit++) {
		s->stream[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (!unpack(s, s->stream_len, ROOM, &used)) {
			accepted++;
			assert_comes_back(s, used);
		}
		s->stream[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_true(accepted >= 32); /* the check is kept as it is */
}

static void changed_parts_do_no_harm(void **state)
{
	struct scene *s = *state;
	size_t used, len, accepted = 0;

	make_content(s, 1200);
	assert_round_trip(s, "-6 --check=crc32");
	for (size_t bit = 0; bit < 8 * s->parts_len; bit++) {
		uint8_t *exact = malloc(s->parts_len);

		memcpy(exact, s->parts, s->parts_len);
		exact[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (!lb_xzblock_pack(exact, s->parts_len, &used, s->again, ROOM, &len, s->work)) {
			size_t back_used = 0, back_len = 0;
			uint8_t *back = malloc(ROOM);

			accepted++;
			assert_int_equal(lb_xzblock_unpack(s->again, len, &back_used, back, ROOM, &back_len, s->work), 0);
			assert_int_equal(back_used, len);
			free(back);
		}
		free(exact);
	}
	assert_true(accepted > 0);
}

static void shortened_parts_are_refused(void **state)
{
	struct scene *s = *state;
	size_t used = 77, len = 78;

	make_content(s, 900);
	assert_round_trip(s, "-6 --check=crc32");
	for (size_t n = 0; n < s->parts_len; n++) {
		uint8_t *exact = malloc(n ? n : 1);

		memcpy(exact, s->parts, n);
		assert_int_equal(lb_xzblock_pack(exact, n, &used, s->again, ROOM, &len, s->work), -LB_E_FORMAT);
		assert_true(used == 77 && len == 78);
		free(exact);
	}
}

static void too_little_room_is_reported(void **state)
{
	struct scene *s = *state;
	size_t used = 0, len = 0, parts_len;
	uint8_t *exact;

	make_content(s, 900);
	assert_round_trip(s, "-6 --check=crc32");
	parts_len = s->parts_len;
	for (size_t room = 0; room <= parts_len; room++) {
		exact = malloc(room ? room : 1);
		assert_int_equal(lb_xzblock_unpack(s->stream, s->stream_len, &used, exact, room, &len, s->work),
				 room < parts_len ? -LB_E_TOO_BIG : 0);
		free(exact);
	}
	for (size_t room = 0; room <= s->stream_len; room++) {
		exact = malloc(room ? room : 1);
		assert_int_equal(lb_xzblock_pack(s->parts, parts_len, &used, exact, room, &len, s->work),
				 room < s->stream_len ? -LB_E_TOO_BIG : 0);
		free(exact);
	}
}

static void too_long_content_is_reported(void **state)
{
	struct scene *s = *state;
	struct lb_xzblock_work *small = malloc(LB_XZBLOCK_WORK_BYTES(5000));
	size_t used, len;

	for (uint32_t max = 4999; max <= 5000; max++) {
		make_content(s, 5000);
		assert_round_trip(s, "-6");
		small->content_max = max;
		assert_int_equal(lb_xzblock_unpack(s->stream, s->stream_len, &used, s->again, ROOM, &len, small),
				 max < 5000 ? -LB_E_FORMAT : 0);
		assert_int_equal(lb_xzblock_pack(s->parts, s->parts_len, &used, s->again, ROOM, &len, small),
				 max < 5000 ? -LB_E_FORMAT : 0);
	}
	free(small);
}

static void other_streams_are_refused(void **state)
{
	struct scene *s = *state;
	size_t used;

	make_content(s, 5000);
	compress(s, "-6 -T2 --block-size=2000"); /* three blocks */
	assert_int_equal(unpack(s, s->stream_len, ROOM, &used), -LB_E_FORMAT);
	assert_int_equal(unpack(s, 0, ROOM, &used), -LB_E_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_preset_comes_back),
		cmocka_unit_test(a_change_stays_small),
		cmocka_unit_test(noise_comes_back),
		cmocka_unit_test(filtered_content_comes_back),
		cmocka_unit_test(what_follows_is_left_alone),
		cmocka_unit_test(a_part_of_a_stream_is_refused),
		cmocka_unit_test(a_changed_stream_is_refused_or_comes_back),
		cmocka_unit_test(changed_parts_do_no_harm),
		cmocka_unit_test(shortened_parts_are_refused),
		cmocka_unit_test(too_little_room_is_reported),
		cmocka_unit_test(too_long_content_is_reported),
		cmocka_unit_test(other_streams_are_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
