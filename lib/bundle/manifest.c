// SPDX-License-Identifier: GPL-2.0-or-later
#include "bundle/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/json.h"
#include "bundle/hardware.h"
#include "bundle/index.h"
#include "bundle/patch.h"
#include "bundle/tar.h"

static const char *const kind_names[] = {
	[LB_KIND_RAW] = "raw",	 [LB_KIND_FIT] = "fit",		  [LB_KIND_UBI] = "ubi",
	[LB_KIND_FILE] = "file", [LB_KIND_RECOVERY] = "recovery",
};

static const struct {
	const char *name, *suffix;
} encodings[] = {
	[LB_ENC_NONE] = { "none", ".raw" },
	[LB_ENC_ZSTD_FRAMES] = { "zstd-frames", ".zst" },
};

/* What "critical" may list: everything that is read below. */
static const char *const known_fields[] = {
	"format",	"product",	   "hardware",	   "version",	  "release",
	"min_release",	"created",	   "min_recovery", "critical",	  "images",
	"images.name",	"images.target",   "images.kind",  "images.size", "images.sha256",
	"images.index", "images.encoding", "images.payload", "images.recovery_release",
	"images.patches", "images.chunking",
};

const char *lb_image_kind_name(enum lb_image_kind kind)
{
	return (size_t)kind < LB_ARRAY_LEN(kind_names) ? kind_names[kind] : NULL;
}

int lb_image_kind_by_name(const char *name)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(kind_names); i++)
		if (!strcmp(kind_names[i], name))
			return (int)i;
	return -1;
}

const char *lb_encoding_name(enum lb_encoding encoding)
{
	return (size_t)encoding < LB_ARRAY_LEN(encodings) ? encodings[encoding].name : NULL;
}

const char *lb_encoding_suffix(enum lb_encoding encoding)
{
	return (size_t)encoding < LB_ARRAY_LEN(encodings) ? encodings[encoding].suffix : NULL;
}

int lb_encoding_by_name(const char *name)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(encodings); i++)
		if (!strcmp(encodings[i].name, name))
			return (int)i;
	return -1;
}

#define DIGITS "0123456789"
#define SMALL "abcdefghijklmnopqrstuvwxyz"
#define CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* Names become file and slot names: none can be "..", hidden, an option or a path. */
_Bool lb_name_valid(const char *name)
{
	size_t len = strlen(name);

	return len && len <= LB_NAME_MAX && strchr(DIGITS SMALL, name[0]) &&
	       strspn(name, DIGITS SMALL "._-") == len;
}

_Bool lb_compatible_valid(const char *name)
{
	size_t len = strlen(name);

	return len && len <= LB_COMPATIBLE_MAX &&
	       strspn(name, DIGITS SMALL CAPITALS ",._+-") == len;
}

static int need_u64(const cJSON *obj, const char *name, uint64_t *ret, struct lb_error *err)
{
	return lb_json_need(lb_json_u64(obj, name, ret, err), name, err);
}

static int need_str(const cJSON *obj, const char *name, char *ret, size_t size,
		    struct lb_error *err)
{
	return lb_json_need(lb_json_str(obj, name, ret, size, err), name, err);
}

static int need_name(const cJSON *obj, const char *name, char ret[LB_NAME_MAX + 1],
		     struct lb_error *err)
{
	int rc = need_str(obj, name, ret, LB_NAME_MAX + 1, err);

	if (!rc && !lb_name_valid(ret))
		rc = lb_error_set(err, LB_E_FORMAT, "\"%s\" is no valid name", name);
	return rc;
}

static int needs_newer(const struct lb_manifest *m, const char *what, const char *value,
		       struct lb_error *err)
{
	return lb_error_set(err, LB_E_CRITICAL,
			    "the bundle needs recovery release %u: %s \"%.64s\" is not known here",
			    m->min_recovery, what, value);
}

