// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cJSON is lenient: names twice, NUL in a string, deep nesting, text after the
 * value. Everything that it lets through is refused here, before or after it.
 */
#include "base/json.h"

#include <string.h>

#include "base/bytes.h"

#define DEPTH_MAX 8
#define EXACT_MAX 9007199254740991.0 /* 2^53 - 1: its successor stands for two integers */

/* One byte of the text outside or inside of strings, for scan(). */
struct scanner {
	int depth;
	bool in_string;
};

static const char *scan_string_byte(struct scanner *s, const char *p, const char *end)
{
	if (*p == '"')
		s->in_string = false;
	else if (*p == '\\')
		p++; /* whatever follows is no end of the string */
	return p < end ? p : end - 1;
}

/* NULL, or what is wrong with the text as far as brackets, strings and NULs go. */
static const char *scan(const char *text, size_t len)
{
	struct scanner s = { 0 };
	const char *end = text + len;

	if (memchr(text, '\0', len))
		return "contains a NUL byte";
	for (const char *p = text; p < end; p++) {
		if (s.in_string) {
			if (*p == '\\' && end - p >= 6 && !memcmp(p, "\\u0000", 6))
				return "contains a NUL character";
			p = scan_string_byte(&s, p, end);
		} else if (*p == '"') {
			s.in_string = true;
		} else if (*p == '{' || *p == '[') {
			if (++s.depth > DEPTH_MAX)
				return "is nested too deeply";
		} else if (*p == '}' || *p == ']') {
			s.depth--;
		}
	}
	return NULL;
}

/* The first name that stands twice in one object, NULL if none does. */
static const char *name_twice(const cJSON *item)
{
	const char *name;

	for (const cJSON *a = item->child; a; a = a->next) {
		for (const cJSON *b = a->next; cJSON_IsObject(item) && b; b = b->next)
			if (!strcmp(a->string, b->string))
				return a->string;
		name = name_twice(a);
		if (name)
			return name;
	}
	return NULL;
}

static bool only_space(const char *p, const char *end)
{
	while (p < end && strchr(" \t\r\n", *p))
		p++;
	return p == end;
}

int lb_json_parse(const void *text, size_t len, size_t max_len, const char *what,
		  cJSON **ret_root, struct lb_error *err)
{
	const char *start = text, *end = NULL, *wrong, *twice;
	cJSON *root;

	if (len > max_len)
		return lb_error_set(err, LB_E_TOO_BIG, "%s has %zu bytes, at most %zu are allowed",
				    what, len, max_len);
	wrong = len ? scan(start, len) : "is empty";
	if (wrong)
		return lb_error_set(err, LB_E_FORMAT, "%s %s", what, wrong);
	root = cJSON_ParseWithLengthOpts(start, len, &end, false);
	if (!root)
		return lb_error_set(err, LB_E_FORMAT, "%s is no valid JSON at byte %td", what,
				    end ? end - start : 0);
	twice = name_twice(root);
	if (twice)
		lb_error_set(err, LB_E_FORMAT, "%s contains the name \"%.32s\" twice", what, twice);
	else if (!cJSON_IsObject(root))
		lb_error_set(err, LB_E_FORMAT, "%s is not a JSON object", what);
	else if (!only_space(end, start + len))
		lb_error_set(err, LB_E_FORMAT, "%s continues after its object", what);
	else {
		*ret_root = root;
		return 0;
	}
	cJSON_Delete(root);
	return -LB_E_FORMAT;
}

static int wrong_type(const char *name, const char *wanted, struct lb_error *err)
{
	return lb_error_set(err, LB_E_FORMAT, "\"%.32s\" is not %s", name, wanted);
}

static const cJSON *member(const cJSON *obj, const char *name)
{
	return cJSON_IsObject(obj) ? cJSON_GetObjectItemCaseSensitive(obj, name) : NULL;
}

