// SPDX-License-Identifier: GPL-2.0-or-later
#include "describe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/json.h"
#include "cli.h"

#define DESCRIPTION_MAX_BYTES (64 * 1024)

static int text(const cJSON *obj, const char *name, char *ret, size_t size, struct lb_error *err)
{
	return lb_json_need(lb_json_str(obj, name, ret, size, err), name, err);
}

/* Absence leaves @ret as it is. */
static int optional_u64(const cJSON *obj, const char *name, uint64_t *ret, struct lb_error *err)
{
	int rc = lb_json_u64(obj, name, ret, err);

	return rc == -LB_E_NOT_FOUND ? 0 : rc;
}

/* A typing error in an optional name must not pass for its absence. */
static int only_known(const cJSON *obj, const char *const *names, struct lb_error *err)
{
	for (const cJSON *item = obj->child; item; item = item->next) {
		size_t i = 0;

		while (names[i] && strcmp(names[i], item->string))
			i++;
		if (!names[i])
			return lb_error_set(err, LB_E_FORMAT, "\"%.32s\" is not known", item->string);
	}
	return 0;
}

/* A list of strings into rows of @width bytes. */
static int text_list(const cJSON *root, const char *name, char *rows, size_t width, uint32_t max,
		     uint32_t *ret_count, struct lb_error *err)
{
	const cJSON *list, *item;
	uint32_t n = 0;
	int rc = lb_json_array(root, name, &list, err);

	if (rc)
		return rc;
	cJSON_ArrayForEach(item, list) {
		if (n == max)
			return lb_error_set(err, LB_E_TOO_BIG, "\"%s\" has more than %u elements", name,
					    max);
		rc = lb_json_str_of(item, name, rows + n * width, width, err);
		if (rc)
			return rc;
		n++;
	}
	*ret_count = n;
	return 0;
}

static int load_release(const cJSON *root, struct description *d, struct lb_error *err)
{
	struct lb_manifest *m = &d->m;
	uint64_t min_recovery = 1;
	int rc;

	m->format = LB_MANIFEST_FORMAT;
	rc = text(root, "product", m->product, sizeof(m->product), err);
	if (!rc)
		rc = text(root, "version", m->version, sizeof(m->version), err);
	if (!rc)
		rc = lb_json_need(lb_json_u64(root, "release", &m->release, err), "release", err);
	if (!rc)
		rc = optional_u64(root, "min_release", &m->min_release, err);
	if (!rc)
		rc = optional_u64(root, "min_recovery", &min_recovery, err);
	if (!rc && min_recovery > UINT32_MAX)
		rc = lb_error_set(err, LB_E_FORMAT, "\"min_recovery\" is too large");
	m->min_recovery = (uint32_t)min_recovery;
	if (!rc)
		rc = lb_json_need(text_list(root, "hardware", m->hardware[0], sizeof(m->hardware[0]),
					    LB_HARDWARE_MAX, &m->hardware_count, err),
				  "hardware", err);
	if (!rc)
		rc = text_list(root, "critical", d->critical[0], sizeof(d->critical[0]),
			       LB_HARDWARE_MAX, &d->critical_count, err);
	return rc == -LB_E_NOT_FOUND ? 0 : rc;
}

static int load_kinds(const cJSON *obj, struct lb_image *image, struct lb_error *err)
{
	char kind[16] = "raw", encoding[16] = "zstd-frames";
	int value, rc;

	rc = lb_json_str(obj, "kind", kind, sizeof(kind), err);
	if (!rc || rc == -LB_E_NOT_FOUND)
		rc = lb_json_str(obj, "encoding", encoding, sizeof(encoding), err);
	if (rc && rc != -LB_E_NOT_FOUND)
		return rc;
	value = lb_image_kind_by_name(kind);
	if (value < 0)
		return lb_error_set(err, LB_E_FORMAT, "image %s has the unknown kind %s", image->name,
				    kind);
	image->kind = (enum lb_image_kind)value;
	value = lb_encoding_by_name(encoding);
	if (value < 0)
		return lb_error_set(err, LB_E_FORMAT, "image %s has the unknown encoding %s",
				    image->name, encoding);
	image->encoding = (enum lb_encoding)value;
	return 0;
}

static void name_members(struct lb_image *image)
{
	char name[sizeof(image->name)];

	strcpy(name, image->name); /* the compiler cannot see that they do not overlap */
	snprintf(image->index.name, sizeof(image->index.name), "%s.idx", name);
	snprintf(image->payload.name, sizeof(image->payload.name), "%s%s", name,
		 lb_encoding_suffix(image->encoding));
}

static int find_file(struct description *d, const char *path, const char *name,
		     struct lb_error *err)
{
	struct lb_image *image = &d->m.images[d->m.image_count];
	char *file = cli_beside(path, name);
	struct stat st;

