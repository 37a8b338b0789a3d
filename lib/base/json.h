/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading JSON strictly: bounded, no duplicate names, exact integers. cJSON
 * does the parsing; everything that comes from outside goes through here.
 */
#ifndef LB_BASE_JSON_H
#define LB_BASE_JSON_H

#include <cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/**
 * lb_json_parse() - parse exactly one JSON object
 * @text: need not be terminated
 * @max_len: longer input is refused unread
 * @what: subject of the error sentence, such as "manifest.json"
 * @ret_root: owned by the caller, free with cJSON_Delete()
 *
 * Return: 0, -LB_E_FORMAT (not an object, nested deeper than 8, a name twice
 * in one object, a NUL byte, bytes after the object; also when cJSON ran out of
 * memory, which it does not tell apart), -LB_E_TOO_BIG.
 */
int lb_json_parse(const void *text, size_t len, size_t max_len, const char *what,
		  cJSON **ret_root, struct lb_error *err) LB_MUST_CHECK;

/*
 * Members of @obj by name. 0 and the value, -LB_E_NOT_FOUND when absent (@err
 * untouched, so that a default can follow), -LB_E_FORMAT with a sentence when the
 * type is wrong, a number is no integer of 0 to 2^53 - 1, a string is longer
 * than @size - 1 or not printable ASCII/UTF-8.
 */
int lb_json_u64(const cJSON *obj, const char *name, uint64_t *ret, struct lb_error *err) LB_MUST_CHECK;
int lb_json_bool(const cJSON *obj, const char *name, bool *ret, struct lb_error *err) LB_MUST_CHECK;
int lb_json_str(const cJSON *obj, const char *name, char *ret, size_t size,
		struct lb_error *err) LB_MUST_CHECK;
/* the same checks for an element of a list; @name is for the sentence */
int lb_json_str_of(const cJSON *item, const char *name, char *ret, size_t size,
		   struct lb_error *err) LB_MUST_CHECK;
/* a SHA-256 or other fixed-length digest in hexadecimal */
int lb_json_hex(const cJSON *obj, const char *name, uint8_t *ret, size_t len,
		struct lb_error *err) LB_MUST_CHECK;
int lb_json_obj(const cJSON *obj, const char *name, const cJSON **ret, struct lb_error *err) LB_MUST_CHECK;
int lb_json_array(const cJSON *obj, const char *name, const cJSON **ret, struct lb_error *err) LB_MUST_CHECK;

/* As above, but absence is -LB_E_FORMAT with a sentence: @err is filled for "x is missing". */
int lb_json_need(int result, const char *name, struct lb_error *err) LB_MUST_CHECK;

#endif
