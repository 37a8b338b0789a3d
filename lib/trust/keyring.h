/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pinned public keys, and the only way from bytes to "trusted". Keys come
 * from the verified ramdisk, never from a bundle or a writable place.
 */
#ifndef LB_TRUST_KEYRING_H
#define LB_TRUST_KEYRING_H

#include <mbedtls/pk.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "bundle/bundle.h"

#define LB_KEYS_MAX 8

struct lb_keyring {
	uint32_t count;
	bool refuse_development; /* a release build does so in any case */
	struct lb_key {
		char keyid[LB_KEYID_HEX]; /* first 8 bytes of SHA-256(SubjectPublicKeyInfo), hex */
		bool development;	  /* its PEM is marked as a development key */
		mbedtls_pk_context pk;	  /* owned */
	} keys[LB_KEYS_MAX];
};

/**
 * lb_keyring_add() - add one public key
 * @pem: PEM SubjectPublicKeyInfo (ECDSA P-256); need not be terminated. A comment
 *       with "lifeboat-development" before its BEGIN line marks a development key.
 *
 * Return: 0; -LB_E_FORMAT, -LB_E_UNSUPPORTED (other kind of key), -LB_E_TOO_BIG
 * (ring full), -LB_E_DEV_KEY (a release build and a development key), -LB_E_NOMEM.
 */
int lb_keyring_add(struct lb_keyring *ring, const void *pem, size_t len,
		   struct lb_error *err) LB_MUST_CHECK;
void lb_keyring_free(struct lb_keyring *ring);

/**
 * lb_keyring_verify() - did any pinned key sign these exact bytes?
 * @sigs: signatures whose key is not in @ring are passed over
 * @ret_keyid: NULL or LB_KEYID_HEX bytes: the key that verified
 *
 * ECDSA P-256 with SHA-256, DER signatures.
 * Return: 0 or -LB_E_SIGNATURE with a sentence that names the key ids that were tried.
 */
int lb_keyring_verify(const struct lb_keyring *ring, const void *data, size_t len,
		      const struct lb_signature *sigs, uint32_t sig_count,
		      char *ret_keyid, struct lb_error *err) LB_MUST_CHECK;

#endif
