/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long an update is expected to take, from rates that were measured: reading while
 * planning, fetching and writing in this update or, before that, in the last one. It is for
 * people; nothing is decided by it. What was never measured is not guessed.
 */
#ifndef LB_FLOW_ESTIMATE_H
#define LB_FLOW_ESTIMATE_H

#include <stdbool.h>
#include <stdint.h>

#include "update/update.h"

/* Bytes a second; 0: not known. */
struct lb_rates {
	uint64_t read;	/* and hash: image bytes */
	uint64_t write; /* image bytes, flushes and copies included */
	uint64_t fetch; /* payload */
};

/* What the source did so far, in this attempt. */
struct lb_fetched {
	uint64_t bytes;
	uint64_t busy_ms;  /* it was read */
	uint64_t total_ms; /* and waited for, while it did not answer */
};

struct lb_estimate {
	struct lb_rates rates; /* the best that is known by now */
	uint64_t from_ms;      /* when the step began */
	uint64_t verify_from;  /* bytes that were proven or read back by then */
	uint64_t source_ms;    /* total_ms of the source by then */
	bool verifying;
};

/* Planning begins at @now_ms; @last: rates of an earlier update, of which only write and fetch count. */
void lb_estimate_begin(struct lb_estimate *e, uint64_t now_ms, const struct lb_rates *last);

/**
 * lb_estimate_ms() - measure, and say what is left
 * @step: as struct lb_update_observer is told; "plan", "planned", "write", "verify"
 * @f: NULL where nothing is fetched
 *
 * Fetching and writing are added up as if they never overlapped.
 * Return: milliseconds from @now_ms to the end of the read-back, at least 1; 0: not known.
 */
uint64_t lb_estimate_ms(struct lb_estimate *e, const char *step, uint64_t now_ms,
			const struct lb_update_counters *c, const struct lb_fetched *f);

#endif
