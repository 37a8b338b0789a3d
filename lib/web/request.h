/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The head of an HTTP/1.x request, as the page in recovery reads it. A pure parser:
 * every byte comes from whoever reaches the port. What it does not need it passes
 * over; what could be read in two ways is refused.
 * Spec: RFC 9112 sections 2 to 6, RFC 9110 sections 5.6, 7.2; RFC 6454 section 7.
 */
#ifndef LB_WEB_REQUEST_H
#define LB_WEB_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define LB_WEB_HEAD_MAX 4096u /* bytes of a head, its empty line included */
#define LB_WEB_PATH_MAX 63u
#define LB_WEB_VALUE_MAX 127u
#define LB_WEB_BOUNDARY_MAX 70u /* RFC 2046 */

enum lb_web_method { LB_WEB_GET, LB_WEB_HEAD, LB_WEB_POST, LB_WEB_OTHER_METHOD };

enum lb_web_body {
	LB_WEB_BODY_OTHER,
	LB_WEB_BODY_BYTES,     /* application/octet-stream, or no type: the bundle itself */
	LB_WEB_BODY_FORM,      /* application/x-www-form-urlencoded */
	LB_WEB_BODY_MULTIPART, /* multipart/form-data; boundary is set */
};

struct lb_web_request {
	enum lb_web_method method;
	char path[LB_WEB_PATH_MAX + 1];	    /* without the query, which is dropped */
	char host[LB_WEB_VALUE_MAX + 1];    /* of the Host field, with its port; never empty */
	char origin[LB_WEB_VALUE_MAX + 1];  /* "" absent */
	char token[LB_WEB_VALUE_MAX + 1];   /* of X-Lifeboat-Code; "" absent */
	char boundary[LB_WEB_BOUNDARY_MAX + 1];
	enum lb_web_body body;
	bool has_type, has_length;
	bool chunked;	       /* a transfer coding: the body's end is not known beforehand */
	bool expects_continue; /* the client waits for "100 Continue" before it sends the body */
	uint64_t length;       /* of the body, if has_length */
};

/**
 * lb_web_head_bytes() - where a head ends
 * Return: bytes of the head with its empty line; 0: it is not complete yet.
 */
size_t lb_web_head_bytes(const char *data, size_t len);

/**
 * lb_web_request_parse() - read one complete head
 * @head: lb_web_head_bytes() of it, not terminated by NUL
 * @ret: filled on success only
 *
 * Return: 0; -LB_E_FORMAT (to be answered with 400): not HTTP/1.x, a field that counts is
 * missing (Host), malformed, or given twice, control characters; -LB_E_TOO_BIG: the path or a value
 * that counts is longer than its buffer (414, 431).
 */
int lb_web_request_parse(const char *head, size_t len, struct lb_web_request *ret,
			 struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_web_host_allowed() - is @host a name that only this device can be meant by?
 * @name: a further name that is allowed; "" none
 *
 * A page on the internet may let its own name point to this device's address and have a browser
 * on the spot ask for it. Its requests carry that name: so literal addresses, "localhost" and
 * the configured name are served, nothing else. The port does not matter.
 */
bool lb_web_host_allowed(const char *host, const char *name);

/* No Origin, or "http://" and exactly @host: the page that sends is our own. */
bool lb_web_origin_allowed(const char *origin, const char *host);

#endif
