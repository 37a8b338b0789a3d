/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a bundle lies: as main reaches it and as recovery will. */
#ifndef AGENT_PLACE_H
#define AGENT_PLACE_H

#include "agent.h"

struct agent_place {
	bool is_file;
	char here[LB_URL_MAX + 1];  /* URL, or a path in main */
	char there[LB_URL_MAX + 1]; /* URL for the request */
	char shown[LB_URL_MAX + 1]; /* here, for messages: without what may hold a token */
};

/**
 * agent_place_of() - what a person named: a URL, file:// or a path of main
 *
 * A file has to lie below handover_dir, which recovery sees as recovery_dir.
 * Return: 0, -LB_E_INVALID, -LB_E_NOT_FOUND (no such file), with a sentence.
 */
int agent_place_of(const struct agent *a, const char *text, struct agent_place *ret,
		   struct lb_error *err) LB_MUST_CHECK;

/* The other way: a URL of a record, as recovery used it. As above. */
int agent_place_of_recovery(const struct agent *a, const char *url, struct agent_place *ret,
			    struct lb_error *err) LB_MUST_CHECK;

#endif
