// SPDX-License-Identifier: GPL-2.0-or-later
#include "signer.h"

#include <mbedtls/ecp.h>
#include <mbedtls/platform_util.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "cli.h"

#define PEM_MAX_BYTES 16384
#define SPKI_PEM_MAX 512

int tool_rng_init(struct tool_rng *rng, struct lb_error *err)
{
	mbedtls_entropy_init(&rng->entropy);
	mbedtls_ctr_drbg_init(&rng->drbg);
	if (!mbedtls_ctr_drbg_seed(&rng->drbg, mbedtls_entropy_func, &rng->entropy, NULL, 0))
		return 0;
	tool_rng_free(rng);
	return lb_error_set(err, LB_E_IO, "the system gives no random numbers");
}

void tool_rng_free(struct tool_rng *rng)
{
	mbedtls_ctr_drbg_free(&rng->drbg);
	mbedtls_entropy_free(&rng->entropy);
}

static int load_private(const char *path, mbedtls_pk_context *pk, struct tool_rng *rng,
			struct lb_error *err)
{
	size_t len;
	char *pem;
	int rc = cli_read_file(path, PEM_MAX_BYTES, &pem, &len, err);

	if (rc)
		return rc;
	rc = mbedtls_pk_parse_key(pk, (unsigned char *)pem, len + 1, NULL, 0,
				  mbedtls_ctr_drbg_random, &rng->drbg);
	mbedtls_platform_zeroize(pem, len);
	free(pem);
	if (rc)
		return lb_error_set(err, LB_E_FORMAT, "%s is no private key (-0x%04x)", path,
				    (unsigned int)-rc);
	if (mbedtls_pk_get_type(pk) != MBEDTLS_PK_ECKEY ||
	    mbedtls_ecp_keypair_get_group_id(mbedtls_pk_ec(*pk)) != MBEDTLS_ECP_DP_SECP256R1)
		return lb_error_set(err, LB_E_UNSUPPORTED, "%s is not an ECDSA P-256 key", path);
	return 0;
}

/* @ring gets the public half, so that it names the key and checks the signature. */
static int ring_of(mbedtls_pk_context *pk, struct lb_keyring *ring, struct lb_error *err)
{
	unsigned char pem[SPKI_PEM_MAX];

	if (mbedtls_pk_write_pubkey_pem(pk, pem, sizeof(pem)))
		return lb_error_set(err, LB_E_FORMAT, "a private key has no public half");
	return lb_keyring_add(ring, pem, strlen((char *)pem), err);
}

/* Signs with the loaded key. */
static int sign_digest(const struct signer *s, mbedtls_pk_context *pk, struct tool_rng *rng,
		       const void *data, size_t len, struct lb_signature *ret, struct lb_error *err)
{
	uint8_t digest[LB_SHA256_BYTES];
	size_t sig_len;

	lb_sha256(data, len, digest);
	if (mbedtls_pk_sign(pk, MBEDTLS_MD_SHA256, digest, sizeof(digest), ret->der,
			    sizeof(ret->der), &sig_len, mbedtls_ctr_drbg_random, &rng->drbg))
		return lb_error_set(err, LB_E_SIGNATURE, "signing with %s failed", s->key_path);
	ret->length = (uint16_t)sig_len;
	return 0;
}

/* @data NULL: only the public half into @ring. */
static int use_file(const struct signer *s, const void *data, size_t len, struct lb_keyring *ring,
		    struct lb_signature *ret, struct lb_error *err)
{
	mbedtls_pk_context pk;
	struct tool_rng rng;
	int rc;

	rc = tool_rng_init(&rng, err);
	if (rc)
		return rc;
	mbedtls_pk_init(&pk);
	rc = load_private(s->key_path, &pk, &rng, err);
	if (!rc)
		rc = ring_of(&pk, ring, err);
	if (!rc && data)
		rc = sign_digest(s, &pk, &rng, data, len, ret, err);
	mbedtls_pk_free(&pk);
	tool_rng_free(&rng);
	return rc;
}

int signer_public(const struct signer *s, struct lb_keyring *ring, struct lb_error *err)
{
	char *public_path = (char *)s->public_path;

	return s->key_path ? use_file(s, NULL, 0, ring, NULL, err) :
			     signer_load_keyring(ring, &public_path, 1, err);
}

int signer_sign(const struct signer *s, const void *data, size_t len, struct lb_signature *ret,
		struct lb_error *err)
{
	struct lb_keyring ring = { 0 };
	struct lb_signature sig = { 0 };
	int rc;

	if (s->key_path) {
		rc = use_file(s, data, len, &ring, &sig, err);
	} else {
		rc = signer_public(s, &ring, err);
		if (!rc)
			rc = signer_run(s->command, data, len, &sig, err);
	}
	if (!rc) {
		memcpy(sig.keyid, ring.keys[0].keyid, sizeof(sig.keyid));
		rc = lb_keyring_verify(&ring, data, len, &sig, 1, NULL, err);
		if (rc)
			lb_error_set(err, LB_E_SIGNATURE,
				     "the signature that was made does not verify with key %s", sig.keyid);
	}
	lb_keyring_free(&ring);
	if (!rc)
		*ret = sig;
	return rc;
}

int signer_merge(struct lb_bundle_head *head, const struct lb_signature *sig,
		 struct lb_error *err)
{
	uint32_t i = 0;

	while (i < head->signature_count && strcmp(head->signatures[i].keyid, sig->keyid))
		i++;
	if (i == LB_SIGNATURES_MAX)
		return lb_error_set(err, LB_E_TOO_BIG, "there are %d signatures already",
				    LB_SIGNATURES_MAX);
	head->signatures[i] = *sig;
	if (i == head->signature_count)
		head->signature_count++;
	return 0;
}

int signer_load_keyring(struct lb_keyring *ring, char *const *paths, int count,
			struct lb_error *err)
{
	int rc = 0;

	for (int i = 0; !rc && i < count; i++) {
		size_t len;
		char *pem;

		rc = cli_read_file(paths[i], PEM_MAX_BYTES, &pem, &len, err);
		if (rc)
			return rc;
		rc = cli_prefix(err, paths[i], lb_keyring_add(ring, pem, len, err));
		free(pem);
	}
	return rc;
}
