/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who signs: a private key in a file, or a command that has one (a token, a server). */
#ifndef LIFEBOAT_SIGNER_H
#define LIFEBOAT_SIGNER_H

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/pk.h>

#include "bundle/bundle.h"
#include "trust/keyring.h"

/* mbedTLS's random numbers; init cannot fail, seeding can. */
struct tool_rng {
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context drbg;
};

int tool_rng_init(struct tool_rng *rng, struct lb_error *err) LB_MUST_CHECK;
void tool_rng_free(struct tool_rng *rng);

struct signer {
	const char *key_path; /* borrowed; NULL: @command signs */
	const char *command;  /* borrowed */
	const char *public_path; /* borrowed; of @command */
};

/**
 * signer_sign() - sign @data and check the result with the public key
 * @ret: replaced only on success
 *
 * ECDSA P-256 with SHA-256; with a key file deterministic (RFC 6979). A command
 * is split at spaces and run without a shell; it gets @data on standard input and
 * in a file that replaces a word "{}", and prints the DER signature.
 *
 * Return: 0; -LB_E_NOT_FOUND, -LB_E_FORMAT, -LB_E_UNSUPPORTED, -LB_E_SIGNATURE
 * (the command's result does not verify), -LB_E_IO, -LB_E_NOMEM.
 */
int signer_sign(const struct signer *s, const void *data, size_t len, struct lb_signature *ret,
		struct lb_error *err) LB_MUST_CHECK;

/* Adds @s's public key to @ring. */
int signer_public(const struct signer *s, struct lb_keyring *ring,
		  struct lb_error *err) LB_MUST_CHECK;

/* Runs @command as above, at most LB_SIGNATURE_MAX_BYTES of output. */
int signer_run(const char *command, const void *data, size_t len, struct lb_signature *ret,
	       struct lb_error *err) LB_MUST_CHECK;

/* Adds @sig to @head's signatures, or replaces the one of the same key. -LB_E_TOO_BIG. */
int signer_merge(struct lb_bundle_head *head, const struct lb_signature *sig,
		 struct lb_error *err) LB_MUST_CHECK;

/* The public keys of @count files. */
int signer_load_keyring(struct lb_keyring *ring, char *const *paths, int count,
			struct lb_error *err) LB_MUST_CHECK;

#endif
