// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two functions that took most of the time, linked in front of the real ones with
 * the linker's --wrap. They give what the real ones give: the checksum is compared
 * with it before the first use; a digest is computed by the real one once for the same
 * bytes (told apart by 128 bits). Signatures: tests/good_signature.c.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/sha256.h"
#include "sim.h"

uint32_t __real_lb_crc32(uint32_t crc, const void *data, size_t len);
uint32_t __wrap_lb_crc32(uint32_t crc, const void *data, size_t len);
void __real_lb_sha256(const void *data, size_t len, uint8_t ret_digest[LB_SHA256_BYTES]);
void __wrap_lb_sha256(const void *data, size_t len, uint8_t ret_digest[LB_SHA256_BYTES]);

/* ---- checksum: sixteen bytes at a time ---- */

#define SLICES 16

static uint32_t table[SLICES][256];

static uint32_t sliced(uint32_t crc, const uint8_t *p, size_t len)
{
	crc = ~crc;
	for (; len >= SLICES; len -= SLICES, p += SLICES) {
		uint32_t next = 0;

#pragma GCC unroll 4
		for (int at = 0; at < SLICES; at += 4) {
			const uint32_t (*t)[256] = &table[SLICES - 4 - at];
			uint32_t word = lb_get_le32(p + at) ^ (at ? 0 : crc);

			next ^= t[3][word & 255] ^ t[2][word >> 8 & 255] ^
				t[1][word >> 16 & 255] ^ t[0][word >> 24];
		}
		crc = next;
	}
	while (len--)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 255];
	return ~crc;
}

/* Must agree with the real function, at any length. */
static void make_tables(void)
{
	uint8_t sample[1021];

	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int bit = 0; bit < 8; bit++)
			c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
		table[0][i] = c;
	}
	for (int s = 1; s < SLICES; s++)
		for (uint32_t i = 0; i < 256; i++)
			table[s][i] = table[s - 1][i] >> 8 ^ table[0][table[s - 1][i] & 255];
	for (size_t i = 0; i < sizeof(sample); i++)
		sample[i] = (uint8_t)(i * i + i / 7);
	for (size_t len = 0; len <= sizeof(sample); len++)
		if (sliced(7, sample, len) != __real_lb_crc32(7, sample, len)) {
			fputs("powercut: the fast checksum is wrong\n", stderr);
			abort();
		}
}

uint32_t __wrap_lb_crc32(uint32_t crc, const void *data, size_t len)
{
	if (!table[0][1])
		make_tables();
	return sliced(crc, data, len);
}

/* ---- digests: of chunks, most of them again and again ---- */

#define DIGESTS 65536u

void __wrap_lb_sha256(const void *data, size_t len, uint8_t ret_digest[LB_SHA256_BYTES])
{
	static struct digest {
		uint64_t key[2];
		uint8_t sha256[LB_SHA256_BYTES];
	} known[DIGESTS];
	uint64_t key[2] = { sim_hash(1, data, len) | 1, sim_hash(2, data, len) };
	struct digest *d = &known[key[1] % DIGESTS];

	if (memcmp(d->key, key, sizeof(key))) {
		__real_lb_sha256(data, len, d->sha256);
		memcpy(d->key, key, sizeof(key));
	}
	memcpy(ret_digest, d->sha256, LB_SHA256_BYTES);
}
