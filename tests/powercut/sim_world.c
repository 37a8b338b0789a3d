// SPDX-License-Identifier: GPL-2.0-or-later
/* What is no storage: the clock, and sources that read from memory with their manners. */
#include <stdlib.h>
#include <string.h>

#include "sim_internal.h"

/* ---- clock ---- */

static struct sim *sim_of_clock(struct lb_clock *c)
{
	return (struct sim *)((char *)c - offsetof(struct sim, clock));
}

static uint64_t clock_ms(struct lb_clock *c)
{
	return sim_of_clock(c)->now_ms;
}

static int64_t clock_wall(struct lb_clock *c)
{
	return 1700000000 + (int64_t)(sim_of_clock(c)->now_ms / 1000);
}

static void clock_sleep(struct lb_clock *c, uint32_t ms)
{
	sim_of_clock(c)->now_ms += ms;
}

void sim_clock_init(struct lb_clock *clock)
{
	static const struct lb_clock_ops ops = {
		.monotonic_ms = clock_ms, .wall_s = clock_wall, .sleep_ms = clock_sleep,
	};

	clock->ops = &ops;
}

/* ---- source ---- */

struct sim_source {
	struct lb_source source;
	struct sim *sim;
	const uint8_t *bytes; /* borrowed */
	uint64_t len, pos;
	uint64_t since_seek;
	struct sim_source_manners manners;
};

static int source_seek(struct lb_source *b, uint64_t offset, uint64_t len, struct lb_error *err)
{
	struct sim_source *src = (struct sim_source *)b;

	if (src->sim->off)
		return lb_error_set(err, LB_E_POWER, "the power is off");
	if (src->manners.sequential && offset < src->pos)
		return lb_error_set(err, LB_E_UNSUPPORTED, "the source cannot go back");
	src->pos = offset;
	src->since_seek = 0;
	b->requests++;
	return 0;
}

static bool answers(const struct sim_source *src)
{
	const struct sim_source_manners *m = &src->manners;

	return !m->dead && !(m->silent_ms && src->sim->payload_read >= m->silent_from &&
			     src->sim->now_ms < m->silent_ms);
}

static ptrdiff_t source_read(struct lb_source *b, void *buf, size_t len, struct lb_error *err)
{
	struct sim_source *src = (struct sim_source *)b;
	uint64_t room = src->manners.lose_every ? src->manners.lose_every - src->since_seek : len;

	if (src->sim->off)
		return lb_error_set(err, LB_E_POWER, "the power is off");
	if (!answers(src) || !room)
		return lb_error_set(err, LB_E_AGAIN, "the connection was lost");
	if (src->pos >= src->len)
		return 0;
	if (len > src->len - src->pos)
		len = src->len - src->pos;
	if (len > room)
		len = room;
	memcpy(buf, src->bytes + src->pos, len);
	if (src->pos >= src->manners.payload_offset) {
		src->sim->payload_read += len;
		b->fetched_bytes += len;
	}
	src->pos += len;
	src->since_seek += len;
	return (ptrdiff_t)len;
}

static void source_close(struct lb_source *b)
{
	free(b);
}

struct lb_source *sim_source_open(struct sim *s, const uint8_t *bytes, size_t len,
				  const struct sim_source_manners *manners)
{
	static const struct lb_source_ops ops = {
		.seek = source_seek, .read = source_read, .close = source_close,
	};
	struct sim_source *src = sim_must(calloc(1, sizeof(*src)));

	src->source.ops = &ops;
	src->sim = s;
	src->bytes = bytes;
	src->len = len;
	src->manners = *manners;
	src->source.sequential = manners->sequential;
	return &src->source;
}
