/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One voice: everything that recovery tells a person goes through here, and the
 * program decides where it is shown.
 */
#ifndef LB_FLOW_REPORT_H
#define LB_FLOW_REPORT_H

#include "base/error.h"
#include "update/update.h"

enum lb_level { LB_LEVEL_INFO, LB_LEVEL_WARN, LB_LEVEL_ERROR };

struct lb_reporter {
	void *ctx;
	/* @code: a stable name such as "source-unreachable", or the event's name */
	void (*say)(void *ctx, enum lb_level level, const char *code, const char *text);
	/* @step: "plan", "planned", "write", "verify", "check"; may come often */
	void (*progress)(void *ctx, const char *step, const char *image,
			 const struct lb_update_counters *c);
	/* keep what was said where main's agent can read it */
	void (*persist)(void *ctx);
};

/* A sentence with a subject and numbers; @rep may be NULL. */
void lb_say(const struct lb_reporter *rep, enum lb_level level, const char *code,
	    const char *fmt, ...) LB_PRINTF(4, 5);

/* A failure with its stable code; falls back to the code's meaning. */
void lb_say_error(const struct lb_reporter *rep, enum lb_level level, int code,
		  const struct lb_error *err);

#endif
