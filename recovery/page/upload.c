// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A bundle on its way from a browser to recovery: at most one, as fast as recovery
 * reads it, never stored. Recovery hangs up when it has enough, or does not want it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link.h"
#include "server.h"

#define STALL_MS 60000u	  /* the client is silent */
#define TAKE_MS 300000u	  /* recovery is busy with something else */
#define VERDICT_MS 60000u /* then the answer is that it has arrived */
#define STREAM_BYTES (128 * 1024)

/* The stream to recovery; its other end goes there with the message. */
static bool open_stream(struct web_server *s, struct web_conn *c)
{
	int pair[2], size = STREAM_BYTES;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return false;
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	c->upload_fd = pair[0];
	if (!web_server_tell(s, LINK_UPLOAD, pair[1])) {
		close(pair[1]);
		return false;
	}
	close(pair[1]);
	s->uploader = c;
	return true;
}

static void go_on(struct web_conn *c)
{
	static const char yes[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (c->rq.expects_continue && send(c->fd, yes, sizeof(yes) - 1, MSG_NOSIGNAL) < 0)
		c->rq.expects_continue = false; /* the next read finds out */
}

static bool start(struct web_server *s, struct web_conn *c)
{
	if (s->uploader && s->uploader != c) {
		web_answer_say(s, c, 409, "busy", "another bundle is being uploaded");
		return false;
	}
	if (!open_stream(s, c)) {
		web_answer_say(s, c, 503, "busy", "recovery cannot take a bundle now");
		return false;
	}
	return true;
}

void web_upload_begin(struct web_server *s, struct web_conn *c)
{
	c->body_left = c->rq.length - (c->in_len < c->rq.length ? c->in_len : c->rq.length);
	if (c->rq.body == LB_WEB_BODY_MULTIPART)
		lb_web_multipart_init(&c->parts, c->rq.boundary);
	else if (!start(s, c))
		return;
	c->in_file = c->rq.body == LB_WEB_BODY_BYTES;
	c->state = WEB_UPLOAD;
	go_on(c);
	c->take_by_ms = lb_clock_ms(s->clock) + TAKE_MS;
	web_conn_within(s, c, STALL_MS);
	web_upload_step(s, c);
}

static void drop_in(struct web_conn *c, size_t n)
{
	c->in_len -= n;
	memmove(c->in, c->in + n, c->in_len);
}

static void await_verdict(struct web_server *s, struct web_conn *c)
{
	shutdown(c->upload_fd, SHUT_WR); /* recovery reads to the end, and hangs up */
	c->state = WEB_VERDICT;
	web_conn_within(s, c, VERDICT_MS);
}

/* Bytes of the bundle; returns how many went out, or -1 when the connection goes on otherwise. */
static ptrdiff_t pass_on(struct web_server *s, struct web_conn *c, size_t len)
{
	ssize_t n = send(c->upload_fd, c->in, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	c->stream_full = n < 0 ? errno == EAGAIN : (size_t)n < len;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0) {
		await_verdict(s, c); /* recovery has enough, or does not want it */
		return -1;
	}
	c->passed += (uint64_t)n;
	web_conn_within(s, c, STALL_MS);
	return n;
}

/* A field of the form in front of the bundle: only the code counts. */
static void note_field(struct web_conn *c, size_t len)
{
	size_t have = strlen(c->code);

	if (strcmp(c->parts.part_name, "code") || have + len >= sizeof(c->code))
		return;
	memcpy(c->code + have, c->in, len);
	c->code[have + len] = '\0';
}

/* One step of a form; false: nothing more to do now. */
static bool step_form(struct web_server *s, struct web_conn *c)
{
	struct lb_error err = { 0 };
	size_t used;
	int step = lb_web_multipart_step(&c->parts, c->in, c->in_len, &used, &err);
	ptrdiff_t n;

	if (step < 0) {
		web_answer_say(s, c, 400, lb_error_name(step), err.text);
		return false;
	}
	if (step == LB_WEB_DATA && c->in_file) {
		n = pass_on(s, c, used);
		if (n > 0)
			drop_in(c, (size_t)n);
		return n > 0;
	}
	if (step == LB_WEB_DATA)
		note_field(c, used);
	drop_in(c, used);
	if (c->in_file && step != LB_WEB_MORE) {
		await_verdict(s, c);
		return false;
	}
	if (step == LB_WEB_PART && c->parts.is_file) {
		c->in_file = web_route_code(s, c, c->code) && start(s, c);
		return c->in_file;
	}
	if (step == LB_WEB_END)
		web_answer_say(s, c, 400, "format", "there was no bundle in the form");
	return step == LB_WEB_PART || step == LB_WEB_DATA;
}

static bool step_bytes(struct web_server *s, struct web_conn *c)
{
	ptrdiff_t n;

	if (!c->in_len) {
		if (!c->body_left)
			await_verdict(s, c);
		return false;
	}
	n = pass_on(s, c, c->in_len);
	if (n > 0)
		drop_in(c, (size_t)n);
	return n > 0;
}

/* At most the body is taken from the socket. */
static bool take_in(struct web_server *s, struct web_conn *c)
{
	size_t before = c->in_len, got;

	if (!c->body_left || c->in_len == sizeof(c->in))
		return true;
	if (!web_conn_read(c)) {
		web_conn_close(s, c); /* recovery sees the stream end too early, and says what to do */
		return false;
	}
	got = c->in_len - before;
	if (got > c->body_left) {
		c->in_len = before + (size_t)c->body_left;
		got = (size_t)c->body_left;
	}
	c->body_left -= got; /* what stands in front of the bundle has STALL_MS in all */
	return true;
}

void web_upload_step(struct web_server *s, struct web_conn *c)
{
	bool form = c->rq.body == LB_WEB_BODY_MULTIPART;

	if (c->done) { /* recovery has hung up, though nothing was there to be sent */
		await_verdict(s, c);
		return;
	}
	if (!take_in(s, c))
		return;
	while (c->state == WEB_UPLOAD && (form ? step_form(s, c) : step_bytes(s, c)))
		;
	if (c->state != WEB_UPLOAD)
		return;
	/* who waits for recovery to read on is not late: hashing what is there takes its time */
	if (c->stream_full && (c->taken || lb_clock_ms(s->clock) < c->take_by_ms))
		web_conn_within(s, c, STALL_MS);
	else if (form && !c->body_left && !c->in_len)
		web_answer_say(s, c, 400, "format", "the form ends too early");
}

/* What recovery said at its end; true: answered. */
static bool answer_end(struct web_server *s, struct web_conn *c)
{
	switch (s->board.end) {
	case LINK_END_INSTALLED:
		if (c->taken)
			web_answer_say(s, c, 200, "installed", "installed and verified; the device restarts");
		else
			web_answer_say(s, c, 503, "busy", "another bundle was installed; the device restarts");
		return true;
	case LINK_END_REBOOT:
		web_answer_say(s, c, 202, "recovery-written",
			       "a newer recovery was written: after the restart send the same bundle again");
		return true;
	case LINK_END_OTHER:
		web_answer_say(s, c, 422, "returned",
			       s->board.problems != c->problems ? s->board.problem : "the device restarts");
		return true;
	default:
		return false;
	}
}

void web_upload_verdict(struct web_server *s, struct web_conn *c)
{
	if (!web_conn_drop(s, c))
		return;
	if (!c->done && lb_clock_ms(s->clock) < c->take_by_ms && !c->taken)
		web_conn_within(s, c, STALL_MS);
	if (answer_end(s, c))
		return;
	if (c->done && s->board.problems != c->problems)
		web_answer_say(s, c, 422, "refused", s->board.problem);
}

void web_upload_status(const struct web_server *s, char *ret, size_t size)
{
	const struct web_conn *c = s->uploader;

	if (!c)
		snprintf(ret, size, "null");
	else
		snprintf(ret, size, "{\"taken\":%s,\"passed_bytes\":%llu,\"total_bytes\":%llu}",
			 c->taken ? "true" : "false", (unsigned long long)c->passed,
			 (unsigned long long)c->rq.length);
}
