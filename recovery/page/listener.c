// SPDX-License-Identifier: GPL-2.0-or-later
/* What recovery says, told to the page: the same words and codes as everywhere. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../events.h"
#include "link.h"
#include "web.h"

static void send_event(struct web *w, char kind, char *event)
{
	if (event)
		web_send(w, kind, event);
	free(event);
}

static void say(void *ctx, enum lb_level level, const char *code, const char *text)
{
	struct web *w = ctx;
	uint64_t ms = lb_clock_ms(w->clock) - w->started_ms;
	char line[400];

	web_tick(w);
	if (strcmp(code, "page")) /* who reads it knows where it is; what recovery does is the news */
		send_event(w, LINK_MESSAGE, event_message(ms, level, code, text));
	snprintf(line, sizeof(line), "%5u.%03u %s%s%s [%s]", (unsigned int)(ms / 1000),
		 (unsigned int)(ms % 1000), level ? event_level(level) : "", level ? ": " : "", text, code);
	web_send(w, LINK_LINE, line);
	snprintf(line, sizeof(line), "%s [%s]", text, code);
	if (level != LB_LEVEL_INFO)
		web_send(w, LINK_PROBLEM, line);
}

static void progress(void *ctx, const char *step, const char *image,
		     const struct lb_update_counters *n)
{
	struct web *w = ctx;
	uint64_t now = lb_clock_ms(w->clock);
	char line[100];

	web_tick(w);
	if (now - w->shown_ms < WEB_SHOW_EVERY_MS && !strcmp(step, w->step))
		return;
	w->shown_ms = now;
	snprintf(w->step, sizeof(w->step), "%s", step);
	send_event(w, LINK_PROGRESS, event_progress(now - w->started_ms, step, image, n, 0));
	snprintf(line, sizeof(line), "%s %s: %.1f of %.1f MiB", step, image,
		 (double)n->durable_bytes / 1048576, (double)n->total_bytes / 1048576);
	web_send(w, LINK_PROGRESS_LINE, line);
}

struct lb_reporter web_listener(struct web *w)
{
	return (struct lb_reporter){ .ctx = w, .say = say, .progress = progress };
}
