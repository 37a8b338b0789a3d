/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-256 (FIPS 180-4) by mbedTLS: one place that knows which library hashes. */
#ifndef LB_BASE_SHA256_H
#define LB_BASE_SHA256_H

#include <mbedtls/sha256.h>
#include <stddef.h>
#include <stdint.h>

#define LB_SHA256_BYTES 32
#define LB_SHA256_HEX (2 * LB_SHA256_BYTES + 1)

struct lb_sha256 {
	mbedtls_sha256_context ctx;
};

/* A context needs no freeing: it owns no memory. None of these can fail. */
void lb_sha256_start(struct lb_sha256 *h);
void lb_sha256_update(struct lb_sha256 *h, const void *data, size_t len);
void lb_sha256_finish(struct lb_sha256 *h, uint8_t ret_digest[LB_SHA256_BYTES]);

/* The three above in one. */
void lb_sha256(const void *data, size_t len, uint8_t ret_digest[LB_SHA256_BYTES]);

#endif
