/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happened, left on the medium that a person brought: lifeboat-report.txt and
 * lifeboat-report.json. It listens to what everybody else is told, and is written when
 * nothing is read from any medium: while recovery waits, and at the end.
 */
#ifndef RECOVERY_REPORT_H
#define RECOVERY_REPORT_H

#include "media.h"

#define REPORT_MESSAGES 48 /* the newest */

struct report_message {
	enum lb_level level;
	char code[32];
	char text[256];
};

struct report {
	struct media *media;		 /* borrowed; NULL: nothing is written */
	const struct lb_recovery *recovery; /* borrowed */
	struct report_message messages[REPORT_MESSAGES];
	uint32_t said;			 /* all of them; the newest is said - 1, round and round */
	struct report_message outcome;	 /* how it stands or ended */
	struct report_message reason;	 /* what failed last, code "" for nothing */
	bool installed;			 /* every byte was read back */
	uint32_t written_changes;	 /* what was written last: media->changes, */
	uint32_t written_outcome;	 /* ... and a number for the outcome */
	bool failed[MEDIA_MAX];		 /* that was told, once */
};

/* Keeps what is said. @r is borrowed. */
struct lb_reporter report_listener(struct report *r);

/* A medium that a report is for. */
bool report_has_medium(const struct report *r);

/**
 * report_write() - to each medium that holds bundles or a folder lifeboat, if there is news
 * @last: nothing will be read any more
 *
 * A medium that is mounted read-only is mounted writable for as long as it takes. Temporary name,
 * flush, rename: a cut leaves the old report or the new one. Does nothing while a medium is read, or
 * holds what will be tried.
 * Blocks for as long as the media do; a medium that cannot be written is told once.
 */
void report_write(struct report *r, bool last);

#endif
