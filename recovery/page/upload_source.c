// SPDX-License-Identifier: GPL-2.0-or-later
/* The stream of an upload as a source: read once, front to back, with time for everything else. */
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link.h"
#include "web.h"

#define POLL_MS 500
#define RATE_MIN 1024u /* bytes a second of the time that is spent waiting */

struct upload {
	struct lb_source source;
	struct web *web; /* borrowed */
	int fd;
	uint64_t at, skip;
	uint64_t waited_ms, since; /* of one silence_ms: so far, from which byte on */
	bool (*tick)(void *ctx);
	void *tick_ctx;
};

static int upload_seek(struct lb_source *s, uint64_t offset, uint64_t len, struct lb_error *err)
{
	struct upload *u = (struct upload *)s;

	if (offset < u->at)
		return lb_error_set(err, LB_E_UNSUPPORTED,
				    "an upload is a stream: byte %" PRIu64 " has passed already", offset);
	u->skip = offset - u->at;
	return 0;
}

/* Broken off, or silent for too long; either way it cannot go on. */
static int ended(const struct upload *u, const char *how, struct lb_error *err)
{
	return lb_error_set(err, LB_E_TRUNCATED, "the upload %s at byte %" PRIu64 ": send the same bundle again",
			    how, u->at);
}

/*
 * A byte now and then is no upload: it would keep everybody else out for ever. Only time in which there
 * was nothing to read counts, so that what recovery does with the bytes is not held against who sends them.
 */
static bool is_too_slow(struct upload *u, uint64_t waited_ms)
{
	bool slow;

	u->waited_ms += waited_ms;
	if (u->waited_ms < u->web->silence_ms)
		return false;
	slow = u->at - u->since < u->waited_ms * RATE_MIN / 1000;
	u->waited_ms = 0;
	u->since = u->at;
	return slow;
}

/* Until something can be read. Recovery does not rely on the serving process for its own patience. */
static int wait_for_bytes(struct upload *u, struct lb_error *err)
{
	uint64_t since = lb_clock_ms(u->web->clock);
	struct pollfd p = { .fd = u->fd, .events = POLLIN };

	for (;;) {
		if (u->tick && u->tick(u->tick_ctx))
			return lb_error_set(err, LB_E_AGAIN, "reading the upload was stopped");
		if (poll(&p, 1, POLL_MS) > 0)
			return is_too_slow(u, lb_clock_ms(u->web->clock) - since)
				       ? ended(u, "came too slowly and was given up", err) : 0;
		if (lb_clock_ms(u->web->clock) - since >= u->web->silence_ms)
			return ended(u, "stood still", err);
	}
}

static ptrdiff_t receive(struct upload *u, void *buf, size_t len, struct lb_error *err)
{
	int r = wait_for_bytes(u, err);
	ssize_t n;

	if (r)
		return r;
	n = recv(u->fd, buf, len, MSG_DONTWAIT);
	if (n <= 0)
		return ended(u, "ended", err);
	u->at += (uint64_t)n;
	u->source.fetched_bytes += (uint64_t)n;
	return n;
}

static ptrdiff_t upload_read(struct lb_source *s, void *buf, size_t len, struct lb_error *err)
{
	struct upload *u = (struct upload *)s;

	while (u->skip) {
		char dropped[4096];
		ptrdiff_t n = receive(u, dropped, u->skip < sizeof(dropped) ? (size_t)u->skip : sizeof(dropped),
				      err);

		if (n < 0)
			return n;
		u->skip -= (uint64_t)n;
	}
	return receive(u, buf, len, err);
}

static void upload_close(struct lb_source *s)
{
	struct upload *u = (struct upload *)s;

	web_send(u->web, LINK_DONE, "");
	close(u->fd);
	free(u);
}

int web_open_upload(struct web *w, bool (*tick)(void *ctx), void *tick_ctx, struct lb_source **ret,
		    struct lb_error *err)
{
	static const struct lb_source_ops ops = {
		.seek = upload_seek,
		.read = upload_read,
		.close = upload_close,
	};
	struct upload *u;

	if (w->upload_fd < 0)
		return lb_error_set(err, LB_E_NOT_FOUND, "nobody uploads a bundle any more");
	u = calloc(1, sizeof(*u));
	if (!u)
		return lb_error_set(err, LB_E_NOMEM, "no memory for an upload");
	u->source = (struct lb_source){ .ops = &ops, .sequential = true };
	u->web = w;
	u->tick = tick;
	u->tick_ctx = tick_ctx;
	u->fd = w->upload_fd;
	w->upload_fd = -1;
	web_send(w, LINK_TAKEN, "");
	*ret = &u->source;
	return 0;
}