int lb_json_u64(const cJSON *obj, const char *name, uint64_t *ret, struct lb_error *err)
{
	const cJSON *item = member(obj, name);
	double v;

	if (!item)
		return -LB_E_NOT_FOUND;
	v = item->valuedouble;
	if (!cJSON_IsNumber(item) || !(v >= 0) || v > EXACT_MAX || v != (double)(uint64_t)v)
		return wrong_type(name, "an integer from 0 to 2^53 - 1", err);
	*ret = (uint64_t)v;
	return 0;
}

int lb_json_bool(const cJSON *obj, const char *name, bool *ret, struct lb_error *err)
{
	const cJSON *item = member(obj, name);

	if (!item)
		return -LB_E_NOT_FOUND;
	if (!cJSON_IsBool(item))
		return wrong_type(name, "true or false", err);
	*ret = cJSON_IsTrue(item);
	return 0;
}

/* Bytes of the UTF-8 character at @p, 0 if it is none or a control character. */
static size_t printable(const unsigned char *p)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t least;
	} form[] = { { 0x80, 0x00, 0x20 }, { 0xe0, 0xc0, 0xa0 },
		     { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };

	for (size_t n = 0; n < 4; n++) {
		uint32_t c = p[0] & (unsigned char)~form[n].mask;

		if ((p[0] & form[n].mask) != form[n].lead)
			continue;
		for (size_t i = 1; i <= n; i++) {
			if ((p[i] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (p[i] & 0x3f);
		}
		if (c < form[n].least || c == 0x7f || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
			return 0;
		return n + 1;
	}
	return 0;
}

int lb_json_str_of(const cJSON *item, const char *name, char *ret, size_t size,
		   struct lb_error *err)
{
	const char *s;
	size_t len, n;

	if (!cJSON_IsString(item))
		return wrong_type(name, "a string", err);
	s = item->valuestring;
	len = strlen(s);
	if (len >= size)
		return lb_error_set(err, LB_E_FORMAT, "\"%.32s\" has %zu bytes, at most %zu fit",
				    name, len, size - 1);
	for (const char *p = s; *p; p += n) {
		n = printable((const unsigned char *)p);
		if (!n)
			return wrong_type(name, "printable text", err);
	}
	memcpy(ret, s, len + 1);
	return 0;
}

int lb_json_str(const cJSON *obj, const char *name, char *ret, size_t size, struct lb_error *err)
{
	const cJSON *item = member(obj, name);

	return item ? lb_json_str_of(item, name, ret, size, err) : -LB_E_NOT_FOUND;
}

int lb_json_hex(const cJSON *obj, const char *name, uint8_t *ret, size_t len, struct lb_error *err)
{
	const cJSON *item = member(obj, name);
	uint8_t bytes[64];

	if (!item)
		return -LB_E_NOT_FOUND;
	if (!cJSON_IsString(item) || len > sizeof(bytes) ||
	    !lb_hex_decode(bytes, len, item->valuestring))
		return lb_error_set(err, LB_E_FORMAT, "\"%.32s\" is not %zu hexadecimal digits",
				    name, 2 * len);
	memcpy(ret, bytes, len);
	return 0;
}

int lb_json_obj(const cJSON *obj, const char *name, const cJSON **ret, struct lb_error *err)
{
	const cJSON *item = member(obj, name);

	if (!item)
		return -LB_E_NOT_FOUND;
	if (!cJSON_IsObject(item))
		return wrong_type(name, "an object", err);
	*ret = item;
	return 0;
}

int lb_json_array(const cJSON *obj, const char *name, const cJSON **ret, struct lb_error *err)
{
	const cJSON *item = member(obj, name);

	if (!item)
		return -LB_E_NOT_FOUND;
	if (!cJSON_IsArray(item))
		return wrong_type(name, "a list", err);
	*ret = item;
	return 0;
}

int lb_json_need(int result, const char *name, struct lb_error *err)
{
	if (result == -LB_E_NOT_FOUND)
		return lb_error_set(err, LB_E_FORMAT, "\"%.32s\" is missing", name);
	return result;
}