static int check_critical(const cJSON *root, const struct lb_manifest *m, struct lb_error *err)
{
	const cJSON *list, *item;
	int rc = lb_json_array(root, "critical", &list, err);

	if (rc == -LB_E_NOT_FOUND)
		return 0;
	if (rc)
		return rc;
	cJSON_ArrayForEach(item, list) {
		bool known = false;
		char name[64];

		rc = lb_json_str_of(item, "critical", name, sizeof(name), err);
		if (rc)
			return rc;
		for (size_t i = 0; i < LB_ARRAY_LEN(known_fields); i++)
			known = known || !strcmp(name, known_fields[i]);
		if (!known)
			return needs_newer(m, "field", name, err);
	}
	return 0;
}

/* What decides whether the rest can be understood at all. */
static int parse_format(const cJSON *root, struct lb_manifest *m, struct lb_error *err)
{
	uint64_t format, min_recovery = 0;
	char text[24];
	int rc;

	rc = need_u64(root, "format", &format, err);
	if (rc)
		return rc;
	rc = lb_json_u64(root, "min_recovery", &min_recovery, err);
	if (rc && rc != -LB_E_NOT_FOUND)
		return rc;
	if (!format || min_recovery > UINT32_MAX)
		return lb_error_set(err, LB_E_FORMAT, "\"format\" or \"min_recovery\" is out of bounds");
	m->min_recovery = (uint32_t)min_recovery;
	if (format != LB_MANIFEST_FORMAT) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)format);
		return needs_newer(m, "format", text, err);
	}
	m->format = (uint32_t)format;
	return check_critical(root, m, err);
}

static int parse_hardware(const cJSON *root, struct lb_manifest *m, struct lb_error *err)
{
	int rc = lb_hardware_parse(root, m->hardware, LB_HARDWARE_MAX, &m->hardware_count, err);

	if (!rc && !m->hardware_count)
		return lb_error_set(err, LB_E_FORMAT, "\"hardware\" names nothing");
	return rc;
}

/* @wanted is the only name that the member may have. */
static int parse_member(const cJSON *image, const char *which, const char *wanted,
			struct lb_member *ret, struct lb_error *err)
{
	const cJSON *obj;
	int rc = lb_json_need(lb_json_obj(image, which, &obj, err), which, err);

	if (!rc)
		rc = need_str(obj, "name", ret->name, sizeof(ret->name), err);
	if (!rc)
		rc = need_u64(obj, "size", &ret->size_bytes, err);
	if (!rc)
		rc = lb_json_need(lb_json_hex(obj, "sha256", ret->sha256, LB_SHA256_BYTES, err),
				  "sha256", err);
	if (rc)
		return rc;
	if (strcmp(ret->name, wanted))
		return lb_error_set(err, LB_E_FORMAT, "\"%s\" of an image is %s instead of %s",
				    which, ret->name, wanted);
	if (ret->size_bytes > LB_TAR_SIZE_MAX)
		return lb_error_set(err, LB_E_TOO_BIG, "%s has %llu bytes, at most %llu are allowed",
				    ret->name, (unsigned long long)ret->size_bytes,
				    LB_TAR_SIZE_MAX);
	return 0;
}

static int parse_members(const cJSON *obj, struct lb_image *image, struct lb_error *err)
{
	char wanted[sizeof(image->index.name)];
	uint64_t size;
	int rc;

	snprintf(wanted, sizeof(wanted), "%s.idx", image->name);
	rc = parse_member(obj, "index", wanted, &image->index, err);
	if (rc)
		return rc;
	size = image->index.size_bytes;
	if (size > LB_INDEX_MAX_BYTES)
		return lb_error_set(err, LB_E_TOO_BIG, "%s has %llu bytes, at most %u are allowed",
				    wanted, (unsigned long long)size, LB_INDEX_MAX_BYTES);
	if (size < LB_INDEX_HEADER_BYTES + LB_INDEX_ENTRY_BYTES || size % LB_INDEX_FAR_BYTES)
		return lb_error_set(err, LB_E_FORMAT, "%s has no size that an index can have", wanted);
	snprintf(wanted, sizeof(wanted), "%s%s", image->name, lb_encoding_suffix(image->encoding));
	return parse_member(obj, "payload", wanted, &image->payload, err);
}

