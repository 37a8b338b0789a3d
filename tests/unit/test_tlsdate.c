// SPDX-License-Identifier: GPL-2.0-or-later
/* Dates of certificates against a time floor, and the headers that a server may send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include <time.h>

#include "linux/http_headers.h"
#include "linux/tls.h"

/* timegm(3) is the other opinion */
static void dates_are_counted_as_the_c_library_does(void **state)
{
	for (int year = 1950; year <= 2200; year++) {
		for (int month = 1; month <= 12; month++) {
			for (int day = 1; day <= 28; day += 9) {
				mbedtls_x509_time t = { year, month, day, 23, 59, 58 };
				struct tm tm = { .tm_year = year - 1900, .tm_mon = month - 1,
						 .tm_mday = day, .tm_hour = 23, .tm_min = 59,
						 .tm_sec = 58 };

				assert_int_equal(lb_tls_time(&t), timegm(&tm));
			}
		}
	}
	assert_int_equal(lb_tls_time(&(mbedtls_x509_time){ 9999, 12, 31, 23, 59, 59 }),
			 253402300799);
	assert_int_equal(lb_tls_time(&(mbedtls_x509_time){ 2024, 2, 29, 0, 0, 0 }), 1709164800);
}

static uint32_t judge(int64_t floor, uint32_t flags, struct lb_tls_verdict *v)
{
	mbedtls_x509_crt crt;

	memset(v, 0, sizeof(*v));
	v->not_before_s = floor;
	mbedtls_x509_crt_init(&crt);
	crt.valid_to = (mbedtls_x509_time){ 2025, 6, 1, 0, 0, 0 };
	lb_tls_verify(v, &crt, 1, &flags);
	assert_int_equal(v->flags, flags);
	return flags;
}

static void the_systems_own_opinion_of_dates_never_counts(void **state)
{
	const uint32_t both = MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE;
	struct lb_tls_verdict v;

	assert_int_equal(judge(0, both, &v), 0);
	assert_int_equal(judge(1748736000, both, &v), 0);
	assert_int_equal(judge(1748736001, 0, &v), MBEDTLS_X509_BADCERT_EXPIRED);
	assert_int_equal(v.expired_s, 1748736000);
	assert_int_equal(judge(0, both | MBEDTLS_X509_BADCERT_NOT_TRUSTED, &v),
			 MBEDTLS_X509_BADCERT_NOT_TRUSTED);
}

static void what_is_wrong_has_a_code(void **state)
{
	struct lb_tls_verdict v = { .flags = MBEDTLS_X509_BADCERT_EXPIRED, .expired_s = 1748736000,
				    .not_before_s = 1748736001 };
	struct lb_error err = { 0 };

	assert_int_equal(lb_tls_error(&v, "h", &err), -LB_E_CERT_EXPIRED);
	assert_string_equal(err.text, "a certificate of h expired at 2025-06-01 00:00:00 UTC, "
				      "it is at least 2025-06-01 00:00:01 UTC");
	v.flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
	assert_int_equal(lb_tls_error(&v, "h", &err), -LB_E_CERT_UNTRUSTED);
	v.flags = 0; /* no callback ran: nothing may look like trust */
	assert_int_equal(lb_tls_error(&v, "h", &err), -LB_E_CERT_UNTRUSTED);
}

static struct lb_http_headers parsed(const char *lines)
{
	struct lb_http_headers h = { 0 };
	const char *end;

	for (; (end = strchr(lines, '\n')); lines = end + 1)
		lb_http_headers_line(&h, lines, (size_t)(end + 1 - lines));
	return h;
}

static void headers_are_read(void **state)
{
	struct lb_http_headers h = parsed("HTTP/1.1 206 Partial Content\r\n"
					  "content-RANGE:  bytes 5-9/100 \r\n"
					  "ETag:\"a-b\"\r\nRetry-After: 12\r\n\r\n");

	assert_true(h.done && h.has_range && h.has_total && !h.encoded);
	assert_int_equal(h.first, 5);
	assert_int_equal(h.last, 9);
	assert_int_equal(h.total_bytes, 100);
	assert_int_equal(h.retry_after_s, 12);
	assert_string_equal(h.etag, "\"a-b\"");

	h = parsed("HTTP/1.1 206 X\nContent-Range: bytes 0-0/*\n\n");
	assert_true(h.has_range && !h.has_total);
	h = parsed("HTTP/1.1 416 X\nContent-Range: bytes */77\n\n");
	assert_true(!h.has_range && h.has_total && h.total_bytes == 77);
	h = parsed("Content-Encoding: gzip\n");
	assert_true(h.encoded && !h.done);
	h = parsed("Content-Encoding: identity\n");
	assert_false(h.encoded);
}

static void malformed_headers_are_absent(void **state)
{
	static const char *const bad[] = {
		"Content-Range: bytes 9-5/100\n",  "Content-Range: bytes 5-100/100\n",
		"Content-Range: bytes 5-9/100;\n", "Content-Range: bytes 5-9\n",
		"Content-Range: bytes -9/100\n",   "Content-Range: bytes 5-/100\n",
		"Content-Range: lines 5-9/100\n",  "Content-Range:\n",
		"Content-Range: bytes 0-18446744073709551616/18446744073709551617\n",
		"Content-Range : bytes 5-9/100\n", "ETag: W/\"a\"\n", "ETag: \"a\n", "ETag: a\n",
		"ETag: \"a b\"\n", "ETag: \"\x80\"\n", "ETag: \"\n", "Retry-After: -1\n",
		"Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\n", "Retry-After:\n",
		"Retry-After: 99999999999999999999\n",
	};
	char large[300] = "ETag: \"";

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct lb_http_headers h = parsed(bad[i]);

		if (h.has_range || h.has_total || h.etag[0] || h.retry_after_s)
			fail_msg("taken: %s", bad[i]);
	}
	memset(large + 7, 'x', sizeof(large) - 10);
	strcpy(large + sizeof(large) - 3, "\"\n");
	assert_string_equal(parsed(large).etag, "");
	assert_int_equal(parsed("Retry-After: 100000\n").retry_after_s, LB_HTTP_RETRY_MAX_S);
}

static void the_last_answer_counts_and_trailers_do_not(void **state)
{
	struct lb_http_headers h = parsed("HTTP/1.1 103 Early\nETag: \"early\"\n\n"
					  "HTTP/1.1 200 OK\nETag: \"real\"\n\nETag: \"trailer\"\n");

	assert_string_equal(h.etag, "\"real\"");
	assert_true(h.done);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_are_counted_as_the_c_library_does),
		cmocka_unit_test(the_systems_own_opinion_of_dates_never_counts),
		cmocka_unit_test(what_is_wrong_has_a_code),
		cmocka_unit_test(headers_are_read),
		cmocka_unit_test(malformed_headers_are_absent),
		cmocka_unit_test(the_last_answer_counts_and_trailers_do_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