	if (!file)
		return lb_error_set(err, LB_E_NOMEM, "no memory for a file name");
	d->files[d->m.image_count++] = file;
	if (stat(file, &st))
		return cli_errno(err, file, "read");
	if (!S_ISREG(st.st_mode) || !st.st_size)
		return lb_error_set(err, LB_E_INVALID, "%s is no regular file or is empty", file);
	image->size_bytes = (uint64_t)st.st_size;
	if (st.st_mtime > d->m.created_s)
		d->m.created_s = st.st_mtime;
	return 0;
}

static int load_recovery_release(const cJSON *obj, struct lb_image *image, struct lb_error *err)
{
	uint64_t v;
	int rc = lb_json_u64(obj, "recovery_release", &v, err);

	if (image->kind != LB_KIND_RECOVERY)
		return rc == -LB_E_NOT_FOUND ? 0
					     : lb_error_set(err, LB_E_FORMAT,
							    "image %s is no recovery, but has a \"recovery_release\"",
							    image->name);
	rc = lb_json_need(rc, "recovery_release", err);
	if (!rc && (!v || v > UINT32_MAX))
		rc = lb_error_set(err, LB_E_FORMAT, "\"recovery_release\" of image %s is out of bounds",
				  image->name);
	if (!rc)
		image->recovery_release = (uint32_t)v;
	return rc;
}

static int load_image(const cJSON *obj, struct description *d, const char *path,
		      struct lb_error *err)
{
	static const char *const known[] = { "name", "target", "kind", "encoding", "file",
					   "recovery_release", NULL };
	struct lb_image *image = &d->m.images[d->m.image_count];
	char file[1024];
	int rc;

	if (d->m.image_count == LB_IMAGES_MAX)
		return lb_error_set(err, LB_E_TOO_BIG, "more than %d images", LB_IMAGES_MAX);
	rc = only_known(obj, known, err);
	if (!rc)
		rc = text(obj, "name", image->name, sizeof(image->name), err);
	if (!rc && !lb_name_valid(image->name))
		rc = lb_error_set(err, LB_E_FORMAT, "%s is no valid image name", image->name);
	if (rc)
		return rc;
	rc = lb_json_str(obj, "target", image->target, sizeof(image->target), err);
	if (rc == -LB_E_NOT_FOUND) {
		strcpy(image->target, image->name);
		rc = 0;
	}
	if (!rc)
		rc = load_kinds(obj, image, err);
	if (!rc)
		rc = load_recovery_release(obj, image, err);
	if (!rc)
		rc = text(obj, "file", file, sizeof(file), err);
	if (rc)
		return rc;
	name_members(image);
	return find_file(d, path, file, err);
}

static int load_images(const cJSON *root, struct description *d, const char *path,
		       struct lb_error *err)
{
	const cJSON *list, *item;
	int rc = lb_json_need(lb_json_array(root, "images", &list, err), "images", err);

	if (rc)
		return rc;
	cJSON_ArrayForEach(item, list) {
		rc = load_image(item, d, path, err);
		if (rc)
			return rc;
	}
	return 0;
}

static int settle_created(const cJSON *root, struct description *d, struct lb_error *err)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	uint64_t created;
	unsigned long v;
	int rc = lb_json_u64(root, "created", &created, err);

	if (rc && rc != -LB_E_NOT_FOUND)
		return rc;
	if (!rc)
		d->m.created_s = (int64_t)created;
	else if (epoch && cli_number(epoch, UINT32_MAX, &v))
		d->m.created_s = (int64_t)v;
	else if (epoch)
		return lb_error_set(err, LB_E_INVALID, "SOURCE_DATE_EPOCH is no number of seconds");
	return 0;
}

/* The digests are still zero: everything else can be refused before the long work. */
static int check_early(const struct description *d, struct lb_error *err)
{
	struct description trial = *d;
	size_t len;
	char *json;
	int rc;

	for (uint32_t i = 0; i < d->m.image_count; i++)
		trial.m.images[i].index.size_bytes = 72; /* a header and one entry */
	rc = description_manifest(&trial, &json, &len, err);
	if (!rc)
		free(json);
	return rc;
}

int description_load(struct description *d, const char *path, struct lb_error *err)
{
	static const char *const known[] = { "product", "hardware", "version", "release",
					     "min_release", "min_recovery", "created", "critical",
					     "images", NULL };
	size_t len;
	char *bytes;
	cJSON *root;
	int rc;

	memset(d, 0, sizeof(*d));
	rc = cli_read_file(path, DESCRIPTION_MAX_BYTES, &bytes, &len, err);
	if (rc)
		return rc;
	rc = lb_json_parse(bytes, len, DESCRIPTION_MAX_BYTES, "the description", &root, err);
	free(bytes);
	if (rc)
		return cli_prefix(err, path, rc);
	rc = only_known(root, known, err);
	if (!rc)
		rc = load_release(root, d, err);
	if (!rc)
		rc = load_images(root, d, path, err);
	if (!rc)
		rc = settle_created(root, d, err);
	cJSON_Delete(root);
	if (!rc)
		rc = check_early(d, err);
	return cli_prefix(err, path, rc);
}

void description_free(struct description *d)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(d->files); i++)
		free(d->files[i]);
	memset(d, 0, sizeof(*d));
}
