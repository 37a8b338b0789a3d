// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux/tls.h"

#include <curl/curl.h>
#include <mbedtls/oid.h>
#include <mbedtls/ssl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DATE_FLAGS (MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE)

int64_t lb_tls_time(const mbedtls_x509_time *t)
{
	/* days since 1970-01-01, counting years from March: leap days come last */
	int64_t year = t->mon <= 2 ? t->year - 1 : t->year;
	int64_t month = t->mon <= 2 ? t->mon + 9 : t->mon - 3;
	int64_t days = year * 365 + year / 4 - year / 100 + year / 400 +
		       (month * 153 + 2) / 5 + t->day - 1 - 719468;

	return ((days * 24 + t->hour) * 60 + t->min) * 60 + t->sec;
}

/* The common name as far as it is printable ASCII: it goes to consoles. */
static void note_subject(struct lb_tls_verdict *v, const mbedtls_x509_crt *crt)
{
	const mbedtls_x509_name *name = &crt->subject;
	size_t n = 0;

	while (name && MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &name->oid))
		name = name->next;
	for (; name && n < name->val.len && n < sizeof(v->subject) - 1; n++)
		v->subject[n] = name->val.p[n] > ' ' && name->val.p[n] <= '~' ?
					(char)name->val.p[n] : '?';
	v->subject[n] = '\0';
}

int lb_tls_verify(void *context, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	struct lb_tls_verdict *v = context;
	int64_t until = lb_tls_time(&crt->valid_to);

	*flags &= ~(uint32_t)DATE_FLAGS;
	if (until < v->not_before_s) {
		*flags |= MBEDTLS_X509_BADCERT_EXPIRED;
		if (!(v->flags & MBEDTLS_X509_BADCERT_EXPIRED))
			v->expired_s = until;
	}
	if (!depth)
		note_subject(v, crt);
	v->flags |= *flags;
	return 0;
}

void lb_tls_verdict_reset(struct lb_tls_verdict *v)
{
	v->flags = 0;
	v->expired_s = 0;
	v->subject[0] = '\0';
}

static CURLcode set_callback(CURL *curl, void *ssl_config, void *verdict)
{
	mbedtls_ssl_conf_verify(ssl_config, lb_tls_verify, verdict);
	return CURLE_OK;
}

int lb_tls_hook(void *curl, struct lb_tls_verdict *v)
{
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

	/* another library would be handed a structure that it is not */
	if (!info->ssl_version || strncmp(info->ssl_version, "mbedTLS/", 8))
		return -LB_E_UNSUPPORTED;
	if (curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, set_callback) ||
	    curl_easy_setopt(curl, CURLOPT_SSL_CTX_DATA, v))
		return -LB_E_UNSUPPORTED;
	return 0;
}

int lb_tls_check_ca(const char *pem, const char *file, struct lb_error *err)
{
	mbedtls_x509_crt ca;
	int result;

	/* a certificate among several that mbedTLS does not know is no failure */
	mbedtls_x509_crt_init(&ca);
	if (pem)
		result = mbedtls_x509_crt_parse(&ca, (const uint8_t *)pem, strlen(pem) + 1);
	else
		result = mbedtls_x509_crt_parse_file(&ca, file);
	if (!ca.version)
		result = lb_error_set(err, LB_E_INVALID,
				      "%s holds no CA certificate that can be read (mbedTLS -0x%x)",
				      pem ? "the configuration" : file,
				      result < 0 ? (unsigned int)-result : 0);
	else
		result = 0;
	mbedtls_x509_crt_free(&ca);
	return result;
}

static void date_text(char *out, size_t size, int64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(out, size, "%Y-%m-%d %H:%M:%S UTC", &tm))
		snprintf(out, size, "second %lld", (long long)seconds);
}

int lb_tls_error(const struct lb_tls_verdict *v, const char *host, struct lb_error *err)
{
	uint32_t flags = v->flags;
	char when[32], floor[32];

	if (flags && !(flags & ~(uint32_t)DATE_FLAGS)) {
		date_text(when, sizeof(when), v->expired_s);
		date_text(floor, sizeof(floor), v->not_before_s);
		return lb_error_set(err, LB_E_CERT_EXPIRED,
				    "a certificate of %s expired at %s, it is at least %s", host,
				    when, floor);
	}
	if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
		return lb_error_set(err, LB_E_CERT_UNTRUSTED,
				    "the certificate of %s (for %s) was not issued by a trusted CA",
				    host, v->subject[0] ? v->subject : "no name");
	if (flags & MBEDTLS_X509_BADCERT_CN_MISMATCH)
		return lb_error_set(err, LB_E_CERT_UNTRUSTED,
				    "the certificate of %s is for another name (%s)", host,
				    v->subject[0] ? v->subject : "none");
	return lb_error_set(err, LB_E_CERT_UNTRUSTED,
			    "the certificate of %s was refused (mbedTLS flags 0x%x)", host, flags);
}
