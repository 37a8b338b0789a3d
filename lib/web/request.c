// SPDX-License-Identifier: GPL-2.0-or-later
#include "web/request.h"

#include <string.h>
#include <strings.h>

#include "base/bytes.h"

/* A piece of the head; every step checks what is left. */
struct text {
	const char *at, *end;
};

static size_t left(const struct text *t)
{
	return (size_t)(t->end - t->at);
}

static bool take(struct text *t, const char *word)
{
	size_t len = strlen(word);

	if (left(t) < len || strncasecmp(t->at, word, len))
		return false;
	t->at += len;
	return true;
}

static void trim(struct text *t)
{
	while (t->at < t->end && (*t->at == ' ' || *t->at == '\t'))
		t->at++;
	while (t->end > t->at && (t->end[-1] == ' ' || t->end[-1] == '\t'))
		t->end--;
}

/* Up to @stop or the end; the stop itself is dropped. */
static struct text cut(struct text *t, char stop)
{
	const char *at = memchr(t->at, stop, left(t));
	struct text piece = { t->at, at ? at : t->end };

	t->at = at ? at + 1 : t->end;
	return piece;
}

size_t lb_web_head_bytes(const char *data, size_t len)
{
	for (size_t i = 3; i < len; i++)
		if (data[i] == '\n' && !memcmp(data + i - 3, "\r\n\r\n", 4))
			return i + 1;
	return 0;
}

static int malformed(struct lb_error *err, const char *what)
{
	return lb_error_set(err, LB_E_FORMAT, "the request's %s is malformed", what);
}

/* Visible ASCII only, so that it may be shown, compared and sent back. */
static int copy(const struct text *t, char *ret, size_t size, const char *what, struct lb_error *err)
{
	if (left(t) >= size)
		return lb_error_set(err, LB_E_TOO_BIG, "the request's %s has %zu bytes, at most %zu are read",
				    what, left(t), size - 1);
	for (const char *c = t->at; c < t->end; c++)
		if (*c <= ' ' || *c > '~')
			return malformed(err, what);
	memcpy(ret, t->at, left(t));
	ret[left(t)] = '\0';
	return 0;
}

static int host_field(struct lb_web_request *r, struct text *t, struct lb_error *err)
{
	if (r->host[0] || !left(t))
		return malformed(err, "Host");
	return copy(t, r->host, sizeof(r->host), "Host", err);
}

static int origin_field(struct lb_web_request *r, struct text *t, struct lb_error *err)
{
	if (r->origin[0] || !left(t))
		return malformed(err, "Origin");
	return copy(t, r->origin, sizeof(r->origin), "Origin", err);
}

static int token_field(struct lb_web_request *r, struct text *t, struct lb_error *err)
{
	if (r->token[0])
		return malformed(err, "X-Lifeboat-Code");
	return copy(t, r->token, sizeof(r->token), "X-Lifeboat-Code", err);
}

static int length_field(struct lb_web_request *r, struct text *t, struct lb_error *err)
{
	uint64_t n = 0;

	if (r->has_length || !left(t) || left(t) > 15)
		return malformed(err, "Content-Length");
	for (; t->at < t->end; t->at++) {
		if (*t->at < '0' || *t->at > '9')
			return malformed(err, "Content-Length");
		n = n * 10 + (uint64_t)(*t->at - '0');
	}
	r->has_length = true;
	r->length = n;
	return 0;
}

static int coding_field(struct lb_web_request *r, struct text *t, struct lb_error *err)
{
	(void)t;
	(void)err;
	r->chunked = true;
	return 0;
}

static int expect_field(struct lb_web_request *r, struct text *t, struct lb_error *err)
{
	if (!take(t, "100-continue") || left(t))
		return malformed(err, "Expect");
	r->expects_continue = true;
	return 0;
}

/* The parameter of multipart/form-data: boundary=token or boundary="text". */
static int boundary(struct lb_web_request *r, struct text *t, struct lb_error *err)
{
	while (left(t)) {
		struct text p = cut(t, ';');

		trim(&p);
		if (!take(&p, "boundary="))
			continue;
		if (left(&p) >= 2 && *p.at == '"' && p.end[-1] == '"') {
			p.at++;
			p.end--;
		}
		if (!left(&p) || memchr(p.at, '"', left(&p)))
			break;
		return copy(&p, r->boundary, sizeof(r->boundary), "boundary", err);
	}
	return malformed(err, "boundary");
}

