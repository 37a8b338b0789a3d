/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a person sees while recovery works, and the log that reaches main. */
#ifndef RECOVERY_CONSOLE_H
#define RECOVERY_CONSOLE_H

#include <stdbool.h>
#include <stdio.h>

#include "flow/report.h"
#include "port/clock.h"
#include "state/log.h"

#define LOG_KEEP_BYTES 8192

struct console {
	FILE *out;	       /* borrowed */
	bool events;	       /* JSON lines instead of text */
	bool quiet;	       /* no progress */
	bool tty;	       /* progress may rewrite its line */
	bool line_open;	       /* a progress line waits to be overwritten */
	struct lb_clock *clock;/* borrowed */
	struct lb_log *log;    /* borrowed; NULL keeps no log */
	uint64_t started_ms, shown_ms, rate_from_ms, rate_from_bytes;
	char step[12];
	uint32_t shown_percent;
	size_t kept_len;
	char kept[LOG_KEEP_BYTES];
	const char *heartbeat; /* borrowed: file made whenever something happens; NULL none */
	uint64_t beat_ms;
};

void console_init(struct console *c, FILE *out, struct lb_clock *clock);

/* From now on what is said is kept in @log, after what it holds already. */
void console_attach_log(struct console *c, struct lb_log *log);

/* Only to who looks at the console: never kept in a log. */
void console_show_code(struct console *c, const char *code);

/* The reporter that writes to @c. */
struct lb_reporter console_reporter(struct console *c);

/* Shows whoever feeds the watchdog that work goes on; at most once a second. */
void console_beat(struct console *c);

#endif
