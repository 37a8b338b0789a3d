/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set of digests of what was tried before. Zeros: empty. */
#ifndef POWERCUT_KNOWN_H
#define POWERCUT_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_known {
	struct sim_known_entry {
		uint64_t digest; /* 0: free */
		int64_t burden[2];
		uint32_t depth;	 /* cuts that were simulated behind it, and 1 */
	} *entry; /* owned: open addressing, doubled when it is half full */
	size_t room, count;
};

/* False when @digest is in it, as deep at least and with no less burden; otherwise it is now. */
bool sim_known_add(struct sim_known *k, uint64_t digest, uint32_t depth, const int64_t burden[2]);
void sim_known_free(struct sim_known *k);

#endif
