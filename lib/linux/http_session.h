/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One server, one request at a time, pulled: nothing happens between calls.
 * What curl receives goes into a buffer of fixed size; when that is full the
 * transfer is paused and TCP holds the server back. Internal to lib/linux.
 */
#ifndef LB_LINUX_HTTP_SESSION_H
#define LB_LINUX_HTTP_SESSION_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "linux/http.h"
#include "linux/http_headers.h"
#include "linux/tls.h"

#define LB_HTTP_BUFFER_BYTES (64u * 1024u)
#define LB_HTTP_REDIRECTS_MAX 5
#define LB_HTTP_URL_MAX 4095
#define LB_HTTP_TO_END UINT64_MAX

struct lb_http_session {
	/* the answer, valid from start until the next start or stop */
	struct lb_http_headers headers;
	long status;
	bool has_length;	  /* of the body, as announced */
	uint64_t length_bytes;

	uint64_t arrived_bytes;	  /* bodies of 200 and 206, all requests together */
	uint32_t requests;

	/* the rest is private */
	CURL *easy;		  /* owned */
	CURLM *multi;		  /* owned; keeps the connection alive between requests */
	struct curl_slist *token; /* owned: the header for the first host; NULL none */
	struct curl_slist *extra; /* owned: the headers of this request */
	char *url;		  /* owned: as given */
	char *target;		  /* owned: where redirects led last time; NULL nowhere */
	char place[96];		  /* host and path for sentences, without secrets */
	bool has_ca;
	uint32_t connect_ms, stall_ms;
	bool (*tick)(void *ctx);  /* NULL none */
	void *tick_ctx;		  /* borrowed */
	struct lb_tls_verdict verdict;
	char curl_error[CURL_ERROR_SIZE];
	CURLcode result;
	bool running, finished, paused, overflow;
	uint64_t body_bytes;	  /* of this answer */
	uint64_t asked_ms;	  /* redirects count from here */
	uint64_t started_ms, active_ms, ticked_ms;
	size_t head, tail;	  /* unread bytes in buffer */
	uint8_t buffer[LB_HTTP_BUFFER_BYTES];
};

struct lb_http_ask {
	bool range;
	uint64_t first, last;	   /* inclusive; last LB_HTTP_TO_END: open */
	const char *if_range;	   /* strong ETag; NULL or "" none */
	const char *if_none_match; /* ETag; NULL or "" none */
};

int lb_http_session_open(const char *url, const struct lb_http_options *opt,
			 struct lb_http_session **ret, struct lb_error *err) LB_MUST_CHECK;
void lb_http_session_close(struct lb_http_session *s);

/**
 * lb_http_session_start() - ask, follow redirects, wait for the answer's head
 *
 * Return: 0 with status 200, 206, 304 (if asked for) or 416 that states the
 * total; else -LB_E_AGAIN, -LB_E_REFUSED, -LB_E_CERT_*, -LB_E_INVALID, -LB_E_NOMEM.
 */
int lb_http_session_start(struct lb_http_session *s, const struct lb_http_ask *ask,
			  struct lb_error *err) LB_MUST_CHECK;

/* The body: 1 to @len bytes, 0 at its end; @buf NULL drops them. */
ptrdiff_t lb_http_session_read(struct lb_http_session *s, void *buf, size_t len,
			       struct lb_error *err) LB_MUST_CHECK;

/* Abandons the answer; the connection survives if the body was read to its end. */
void lb_http_session_stop(struct lb_http_session *s);

/* http_url.c */
/* Same scheme, host and port? Then the token may go there. */
bool lb_http_same_origin(const char *url_a, const char *url_b);
bool lb_http_is_https(const char *url);
/* host and path of @url without user, query and fragment */
void lb_http_place(const char *url, char *out, size_t size);

#endif
