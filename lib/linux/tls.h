/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is the server's certificate good? mbedTLS judges chains and names; dates are
 * judged here against a time floor, because the device's clock may be wrong:
 * "not yet valid" never counts, "expired" means expired before the floor.
 * docs/DESIGN.md, "Clock".
 */
#ifndef LB_LINUX_TLS_H
#define LB_LINUX_TLS_H

#include <mbedtls/x509_crt.h>
#include <stdint.h>

#include "base/error.h"

/* What was wrong with the certificates of one handshake. */
struct lb_tls_verdict {
	int64_t not_before_s;	 /* in: the floor; 0 accepts any date */
	uint32_t flags;		 /* MBEDTLS_X509_BADCERT_*, of all certificates */
	int64_t expired_s;	 /* when the first expired one did */
	char subject[64];	 /* common name of the server's certificate, printable; "" none */
};

/**
 * lb_tls_check_ca() - is there at least one certificate to trust?
 * @pem: text, or NULL: read @file
 *
 * Return: 0; -LB_E_INVALID with a sentence.
 */
int lb_tls_check_ca(const char *pem, const char *file, struct lb_error *err) LB_MUST_CHECK;

/* Before each handshake: forget the last one. */
void lb_tls_verdict_reset(struct lb_tls_verdict *v);

/**
 * lb_tls_hook() - judge dates of all connections of a curl handle
 * @curl: a CURL *
 * @v: borrowed for as long as @curl makes connections
 *
 * Return: 0, -LB_E_UNSUPPORTED when libcurl was not built with mbedTLS.
 */
int lb_tls_hook(void *curl, struct lb_tls_verdict *v) LB_MUST_CHECK;

/* The verify callback itself (mbedtls_ssl_conf_verify(), @v is its context). */
int lb_tls_verify(void *v, mbedtls_x509_crt *crt, int depth, uint32_t *flags);

/**
 * lb_tls_error() - the code and sentence for a refused handshake
 * @host: for the sentence
 *
 * Return: -LB_E_CERT_EXPIRED when dates are all that is wrong, else -LB_E_CERT_UNTRUSTED.
 */
int lb_tls_error(const struct lb_tls_verdict *v, const char *host, struct lb_error *err);

/* Seconds since 1970 of a certificate's date (UTC, proleptic Gregorian). */
int64_t lb_tls_time(const mbedtls_x509_time *t);

#endif
