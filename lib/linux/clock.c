// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux/clock.h"

#include <errno.h>
#include <time.h>

static uint64_t system_monotonic_ms(struct lb_clock *c)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t system_cpu_ms(struct lb_clock *c)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * 1000 + (uint64_t)used.tv_nsec / 1000000;
}

static int64_t system_wall_s(struct lb_clock *c)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}

static void system_sleep_ms(struct lb_clock *c, uint32_t ms)
{
	struct timespec left = { ms / 1000, (long)(ms % 1000) * 1000000 };

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

struct lb_clock *lb_clock_system(void)
{
	static const struct lb_clock_ops ops = {
		.monotonic_ms = system_monotonic_ms,
		.wall_s = system_wall_s,
		.sleep_ms = system_sleep_ms,
		.cpu_ms = system_cpu_ms,
	};
	/* holds nothing that changes; not const because the port's calls take it so */
	static struct lb_clock system_clock = { .ops = &ops };

	return &system_clock;
}
