// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/sha256.h"

/* the software and the CPU instruction implementations cannot fail: results are ignored */
void lb_sha256_start(struct lb_sha256 *h)
{
	mbedtls_sha256_init(&h->ctx);
	(void)mbedtls_sha256_starts(&h->ctx, 0);
	h->blocks = lb_sha256_hardware();
}

/* Whole blocks past mbedTLS, into its context; its buffer must be empty. */
static void update_blocks(struct lb_sha256 *h, const uint8_t *data, size_t blocks)
{
	uint32_t *total = h->ctx.MBEDTLS_PRIVATE(total); /* bytes, the low word first */
	uint64_t bytes = (uint64_t)total[1] << 32 | total[0];

	h->blocks(h->ctx.MBEDTLS_PRIVATE(state), data, blocks);
	bytes += blocks * LB_SHA256_BLOCK;
	total[0] = (uint32_t)bytes;
	total[1] = (uint32_t)(bytes >> 32);
}

/* mbedTLS keeps what fills no block, and pads. */
void lb_sha256_update(struct lb_sha256 *h, const void *data, size_t len)
{
	size_t buffered = h->ctx.MBEDTLS_PRIVATE(total)[0] % LB_SHA256_BLOCK;
	size_t lead = buffered ? LB_SHA256_BLOCK - buffered : 0;
	const uint8_t *at = data;

	if (h->blocks && len >= lead + LB_SHA256_BLOCK) {
		size_t blocks = (len - lead) / LB_SHA256_BLOCK;

		(void)mbedtls_sha256_update(&h->ctx, at, lead);
		update_blocks(h, at + lead, blocks);
		at += lead + blocks * LB_SHA256_BLOCK;
		len -= lead + blocks * LB_SHA256_BLOCK;
	}
	(void)mbedtls_sha256_update(&h->ctx, at, len);
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
