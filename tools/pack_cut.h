/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `lifeboat pack --from OLD.lbu`: more cuts, where patches and prefixes would be in each other's way. */
#ifndef LIFEBOAT_PACK_CUT_H
#define LIFEBOAT_PACK_CUT_H

#include "pack_image.h"

struct pack_cut {
	struct pack_image *image; /* borrowed: scanned, and not compressed yet */
	int old_fd;		  /* borrowed: an old image */
	uint64_t old_bytes;
	uint32_t window_bytes; /* how far chunks may reach */
};

/*
 * Divides chunks that are partly in the old image, and partly repeat something of the new one
 * that the old one has not. Their entries are replaced by those of their parts; all others stay,
 * with other numbers. If an index cannot hold so many, nothing is changed. -LB_E_NOMEM.
 */
int pack_cut(const struct pack_cut *c) LB_MUST_CHECK;

#endif
