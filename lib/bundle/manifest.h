/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * manifest.json of a bundle: what it is for and what it contains. Parsed only
 * after its signature was checked. Spec: docs/SPEC.md, "Manifest".
 */
#ifndef LB_BUNDLE_MANIFEST_H
#define LB_BUNDLE_MANIFEST_H

#include <stdint.h>

#include "base/error.h"
#include "base/sha256.h"

#define LB_MANIFEST_MAX_BYTES (64 * 1024)
#define LB_MANIFEST_FORMAT 1
#define LB_NAME_MAX 31	   /* image, target and product names: [a-z0-9] then [a-z0-9._-] */
#define LB_COMPATIBLE_MAX 63 /* a device tree's compatible: [A-Za-z0-9,._+-] */
#define LB_VERSION_MAX 63  /* printable text for people */
#define LB_IMAGES_MAX 16
#define LB_HARDWARE_MAX 32
#define LB_PATCH_SETS_MAX 4 /* of an image */

enum lb_image_kind { LB_KIND_RAW, LB_KIND_FIT, LB_KIND_UBI, LB_KIND_FILE, LB_KIND_RECOVERY };
enum lb_encoding { LB_ENC_NONE, LB_ENC_ZSTD_FRAMES };

/* A tar member that the manifest vouches for. */
struct lb_member {
	uint64_t size_bytes;
	uint8_t sha256[LB_SHA256_BYTES];
	char name[LB_NAME_MAX + 28]; /* image name with .idx, .zst, or .RELEASE.patch */
};

/* Patches against one old image. */
struct lb_patch_set {
	uint8_t from[LB_SHA256_BYTES]; /* of that whole image */
	uint64_t release;	       /* that brought it; unique in an image's sets */
	struct lb_member index, payload;
};

struct lb_image {
	char name[LB_NAME_MAX + 1];
	char target[LB_NAME_MAX + 1]; /* slot */
	enum lb_image_kind kind;
	enum lb_encoding encoding;
	uint32_t recovery_release; /* kind recovery: what it is; otherwise 0 */
	uint32_t chunking;	   /* level at which it was cut, from 1; 0: it is not said */
	uint64_t size_bytes;
	uint8_t sha256[LB_SHA256_BYTES]; /* of the whole decoded image */
	struct lb_member index, payload;
	uint32_t patch_set_count;
	struct lb_patch_set patch_sets[LB_PATCH_SETS_MAX];
};

struct lb_manifest {
	uint32_t format;
	uint32_t min_recovery; /* smallest recovery release that can install it */
	uint64_t release;      /* monotonic */
	uint64_t min_release;  /* becomes the floor once confirmed */
	int64_t created_s;     /* since 1970 */
	char product[LB_NAME_MAX + 1];
	char version[LB_VERSION_MAX + 1];
	char hardware[LB_HARDWARE_MAX][LB_COMPATIBLE_MAX + 1];
	uint32_t hardware_count;
	uint32_t image_count;
	struct lb_image images[LB_IMAGES_MAX];
};

/**
 * lb_manifest_parse() - bytes to struct, every bound checked
 * @text: manifest.json; only bytes whose signature was verified belong here
 * @ret: about 20 KiB; untouched on failure
 *
 * Allocates temporarily, at most a small multiple of @len.
 *
 * Return: 0, or -LB_E_FORMAT, -LB_E_TOO_BIG (a stated bound), -LB_E_CRITICAL (a
 * name listed in "critical" is not known here, or "format" is newer), -LB_E_NOMEM.
 */
int lb_manifest_parse(const void *text, size_t len, struct lb_manifest *ret,
		      struct lb_error *err) LB_MUST_CHECK;

/* Are these names as the manifest allows them? The channel file's are the same. */
_Bool lb_name_valid(const char *name);
_Bool lb_compatible_valid(const char *name);

/* Names as in the manifest: "raw", "fit", ... NULL for none. */
const char *lb_image_kind_name(enum lb_image_kind kind);
const char *lb_encoding_name(enum lb_encoding encoding);
/* Their inverse: the value, or -1. */
int lb_image_kind_by_name(const char *name);
int lb_encoding_by_name(const char *name);
/* What an encoding's payload member is called after the image: ".zst", ".raw". */
const char *lb_encoding_suffix(enum lb_encoding encoding);

#endif
