/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A packer of a few lines, so that the simulator needs no file and no tool:
 * fixed chunks, made in memory, signed with a key that exists only while it runs.
 */
#ifndef POWERCUT_MINI_BUNDLE_H
#define POWERCUT_MINI_BUNDLE_H

#include <stdint.h>

#include "bundle/bundle.h"
#include "trust/keyring.h"

#define MINI_IMAGES 2

struct mini_image {
	const char *name; /* and slot */
	enum lb_encoding encoding;
	uint8_t *bytes; /* owned by whoever made it */
	size_t len;
	uint8_t reach; /* LB_ENC_ZSTD_FRAMES: of all chunks but every fourth one */
	/*
	 * The same: each so manieth chunk whose first bytes lie somewhere in front of it too has what
	 * follows them there as a far region, and no reach; 0: none
	 */
	uint8_t far_every;
};

struct mini_bundle {
	uint8_t *bytes; /* owned */
	size_t len;
	size_t payload_offset; /* of the first payload: what is before is fetched each time */
	uint32_t longest_stored;
};

/* The pinned key that all bundles here are signed with; made at the first call. */
const struct lb_keyring *mini_keyring(void);

/*
 * Product "sim" for hardware "sim,board"; @chunk_bytes 0: cut by content, as the packer
 * does. Aborts on failure.
 */
void mini_pack(struct mini_bundle *b, uint64_t release, const struct mini_image *images,
	       uint32_t count, size_t chunk_bytes);

/* Patches against an older image: docs/SPEC.md, "Patches". */
struct mini_patches {
	uint8_t from[LB_SHA256_BYTES];
	uint8_t *index, *payload; /* owned by whoever made them */
	size_t index_len, payload_len;
};

/* The same with one image and patches of it. */
void mini_pack_patched(struct mini_bundle *b, uint64_t release, const struct mini_image *image,
		       size_t chunk_bytes, const struct mini_patches *patches);

/* The same; the first image is a recovery of @recovery_release. */
void mini_pack_with_recovery(struct mini_bundle *b, uint64_t release,
			     const struct mini_image *images, uint32_t count, size_t chunk_bytes,
			     uint32_t recovery_release);

#endif
