// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each case twice: by mbedTLS alone, and by the processor's own instructions where there are
 * any. Expected values: FIPS 180-2, appendix B; Python's hashlib.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/sha256.h"

#define PATTERN_BYTES 1300u
#define PAIR_BYTES 201u

lb_sha256_blocks *__real_lb_sha256_hardware(void);
lb_sha256_blocks *__wrap_lb_sha256_hardware(void);

static bool hidden; /* the processor's instructions */

/* Stands in front of the real one: tests.mk. */
lb_sha256_blocks *__wrap_lb_sha256_hardware(void)
{
	return hidden ? NULL : __real_lb_sha256_hardware();
}

static void start(struct lb_sha256 *h, bool hardware)
{
	hidden = !hardware;
	lb_sha256_start(h);
	hidden = false;
	assert_ptr_equal(h->blocks, hardware ? lb_sha256_hardware() : NULL);
}

static void expect(struct lb_sha256 *h, const char *hex)
{
	uint8_t digest[LB_SHA256_BYTES], expected[LB_SHA256_BYTES];

	for (size_t i = 0; i < sizeof(expected); i++) {
		unsigned int byte;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		expected[i] = (uint8_t)byte;
	}
	lb_sha256_finish(h, digest);
	assert_memory_equal(digest, expected, sizeof(digest));
}

