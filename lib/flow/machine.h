/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The update state machine: a table, no I/O. The record in the state log is the
 * authority; docs/DESIGN.md, "State machine", shows the same table.
 */
#ifndef LB_FLOW_MACHINE_H
#define LB_FLOW_MACHINE_H

#include "boot/select.h"
#include "state/records.h"

/* What can happen. */
enum lb_event {
	LB_EV_STAGED,	   /* the agent (or a person) staged a request */
	LB_EV_FIRST_WRITE, /* everything was checked, main is about to change */
	LB_EV_RETURNED,	   /* refused or unreachable with main untouched */
	LB_EV_INSTALLED,   /* every image was read back from the medium and matched */
	LB_EV_CONFIRMED,   /* the agent found the release healthy */
	LB_EV_MAIN_FAILED, /* boot limit exceeded, or main's FIT is missing or invalid; while
			    * updating: what was signed and written could never be booted */
	LB_EV_COUNT
};

/* What recovery does when it starts. */
enum lb_job {
	LB_JOB_WAIT,	/* nothing to do by itself: media, web page, a person */
	LB_JOB_INSTALL, /* the request, from the start */
	LB_JOB_RESUME,	/* what was begun */
	LB_JOB_RESCUE,	/* fetch the confirmed release again */
	LB_JOB_HEAL,	/* main may be whole: verify it by the stored manifest, return the flag */
	LB_JOB_HANDOVER,/* trial: everything was verified, only the flag is missing */
	LB_JOB_EXAMINE,	/* started too often: what is whole waits for a person and is tried again */
	LB_JOB_COUNT
};

/* Why U-Boot started recovery: lifeboat.reason= on the kernel's command line. */
enum lb_reason {
	LB_REASON_NONE, /* not handed over: judged as flag-lost */
	LB_REASON_REQUESTED,
	LB_REASON_FLAG_LOST,
	LB_REASON_BOOT_LIMIT,
	LB_REASON_MAIN_INVALID,
	LB_REASON_MANUAL,
	LB_REASON_COUNT
};

/**
 * lb_machine_next() - the state after @event
 * Return: the next state, or -LB_E_INVALID when @event cannot happen in @state.
 */
int lb_machine_next(enum lb_state_name state, enum lb_event event);

/**
 * lb_machine_job() - what recovery does with @state when started for @reason
 * @have_request: a request record exists
 *
 * A pure function of three small enumerations: tests walk all of it.
 */
enum lb_job lb_machine_job(enum lb_state_name state, enum lb_reason reason, bool have_request);

/* "requested", "flag-lost", ... as U-Boot writes them; LB_REASON_NONE for anything else. */
enum lb_reason lb_reason_parse(const char *text, size_t len);
const char *lb_reason_text(enum lb_reason reason);
const char *lb_event_text(enum lb_event event);
const char *lb_job_text(enum lb_job job);

#endif
