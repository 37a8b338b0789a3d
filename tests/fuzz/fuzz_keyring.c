// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A public key in PEM, and a signature by it, which the input cannot know. Mode 0x01 to 0x3f: which allocation fails; 0x40: development keys
 * are refused; 0x80: the keyring is full.
 */
#include "fuzz.h"
#include "keys.h"
#include "trust/keyring.h"

static void check_key(const struct lb_key *key, bool refuse_development)
{
	CHECK(strnlen(key->keyid, sizeof(key->keyid)) == LB_KEYID_HEX - 1);
	CHECK(strspn(key->keyid, "0123456789abcdef") == LB_KEYID_HEX - 1);
	CHECK(!key->development || !refuse_development);
}

/* @data as a signature of the ring's keys over a text: never right. */
static void check_verify(const struct lb_keyring *ring, const uint8_t *data, size_t size)
{
	struct lb_signature sigs[2] = { { .keyid = "0123456789abcdef", .length = 3 } };
	struct lb_error err = { 0 };
	char keyid[LB_KEYID_HEX];

	memcpy(sigs[1].keyid, ring->keys[0].keyid, LB_KEYID_HEX);
	sigs[1].length = (uint16_t)(size < LB_SIGNATURE_MAX_BYTES ? size : LB_SIGNATURE_MAX_BYTES);
	if (sigs[1].length)
		memcpy(sigs[1].der, data + size - sigs[1].length, sigs[1].length);
	CHECK(lb_keyring_verify(ring, "text", 4, sigs, 2, keyid, &err) == -LB_E_SIGNATURE);
	CHECK(err.code == LB_E_SIGNATURE);
	CHECK(lb_keyring_verify(ring, "text", 4, NULL, 0, NULL, NULL) == -LB_E_SIGNATURE);
}

static void check_golden(void)
{
	struct lb_signature sig = { .length = sizeof(fuzz_signature) };
	struct lb_keyring ring = { 0 };
	char keyid[LB_KEYID_HEX];

	CHECK(!lb_keyring_add(&ring, fuzz_bundle_key, strlen(fuzz_bundle_key), NULL));
	memcpy(sig.keyid, ring.keys[0].keyid, LB_KEYID_HEX);
	memcpy(sig.der, fuzz_signature, sizeof(fuzz_signature));
	CHECK(!lb_keyring_verify(&ring, fuzz_signed, sizeof(fuzz_signed), &sig, 1, keyid, NULL));
	CHECK(!strcmp(keyid, sig.keyid));
	CHECK(lb_keyring_verify(&ring, fuzz_signed, sizeof(fuzz_signed) - 1, &sig, 1, keyid, NULL) ==
	      -LB_E_SIGNATURE);
	lb_keyring_free(&ring);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t mode = fuzz_take_mode(data, &size), *pem = fuzz_exact(data, size);
	struct lb_keyring ring = { .refuse_development = mode & 0x40 };
	struct lb_error err = { 0 };
	int rc;

	if (!size)
		check_golden();
	fuzz_alloc_start(mode & 0x3f);
	rc = lb_keyring_add(&ring, pem, size, &err);
	CHECK(fuzz_alloc_stop().total_bytes <= 16 * size + 65536);
	CHECK_RESULT(rc, &err);
	CHECK(ring.count == !rc);
	if (!rc) {
		check_key(&ring.keys[0], ring.refuse_development);
		check_verify(&ring, data, size);
	}
	if (!rc && mode & 0x80) {
		while (ring.count < LB_KEYS_MAX)
			CHECK(!lb_keyring_add(&ring, pem, size, &err));
		CHECK(lb_keyring_add(&ring, pem, size, &err) == -LB_E_TOO_BIG);
	}
	lb_keyring_free(&ring);
	lb_keyring_free(NULL);
	free(pem);
	return 0;
}
