/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One connection: request in, answer out. */
#ifndef RECOVERY_WEB_CONN_H
#define RECOVERY_WEB_CONN_H

#include <netinet/in.h>
#include <poll.h>

#include "board.h"
#include "web/multipart.h"
#include "web/request.h"

#define WEB_IN_BYTES 16384u

enum web_state {
	WEB_FREE,
	WEB_HEAD,    /* reads the head */
	WEB_FORM,    /* reads a small body */
	WEB_UPLOAD,  /* passes a bundle on */
	WEB_VERDICT, /* everything is passed on, or recovery stopped reading: waits for what it says */
	WEB_ANSWER,  /* writes */
	WEB_LINGER,  /* the answer is out; reads on so that it is not lost */
};

struct web_server;

struct web_conn {
	enum web_state state;
	int fd;
	struct in6_addr peer;
	int upload_fd;		    /* -1: none */
	struct lb_web_request rq;
	struct lb_web_multipart parts;
	uint64_t deadline_ms;
	uint64_t body_left;	    /* bytes that have not been read from the socket */
	uint64_t passed;	    /* of the bundle */
	uint32_t problems;	    /* that there were when recovery took the upload */
	bool in_file;		    /* multipart: the present part is the bundle */
	bool taken;		    /* recovery reads it */
	bool done;		    /* recovery has stopped reading it */
	bool stream_full;	    /* recovery is slower than the client */
	uint64_t take_by_ms;	    /* recovery has to begin reading by then */
	char code[64];		    /* from a form */
	char word[8];
	size_t in_len;
	const char *out;	    /* of the answer behind its head; borrowed, or text */
	size_t head_len, out_len, out_at;
	char head[1024];
	char text[WEB_LOG_MAX + 1024];
	char in[WEB_IN_BYTES];
};

/* What to wait for: up to two entries of @p. Return: how many. */
int web_conn_poll(const struct web_conn *c, struct pollfd *p);

/* Something happened, or time passed. */
void web_conn_step(struct web_server *s, struct web_conn *c);
void web_conn_open(struct web_server *s, struct web_conn *c, int fd);
void web_conn_close(struct web_server *s, struct web_conn *c);

/* ---- the parts of a connection ---- */

/* Begins an answer; @body has to stay until it is out. */
void web_answer(struct web_server *s, struct web_conn *c, int status, const char *type,
		const char *body, size_t len);
/* One sentence as JSON (for scripts) or a small page (for a form): {"code":..., "text":...}. */
void web_answer_say(struct web_server *s, struct web_conn *c, int status, const char *code,
		    const char *text);

/* The head is complete: answers, or goes on to the body. route.c */
void web_route(struct web_server *s, struct web_conn *c);
/* A form without a bundle is complete. */
void web_route_form(struct web_server *s, struct web_conn *c);

/* Is it the code of the console? False: answered. */
bool web_route_code(struct web_server *s, struct web_conn *c, const char *code);

/* upload.c */
void web_upload_begin(struct web_server *s, struct web_conn *c);
void web_upload_step(struct web_server *s, struct web_conn *c);
void web_upload_verdict(struct web_server *s, struct web_conn *c);
void web_upload_status(const struct web_server *s, char *ret, size_t size);

/* Milliseconds from now. */
void web_conn_within(struct web_server *s, struct web_conn *c, uint32_t ms);
/* Reads what there is into c->in; false: the connection ended or failed. */
bool web_conn_read(struct web_conn *c);
/* The same, and drops it; false: the connection was closed. */
bool web_conn_drop(struct web_server *s, struct web_conn *c);

#endif
