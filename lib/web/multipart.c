// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* memmem() */
#include "web/multipart.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum state { AT_FIRST, AT_HEAD, AT_DATA, AT_END };

void lb_web_multipart_init(struct lb_web_multipart *m, const char *boundary)
{
	memset(m, 0, sizeof(*m));
	m->delimiter_len = (size_t)snprintf(m->delimiter, sizeof(m->delimiter), "\r\n--%s", boundary);
}

static int malformed(struct lb_error *err, const char *what)
{
	return lb_error_set(err, LB_E_FORMAT, "the form's %s is malformed", what);
}

static const char *find(const char *data, size_t len, const char *what, size_t what_len)
{
	return memmem(data, len, what, what_len);
}

/* The value of @name="..." in a header line; false when it is not there. */
static bool parameter(const char *line, size_t len, const char *name, char *ret, size_t size)
{
	char key[24];
	int n = snprintf(key, sizeof(key), "; %s=\"", name);
	const char *at = find(line, len, key, (size_t)n), *end;

	if (!at)
		return false;
	at += n;
	end = memchr(at, '"', len - (size_t)(at - line));
	if (!end)
		return false;
	snprintf(ret, size, "%.*s", end - at < (ptrdiff_t)size ? (int)(end - at) : 0, at);
	return true;
}

static void read_disposition(struct lb_web_multipart *m, const char *head, size_t len)
{
	static const char field[] = "content-disposition:";
	char ignored[2];

	m->part_name[0] = '\0';
	m->is_file = false;
	while (len) {
		const char *nl = memchr(head, '\n', len);
		size_t line = nl ? (size_t)(nl - head) + 1 : len;

		if (line >= sizeof(field) - 1 && !strncasecmp(head, field, sizeof(field) - 1)) {
			parameter(head, line, "name", m->part_name, sizeof(m->part_name));
			m->is_file = parameter(head, line, "filename", ignored, sizeof(ignored));
		}
		head += line;
		len -= line;
	}
}

static int step_head(struct lb_web_multipart *m, const char *data, size_t len, size_t *used,
		     struct lb_error *err)
{
	const char *end = find(data, len < LB_WEB_PART_HEAD_MAX ? len : LB_WEB_PART_HEAD_MAX,
			       "\r\n\r\n", 4);

	if (!end)
		return len < LB_WEB_PART_HEAD_MAX ? LB_WEB_MORE : malformed(err, "part");
	read_disposition(m, data, (size_t)(end - data));
	*used = (size_t)(end - data) + 4;
	m->state = AT_DATA;
	return LB_WEB_PART;
}

/* @data begins with the delimiter, @skip bytes of it having passed before. */
static int step_delimiter(struct lb_web_multipart *m, const char *data, size_t len, size_t skip,
			  size_t *used, struct lb_error *err)
{
	size_t end = m->delimiter_len - skip, head = 0;
	int code;

	if (len < end + 2)
		return LB_WEB_MORE;
	if (!memcmp(data + end, "--", 2)) {
		*used = end + 2;
		m->state = AT_END;
		return LB_WEB_END;
	}
	if (memcmp(data + end, "\r\n", 2))
		return malformed(err, "boundary");
	m->state = AT_HEAD;
	code = step_head(m, data + end + 2, len - end - 2, &head, err);
	*used = end + 2 + head;
	return code;
}

static int step_first(struct lb_web_multipart *m, const char *data, size_t len, size_t *used,
		      struct lb_error *err)
{
	size_t want = m->delimiter_len - 2, n = len < want ? len : want;

	if (memcmp(data, m->delimiter + 2, n))
		return malformed(err, "beginning");
	return len < want ? LB_WEB_MORE : step_delimiter(m, data, len, 2, used, err);
}

static int step_data(struct lb_web_multipart *m, const char *data, size_t len, size_t *used,
		     struct lb_error *err)
{
	const char *at = find(data, len, m->delimiter, m->delimiter_len);

	if (at == data && len)
		return step_delimiter(m, data, len, 0, used, err);
	/* the delimiter may have begun in the last bytes */
	if (at)
		*used = (size_t)(at - data);
	else if (len >= m->delimiter_len)
		*used = len - (m->delimiter_len - 1);
	return *used ? LB_WEB_DATA : LB_WEB_MORE;
}

int lb_web_multipart_step(struct lb_web_multipart *m, const char *data, size_t len, size_t *ret_used,
			  struct lb_error *err)
{
	*ret_used = 0;
	switch (m->state) {
	case AT_FIRST:
		return step_first(m, data, len, ret_used, err);
	case AT_HEAD:
		return step_head(m, data, len, ret_used, err);
	case AT_DATA:
		return step_data(m, data, len, ret_used, err);
	default:
		return LB_WEB_END;
	}
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decodes one value; false when it is malformed or too long. */
static bool decode(const char *at, const char *end, char *ret, size_t size)
{
	size_t n = 0;

	while (at < end) {
		char c = *at++;

		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			if (end - at < 2 || hex(at[0]) < 0 || hex(at[1]) < 0)
				return false;
			c = (char)(hex(at[0]) * 16 + hex(at[1]));
			at += 2;
		}
		if (!c || n + 1 >= size)
			return false;
		ret[n++] = c;
	}
	ret[n] = '\0';
	return true;
}

bool lb_web_form_value(const char *body, size_t len, const char *name, char *ret, size_t size)
{
	const char *at = body, *end = body + len;
	size_t name_len = strlen(name);

	ret[0] = '\0';
	while (at < end) {
		const char *stop = memchr(at, '&', (size_t)(end - at));

		stop = stop ? stop : end;
		if ((size_t)(stop - at) > name_len && at[name_len] == '=' &&
		    !memcmp(at, name, name_len)) {
			if (decode(at + name_len + 1, stop, ret, size))
				return true;
			ret[0] = '\0';
			return false;
		}
		at = stop < end ? stop + 1 : end;
	}
	return false;
}
