/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The steps that make chunks of a new image out of an old one, in the slot that holds
 * it. The packer has put them into an order in which no step overwrites what a later
 * one reads, so leaving steps out spoils nothing. Kept in memory as it is stored.
 * Spec: docs/SPEC.md, "Patches".
 */
#ifndef LB_BUNDLE_PATCH_H
#define LB_BUNDLE_PATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "bundle/index.h"
#include "bundle/manifest.h"

#define LB_PATCH_HEADER_BYTES 40u
#define LB_PATCH_STEP_BYTES 16u
#define LB_PATCH_REGION_BYTES 6u
#define LB_PATCH_BLOCK_BYTES 4096u	   /* unit of regions */
#define LB_PATCH_PREFIX_MAX (1024u * 1024u) /* of all regions of a patch */
#define LB_PATCH_SYMBOLS_MAX (1536u * 1024u) /* of a recoded patch: its regions' and its chunk's */
#define LB_PATCH_STEPS_MAX (2u * LB_INDEX_CHUNKS_MAX)
#define LB_PATCH_REGIONS_MAX (4u * LB_INDEX_CHUNKS_MAX)
#define LB_PATCH_INDEX_MAX LB_INDEX_MAX_BYTES

enum lb_patch_type { LB_PATCH_COPY, LB_PATCH_PATCH, LB_PATCH_WRITE };

#define LB_PATCH_HOLD 1u /* stays in memory until a write step names it */
#define LB_PATCH_DOWN 2u /* copies: the next one is the chunk before, from in front of this one */
#define LB_PATCH_RECODED 4u /* patches: between symbols, recode/recode.h */

struct lb_patch_step {
	enum lb_patch_type type;
	bool hold, down, recoded;
	uint32_t number;	/* of the chunk; copies: of the first */
	uint32_t count;		/* copies: so many chunks */
	uint64_t from;		/* copies: offset of the first in the old image */
	uint32_t stored_length; /* patch: bytes of the payload */
	uint32_t region_count;	/* patch */
	uint32_t crc;		/* patch: CRC-32 of its regions, one behind the other */
	uint64_t stored_offset; /* patch: in the payload */
	uint32_t region;	/* patch: number of the first */
};

/* What this step does with one chunk; steps of several copies are walked chunk by chunk. */
struct lb_patch_cursor {
	uint32_t next_step, next_region;
	uint64_t stored_offset;
};

struct lb_patches {
	uint8_t *bytes; /* owned */
	size_t bytes_len;
	uint32_t step_count, region_count;
	uint64_t old_bytes, payload_bytes;
	uint32_t held_bytes;	 /* most that is kept in memory between steps */
	uint32_t longest_prefix; /* bytes */
	uint32_t longest_stored; /* bytes */
	uint32_t symbols_bytes;	 /* most that regions and chunk of a recoded patch have as symbols */
};

/**
 * lb_patches_parse() - check all steps and take them over
 * @bytes: from malloc; owned by @ret on success, still the caller's on failure
 * @set: sizes of payload and old image, from the manifest
 * @idx: the new image's chunks
 *
 * Checks everything once: only data chunks, each made at most once; sources inside the
 * old image; what is kept is written later and no more than the header says.
 * The digest of @bytes must have been compared with the manifest before.
 *
 * Return: 0, -LB_E_FORMAT, -LB_E_NOMEM.
 */
int lb_patches_parse(uint8_t *bytes, size_t len, const struct lb_patch_set *set,
		     const struct lb_index *idx, struct lb_patches *ret,
		     struct lb_error *err) LB_MUST_CHECK;
void lb_patches_free(struct lb_patches *p);

/* Walk in order: start with a zeroed cursor; false at the end. */
bool lb_patches_next(const struct lb_patches *p, struct lb_patch_cursor *cursor,
		     struct lb_patch_step *ret);

/* Region @number: bytes of the old image; the last one may end inside a block. */
void lb_patches_region(const struct lb_patches *p, uint32_t number, uint64_t *ret_offset,
		       uint32_t *ret_length);

/*
 * Copy @k of step @s: number of the chunk; adds to or takes from @*from what lies between.
 * Start with k = 0 and *from = s->from, and go up.
 */
uint32_t lb_patch_copy(const struct lb_patch_step *s, uint32_t k, const struct lb_index *idx,
		       uint64_t *from);

#endif
