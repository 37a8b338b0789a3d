// SPDX-License-Identifier: GPL-2.0-or-later
#include "conn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "page.h"
#include "server.h"

#define HEAD_MS 10000u
#define FORM_MS 10000u
#define ANSWER_MS 20000u
#define LINGER_MS 5000u
#define LINGER_MAX_MS 120000u /* for a body that nobody wants, however slowly it comes */

void web_conn_within(struct web_server *s, struct web_conn *c, uint32_t ms)
{
	c->deadline_ms = lb_clock_ms(s->clock) + ms;
}

void web_conn_open(struct web_server *s, struct web_conn *c, int fd)
{
	memset(c, 0, sizeof(*c));
	c->state = WEB_HEAD;
	c->fd = fd;
	c->upload_fd = -1;
	web_conn_within(s, c, HEAD_MS);
}

void web_conn_close(struct web_server *s, struct web_conn *c)
{
	if (c->state == WEB_FREE)
		return;
	if (c->upload_fd >= 0)
		close(c->upload_fd);
	close(c->fd);
	if (s->uploader == c)
		s->uploader = NULL;
	c->state = WEB_FREE;
}

int web_conn_poll(const struct web_conn *c, struct pollfd *p)
{
	short events = 0;

	switch (c->state) {
	case WEB_FREE:
		return 0;
	case WEB_ANSWER:
		events = POLLOUT;
		break;
	case WEB_UPLOAD:
		/* what is read has to go out first */
		events = c->in_len < sizeof(c->in) / 2 ? POLLIN : 0;
		break;
	default:
		events = POLLIN;
		break;
	}
	p[0] = (struct pollfd){ .fd = c->fd, .events = events };
	if (c->state != WEB_UPLOAD || c->upload_fd < 0)
		return 1;
	p[1] = (struct pollfd){ .fd = c->upload_fd, .events = c->stream_full ? POLLOUT : 0 };
	return 2;
}

bool web_conn_read(struct web_conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);

	if (n > 0)
		c->in_len += (size_t)n;
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)) || c->in_len == sizeof(c->in);
}

bool web_conn_drop(struct web_server *s, struct web_conn *c)
{
	c->in_len = 0;
	if (!web_conn_read(c)) {
		web_conn_close(s, c);
		return false;
	}
	c->body_left -= c->in_len < c->body_left ? c->in_len : c->body_left;
	return true;
}

