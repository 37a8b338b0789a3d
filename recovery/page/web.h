/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recovery's side of the page: starts the process that serves it, tells it what
 * happens, and takes what it asks for. Nothing in here blocks, and nothing in the
 * update depends on it: without a page the update goes on.
 */
#ifndef RECOVERY_WEB_WEB_H
#define RECOVERY_WEB_WEB_H

#include <sys/types.h>

#include "flow/report.h"
#include "port/source.h"
#include "server.h"

/* argv[1] of the program when it is to serve the page: main() calls web_serve() */
#define WEB_SERVE_ARGUMENT "--serve-page"
#define WEB_UPLOAD_URL "upload:" /* and a number */
#define WEB_SHOW_EVERY_MS 500u
/* where that process finds its sockets */
#define WEB_LISTEN_FD 3
#define WEB_LINK_FD 4

struct web {
	struct web_options opt;
	struct lb_clock *clock;	/* borrowed */
	int listen_fd, link_fd; /* -1: none */
	pid_t child;
	int upload_fd;		/* -1: nobody has brought a bundle */
	bool cancel, reboot, reset; /* a person asked for it */
	uint32_t uploads;	/* how many there were: each has an address of its own */
	uint32_t silence_ms;	/* of an upload, then it is given up */
	uint64_t started_ms, restart_ms, shown_ms;
	uint64_t look_ms;
	char url[40];		/* where it is, "" not known */
	char step[12];		/* of the progress that was shown last */
};

/* Makes @w empty: web_tick(), web_stop() and the sink may be called at once. */
void web_init(struct web *w, struct lb_clock *clock);

/* A random code if the configuration gives none. Return: 0 or -LB_E_IO. */
int web_make_code(struct web_options *opt, struct lb_error *err) LB_MUST_CHECK;

/**
 * web_start() - listen and start the serving process
 * Return: 0 or -LB_E_IO; then web_tick() tries it again every two seconds: an interface may come late.
 */
int web_start(struct web *w, const struct web_options *opt, struct lb_error *err) LB_MUST_CHECK;

/* Looks what the page asks for; starts its process again when it died. Often, and cheap. */
void web_tick(struct web *w);

/* True when w->url has changed since the last call: people want to know. */
bool web_new_address(struct web *w);

/* Tells those who wait for an answer how it ended (LINK_END_...), and waits up to 17 s for that. */
void web_stop(struct web *w, char end);

/* A bundle that waits at the page. */
static inline bool web_has_upload(const struct web *w)
{
	return w->upload_fd >= 0;
}

/**
 * web_open_upload() - the bundle that was brought, as a source to be read once
 * @tick: asked at least twice a second while it is read; true: stop
 *
 * Silence of @w->silence_ms ends it, whatever the serving process thinks of its client.
 * Return: 0; -LB_E_NOT_FOUND: there is none (any more); -LB_E_NOMEM.
 */
int web_open_upload(struct web *w, bool (*tick)(void *ctx), void *tick_ctx, struct lb_source **ret,
		    struct lb_error *err) LB_MUST_CHECK;

/* Tells the page what recovery says. */
struct lb_reporter web_listener(struct web *w);

/* One datagram of link.h. */
void web_send(struct web *w, char kind, const char *text);

/* The serving process: never returns to the caller's main program. Return: its exit status. */
int web_serve(void);

#endif