static int parse_patch_set(const cJSON *obj, const char *image, struct lb_patch_set *set,
			   struct lb_error *err)
{
	char wanted[sizeof(set->index.name)];
	int rc = lb_json_need(lb_json_hex(obj, "from", set->from, LB_SHA256_BYTES, err), "from", err);

	if (!rc)
		rc = need_u64(obj, "release", &set->release, err);
	if (rc)
		return rc;
	snprintf(wanted, sizeof(wanted), "%s.%llu.pidx", image, (unsigned long long)set->release);
	rc = parse_member(obj, "index", wanted, &set->index, err);
	if (!rc && (set->index.size_bytes < LB_PATCH_HEADER_BYTES ||
		    set->index.size_bytes > LB_PATCH_INDEX_MAX))
		rc = lb_error_set(err, LB_E_FORMAT, "%s has no size that a patch index can have", wanted);
	snprintf(wanted, sizeof(wanted), "%s.%llu.patch", image, (unsigned long long)set->release);
	return rc ? rc : parse_member(obj, "payload", wanted, &set->payload, err);
}

static int parse_patches(const cJSON *obj, struct lb_image *image, struct lb_error *err)
{
	const cJSON *list, *item;
	int rc = lb_json_array(obj, "patches", &list, err);

	if (rc == -LB_E_NOT_FOUND)
		return 0;
	if (rc)
		return rc;
	cJSON_ArrayForEach(item, list) {
		struct lb_patch_set *set = &image->patch_sets[image->patch_set_count];

		if (image->patch_set_count == LB_PATCH_SETS_MAX)
			return lb_error_set(err, LB_E_TOO_BIG, "\"patches\" has more than %d elements",
					    LB_PATCH_SETS_MAX);
		rc = parse_patch_set(item, image->name, set, err);
		if (rc)
			return rc;
		for (uint32_t i = 0; i < image->patch_set_count; i++)
			if (image->patch_sets[i].release == set->release)
				return lb_error_set(err, LB_E_FORMAT, "%s is there twice", set->index.name);
		image->patch_set_count++;
	}
	return 0;
}

static int parse_kinds(const cJSON *obj, const struct lb_manifest *m, struct lb_image *image,
		       struct lb_error *err)
{
	char text[32];
	int rc, value;

	rc = need_str(obj, "kind", text, sizeof(text), err);
	if (rc)
		return rc;
	value = lb_image_kind_by_name(text);
	if (value < 0)
		return needs_newer(m, "kind", text, err);
	image->kind = (enum lb_image_kind)value;
	rc = need_str(obj, "encoding", text, sizeof(text), err);
	if (rc)
		return rc;
	value = lb_encoding_by_name(text);
	if (value < 0)
		return needs_newer(m, "encoding", text, err);
	image->encoding = (enum lb_encoding)value;
	return 0;
}

/* A recovery must say which one it is: it is never replaced by an older one. */
static int parse_recovery(const cJSON *obj, struct lb_image *image, struct lb_error *err)
{
	uint64_t release;
	int rc;

	if (image->kind != LB_KIND_RECOVERY)
		return 0;
	rc = need_u64(obj, "recovery_release", &release, err);
	if (!rc && (!release || release > UINT32_MAX))
		rc = lb_error_set(err, LB_E_FORMAT, "\"recovery_release\" of image %s is out of bounds",
				  image->name);
	if (!rc)
		image->recovery_release = (uint32_t)release;
	return rc;
}

/* A hint: at a level that is not known here, what the device has is merely not found. */
static int parse_chunking(const cJSON *obj, struct lb_image *image, struct lb_error *err)
{
	uint64_t level = 0;
	int rc = lb_json_u64(obj, "chunking", &level, err);

	if (rc && rc != -LB_E_NOT_FOUND)
		return rc;
	if (level > UINT8_MAX || (!rc && !level))
		return lb_error_set(err, LB_E_FORMAT, "\"chunking\" of image %s is out of bounds",
				    image->name);
	image->chunking = (uint32_t)level;
	return 0;
}

static int parse_image(const cJSON *obj, const struct lb_manifest *m, struct lb_image *image,
		       struct lb_error *err)
{
	int rc = need_name(obj, "name", image->name, err);

