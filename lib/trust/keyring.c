// SPDX-License-Identifier: GPL-2.0-or-later
#include "trust/keyring.h"

#include <mbedtls/ecp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/sha256.h"
#include "config.h"

#define PEM_MAX_BYTES 4096
#define SPKI_MAX_BYTES 256 /* of a P-256 key: 91 */

/* in the comment of every key that `lifeboat keygen --development` and keys/ make */
static const char development_mark[] = "lifeboat-development";

#if defined(CONFIG_RELEASE) && CONFIG_RELEASE
static const bool release_build = true;
#else
static const bool release_build = false;
#endif

/* mbedTLS wants PEM with a NUL behind it. NULL without memory. */
static char *terminated(const void *pem, size_t len)
{
	char *text = malloc(len + 1);

	if (text) {
		memcpy(text, pem, len);
		text[len] = '\0';
	}
	return text;
}

/* The mark counts in front of the key only, as people and `openssl` see it. */
static bool is_development(const char *text)
{
	const char *mark = strstr(text, development_mark), *begin = strstr(text, "-----BEGIN");

	return mark && (!begin || mark < begin);
}

static int set_keyid(struct lb_key *key, struct lb_error *err)
{
	uint8_t spki[SPKI_MAX_BYTES], digest[LB_SHA256_BYTES];
	int len = mbedtls_pk_write_pubkey_der(&key->pk, spki, sizeof(spki));

	if (len <= 0)
		return lb_error_set(err, LB_E_FORMAT, "a public key could not be encoded again");
	lb_sha256(spki + sizeof(spki) - len, (size_t)len, digest); /* it stands at the end */
	lb_hex_encode(key->keyid, digest, (LB_KEYID_HEX - 1) / 2);
	return 0;
}

static int parse_key(struct lb_key *key, const char *text, size_t len, struct lb_error *err)
{
	int rc = mbedtls_pk_parse_public_key(&key->pk, (const unsigned char *)text, len + 1);

	if (rc)
		return lb_error_set(err, LB_E_FORMAT, "a file of %zu bytes is no public key (-0x%04x)",
				    len, (unsigned int)-rc);
	if (mbedtls_pk_get_type(&key->pk) != MBEDTLS_PK_ECKEY ||
	    mbedtls_ecp_keypair_get_group_id(mbedtls_pk_ec(key->pk)) != MBEDTLS_ECP_DP_SECP256R1)
		return lb_error_set(err, LB_E_UNSUPPORTED, "a public key is not ECDSA P-256");
	return set_keyid(key, err);
}

int lb_keyring_add(struct lb_keyring *ring, const void *pem, size_t len, struct lb_error *err)
{
	struct lb_key key = { 0 };
	char *text;
	int rc;

	if (ring->count == LB_KEYS_MAX)
		return lb_error_set(err, LB_E_TOO_BIG, "more than %d public keys", LB_KEYS_MAX);
	if (len > PEM_MAX_BYTES || memchr(pem, '\0', len))
		return lb_error_set(err, LB_E_FORMAT, "a file of %zu bytes is no public key", len);
	text = terminated(pem, len);
	if (!text)
		return lb_error_set(err, LB_E_NOMEM, "no memory for a public key");
	key.development = is_development(text);
	mbedtls_pk_init(&key.pk);
	rc = parse_key(&key, text, len, err);
	free(text);
	if (!rc && key.development && (release_build || ring->refuse_development))
		rc = lb_error_set(err, LB_E_DEV_KEY, "key %s is a development key", key.keyid);
	if (rc) {
		mbedtls_pk_free(&key.pk);
		return rc;
	}
	ring->keys[ring->count++] = key;
	return 0;
}

void lb_keyring_free(struct lb_keyring *ring)
{
	if (!ring)
		return;
	for (uint32_t i = 0; i < ring->count; i++)
		mbedtls_pk_free(&ring->keys[i].pk);
	ring->count = 0;
}

static bool signed_by(const struct lb_key *key, const uint8_t digest[LB_SHA256_BYTES],
		      const struct lb_signature *sig)
{
	/* not const for mbedTLS, which may cache curve points in it; the key does not change */
	mbedtls_pk_context *pk = (mbedtls_pk_context *)&key->pk;

	return !strcmp(key->keyid, sig->keyid) && sig->length <= sizeof(sig->der) &&
	       !mbedtls_pk_verify(pk, MBEDTLS_MD_SHA256, digest, LB_SHA256_BYTES, sig->der,
				  sig->length);
}

static int refuse(const struct lb_keyring *ring, const struct lb_signature *sigs,
		  uint32_t sig_count, struct lb_error *err)
{
	char pinned[(LB_KEYID_HEX + 1) * 4 + 1] = "", carried[sizeof(pinned)] = "";
	size_t used = 0;

	for (uint32_t i = 0; i < ring->count && i < 4; i++)
		used += (size_t)snprintf(pinned + used, sizeof(pinned) - used, " %s",
					 ring->keys[i].keyid);
	used = 0;
	for (uint32_t i = 0; i < sig_count && i < 4; i++)
		used += (size_t)snprintf(carried + used, sizeof(carried) - used, " %s",
					 sigs[i].keyid);
	return lb_error_set(err, LB_E_SIGNATURE,
			    "no pinned key signed it; pinned:%s; its signatures:%s",
			    pinned[0] ? pinned : " none", carried[0] ? carried : " none");
}

int lb_keyring_verify(const struct lb_keyring *ring, const void *data, size_t len,
		      const struct lb_signature *sigs, uint32_t sig_count, char *ret_keyid,
		      struct lb_error *err)
{
	uint8_t digest[LB_SHA256_BYTES];

	lb_sha256(data, len, digest);
	for (uint32_t s = 0; s < sig_count; s++) {
		for (uint32_t k = 0; k < ring->count; k++) {
			if (!signed_by(&ring->keys[k], digest, &sigs[s]))
				continue;
			if (ret_keyid)
				memcpy(ret_keyid, ring->keys[k].keyid, LB_KEYID_HEX);
			return 0;
		}
	}
	return refuse(ring, sigs, sig_count, err);
}
