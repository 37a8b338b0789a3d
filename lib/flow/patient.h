/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A source that waits instead of failing: it wraps another one, and when that
 * loses its connection it backs off and goes on at the same byte.
 */
#ifndef LB_FLOW_PATIENT_H
#define LB_FLOW_PATIENT_H

#include <stdbool.h>

#include "flow/report.h"
#include "port/clock.h"
#include "port/source.h"

struct lb_patience {
	struct lb_clock *clock;		 /* borrowed */
	const struct lb_reporter *report;/* borrowed; may be NULL */
	uint64_t deadline_ms;		 /* monotonic; 0: never gives up */
	uint32_t limit_ms;		 /* longest silence before -LB_E_AGAIN is passed on; 0: none */
	uint32_t retry_min_ms, retry_max_ms; /* back-off doubles between these */
	bool (*stop)(void *ctx);	 /* may be NULL; true ends the waiting */
	void *stop_ctx;
	bool (*urgent)(void *ctx);	 /* may be NULL; true: another source cannot wait, as after limit_ms */
	void *urgent_ctx;
	bool (*alone)(void *ctx);	 /* may be NULL; true: there is no other source, limit_ms does not count */
	void *alone_ctx;
	void (*nudge)(void *ctx);	 /* may be NULL; before each new attempt: look after the network */
	void *nudge_ctx;
};

struct lb_patient {
	struct lb_source source; /* what the engine reads */
	struct lb_source *inner; /* owned */
	struct lb_patience how;
	uint64_t pos, end;
	bool lost;		 /* seek before the next read */
	uint64_t read_bytes, busy_ms, total_ms; /* so far; time in reads that were answered, and in all with the waiting */
};

/**
 * lb_patient_init() - wrap @inner
 * @inner: owned from now on; closed by lb_source_close(&p->source)
 *
 * read() then returns bytes, 0 at the end, a final failure of @inner unchanged,
 * -LB_E_UNREACHABLE once the deadline passed, -LB_E_AGAIN after limit_ms of
 * silence or when stopped.
 */
void lb_patient_init(struct lb_patient *p, struct lb_source *inner,
		     const struct lb_patience *how);

/* No deadline any more: main is being written. */
void lb_patient_commit(struct lb_patient *p);

/* Sleeps @ms in slices; false when it was stopped. */
bool lb_patience_sleep(const struct lb_patience *how, uint32_t ms);

#endif
