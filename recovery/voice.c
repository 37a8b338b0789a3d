// SPDX-License-Identifier: GPL-2.0-or-later
#include "voice.h"

static void say(void *ctx, enum lb_level level, const char *code, const char *text)
{
	struct voice *v = ctx;

	for (uint32_t i = 0; i < v->count; i++)
		if (v->listeners[i].say)
			v->listeners[i].say(v->listeners[i].ctx, level, code, text);
}

static void progress(void *ctx, const char *step, const char *image,
		     const struct lb_update_counters *c)
{
	struct voice *v = ctx;

	for (uint32_t i = 0; i < v->count; i++)
		if (v->listeners[i].progress)
			v->listeners[i].progress(v->listeners[i].ctx, step, image, c);
}

static void persist(void *ctx)
{
	struct voice *v = ctx;

	for (uint32_t i = 0; i < v->count; i++)
		if (v->listeners[i].persist)
			v->listeners[i].persist(v->listeners[i].ctx);
}

void voice_add(struct voice *v, struct lb_reporter listener)
{
	if (v->count < VOICE_LISTENERS)
		v->listeners[v->count++] = listener;
}

struct lb_reporter voice_reporter(struct voice *v)
{
	return (struct lb_reporter){ .ctx = v, .say = say, .progress = progress, .persist = persist };
}
