// SPDX-License-Identifier: GPL-2.0-or-later
/* Keys and signatures that openssl made. */
#include "golden.h"

#include "bundle/bundle.h"
#include "port/source_mem.h"
#include "trust/keyring.h"

/* openssl ecparam -name prime256v1 -genkey | openssl pkey -pubout, and so on: nobody's keys */
static const char other_p256[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEhwBTCOHa03bHryRtfLm/3t0NWId\n"
	"ZMCLb0sSIu7s/eNXOF7iTa+UpPNUMzlWZbTp1U5jqszWyKeTcyq8vjx3zA==\n"
	"-----END PUBLIC KEY-----\n";
static const char p384[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEE3Ys0RIlOaaZzOoV54/I+6+xcjp+OIsd\n"
	"RufBjjezRLziGGgfWADdzEPvxHDXHCJ4CPQimQ50xbMccaLg8l2qFzJONMy0AsZR\n"
	"AriMSm82pNTJSolnRwTO82zDd2iDCoHH\n"
	"-----END PUBLIC KEY-----\n";
static const char rsa[] =
	"-----BEGIN PUBLIC KEY-----\n"
	"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAxRHl4Zgs4IAXJ7t/jVdk\n"
	"5bTM8raT5wDa2H/CiZcXvl+v8PlHFYnq2sxwC2GNJ+4kmwDsPkObe0TGGVmIRUaV\n"
	"Cjj7GrQDL5U2QhUrTRGi62YhrjwD5uA0JogMMiQYIim/ng/LhktJGGNG7qNCYbph\n"
	"aHoSiGp437BzRSkF4FW6L0Z5oaBHgCs+5+OWTR2qB8iqE5mTda0+DYjRG6IT181J\n"
	"LGOtIa+b4I+zmGu4SMY1TMd/dtzGT0YuQ6bDpijN0l+pJkQJq0TcinjNR26abfZB\n"
	"tKyCrsMs7Kk9vwXhPfc39RJZqEZA6fUlksobLbIwtgs6KuzPnLepLPe9XWz/Z9rv\n"
	"4wIDAQAB\n"
	"-----END PUBLIC KEY-----\n";
static const char other_keyid[] = "5f06d7b863eb487e"; /* openssl pkey -pubin -outform DER | sha256sum */

static uint8_t *pem;
static size_t pem_len;
static struct lb_bundle_head head;

static int load(void **state)
{
	struct lb_source_mem mem;
	size_t len;
	uint8_t *bytes = golden_read("small.lbu", &len);

	pem = golden_read("key.pub.pem", &pem_len);
	lb_source_mem_init(&mem, bytes, len);
	assert_int_equal(lb_bundle_read_head(&mem.src, &head, NULL), 0);
	free(bytes);
	return 0;
}

static int unload(void **state)
{
	lb_bundle_head_free(&head);
	free(pem);
	return 0;
}

static int verify(const struct lb_keyring *ring, const struct lb_signature *sigs, uint32_t count,
		  char *keyid, struct lb_error *err)
{
	return lb_keyring_verify(ring, head.manifest, head.manifest_len, sigs, count, keyid, err);
}

static void openssl_signatures_verify(void **state)
{
	struct lb_keyring ring = { 0 };
	char keyid[LB_KEYID_HEX];

	assert_int_equal(lb_keyring_add(&ring, pem, pem_len, NULL), 0);
	assert_string_equal(ring.keys[0].keyid, GOLDEN_KEYID);
	assert_false(ring.keys[0].development);
	assert_int_equal(verify(&ring, head.signatures, 1, keyid, NULL), 0);
	assert_string_equal(keyid, GOLDEN_KEYID);
	lb_keyring_free(&ring);
	lb_keyring_free(&ring);
	lb_keyring_free(NULL);
}

static void any_pinned_key_suffices(void **state)
{
	struct lb_signature sigs[2] = { { .keyid = "0000000000000000", .length = 1 } };
	struct lb_keyring ring = { 0 };

	sigs[1] = head.signatures[0];
	assert_int_equal(lb_keyring_add(&ring, other_p256, strlen(other_p256), NULL), 0);
	assert_string_equal(ring.keys[0].keyid, other_keyid);
	assert_int_equal(verify(&ring, sigs, 2, NULL, NULL), -LB_E_SIGNATURE);
	assert_int_equal(lb_keyring_add(&ring, pem, pem_len, NULL), 0);
	assert_int_equal(verify(&ring, sigs, 2, NULL, NULL), 0);
	assert_int_equal(verify(&ring, sigs, 1, NULL, NULL), -LB_E_SIGNATURE);
	lb_keyring_free(&ring);
}

static void refusals_name_the_keys(void **state)
{
	struct lb_keyring ring = { 0 };
	struct lb_error err;

	assert_int_equal(verify(&ring, NULL, 0, NULL, &err), -LB_E_SIGNATURE);
	assert_int_equal(lb_keyring_add(&ring, other_p256, strlen(other_p256), NULL), 0);
	assert_int_equal(verify(&ring, head.signatures, 1, NULL, &err), -LB_E_SIGNATURE);
	assert_non_null(strstr(err.text, GOLDEN_KEYID));
	assert_non_null(strstr(err.text, other_keyid));
	lb_keyring_free(&ring);
}

/* The name of a key is a hint only: its owner must have signed. */
static void a_signature_under_another_keys_name_is_refused(void **state)
{
	struct lb_signature sig = head.signatures[0];
	struct lb_keyring ring = { 0 };

	assert_int_equal(lb_keyring_add(&ring, other_p256, strlen(other_p256), NULL), 0);
	memcpy(sig.keyid, other_keyid, sizeof(sig.keyid));
	assert_int_equal(verify(&ring, &sig, 1, NULL, NULL), -LB_E_SIGNATURE);
	lb_keyring_free(&ring);
}

static void any_flipped_bit_is_refused(void **state)
{
	struct lb_signature sig = head.signatures[0];
	struct lb_keyring ring = { 0 };

	assert_int_equal(lb_keyring_add(&ring, pem, pem_len, NULL), 0);
	for (unsigned int bit = 0; bit < 8u * sig.length; bit++) {
		sig.der[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(verify(&ring, &sig, 1, NULL, NULL), -LB_E_SIGNATURE);
		sig.der[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t i = 0; i < head.manifest_len; i += 97) {
		head.manifest[i] ^= 1;
		assert_int_equal(verify(&ring, &sig, 1, NULL, NULL), -LB_E_SIGNATURE);
		head.manifest[i] ^= 1;
	}
	for (uint16_t len = 0; len <= LB_SIGNATURE_MAX_BYTES; len++) {
		sig.length = len;
		assert_int_equal(verify(&ring, &sig, 1, NULL, NULL),
				 len == head.signatures[0].length ? 0 : -LB_E_SIGNATURE);
	}
	lb_keyring_free(&ring);
}

static void other_kinds_of_keys_are_refused(void **state)
{
	struct lb_keyring ring = { 0 };
	struct lb_error err;

	assert_int_equal(lb_keyring_add(&ring, p384, strlen(p384), &err), -LB_E_UNSUPPORTED);
	assert_int_equal(lb_keyring_add(&ring, rsa, strlen(rsa), &err), -LB_E_UNSUPPORTED);
	assert_int_equal(lb_keyring_add(&ring, "", 0, &err), -LB_E_FORMAT);
	assert_int_equal(lb_keyring_add(&ring, "hello", 5, &err), -LB_E_FORMAT);
	for (size_t len = 0; len + 30 < pem_len; len++) /* within the END line nothing is missing */
		assert_int_equal(lb_keyring_add(&ring, pem, len, &err), -LB_E_FORMAT);
	assert_int_equal(ring.count, 0);
}

static void the_ring_is_bounded(void **state)
{
	struct lb_keyring ring = { 0 };

	for (int i = 0; i < LB_KEYS_MAX; i++)
		assert_int_equal(lb_keyring_add(&ring, pem, pem_len, NULL), 0);
	assert_int_equal(lb_keyring_add(&ring, pem, pem_len, NULL), -LB_E_TOO_BIG);
	assert_int_equal(ring.count, LB_KEYS_MAX);
	lb_keyring_free(&ring);
}

static int add_marked(struct lb_keyring *ring, const char *before, const char *after)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s%s%s", before, other_p256, after);
	return lb_keyring_add(ring, text, strlen(text), NULL);
}

static void releases_refuse_development_keys(void **state)
{
	struct lb_keyring strict = { .refuse_development = true }, lax = { 0 };
	const char *mark = "lifeboat-development: Lifeboat development key\n";

	assert_int_equal(add_marked(&lax, mark, ""), 0);
	assert_true(lax.keys[0].development);
	assert_int_equal(add_marked(&strict, mark, ""), -LB_E_DEV_KEY);
	assert_int_equal(add_marked(&strict, "# a comment\n", ""), 0);
	assert_int_equal(add_marked(&strict, "", mark), 0); /* what follows is no part of the key */
	lb_keyring_free(&strict);
	lb_keyring_free(&lax);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openssl_signatures_verify),
		cmocka_unit_test(any_pinned_key_suffices),
		cmocka_unit_test(refusals_name_the_keys),
		cmocka_unit_test(a_signature_under_another_keys_name_is_refused),
		cmocka_unit_test(any_flipped_bit_is_refused),
		cmocka_unit_test(other_kinds_of_keys_are_refused),
		cmocka_unit_test(the_ring_is_bounded),
		cmocka_unit_test(releases_refuse_development_keys),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
