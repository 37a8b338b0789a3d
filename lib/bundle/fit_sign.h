/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The signature of a FIT's configuration, checked as U-Boot checks it.
 * Spec: Flattened Image Tree specification, "Signed configurations": the hash
 * runs over the nodes of "hashed-nodes" without the images' data, then over the
 * beginning of the strings block.
 */
#ifndef LB_BUNDLE_FIT_SIGN_H
#define LB_BUNDLE_FIT_SIGN_H

#include <mbedtls/pk.h>
#include <stddef.h>

#include "base/error.h"
#include "base/sha256.h"

/**
 * lb_fit_key_parse() - the public key that a bootloader holds
 * @pem: PEM public key or certificate, RSA of 2048 to 4096 bits; need not be terminated
 * @ret: initialised by the caller; mbedtls_pk_free() it afterwards in any case
 *
 * Return: 0, -LB_E_FORMAT, -LB_E_UNSUPPORTED, -LB_E_NOMEM.
 */
int lb_fit_key_parse(const void *pem, size_t len, mbedtls_pk_context *ret,
		     struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_fit_signed_digest() - what a signature node signs
 * @fdt: a structure that passed fdt_check_full()
 * @signature: offset of the signature node
 * @conf: name of its configuration, which must be among the hashed nodes
 *
 * Return: 0, -LB_E_FIT with a sentence.
 */
int lb_fit_signed_digest(const void *fdt, int signature, const char *conf,
			 uint8_t ret[LB_SHA256_BYTES], struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_fit_signature_check() - is one of a configuration's signatures from @key?
 * @conf: offset of the configuration node
 *
 * sha256 with RSA, padding pkcs-1.5 or pss.
 * Return: 0; -LB_E_SIGNATURE; -LB_E_FIT when no signature can be checked at all.
 */
int lb_fit_signature_check(const void *fdt, int conf, mbedtls_pk_context *key,
			   struct lb_error *err) LB_MUST_CHECK;

#endif