static const char *reason_of(int status)
{
	static const struct {
		int status;
		const char *text;
	} reasons[] = {
		{ 200, "OK" }, { 202, "Accepted" }, { 400, "Bad Request" }, { 403, "Forbidden" },
		{ 404, "Not Found" }, { 405, "Method Not Allowed" }, { 408, "Request Timeout" },
		{ 409, "Conflict" }, { 411, "Length Required" }, { 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" }, { 421, "Misdirected Request" },
		{ 422, "Unprocessable Content" }, { 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" }, { 503, "Service Unavailable" },
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "Error";
}

void web_answer(struct web_server *s, struct web_conn *c, int status, const char *type,
		const char *body, size_t len)
{
	int n = snprintf(c->head, sizeof(c->head),
			 "HTTP/1.1 %d %s\r\n"
			 "Content-Type: %s\r\n"
			 "Content-Length: %zu\r\n"
			 "Connection: close\r\n"
			 "Cache-Control: no-store\r\n"
			 "X-Content-Type-Options: nosniff\r\n"
			 "Referrer-Policy: same-origin\r\n"
			 "Content-Security-Policy: %s\r\n"
			 "%s\r\n",
			 status, reason_of(status), type, len, web_page_policy,
			 !strcmp(c->rq.path, "/status") ? "Refresh: 2\r\n" : "");

	c->head_len = n > 0 && (size_t)n < sizeof(c->head) ? (size_t)n : 0;
	c->out = body;
	c->out_len = c->rq.method == LB_WEB_HEAD ? 0 : len;
	c->out_at = 0;
	if (c->upload_fd >= 0)
		close(c->upload_fd);
	c->upload_fd = -1;
	if (s->uploader == c)
		s->uploader = NULL;
	c->state = c->head_len ? WEB_ANSWER : WEB_LINGER;
	web_conn_within(s, c, ANSWER_MS);
}

/* No quotes or backslashes are in our sentences; whatever else is there must not end the string. */
static void clean(char *text)
{
	for (; *text; text++)
		if (*text == '"' || *text == '\\' || *text == '<' || *text == '&' || *text < ' ' || *text > '~')
			*text = '\'';
}

void web_answer_say(struct web_server *s, struct web_conn *c, int status, const char *code,
		    const char *text)
{
	char sentence[WEB_EVENT_MAX];
	/* a browser's own form cannot set the header; a script, that of the page too, does */
	bool form = !c->rq.token[0] &&
		    (c->rq.body == LB_WEB_BODY_FORM || c->rq.body == LB_WEB_BODY_MULTIPART);
	int n;

	snprintf(sentence, sizeof(sentence), "%s", text);
	clean(sentence);
	n = snprintf(c->text, sizeof(c->text),
		     form ? "<!DOCTYPE html><html lang=\"en\"><meta name=\"viewport\" "
			    "content=\"width=device-width\"><title>Lifeboat</title>"
			    "<p>%s: %s<p><a href=\"/\">Back</a> <a href=\"/status\">Progress</a>\n"
			  : "{\"code\":\"%s\",\"text\":\"%s\"}\n",
		     code, sentence);
	web_answer(s, c, status, form ? "text/html; charset=utf-8" : "application/json", c->text,
		   n > 0 ? (size_t)n : 0);
}

static void step_head(struct web_server *s, struct web_conn *c)
{
	struct lb_error err = { 0 };
	size_t head;
	int code;

	if (!web_conn_read(c)) {
		web_conn_close(s, c);
		return;
	}
	head = lb_web_head_bytes(c->in, c->in_len < LB_WEB_HEAD_MAX ? c->in_len : LB_WEB_HEAD_MAX);
	if (!head) {
		if (c->in_len >= LB_WEB_HEAD_MAX)
			web_answer_say(s, c, 431, "too-big", "the request's head is too long");
		return;
	}
	code = lb_web_request_parse(c->in, head, &c->rq, &err);
	c->in_len -= head;
	memmove(c->in, c->in + head, c->in_len);
	if (code)
		web_answer_say(s, c, code == -LB_E_TOO_BIG ? 431 : 400, lb_error_name(code), err.text);
	else
		web_route(s, c);
}

static void step_form(struct web_server *s, struct web_conn *c)
{
	if (!web_conn_read(c))
		web_conn_close(s, c);
	else if (c->in_len >= c->rq.length)
		web_route_form(s, c);
}

static void step_answer(struct web_server *s, struct web_conn *c)
{
	bool in_head = c->out_at < c->head_len;
	const char *from = in_head ? c->head + c->out_at : c->out + (c->out_at - c->head_len);
	size_t len = in_head ? c->head_len - c->out_at : c->head_len + c->out_len - c->out_at;
	ssize_t n = len ? send(c->fd, from, len, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		web_conn_close(s, c);
		return;
	}
	if (n > 0)
		c->out_at += (size_t)n;
	if (c->out_at < c->head_len + c->out_len)
		return;
	/* closing while the client still sends would take the answer away from it */
	shutdown(c->fd, SHUT_WR);
	c->state = WEB_LINGER;
	c->take_by_ms = lb_clock_ms(s->clock) + LINGER_MAX_MS;
	web_conn_within(s, c, LINGER_MS);
}

static void step_linger(struct web_server *s, struct web_conn *c)
{
	if (!web_conn_drop(s, c))
		return;
	if (c->body_left && c->in_len && lb_clock_ms(s->clock) < c->take_by_ms)
		web_conn_within(s, c, LINGER_MS); /* a client that only sends does not see the answer yet */
}

static bool is_late(struct web_server *s, struct web_conn *c)
{
	if (lb_clock_ms(s->clock) < c->deadline_ms)
		return false;
	if (c->upload_fd >= 0 && !c->taken && lb_clock_ms(s->clock) >= c->take_by_ms)
		web_answer_say(s, c, 503, "busy", "recovery is busy with another source of the update");
	else if (c->state == WEB_FORM || c->state == WEB_UPLOAD)
		web_answer_say(s, c, 408, "source-interrupted",
			       "nothing more was sent. What was written stays: send the same bundle again");
	else if (c->state == WEB_VERDICT)
		web_answer_say(s, c, 202, "upload", "the bundle has arrived; see the progress");
	else
		web_conn_close(s, c);
	return true;
}

void web_conn_step(struct web_server *s, struct web_conn *c)
{
	if (c->state == WEB_FREE || is_late(s, c))
		return;
	switch (c->state) {
	case WEB_HEAD:
		step_head(s, c);
		break;
	case WEB_FORM:
		step_form(s, c);
		break;
	case WEB_UPLOAD:
		web_upload_step(s, c);
		break;
	case WEB_VERDICT:
		web_upload_verdict(s, c);
		break;
	case WEB_ANSWER:
		step_answer(s, c);
		break;
	default:
		step_linger(s, c);
		break;
	}
}
