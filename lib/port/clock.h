/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Time: the simulator has its own, and dates are not to be trusted without a floor. */
#ifndef LB_PORT_CLOCK_H
#define LB_PORT_CLOCK_H

#include <stdint.h>

struct lb_clock;

struct lb_clock_ops {
	uint64_t (*monotonic_ms)(struct lb_clock *c);
	/* seconds since 1970 as the system believes; may be wrong, see trust/date.h */
	int64_t (*wall_s)(struct lb_clock *c);
	void (*sleep_ms)(struct lb_clock *c, uint32_t ms);
	/* processor time that the program has used, all threads; NULL: not known */
	uint64_t (*cpu_ms)(struct lb_clock *c);
};

struct lb_clock {
	const struct lb_clock_ops *ops; /* borrowed, static */
};

static inline uint64_t lb_clock_ms(struct lb_clock *c)
{
	return c->ops->monotonic_ms(c);
}

/* 0 where it is not known. */
static inline uint64_t lb_clock_cpu_ms(struct lb_clock *c)
{
	return c->ops->cpu_ms ? c->ops->cpu_ms(c) : 0;
}

static inline int64_t lb_clock_wall_s(struct lb_clock *c)
{
	return c->ops->wall_s(c);
}

static inline void lb_clock_sleep(struct lb_clock *c, uint32_t ms)
{
	c->ops->sleep_ms(c, ms);
}

#endif