static int type_field(struct lb_web_request *r, struct text *t, struct lb_error *err)
{
	static const struct {
		const char *name;
		enum lb_web_body body;
	} types[] = {
		{ "application/octet-stream", LB_WEB_BODY_BYTES },
		{ "application/x-www-form-urlencoded", LB_WEB_BODY_FORM },
		{ "multipart/form-data", LB_WEB_BODY_MULTIPART },
	};
	struct text name;

	if (r->has_type)
		return malformed(err, "Content-Type");
	r->has_type = true;
	name = cut(t, ';');
	trim(&name);
	r->body = LB_WEB_BODY_OTHER;
	for (size_t i = 0; i < LB_ARRAY_LEN(types); i++) {
		struct text rest = name;

		if (take(&rest, types[i].name) && !left(&rest))
			r->body = types[i].body;
	}
	return r->body == LB_WEB_BODY_MULTIPART ? boundary(r, t, err) : 0;
}

static int field(struct lb_web_request *r, struct text *line, struct lb_error *err)
{
	static const struct {
		const char *name;
		int (*read)(struct lb_web_request *r, struct text *value, struct lb_error *err);
	} known[] = {
		{ "host", host_field },
		{ "origin", origin_field },
		{ "x-lifeboat-code", token_field },
		{ "content-length", length_field },
		{ "transfer-encoding", coding_field },
		{ "expect", expect_field },
		{ "content-type", type_field },
	};
	struct text name;

	/* an empty name, blanks in front of it (a folded line) or behind it: two readings */
	if (!memchr(line->at, ':', left(line)))
		return malformed(err, "header");
	name = cut(line, ':');
	if (!left(&name) || memchr(name.at, ' ', left(&name)) || memchr(name.at, '\t', left(&name)))
		return malformed(err, "header");
	trim(line);
	for (size_t i = 0; i < LB_ARRAY_LEN(known); i++) {
		struct text rest = name;

		if (take(&rest, known[i].name) && !left(&rest))
			return known[i].read(r, line, err);
	}
	return 0;
}

static int request_line(struct lb_web_request *r, struct text *line, struct lb_error *err)
{
	static const char *const methods[] = {
		[LB_WEB_GET] = "GET", [LB_WEB_HEAD] = "HEAD", [LB_WEB_POST] = "POST",
	};
	struct text method = cut(line, ' '), target = cut(line, ' '), path;

	r->method = LB_WEB_OTHER_METHOD;
	for (size_t i = 0; i < LB_ARRAY_LEN(methods); i++)
		if (left(&method) == strlen(methods[i]) &&
		    !memcmp(method.at, methods[i], left(&method)))
			r->method = (enum lb_web_method)i;
	if (!left(&method) || !left(&target) || *target.at != '/' || !take(line, "HTTP/1.") ||
	    left(line) != 1)
		return malformed(err, "first line");
	path = cut(&target, '?');
	return copy(&path, r->path, sizeof(r->path), "path", err);
}

int lb_web_request_parse(const char *head, size_t len, struct lb_web_request *ret,
			 struct lb_error *err)
{
	struct lb_web_request r = { .body = LB_WEB_BODY_BYTES };
	struct text t = { head, head + len };
	int code = -1;

	if (len > LB_WEB_HEAD_MAX)
		return lb_error_set(err, LB_E_TOO_BIG, "the request's head has %zu bytes, at most %u are read",
				    len, LB_WEB_HEAD_MAX);
	while (left(&t)) {
		struct text line = cut(&t, '\n');

		if (!left(&line) || line.end[-1] != '\r' || memchr(line.at, '\0', left(&line)) ||
		    memchr(line.at, '\r', left(&line) - 1))
			return malformed(err, "head");
		line.end--;
		if (!left(&line))
			break; /* the empty line */
		code = code < 0 ? request_line(&r, &line, err) : field(&r, &line, err);
		if (code)
			return code;
	}
	if (code < 0 || left(&t))
		return malformed(err, "head");
	if (!r.host[0] || (r.chunked && r.has_length))
		return malformed(err, "header");
	*ret = r;
	return 0;
}

/* Digits and dots, or anything in brackets: no name that a server of names could answer for. */
static bool is_address(const char *host, size_t len)
{
	if (len > 2 && host[0] == '[')
		return true;
	for (size_t i = 0; i < len; i++)
		if ((host[i] < '0' || host[i] > '9') && host[i] != '.')
			return false;
	return len > 0;
}

bool lb_web_host_allowed(const char *host, const char *name)
{
	const char *bracket = strchr(host, ']');
	size_t len = host[0] == '[' && bracket ? (size_t)(bracket - host) + 1 : strcspn(host, ":");

	return is_address(host, len) || (len == 9 && !strncasecmp(host, "localhost", 9)) ||
	       (name[0] && len == strlen(name) && !strncasecmp(host, name, len));
}

bool lb_web_origin_allowed(const char *origin, const char *host)
{
	static const char scheme[] = "http://";
	size_t len = sizeof(scheme) - 1;

	return !origin[0] || (!strncmp(origin, scheme, len) && !strcasecmp(origin + len, host));
}
