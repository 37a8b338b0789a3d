/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device as a case begins with it: records, environment, slots. */
#ifndef MODEL_SITUATION_H
#define MODEL_SITUATION_H

#include "flow/recovery.h"
#include "watch.h"

enum asked { ASKED_NOTHING, ASKED_R2, ASKED_VISIT, ASKED_COUNT };

/* Where a device may stand; zeros: confirmed, nothing known, flag lost. */
struct situation {
	enum lb_state_name state;
	uint32_t state_release;
	enum asked asked;
	const char *flag; /* NULL: not one that anybody writes */
	bool trial, no_record, other_request; /* its manifest is not the one that there is */
	uint32_t confirmed, previous, installed;
	uint32_t floor; /* 0: none, and no time either */
	uint32_t main, other; /* what they hold; 0: torn */
	uint32_t tries;
	bool selected, started; /* the note says that the other copy was; that this one was */
	uint32_t running; /* release of the recovery that runs */
	char copy;
};

struct scene {
	const char *name, *expect;
	struct situation at;
	enum lb_reason reason;
	bool carrier, alone; /* the bundle carries a recovery; and nothing else */
	bool dead;	     /* the server is silent */
	const char *param;
};

struct device {
	struct watch watch;
	struct lb_log log;
	struct lb_boot boot;
	struct lb_device_state d;
	const struct scene *scene;
};

struct lb_release situation_release(uint32_t number);
/* What the agent asks for, in @s's world (NULL: the plain one). */
struct lb_request situation_request(const struct scene *s, enum asked asked, bool other);

/* Makes @dev as @s says and prints how the case begins; ends it. */
void situation_begin(struct device *dev, const struct scene *s);
void situation_end(struct device *dev);

/* The cases of scenes.c, ended by one without a name. */
extern const struct scene scenes[];

#endif
