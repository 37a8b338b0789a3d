/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `install FOLDER`: which of a medium's bundles, by the rules that recovery has for media. */
#ifndef AGENT_MEDIUM_H
#define AGENT_MEDIUM_H

#include "bundle.h"

#define AGENT_MEDIUM_FILES 32 /* as many as recovery looks at */

struct agent_medium_choice {
	struct agent_place place;
	uint64_t release;
	uint8_t manifest[LB_SHA256_BYTES];
};

/**
 * agent_medium_choose() - the newest bundle that can be installed
 * @folder: where the medium is mounted; below handover_dir
 *
 * Looked at are *.lbu in any case at the root and in the folder lifeboat, not hidden ones and no
 * links. Each is judged by its head, and the verdict is said. Only reads; blocks for as long as
 * the medium takes for at most 32 heads.
 *
 * Return: 0; AGENT_NOTHING: the newest is not newer than what runs; -LB_E_NOT_FOUND: there is no
 * bundle (with --once that is AGENT_NOTHING, too); else none can be installed, and why not the first of them.
 */
int agent_medium_choose(const struct agent *a, const struct agent_device *d, const char *folder,
			int64_t now_s, struct agent_medium_choice *ret,
			struct lb_error *err) LB_MUST_CHECK;

#endif
