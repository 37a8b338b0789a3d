// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel blinks by itself (trigger "timer"), so that a pattern is right while this
 * program computes or waits. A kernel without that trigger shows on for work and success, and off.
 */
#include "led.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"

static const struct look {
	unsigned int on_ms, off_ms; /* off 0: steady */
	bool lit;		    /* without the timer */
} looks[] = {
	[LED_WORKING] = { .on_ms = 125, .off_ms = 125, .lit = true },
	[LED_WAITING] = { .on_ms = 100, .off_ms = 1900 },
	[LED_SUCCESS] = { .on_ms = 1000, .lit = true },
	[LED_FAILED] = { .on_ms = 1000, .off_ms = 1000 },
};

static int put(const char *folder, const char *file, const char *text)
{
	char path[512];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	return close(fd) || n != (ssize_t)strlen(text) ? -1 : 0;
}

static int put_number(const char *folder, const char *file, unsigned int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u\n", n);
	return put(folder, file, text);
}

/* The files delay_on and delay_off are there while the trigger is set. */
static int blink(const char *folder, const struct look *look)
{
	if (put(folder, "trigger", "timer\n") || put_number(folder, "delay_on", look->on_ms))
		return -1;
	return put_number(folder, "delay_off", look->off_ms);
}

/* Any brightness but 0 is the largest of those LEDs that know only on and off. */
static int steady(const char *folder, bool lit)
{
	int r = put(folder, "trigger", "none\n");

	return put_number(folder, "brightness", lit ? 255 : 0) ? -1 : r;
}

int led_show(struct led *l, enum led_pattern pattern, struct lb_error *err)
{
	const struct look *look = &looks[pattern];

	if (!l->folder || !l->folder[0] || l->shown == pattern)
		return 0;
	l->shown = pattern;
	if ((look->off_ms && !blink(l->folder, look)) || !steady(l->folder, look->lit) || l->told)
		return 0;
	l->told = true;
	return lb_error_set(err, LB_E_IO, "the LED %s cannot be set: %s", l->folder, strerror(errno));
}

static bool is_one_of(const char *code, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(code, list[i]))
			return true;
	return false;
}

static void say(void *ctx, enum lb_level level, const char *code, const char *text)
{
	static const char *const working[] = { "start", "source", "source-back", "planned" };
	struct led *l = ctx;
	bool waits = !strcmp(code, "waiting");

	(void)text;
	if (is_one_of(code, working, LB_ARRAY_LEN(working))) {
		l->refused = false;
		led_show(l, LED_WORKING, NULL);
	} else if (!strcmp(code, "source-interrupted")) {
		led_show(l, LED_WAITING, NULL);
	} else if (level != LB_LEVEL_INFO && lb_error_by_name(code)) {
		l->refused = true;
		led_show(l, LED_FAILED, NULL);
	} else if (waits) {
		led_show(l, l->refused ? LED_FAILED : LED_WAITING, NULL);
	}
}

static void progress(void *ctx, const char *step, const char *image, const struct lb_update_counters *n)
{
	(void)step, (void)image, (void)n;
	led_show(ctx, LED_WORKING, NULL);
}

struct lb_reporter led_listener(struct led *l)
{
	return (struct lb_reporter){ .ctx = l, .say = say, .progress = progress };
}
