// SPDX-License-Identifier: GPL-2.0-or-later
#include "flow/estimate.h"

#include <string.h>

#include "base/bytes.h"

/* Less says little: it is mostly the time of a first answer, or of a cache. */
#define FETCH_MIN_BYTES (64u * LB_KIB)
#define WORK_MIN_BYTES LB_MIB
#define WORK_MIN_MS 2000u

static uint64_t per_second(uint64_t bytes, uint64_t ms)
{
	uint64_t rate = bytes * 1000 / (ms ? ms : 1);

	return rate ? rate : 1;
}

static bool says_enough(uint64_t bytes, uint64_t ms)
{
	return bytes >= WORK_MIN_BYTES || (bytes && ms >= WORK_MIN_MS);
}

void lb_estimate_begin(struct lb_estimate *e, uint64_t now_ms, const struct lb_rates *last)
{
	*e = (struct lb_estimate){ .rates = *last, .from_ms = now_ms };
	e->rates.read = 0;
}

static void measure_fetch(struct lb_estimate *e, const struct lb_fetched *f)
{
	if (f && f->bytes >= FETCH_MIN_BYTES)
		e->rates.fetch = per_second(f->bytes, f->busy_ms);
}

/* All the time in which the source was not waited for. */
static void measure_write(struct lb_estimate *e, uint64_t now_ms, const struct lb_update_counters *c,
			  const struct lb_fetched *f)
{
	uint64_t ms = now_ms - e->from_ms, source_ms = f ? f->total_ms - e->source_ms : 0;
	uint64_t bytes = c->written_bytes + c->zeroed_bytes;

	ms -= source_ms < ms ? source_ms : ms;
	if (says_enough(bytes, ms))
		e->rates.write = per_second(bytes, ms);
}

static void enter(struct lb_estimate *e, uint64_t now_ms, const struct lb_fetched *f)
{
	e->from_ms = now_ms;
	e->source_ms = f ? f->total_ms : 0;
}

static uint64_t left(uint64_t planned, uint64_t done)
{
	return planned > done ? planned - done : 0;
}

static void measure(struct lb_estimate *e, const char *step, uint64_t now_ms,
		    const struct lb_update_counters *c, const struct lb_fetched *f)
{
	bool verify = !strcmp(step, "verify");

	measure_fetch(e, f);
	if (!strcmp(step, "planned")) {
		e->rates.read = per_second(c->total_bytes, now_ms - e->from_ms);
		enter(e, now_ms, f);
	} else if (!strcmp(step, "write") && !e->verifying) {
		measure_write(e, now_ms, c, f);
	} else if (verify && !e->verifying) {
		enter(e, now_ms, f); /* what is proven or read back by now is left out */
		e->verify_from = c->durable_bytes;
	} else if (verify && says_enough(left(c->durable_bytes, e->verify_from), now_ms - e->from_ms)) {
		e->rates.read = per_second(left(c->durable_bytes, e->verify_from), now_ms - e->from_ms);
	}
	e->verifying = e->verifying || verify;
}

/* Adds the time for @bytes; false: the rate is not known. */
static bool add(uint64_t bytes, uint64_t rate, uint64_t *ms)
{
	if (bytes && !rate)
		return false;
	*ms += bytes ? bytes * 1000 / rate : 0;
	return true;
}

uint64_t lb_estimate_ms(struct lb_estimate *e, const char *step, uint64_t now_ms,
			const struct lb_update_counters *c, const struct lb_fetched *f)
{
	bool verify = !strcmp(step, "verify");
	uint64_t ms = 0;

	measure(e, step, now_ms, c, f);
	if (!strcmp(step, "plan"))
		return 0;
	if (!add(left(c->total_bytes, verify ? c->durable_bytes : c->skip_bytes), e->rates.read, &ms))
		return 0;
	if (!verify &&
	    (!add(left(c->fetch_bytes, c->fetched_bytes), e->rates.fetch, &ms) ||
	     !add(left(c->write_bytes, c->written_bytes + c->zeroed_bytes), e->rates.write, &ms)))
		return 0;
	return ms ? ms : 1;
}
