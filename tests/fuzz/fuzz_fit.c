// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A FIT in a slot, with and without the key; or a bootloader's key in PEM. Mode 0x01 to 0x0f: which allocation
 * fails; 0x10 to 0x70: which read fails; 0x80: the slot is larger than the FIT.
 */
#include "bundle/fit.h"
#include "fuzz.h"
#include "keys.h"

#define CHECK_MEMORY (LB_FIT_HEADER_MAX + 64u * 1024u)
/* of mbedTLS, for a signature of RSA-2048 */
#define KEY_MEMORY (256u * 1024u)

static mbedtls_pk_context *boot_key(void)
{
	static mbedtls_pk_context key;
	static bool ready;

	if (!ready) {
		mbedtls_pk_init(&key);
		CHECK(!lb_fit_key_parse(fuzz_fit_key, strlen(fuzz_fit_key), &key, NULL));
		ready = true;
	}
	return &key;
}

static int try(struct fuzz_blk *slot, uint64_t size, uint8_t mode, mbedtls_pk_context *key)
{
	struct lb_error err = { 0 };
	struct fuzz_alloc spent;
	int rc;

	slot->read_bytes = 0;
	slot->fail_read = mode >> 4 & 7;
	fuzz_alloc_start(mode & 15);
	rc = key ? lb_fit_check_signed(&slot->blk, size, key, &err)
		 : lb_fit_check(&slot->blk, size, &err);
	spent = fuzz_alloc_stop();
	CHECK_RESULT(rc, &err);
	CHECK(spent.total_bytes <= CHECK_MEMORY + (key ? KEY_MEMORY : 0));
	CHECK(key || !spent.balance);
	CHECK(!slot->writes);
	/* the structure, then kernel, fdt and ramdisk with at most so many images each */
	CHECK(slot->read_bytes <= LB_FIT_HEADER_MAX + 3 * LB_FIT_NAMES_MAX * size);
	return rc;
}

static void try_key(const uint8_t *data, size_t size, uint8_t mode)
{
	uint8_t *pem = fuzz_exact(data, size);
	struct lb_error err = { 0 };
	struct fuzz_alloc spent;
	mbedtls_pk_context key;
	int rc;

	mbedtls_pk_init(&key);
	fuzz_alloc_start(mode);
	rc = lb_fit_key_parse(pem, size, &key, &err);
	spent = fuzz_alloc_stop();
	CHECK_RESULT(rc, &err);
	CHECK(spent.total_bytes <= 16 * size + 65536);
	CHECK(rc || (mbedtls_pk_get_type(&key) == MBEDTLS_PK_RSA && mbedtls_pk_get_bitlen(&key) >= 2048));
	mbedtls_pk_free(&key);
	free(pem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t mode = fuzz_take_mode(data, &size);
	size_t beyond = mode & 0x80 ? 4096 : 0;
	struct fuzz_blk slot;

	mbedtls_pk_context *key = boot_key();
	int rc;

	if (size > 10 && !memcmp(data, "-----BEGIN", 10)) {
		try_key(data, size, mode);
		return 0;
	}
	fuzz_blk_init(&slot, "boot", size + beyond, 0);
	if (size)
		memcpy(slot.bytes, data, size);
	rc = try(&slot, size + beyond, 0, NULL);
	if (rc) /* the key only adds to what is asked */
		CHECK(try(&slot, size + beyond, 0, key));
	else
		(void)try(&slot, size + beyond, 0, key);
	if (mode & 0x7f)
		(void)try(&slot, size + beyond, mode, NULL);
	fuzz_blk_free(&slot);
	return 0;
}
