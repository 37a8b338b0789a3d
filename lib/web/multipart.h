/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * multipart/form-data as a browser's form sends it, taken apart while it arrives:
 * a bundle in it is passed on in pieces and never kept.
 * Spec: RFC 7578, RFC 2046 section 5.1.1.
 */
#ifndef LB_WEB_MULTIPART_H
#define LB_WEB_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "web/request.h"

#define LB_WEB_PART_HEAD_MAX 1024u
#define LB_WEB_NAME_MAX 31u
/* a buffer of at least so many bytes always lets the parser go on */
#define LB_WEB_MULTIPART_MIN (LB_WEB_PART_HEAD_MAX + LB_WEB_BOUNDARY_MAX + 8u)

enum lb_web_step {
	LB_WEB_MORE,  /* nothing can be said yet: @used bytes are done with, read on */
	LB_WEB_PART,  /* a part begins: part_name, is_file */
	LB_WEB_DATA,  /* data[0..used) belongs to that part */
	LB_WEB_END,   /* the last part has ended; what follows does not count */
};

struct lb_web_multipart {
	char delimiter[4 + LB_WEB_BOUNDARY_MAX + 1]; /* CR LF - - boundary */
	size_t delimiter_len;
	int state;
	char part_name[LB_WEB_NAME_MAX + 1]; /* "" when it has none, or a longer one */
	bool is_file;			     /* it has a file name */
};

/* @boundary: at most LB_WEB_BOUNDARY_MAX bytes; copied */
void lb_web_multipart_init(struct lb_web_multipart *m, const char *boundary);

/**
 * lb_web_multipart_step() - the next thing in a body
 * @data: what arrived and was not used yet, in one piece
 * @ret_used: how much of it the caller drops before the next call
 *
 * Return: one of enum lb_web_step, or -LB_E_FORMAT.
 */
int lb_web_multipart_step(struct lb_web_multipart *m, const char *data, size_t len, size_t *ret_used,
			  struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_web_form_value() - one value of application/x-www-form-urlencoded
 * @name: plain letters
 * @ret: NUL-terminated, percent signs and plus signs decoded; "" when it is not there
 *
 * Return: true when it was there, fits, and has no NUL in it.
 */
bool lb_web_form_value(const char *body, size_t len, const char *name, char *ret, size_t size);

#endif
