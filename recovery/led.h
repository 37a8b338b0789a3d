/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A LED for who cannot see the console; docs/RECOVERY.md, "LED", lists the patterns. */
#ifndef RECOVERY_LED_H
#define RECOVERY_LED_H

#include <stdbool.h>

#include "flow/report.h"

enum led_pattern { LED_NOTHING, LED_WORKING, LED_WAITING, LED_SUCCESS, LED_FAILED };

struct led {
	const char *folder; /* borrowed: where the kernel shows it, "/sys/class/leds/..."; NULL or "": no LED */
	enum led_pattern shown;
	bool refused;	/* what was tried last failed */
	bool told;	/* that it does not work, once */
};

/* What recovery says becomes a pattern. @l is borrowed. */
struct lb_reporter led_listener(struct led *l);

/*
 * Until the reset: the LED stays as it is when the program is gone. A LED that cannot be
 * set hurts nothing. Return: 0, or -LB_E_IO, once, with a sentence.
 */
int led_show(struct led *l, enum led_pattern pattern, struct lb_error *err);

#endif
