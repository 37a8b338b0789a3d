/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a bundle from any source, front to back: head (manifest and
 * signatures), then, once those are trusted, the indexes, then payload ranges.
 * Spec: docs/SPEC.md, "Bundle".
 */
#ifndef LB_BUNDLE_BUNDLE_H
#define LB_BUNDLE_BUNDLE_H

#include <stdint.h>

#include "base/error.h"
#include "bundle/index.h"
#include "bundle/manifest.h"
#include "bundle/patch.h"
#include "port/source.h"

#define LB_SIGNATURES_MAX 8
#define LB_SIGNATURE_MAX_BYTES 160
#define LB_KEYID_HEX 17 /* 16 hexadecimal characters and a NUL */

struct lb_signature {
	char keyid[LB_KEYID_HEX];
	uint16_t length;
	uint8_t der[LB_SIGNATURE_MAX_BYTES];
};

/* The unverified front of a bundle. Everything in it is hostile. */
struct lb_bundle_head {
	uint8_t *manifest; /* owned: manifest.json as it stands */
	size_t manifest_len;
	uint8_t manifest_sha256[LB_SHA256_BYTES];
	struct lb_signature signatures[LB_SIGNATURES_MAX];
	uint32_t signature_count;
	uint64_t end_offset; /* where the first index member's tar header lies */
};

/**
 * lb_bundle_read_head() - manifest.json and its signatures
 * @src: is read from offset 0
 * @ret: free with lb_bundle_head_free()
 *
 * Reads at most 64 KiB + 8 signatures, and stops behind the tar header of the first
 * index; no byte of it is interpreted as JSON. A head without signatures is read too:
 * lb_keyring_verify() refuses it.
 *
 * Return: 0; -LB_E_FORMAT (not a bundle), -LB_E_TOO_BIG, -LB_E_TRUNCATED,
 * -LB_E_NOMEM or what @src returned.
 */
int lb_bundle_read_head(struct lb_source *src, struct lb_bundle_head *ret,
			struct lb_error *err) LB_MUST_CHECK;
void lb_bundle_head_free(struct lb_bundle_head *head);

/* The same for NAME.json and NAME.sig.KEYID; a channel file is @name "channel". */
int lb_signed_read_head(struct lb_source *src, const char *name, struct lb_bundle_head *ret,
			struct lb_error *err) LB_MUST_CHECK;

/* Where the members lie, from the manifest's sizes alone. */
struct lb_bundle_layout {
	uint64_t index_offset[LB_IMAGES_MAX];	/* of the member's data */
	uint64_t payload_offset[LB_IMAGES_MAX]; /* of the member's data */
	uint64_t patch_index_offset[LB_IMAGES_MAX][LB_PATCH_SETS_MAX];
	uint64_t patch_offset[LB_IMAGES_MAX][LB_PATCH_SETS_MAX]; /* of the patches' payloads */
	uint64_t end_offset; /* after the last member and its padding */
};

/* -LB_E_FORMAT when the sum does not fit 63 bits. */
int lb_bundle_layout(const struct lb_manifest *m, uint64_t head_end,
		     struct lb_bundle_layout *ret, struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_bundle_read_index() - fetch, compare with the manifest, check
 * @image: number of the image; call in order 0, 1, ... on a sequential source
 * @ret: free with lb_index_free()
 *
 * Return: 0; -LB_E_DIGEST, -LB_E_FORMAT, -LB_E_TRUNCATED, -LB_E_NOMEM or what @src returned.
 */
int lb_bundle_read_index(struct lb_source *src, const struct lb_manifest *m,
			 const struct lb_bundle_layout *layout, uint32_t image,
			 struct lb_index *ret, struct lb_error *err) LB_MUST_CHECK;

/* Any member as a whole: from malloc, its digest compared. Errors as above, but for the form. */
int lb_bundle_read_member(struct lb_source *src, const struct lb_member *m, uint64_t offset,
			  uint8_t **ret, struct lb_error *err) LB_MUST_CHECK;

/* As lb_bundle_read_index() for the patches of set @set; @idx: the index of that image. */
int lb_bundle_read_patches(struct lb_source *src, const struct lb_manifest *m,
			   const struct lb_bundle_layout *layout, uint32_t image, uint32_t set,
			   const struct lb_index *idx, struct lb_patches *ret,
			   struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_chunk_decode() - one stored chunk to its bytes, digest checked
 * @dctx: a ZSTD_DCtx*, reused between calls; may be NULL for LB_ENC_NONE
 * @prefix: the bytes that the frame may refer to as if they preceded it, raw content;
 *	    may be NULL without @prefix_len. Decoding is fastest when they lie right
 *	    in front of @out.
 * @prefix_len: lb_chunk_prefix_bytes(@chunk) of the new image; not looked at for LB_ENC_NONE
 * @stored: @chunk->stored_length bytes
 * @out: room for @chunk->length bytes; undefined on failure
 *
 * Return: 0; -LB_E_DIGEST when the frame is broken, has another size or another digest
 * (also because of a wrong prefix); -LB_E_NOMEM, only with a prefix.
 */
int lb_chunk_decode(void *dctx, enum lb_encoding encoding, const struct lb_chunk *chunk,
		    const uint8_t *prefix, size_t prefix_len, const uint8_t *stored,
		    uint8_t *out) LB_MUST_CHECK;

/* The first half of it, whatever the digest. -LB_E_DIGEST: the frame is broken, or has another size. */
int lb_chunk_unpack(void *dctx, enum lb_encoding encoding, const struct lb_chunk *chunk,
		    const uint8_t *prefix, size_t prefix_len, const uint8_t *stored,
		    uint8_t *out) LB_MUST_CHECK;
/* The second half: do the @chunk->length bytes at @bytes have its digest? */
bool lb_chunk_is(const struct lb_chunk *chunk, const uint8_t *bytes) LB_MUST_CHECK;

#endif
