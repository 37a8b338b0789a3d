/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-256 (FIPS 180-4): one place that knows what hashes. On x86 with SHA extensions that is
 * sha256_x86.c, elsewhere mbedTLS, which finds out about Arm's instructions itself.
 */
#ifndef LB_BASE_SHA256_H
#define LB_BASE_SHA256_H

#include <mbedtls/sha256.h>
#include <stddef.h>
#include <stdint.h>

#define LB_SHA256_BYTES 32
#define LB_SHA256_HEX (2 * LB_SHA256_BYTES + 1)
#define LB_SHA256_BLOCK 64

#define LB_SHA256_LANES 2

/*
 * Takes @blocks of LB_SHA256_BLOCK bytes into the eight words of the state, for each of @lanes
 * messages: 1 to LB_SHA256_LANES.
 */
typedef void lb_sha256_blocks(uint32_t *const words[], const uint8_t *const data[], unsigned int lanes,
			      size_t blocks);

struct lb_sha256 {
	mbedtls_sha256_context ctx;
	lb_sha256_blocks *blocks; /* NULL: mbedTLS's own */
};

/* What is faster on this processor than mbedTLS is, or NULL. */
lb_sha256_blocks *lb_sha256_hardware(void);

/* A context needs no freeing: it owns no memory. None of these can fail. */
void lb_sha256_start(struct lb_sha256 *h);
void lb_sha256_update(struct lb_sha256 *h, const void *data, size_t len);
void lb_sha256_finish(struct lb_sha256 *h, uint8_t ret_digest[LB_SHA256_BYTES]);

/* The three above in one. */
void lb_sha256(const void *data, size_t len, uint8_t ret_digest[LB_SHA256_BYTES]);

struct lb_sha256_message {
	const void *data; /* borrowed */
	size_t len;
	uint8_t digest[LB_SHA256_BYTES];
};

/*
 * The digests of @count messages that are in memory. The instructions of x86 take two side by side
 * in little more time than one, however their lengths differ: the more there are, the more of them overlaps.
 */
void lb_sha256_many(struct lb_sha256_message *messages, size_t count);

#endif
