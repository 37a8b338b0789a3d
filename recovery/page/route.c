// SPDX-License-Identifier: GPL-2.0-or-later
/* Which request gets which answer. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "link.h"
#include "page.h"
#include "server.h"

#define FORM_MAX 1024u
#define FORM_MS 10000u
#define RESET_WORD "erase"

static void show(struct web_server *s, struct web_conn *c)
{
	char upload[160];
	size_t n;

	if (!strcmp(c->rq.path, "/")) {
		web_answer(s, c, 200, "text/html; charset=utf-8", web_page, web_page_len);
	} else if (!strcmp(c->rq.path, "/status.json")) {
		web_upload_status(s, upload, sizeof(upload));
		n = web_board_status(&s->board, upload, c->text, sizeof(c->text));
		web_answer(s, c, 200, "application/json", c->text, n);
	} else if (!strcmp(c->rq.path, "/status")) {
		n = web_board_text(&s->board, c->text, sizeof(c->text));
		web_answer(s, c, 200, "text/plain; charset=utf-8", c->text, n);
	} else if (!strcmp(c->rq.path, "/log.txt")) {
		memcpy(c->text, s->board.log, s->board.log_len);
		web_answer(s, c, 200, "text/plain; charset=utf-8", c->text, s->board.log_len);
	} else {
		web_answer_say(s, c, 404, "not-found", "there is no such page");
	}
}

static bool is_action(const char *path)
{
	return !strcmp(path, "/upload") || !strcmp(path, "/cancel") || !strcmp(path, "/reboot") ||
	       !strcmp(path, "/reset");
}

/* A page elsewhere on the web must not be able to speak for the person at the browser. */
static bool is_ours(struct web_server *s, struct web_conn *c)
{
	if (!lb_web_host_allowed(c->rq.host, s->opt->name)) {
		web_answer_say(s, c, 421, "refused",
			       "this name is not known here: use the address that the console shows");
		return false;
	}
	if (c->rq.method == LB_WEB_POST && !lb_web_origin_allowed(c->rq.origin, c->rq.host)) {
		web_answer_say(s, c, 403, "refused", "the request comes from another site");
		return false;
	}
	return true;
}

bool web_route_code(struct web_server *s, struct web_conn *c, const char *code)
{
	switch (web_server_code(s, c, code)) {
	case WEB_CODE_RIGHT:
		return true;
	case WEB_CODE_WRONG:
		web_answer_say(s, c, 403, "code-wrong", "the code is not the one that the console shows");
		return false;
	default:
		web_answer_say(s, c, 429, "code-wrong", "too many wrong codes: wait a minute");
		return false;
	}
}

/* What cannot be taken back needs a word that nobody types by accident. */
static void act_reset(struct web_server *s, struct web_conn *c)
{
	if (!s->opt->reset)
		web_answer_say(s, c, 404, "not-found", "this device has nothing that a reset would erase");
	else if (c->rq.body != LB_WEB_BODY_FORM ||
		 !lb_web_form_value(c->in, (size_t)c->rq.length, "word", c->word, sizeof(c->word)) ||
		 strcasecmp(c->word, RESET_WORD) != 0)
		web_answer_say(s, c, 422, "refused", "nothing is erased: the word is " RESET_WORD);
	else if (!web_server_tell(s, LINK_RESET, -1))
		web_answer_say(s, c, 503, "stopped", "recovery is ending");
	else
		web_answer_say(s, c, 202, "reset", "asked for: see the messages");
}

static void act(struct web_server *s, struct web_conn *c)
{
	bool cancel = !strcmp(c->rq.path, "/cancel");

	if (!strcmp(c->rq.path, "/reset"))
		act_reset(s, c);
	else if (!web_server_tell(s, cancel ? LINK_CANCEL : LINK_REBOOT, -1))
		web_answer_say(s, c, 503, "stopped", "recovery is ending");
	else
		web_answer_say(s, c, 202, cancel ? "cancel" : "reboot",
			       cancel ? "asked for: the main OS is started again, unless something was written already"
				      : "asked for: the device restarts and goes on where it was");
}

static void take_upload(struct web_server *s, struct web_conn *c)
{
	if (!c->rq.has_length)
		web_answer_say(s, c, 411, "format", "the length of the upload must be stated");
	else if (c->rq.length > s->opt->upload_max)
		web_answer_say(s, c, 413, "too-big", "the upload is larger than any bundle for this device");
	else if (c->rq.body != LB_WEB_BODY_BYTES && c->rq.body != LB_WEB_BODY_MULTIPART)
		web_answer_say(s, c, 415, "format", "send the bundle as application/octet-stream or by a form");
	else if (c->rq.body == LB_WEB_BODY_BYTES && !web_route_code(s, c, c->rq.token))
		return;
	else
		web_upload_begin(s, c);
}

void web_route(struct web_server *s, struct web_conn *c)
{
	bool get = c->rq.method == LB_WEB_GET || c->rq.method == LB_WEB_HEAD;

	if (!is_ours(s, c))
		return;
	if (get && !is_action(c->rq.path))
		show(s, c);
	else if (c->rq.method != LB_WEB_POST || !is_action(c->rq.path))
		web_answer_say(s, c, 405, "refused", "the page does not take this");
	else if (!strcmp(c->rq.path, "/upload"))
		take_upload(s, c);
	else if (!c->rq.has_length || c->rq.length > FORM_MAX || c->rq.body == LB_WEB_BODY_MULTIPART)
		web_answer_say(s, c, 413, "too-big", "a short form was expected");
	else {
		c->state = WEB_FORM;
		web_conn_within(s, c, FORM_MS);
		if (c->in_len >= c->rq.length)
			web_route_form(s, c);
	}
}

void web_route_form(struct web_server *s, struct web_conn *c)
{
	const char *code = c->rq.token;

	if (c->rq.body == LB_WEB_BODY_FORM &&
	    lb_web_form_value(c->in, (size_t)c->rq.length, "code", c->code, sizeof(c->code)))
		code = c->code;
	if (web_route_code(s, c, code))
		act(s, c);
}
