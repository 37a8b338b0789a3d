// SPDX-License-Identifier: GPL-2.0-or-later
#include "console.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "events.h"

#define BEAT_EVERY_MS 1000u
#define SHOW_EVERY_MS 500u
#define SHOW_LINE_MS 2000u /* not a terminal: a new line each time */

void console_init(struct console *c, FILE *out, struct lb_clock *clock)
{
	memset(c, 0, sizeof(*c));
	c->out = out;
	c->clock = clock;
	c->tty = isatty(fileno(out));
	c->started_ms = lb_clock_ms(clock);
}

void console_beat(struct console *c)
{
	uint64_t now = lb_clock_ms(c->clock);
	int fd;

	if (!c->heartbeat || (c->beat_ms && now - c->beat_ms < BEAT_EVERY_MS))
		return;
	c->beat_ms = now;
	fd = open(c->heartbeat, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd >= 0)
		close(fd); /* without a heartbeat the watchdog resets the board: as it should */
}

/* Keeps the last LOG_KEEP_BYTES, whole lines only. */
static void keep(struct console *c, const char *line, size_t len)
{
	if (len > sizeof(c->kept))
		return;
	while (c->kept_len + len > sizeof(c->kept)) {
		char *nl = memchr(c->kept, '\n', c->kept_len);
		size_t cut = nl ? (size_t)(nl - c->kept) + 1 : c->kept_len;

		memmove(c->kept, c->kept + cut, c->kept_len - cut);
		c->kept_len -= cut;
	}
	memcpy(c->kept + c->kept_len, line, len);
	c->kept_len += len;
}

void console_attach_log(struct console *c, struct lb_log *log)
{
	char now[LOG_KEEP_BYTES];
	size_t now_len = c->kept_len;
	ptrdiff_t n;

	memcpy(now, c->kept, now_len);
	n = lb_log_get(log, LB_REC_LOG, c->kept, sizeof(c->kept));
	c->kept_len = n > 0 ? (size_t)n : 0;
	keep(c, now, now_len);
	c->log = log;
}

static void print_event(struct console *c, char *event)
{
	if (event)
		fprintf(c->out, "%s\n", event);
	free(event);
	fflush(c->out);
}

static void say(void *ctx, enum lb_level level, const char *code, const char *text)
{
	struct console *c = ctx;
	uint64_t ms = lb_clock_ms(c->clock) - c->started_ms;
	char line[384];
	int len;

	console_beat(c);
	len = snprintf(line, sizeof(line), "%5u.%03u %s%s%s [%s]\n", (unsigned int)(ms / 1000),
		       (unsigned int)(ms % 1000), level ? event_level(level) : "",
		       level ? ": " : "", text, code);
	keep(c, line, len < (int)sizeof(line) ? (size_t)len : sizeof(line) - 1);
	if (c->events) {
		print_event(c, event_message(ms, level, code, text));
		return;
	}
	fprintf(c->out, "%slifeboat: %s%s%s [%s]\n", c->line_open ? "\n" : "",
		level ? event_level(level) : "", level ? ": " : "", text, code);
	c->line_open = false;
	fflush(c->out);
}

void console_show_code(struct console *c, const char *code)
{
	if (c->events)
		return;
	fprintf(c->out, "lifeboat: code for the page: %s\n", code);
	fflush(c->out);
}

/* What the step has done and has to do, in bytes of the images. */
static void step_bytes(const char *step, const struct lb_update_counters *c, uint64_t *done,
		       uint64_t *total)
{
	bool reading = !strcmp(step, "plan");

	*done = reading ? c->total_bytes : c->durable_bytes;
	*total = reading ? 0 : c->total_bytes;
}

static void print_progress(struct console *c, const char *step, const char *image,
			   const struct lb_update_counters *n, uint64_t rate)
{
	uint64_t done, total, left_s;

	step_bytes(step, n, &done, &total);
	if (!total) {
		fprintf(c->out, "  %-7s %-8s %8.1f MiB looked at", step, image, (double)done / 1048576);
	} else {
		left_s = n->left_ms ? n->left_ms / 1000 : rate ? (total - done) / rate : 0;
		fprintf(c->out, "  %-7s %-8s %3u %%  %.1f of %.1f MiB  %.1f MiB/s  %u:%02u left",
			step, image, (unsigned int)(done * 100 / total), (double)done / 1048576,
			(double)total / 1048576, (double)rate / 1048576,
			(unsigned int)(left_s / 60), (unsigned int)(left_s % 60));
	}
	fputs(c->tty ? "   \r" : "\n", c->out);
	c->line_open = c->tty;
	fflush(c->out);
}

static void progress(void *ctx, const char *step, const char *image,
		     const struct lb_update_counters *n)
{
	struct console *c = ctx;
	uint64_t now = lb_clock_ms(c->clock), done, total, rate;
	bool fresh = strncmp(step, c->step, sizeof(c->step) - 1);

	console_beat(c);
	step_bytes(step, n, &done, &total);
	if (fresh) {
		snprintf(c->step, sizeof(c->step), "%s", step);
		c->rate_from_ms = now;
		c->rate_from_bytes = done;
	}
	if (c->quiet || (!c->events && (!strcmp(step, "planned") || !strcmp(step, "done"))))
		return;
	/* event lines: every flush is one, so that a reader knows what is durable */
	if (!c->events && !fresh && done < total &&
	    now - c->shown_ms < (c->tty ? SHOW_EVERY_MS : SHOW_LINE_MS))
		return;
	c->shown_ms = now;
	rate = now > c->rate_from_ms && done > c->rate_from_bytes
		       ? (done - c->rate_from_bytes) * 1000 / (now - c->rate_from_ms)
		       : 0;
	if (c->events)
		print_event(c, event_progress(now - c->started_ms, step, image, n, rate));
	else
		print_progress(c, step, image, n, rate);
}

static void persist(void *ctx)
{
	struct console *c = ctx;

	if (c->log && c->kept_len && lb_log_put(c->log, LB_REC_LOG, c->kept, c->kept_len, NULL))
		say(c, LB_LEVEL_WARN, "io-error", "the log could not be kept");
}

struct lb_reporter console_reporter(struct console *c)
{
	return (struct lb_reporter){
		.ctx = c,
		.say = say,
		.progress = progress,
		.persist = persist,
	};
}
