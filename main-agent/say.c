// SPDX-License-Identifier: GPL-2.0-or-later
/* The agent's log: sentences to standard error, which systemd or init keeps. */
#include <stdarg.h>
#include <stdio.h>

#include "agent.h"

static void LB_PRINTF(1, 0) put(const char *fmt, va_list ap)
{
	char line[1024];

	vsnprintf(line, sizeof(line), fmt, ap);
	fprintf(stderr, "lifeboat-agent: %s\n", line);
}

void agent_error(const struct agent *a, const char *fmt, ...)
{
	va_list ap;

	(void)a;
	va_start(ap, fmt);
	put(fmt, ap);
	va_end(ap);
}

void agent_say(const struct agent *a, const char *fmt, ...)
{
	va_list ap;

	if (a->level < AGENT_NORMAL)
		return;
	va_start(ap, fmt);
	put(fmt, ap);
	va_end(ap);
}

void agent_detail(const struct agent *a, const char *fmt, ...)
{
	va_list ap;

	if (a->level < AGENT_VERBOSE)
		return;
	va_start(ap, fmt);
	put(fmt, ap);
	va_end(ap);
}
