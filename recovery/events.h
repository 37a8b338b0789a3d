/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Event lines: the JSON that --events prints. docs/RECOVERY.md lists the fields. */
#ifndef RECOVERY_EVENTS_H
#define RECOVERY_EVENTS_H

#include "flow/report.h"

const char *event_level(enum lb_level level);

/* Each returns text without a line end, to be freed with free(), or NULL without memory. */
char *event_message(uint64_t ms, enum lb_level level, const char *code, const char *text);
char *event_progress(uint64_t ms, const char *step, const char *image,
		     const struct lb_update_counters *n, uint64_t bytes_per_s);

#endif
