// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/sha256.h"

/* the software and the CPU instruction implementations cannot fail: results are ignored */
void lb_sha256_start(struct lb_sha256 *h)
{
	mbedtls_sha256_init(&h->ctx);
	(void)mbedtls_sha256_starts(&h->ctx, 0);
}

void lb_sha256_update(struct lb_sha256 *h, const void *data, size_t len)
{
	(void)mbedtls_sha256_update(&h->ctx, data, len);
}

void lb_sha256_finish(struct lb_sha256 *h, uint8_t ret_digest[LB_SHA256_BYTES])
{
	(void)mbedtls_sha256_finish(&h->ctx, ret_digest);
	mbedtls_sha256_free(&h->ctx);
}

void lb_sha256(const void *data, size_t len, uint8_t ret_digest[LB_SHA256_BYTES])
{
	struct lb_sha256 h;

	lb_sha256_start(&h);
	lb_sha256_update(&h, data, len);
	lb_sha256_finish(&h, ret_digest);
}