	if (!rc)
		rc = need_name(obj, "target", image->target, err);
	if (!rc)
		rc = parse_kinds(obj, m, image, err);
	if (!rc)
		rc = parse_recovery(obj, image, err);
	if (!rc)
		rc = parse_chunking(obj, image, err);
	if (!rc)
		rc = need_u64(obj, "size", &image->size_bytes, err);
	if (!rc && !image->size_bytes)
		rc = lb_error_set(err, LB_E_FORMAT, "image %s is empty", image->name);
	if (!rc)
		rc = lb_json_need(lb_json_hex(obj, "sha256", image->sha256, LB_SHA256_BYTES, err),
				  "sha256", err);
	if (!rc)
		rc = parse_members(obj, image, err);
	if (!rc)
		rc = parse_patches(obj, image, err);
	return rc;
}

/* Beside those before it: no two for one place, and both copies get the same recovery. */
static int check_unique(const struct lb_manifest *m, const struct lb_image *image,
			struct lb_error *err)
{
	for (uint32_t i = 0; i < m->image_count; i++) {
		const struct lb_image *other = &m->images[i];

		if (!strcmp(other->name, image->name) || !strcmp(other->target, image->target))
			return lb_error_set(err, LB_E_FORMAT,
					    "images %s and %s share their name or target",
					    other->name, image->name);
		if (other->kind == LB_KIND_RECOVERY && image->kind == LB_KIND_RECOVERY)
			return lb_error_set(err, LB_E_FORMAT,
					    "images %s and %s are both a recovery: both copies get the same",
					    other->name, image->name);
	}
	return 0;
}

static int parse_images(const cJSON *root, struct lb_manifest *m, struct lb_error *err)
{
	const cJSON *list, *item;
	int rc = lb_json_need(lb_json_array(root, "images", &list, err), "images", err);

	if (rc)
		return rc;
	cJSON_ArrayForEach(item, list) {
		struct lb_image *image = &m->images[m->image_count];

		if (m->image_count == LB_IMAGES_MAX)
			return lb_error_set(err, LB_E_TOO_BIG, "\"images\" has more than %d elements",
					    LB_IMAGES_MAX);
		rc = parse_image(item, m, image, err);
		if (rc)
			return rc;
		rc = check_unique(m, image, err);
		if (rc)
			return rc;
		m->image_count++;
	}
	if (!m->image_count)
		return lb_error_set(err, LB_E_FORMAT, "\"images\" names nothing");
	return 0;
}

static int parse_release(const cJSON *root, struct lb_manifest *m, struct lb_error *err)
{
	uint64_t created;
	int rc = need_name(root, "product", m->product, err);

	if (!rc)
		rc = need_str(root, "version", m->version, sizeof(m->version), err);
	if (!rc)
		rc = need_u64(root, "release", &m->release, err);
	if (!rc)
		rc = need_u64(root, "min_release", &m->min_release, err);
	if (!rc)
		rc = need_u64(root, "created", &created, err);
	if (rc)
		return rc;
	if (!m->release || m->min_release > m->release)
		return lb_error_set(err, LB_E_FORMAT, "release %llu with min_release %llu makes no sense",
				    (unsigned long long)m->release,
				    (unsigned long long)m->min_release);
	m->created_s = (int64_t)created;
	return 0;
}

int lb_manifest_parse(const void *text, size_t len, struct lb_manifest *ret, struct lb_error *err)
{
	struct lb_manifest *m;
	cJSON *root;
	int rc;

	rc = lb_json_parse(text, len, LB_MANIFEST_MAX_BYTES, "manifest.json", &root, err);
	if (rc)
		return rc;
	m = calloc(1, sizeof(*m));
	rc = m ? parse_format(root, m, err) :
		 lb_error_set(err, LB_E_NOMEM, "no memory for the manifest");
	if (!rc)
		rc = parse_release(root, m, err);
	if (!rc)
		rc = parse_hardware(root, m, err);
	if (!rc)
		rc = parse_images(root, m, err);
	if (!rc)
		*ret = *m;
	free(m);
	cJSON_Delete(root);
	return rc;
}
