// SPDX-License-Identifier: GPL-2.0-or-later
#include "flow/patient.h"

#include <string.h>

#define SLICE_MS 500u

bool lb_patience_sleep(const struct lb_patience *how, uint32_t ms)
{
	while (ms) {
		uint32_t slice = ms < SLICE_MS ? ms : SLICE_MS;

		if (how->stop && how->stop(how->stop_ctx))
			return false;
		lb_clock_sleep(how->clock, slice);
		ms -= slice;
	}
	return true;
}

static struct lb_patient *of(struct lb_source *s)
{
	return (struct lb_patient *)s; /* first member */
}

static int patient_seek(struct lb_source *s, uint64_t offset, uint64_t len, struct lb_error *err)
{
	struct lb_patient *p = of(s);
	int r;

	p->pos = offset;
	p->end = len > UINT64_MAX - offset ? UINT64_MAX : offset + len;
	r = lb_source_seek(p->inner, offset, len, err);
	p->lost = r == -LB_E_AGAIN; /* a pulled stick may be back at the first read */
	return p->lost ? 0 : r;
}

/* One attempt: seeks again if the connection was lost. */
static ptrdiff_t attempt(struct lb_patient *p, void *buf, size_t len, struct lb_error *err)
{
	if (p->lost) {
		uint64_t left = p->end == UINT64_MAX ? LB_SOURCE_TO_END : p->end - p->pos;
		int r = lb_source_seek(p->inner, p->pos, left, err);

		if (r)
			return r;
		p->lost = false;
	}
	return lb_source_read(p->inner, buf, len, err);
}

/* Our own back-off, or what the server asks for, but never longer than our longest. */
static uint32_t wanted_delay(const struct lb_patient *p, uint32_t delay_ms)
{
	uint64_t asked_ms = (uint64_t)p->inner->retry_after_s * 1000;

	if (asked_ms > p->how.retry_max_ms)
		asked_ms = p->how.retry_max_ms;
	return asked_ms > delay_ms ? (uint32_t)asked_ms : delay_ms;
}

/* 0: try again; otherwise what to return. */
static int wait_for_source(struct lb_patient *p, uint64_t since_ms, uint32_t *delay_ms,
			   struct lb_error *err)
{
	uint64_t now = lb_clock_ms(p->how.clock);
	uint32_t delay = wanted_delay(p, *delay_ms);

	if (p->how.deadline_ms && now >= p->how.deadline_ms) {
		char why[sizeof(err->text)] = "";

		if (err)
			memcpy(why, err->text, sizeof(why));
		return lb_error_set(err, LB_E_UNREACHABLE, "gave up: %.200s", why);
	}
	if (p->how.urgent && p->how.urgent(p->how.urgent_ctx))
		return -LB_E_AGAIN;
	if (p->how.limit_ms && now - since_ms >= p->how.limit_ms &&
	    !(p->how.alone && p->how.alone(p->how.alone_ctx)))
		return -LB_E_AGAIN;
	if (p->how.deadline_ms && delay > p->how.deadline_ms - now)
		delay = (uint32_t)(p->how.deadline_ms - now);
	if (!lb_patience_sleep(&p->how, delay ? delay : 1))
		return -LB_E_AGAIN;
	if (p->how.nudge)
		p->how.nudge(p->how.nudge_ctx);
	*delay_ms = *delay_ms > p->how.retry_max_ms / 2 ? p->how.retry_max_ms : *delay_ms * 2;
	return 0;
}

static ptrdiff_t read_until_answered(struct lb_source *s, void *buf, size_t len, struct lb_error *err)
{
	struct lb_patient *p = of(s);
	uint64_t since_ms = lb_clock_ms(p->how.clock);
	uint32_t delay_ms = p->how.retry_min_ms;
	bool told = false;

	for (;;) {
		uint64_t begun_ms;
		ptrdiff_t n;
		int r;

		if (p->how.stop && p->how.stop(p->how.stop_ctx))
			return lb_error_set(err, LB_E_AGAIN, "stopped");
		begun_ms = lb_clock_ms(p->how.clock);
		n = attempt(p, buf, len, err);
		if (n > 0)
			p->busy_ms += lb_clock_ms(p->how.clock) - begun_ms;
		s->fetched_bytes = p->inner->fetched_bytes;
		s->requests = p->inner->requests;
		s->sequential = p->inner->sequential;
		if (n != -LB_E_AGAIN) {
			if (n > 0)
				p->pos += (uint64_t)n;
			if (told && n > 0)
				lb_say(p->how.report, LB_LEVEL_INFO, "source-back",
				       "the source answers again");
			return n;
		}
		p->lost = true;
		if (!told)
			lb_say_error(p->how.report, LB_LEVEL_WARN, LB_E_AGAIN, err);
		told = true;
		r = wait_for_source(p, since_ms, &delay_ms, err);
		if (r)
			return r;
	}
}

static ptrdiff_t patient_read(struct lb_source *s, void *buf, size_t len, struct lb_error *err)
{
	struct lb_patient *p = of(s);
	uint64_t begun_ms = lb_clock_ms(p->how.clock);
	ptrdiff_t n = read_until_answered(s, buf, len, err);

	p->total_ms += lb_clock_ms(p->how.clock) - begun_ms;
	p->read_bytes += n > 0 ? (uint64_t)n : 0;
	return n;
}

static void patient_close(struct lb_source *s)
{
	lb_source_close(of(s)->inner);
	of(s)->inner = NULL;
}

static const struct lb_source_ops patient_ops = {
	.seek = patient_seek,
	.read = patient_read,
	.close = patient_close,
};

void lb_patient_init(struct lb_patient *p, struct lb_source *inner,
		     const struct lb_patience *how)
{
	*p = (struct lb_patient){
		.source = { .ops = &patient_ops, .sequential = inner->sequential },
		.inner = inner,
		.how = *how,
	};
}

void lb_patient_commit(struct lb_patient *p)
{
	p->how.deadline_ms = 0;
}
