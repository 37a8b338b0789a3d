// SPDX-License-Identifier: GPL-2.0-or-later
#include "flow/machine.h"

#include <string.h>

#include "base/bytes.h"

#define X (-1) /* cannot happen */
#define CONFIRMED LB_STATE_CONFIRMED
#define REQUESTED LB_STATE_REQUESTED
#define UPDATING LB_STATE_UPDATING
#define TRIAL LB_STATE_TRIAL
#define RESCUE LB_STATE_RESCUE

/*
 * A row per state, a column per event. A stick or the web page may begin an
 * update in any state, so a first write is never refused; only the bundle is.
 */
static const signed char next_state[LB_STATE_COUNT][LB_EV_COUNT] = {
	/*              STAGED     FIRST_WRITE RETURNED   INSTALLED CONFIRMED  MAIN_FAILED */
	[CONFIRMED] = { REQUESTED, UPDATING,   CONFIRMED, TRIAL,    CONFIRMED, RESCUE },
	[REQUESTED] = { REQUESTED, UPDATING,   CONFIRMED, TRIAL,    X,         RESCUE },
	[UPDATING]  = { X,         UPDATING,   X,         TRIAL,    X,         RESCUE },
	[TRIAL]     = { X,         UPDATING,   X,         TRIAL,    CONFIRMED, RESCUE },
	[RESCUE]    = { X,         RESCUE,     X,         TRIAL,    X,         RESCUE },
};

int lb_machine_next(enum lb_state_name state, enum lb_event event)
{
	if (state >= LB_STATE_COUNT || event >= LB_EV_COUNT || next_state[state][event] == X)
		return -LB_E_INVALID;
	return next_state[state][event];
}

static enum lb_job job_of_confirmed(enum lb_reason reason)
{
	switch (reason) {
	case LB_REASON_BOOT_LIMIT:
		return LB_JOB_EXAMINE;
	case LB_REASON_MAIN_INVALID:
		return LB_JOB_RESCUE;
	case LB_REASON_MANUAL:
		return LB_JOB_WAIT;
	default:
		return LB_JOB_HEAL;
	}
}

static enum lb_job job_of_trial(enum lb_reason reason)
{
	switch (reason) {
	case LB_REASON_REQUESTED: /* the flag was never returned: a cut came between */
		return LB_JOB_HANDOVER;
	case LB_REASON_MANUAL:
		return LB_JOB_WAIT;
	default:
		return LB_JOB_RESCUE;
	}
}

enum lb_job lb_machine_job(enum lb_state_name state, enum lb_reason reason, bool have_request)
{
	switch (state) {
	case REQUESTED:
		if (reason == LB_REASON_MANUAL)
			return LB_JOB_WAIT;
		return have_request ? LB_JOB_INSTALL : job_of_confirmed(reason);
	case UPDATING:
		return LB_JOB_RESUME;
	case TRIAL:
		return job_of_trial(reason);
	case RESCUE:
		return LB_JOB_RESCUE;
	default:
		return job_of_confirmed(reason);
	}
}

static const char *const reasons[LB_REASON_COUNT] = {
	[LB_REASON_NONE] = "none",
	[LB_REASON_REQUESTED] = "requested",
	[LB_REASON_FLAG_LOST] = "flag-lost",
	[LB_REASON_BOOT_LIMIT] = "boot-limit",
	[LB_REASON_MAIN_INVALID] = "main-invalid",
	[LB_REASON_MANUAL] = "manual",
};

enum lb_reason lb_reason_parse(const char *text, size_t len)
{
	for (int i = 1; i < LB_REASON_COUNT; i++)
		if (strlen(reasons[i]) == len && !memcmp(reasons[i], text, len))
			return (enum lb_reason)i;
	return LB_REASON_NONE;
}

const char *lb_reason_text(enum lb_reason reason)
{
	return reason < LB_REASON_COUNT ? reasons[reason] : "none";
}

const char *lb_event_text(enum lb_event event)
{
	static const char *const names[LB_EV_COUNT] = {
		"staged", "first-write", "returned", "installed", "confirmed", "main-failed",
	};

	return event < LB_EV_COUNT ? names[event] : "unknown";
}

const char *lb_job_text(enum lb_job job)
{
	static const char *const names[LB_JOB_COUNT] = {
		"wait", "install", "resume", "rescue", "heal", "handover", "examine",
	};

	return job < LB_JOB_COUNT ? names[job] : "unknown";
}
