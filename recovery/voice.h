/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One voice, many listeners: what recovery says goes to each of them in the same words. */
#ifndef RECOVERY_VOICE_H
#define RECOVERY_VOICE_H

#include "flow/report.h"

#define VOICE_LISTENERS 6

struct voice {
	struct lb_reporter listeners[VOICE_LISTENERS];
	uint32_t count;
};

/* @listener's context has to stay; functions that are NULL are passed over. */
void voice_add(struct voice *v, struct lb_reporter listener);

/* The reporter that speaks to all of them, in the order in which they were added. */
struct lb_reporter voice_reporter(struct voice *v);

#endif
