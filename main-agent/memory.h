/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the agent remembers: over updates in the state folder (channel and
 * back-off), until power-off in the run folder (what was checked last, for
 * `status`). Losing either costs a protection against repetition, nothing else.
 */
#ifndef AGENT_MEMORY_H
#define AGENT_MEMORY_H

#include "agent.h"

/* The last attempt to install a release that recovery was asked for. */
struct agent_attempt {
	uint8_t manifest[LB_SHA256_BYTES];
	uint64_t release;    /* 0: none */
	uint32_t failures;   /* in a row, of this manifest */
	int64_t not_before_s;/* next automatic staging; 0: any time */
	bool pending;	     /* staged, outcome not yet seen */
	bool reboot_wanted;  /* staged to reboot at once, not with whoever reboots next */
	uint32_t reboots;    /* tried again since, without effect so far */
	char deployment[LB_ID_MAX + 1];
};

#define AGENT_ONCE_MAX 8
#define AGENT_VISITS_MAX LB_CHANNEL_VISITS_MAX

/* A server's request for recovery that must not be acted on (again). */
struct agent_visit {
	char id[LB_SERIAL_MAX + 1];
	char code[32]; /* what became of it */
	int64_t time_s;
};

struct agent_memory {
	char channel_url[LB_URL_MAX + 1];
	uint64_t channel_sequence; /* newest that was accepted from this URL */
	int64_t channel_created_s;
	char etag[128];		   /* of the stored channel file */
	struct agent_attempt attempt;
	uint32_t once_count;
	uint8_t once[AGENT_ONCE_MAX][LB_SHA256_BYTES]; /* manifests that --once staged, the newest last */
	bool visit_pending;	/* the newest visit was asked for, recovery has not run since */
	uint32_t visit_reboots; /* tried again for it, without effect so far */
	uint32_t visit_count;
	struct agent_visit visits[AGENT_VISITS_MAX]; /* the newest is the last one */
};

/* How something ended: a stable code and a sentence. */
struct agent_outcome {
	int64_t time_s; /* 0: never happened */
	char code[32];
	char text[232];
	uint64_t release;
};

struct agent_report {
	struct agent_outcome check, install, health;
	int64_t next_check_s; /* 0: not planned */
	char activity[64];    /* of the daemon; "" not running */
	int64_t pid;
};

/* A missing or garbled file reads as zeros, the latter with a sentence in the log. */
void agent_memory_load(const struct agent *a, struct agent_memory *ret);
int agent_memory_save(const struct agent *a, const struct agent_memory *m,
		      struct lb_error *err) LB_MUST_CHECK;

void agent_report_load(const struct agent *a, struct agent_report *ret);
/* Failures go to the log: `status` is then out of date. */
void agent_report_save(const struct agent *a, const struct agent_report *r);

enum agent_subject { AGENT_SUBJECT_CHECK, AGENT_SUBJECT_INSTALL, AGENT_SUBJECT_HEALTH };

/**
 * agent_report_note() - note how something ended, for `status`
 * @code: LB_E_* (either sign), 0 for ok
 */
void agent_report_note(const struct agent *a, enum agent_subject what, int64_t time_s, int code,
		       uint64_t release, const char *text);
/* Bytes that a record's text may not hold (programs' output, names of files) become '?'. */
void agent_plain(char *s);
/* As a JSON object, null when it never happened. Owned by the caller. */
cJSON *agent_outcome_json(const struct agent_outcome *o);
/* The same for a remembered request. */
cJSON *agent_visit_json(const struct agent_visit *v);

#endif