static void published_vectors(bool hardware)
{
	static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	static char a[1000];
	struct lb_sha256 h;

	start(&h, hardware);
	expect(&h, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	start(&h, hardware);
	lb_sha256_update(&h, "abc", 3);
	expect(&h, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	start(&h, hardware);
	lb_sha256_update(&h, two_blocks, strlen(two_blocks));
	expect(&h, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	memset(a, 'a', sizeof(a));
	start(&h, hardware);
	for (int i = 0; i < 1000; i++)
		lb_sha256_update(&h, a, sizeof(a));
	expect(&h, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Each length from 0 on, at an odd address, in pieces of @piece bytes: the digest of all digests. */
static void every_length(bool hardware, size_t piece)
{
	uint8_t data[PATTERN_BYTES + 1], digest[LB_SHA256_BYTES];
	struct lb_sha256 all, h;

	for (size_t i = 0; i < PATTERN_BYTES; i++)
		data[i + 1] = (uint8_t)(i * 7 + (i >> 8) * 13 + 3);
	start(&all, hardware);
	for (size_t len = 0; len < PATTERN_BYTES; len++) {
		start(&h, hardware);
		for (size_t at = 0; at < len; at += piece)
			lb_sha256_update(&h, data + 1 + at, len - at < piece ? len - at : piece);
		lb_sha256_finish(&h, digest);
		lb_sha256_update(&all, digest, sizeof(digest));
	}
	expect(&all, "05966f2aab839061e69617dfd7fdf39ba61b8f0fa26ffeaea51d409b6b68a637");
}

/* The count of bytes goes on in a second word: @h has taken some 4 GiB already, as it believes. */
static void count_bytes(struct lb_sha256 *h)
{
	static const uint8_t data[256];

	h->ctx.MBEDTLS_PRIVATE(total)[0] = 0xffffffc0;
	lb_sha256_update(h, data, 200);
	lb_sha256_update(h, data, 200);
	assert_int_equal(h->ctx.MBEDTLS_PRIVATE(total)[0], 336);
	assert_int_equal(h->ctx.MBEDTLS_PRIVATE(total)[1], 1);
}

/* Memory of its own for each message, to the byte: the sanitizer sees what is read beside it. */
static uint8_t *message(size_t len, unsigned int kind)
{
	uint8_t *data = malloc(len ? len : 1);

	assert_non_null(data);
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * (7 + kind) + (i >> 8) * 13 + kind);
	return data;
}

static void expect_many(const struct lb_sha256_message *messages, size_t count, bool hardware)
{
	struct lb_sha256_message many[PAIR_BYTES];

	memcpy(many, messages, count * sizeof(*many));
	for (size_t i = 0; i < count; i++)
		memset(many[i].digest, 0xee, sizeof(many[i].digest));
	hidden = !hardware;
	lb_sha256_many(many, count);
	hidden = false;
	assert_memory_equal(many, messages, count * sizeof(*many));
}

/* By mbedTLS. */
static struct lb_sha256_message known(size_t len, unsigned int kind)
{
	struct lb_sha256_message m = { .data = message(len, kind), .len = len };

	hidden = true;
	lb_sha256(m.data, m.len, m.digest);
	hidden = false;
	return m;
}

static void every_pair(bool hardware)
{
	struct lb_sha256_message a[PAIR_BYTES], b[PAIR_BYTES];

	for (size_t len = 0; len < PAIR_BYTES; len++) {
		a[len] = known(len, 1);
		b[len] = known(len, 2);
	}
	for (size_t i = 0; i < PAIR_BYTES; i++)
		for (size_t j = 0; j < PAIR_BYTES; j++)
			expect_many((struct lb_sha256_message[]){ a[i], b[j] }, 2, hardware);
	for (size_t count = 0; count < PAIR_BYTES; count++)
		expect_many(a + PAIR_BYTES - count, count, hardware);
	for (size_t len = 0; len < PAIR_BYTES; len++) {
		free((void *)a[len].data);
		free((void *)b[len].data);
	}
}

/* The one that is left alone is each of them in turn, and the longest begins at each place. */
static void long_ones(bool hardware)
{
	static const size_t len[] = { 1000000, 65536, 0, 65537, 4096, 55, 300001, 128 * 1024, 64 };
	enum { COUNT = sizeof(len) / sizeof(len[0]) };
	struct lb_sha256_message m[2 * COUNT];

	for (unsigned int i = 0; i < COUNT; i++)
		m[i] = m[COUNT + i] = known(len[i], i);
	for (size_t first = 0; first < COUNT; first++)
		for (size_t count = 1; count <= COUNT; count++)
			expect_many(m + first, count, hardware);
	for (size_t i = 0; i < COUNT; i++)
		free((void *)m[i].data);
}

static void mbedtls_alone(void **state)
{
	(void)state;
	published_vectors(false);
	for (size_t piece = 1; piece < 300; piece += 37)
		every_length(false, piece);
	every_length(false, PATTERN_BYTES);
	every_pair(false);
	long_ones(false);
}

static void instructions_of_the_processor(void **state)
{
	(void)state;
	if (!lb_sha256_hardware())
		skip();
	published_vectors(true);
	for (size_t piece = 1; piece < 300; piece += 37)
		every_length(true, piece);
	every_length(true, PATTERN_BYTES);
	every_pair(true);
	long_ones(true);
}

static void more_than_4_gib(void **state)
{
	uint8_t expected[LB_SHA256_BYTES], digest[LB_SHA256_BYTES];
	struct lb_sha256 h;

	(void)state;
	start(&h, false);
	count_bytes(&h);
	lb_sha256_finish(&h, expected);
	start(&h, true);
	count_bytes(&h);
	lb_sha256_finish(&h, digest);
	assert_memory_equal(digest, expected, sizeof(digest));
}

/* /proc/cpuinfo is the kernel's opinion, and not the program's own. */
static void found_where_the_kernel_finds_them(void **state)
{
	FILE *info = fopen("/proc/cpuinfo", "r");
	bool known = false, found = false;
	char *line = NULL;
	size_t room = 0;

	(void)state;
	while (info && getline(&line, &room, info) > 0) {
		known = known || !strncmp(line, "flags", 5);
		found = found || (!strncmp(line, "flags", 5) && strstr(line, " sha_ni"));
	}
	free(line);
	if (info)
		fclose(info);
	if (!known)
		skip(); /* no x86 */
	assert_int_equal(lb_sha256_hardware() != NULL, found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mbedtls_alone),
		cmocka_unit_test(instructions_of_the_processor),
		cmocka_unit_test(more_than_4_gib),
		cmocka_unit_test(found_where_the_kernel_finds_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
