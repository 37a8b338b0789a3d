/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Event lines: the JSON that --events prints and the page is told. docs/RECOVERY.md lists the fields. */
#ifndef RECOVERY_EVENTS_H
#define RECOVERY_EVENTS_H

#include "flow/report.h"

const char *event_level(enum lb_level level);

/* Each returns text without a line end, to be freed with free(), or NULL without memory. */
char *event_message(uint64_t ms, enum lb_level level, const char *code, const char *text);
char *event_progress(uint64_t ms, const char *step, const char *image,
		     const struct lb_update_counters *n, uint64_t bytes_per_s);

/* What the device is: said when it is known. */
struct event_device {
	const char *product, *hardware, *state;
	uint64_t release;	   /* that is on record; 0 none */
	uint32_t recovery_release;
	bool reset;		   /* there is data that may be erased */
};
char *event_device(uint64_t ms, const struct event_device *d);

#endif
