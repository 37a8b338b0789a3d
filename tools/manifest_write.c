// SPDX-License-Identifier: GPL-2.0-or-later
/* manifest.json in its one form: compact, this order of names, a newline at the end. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "describe.h"

static void add_member(cJSON *image, const char *which, const struct lb_member *m)
{
	cJSON *obj = cJSON_AddObjectToObject(image, which);

	cJSON_AddStringToObject(obj, "name", m->name);
	cli_json_u64(obj, "size", m->size_bytes);
	cli_json_hex(obj, "sha256", m->sha256, LB_SHA256_BYTES);
}

static void add_patches(cJSON *image, const struct lb_image *im)
{
	cJSON *list = im->patch_set_count ? cJSON_AddArrayToObject(image, "patches") : NULL;

	for (uint32_t i = 0; i < im->patch_set_count; i++) {
		const struct lb_patch_set *set = &im->patch_sets[i];
		cJSON *obj = cJSON_CreateObject();

		cJSON_AddItemToArray(list, obj);
		cli_json_hex(obj, "from", set->from, LB_SHA256_BYTES);
		cli_json_u64(obj, "release", set->release);
		add_member(obj, "index", &set->index);
		add_member(obj, "payload", &set->payload);
	}
}

static void add_image(cJSON *list, const struct lb_image *image)
{
	cJSON *obj = cJSON_CreateObject();

	cJSON_AddItemToArray(list, obj);
	cJSON_AddStringToObject(obj, "name", image->name);
	cJSON_AddStringToObject(obj, "target", image->target);
	cJSON_AddStringToObject(obj, "kind", lb_image_kind_name(image->kind));
	if (image->kind == LB_KIND_RECOVERY)
		cli_json_u64(obj, "recovery_release", image->recovery_release);
	cli_json_u64(obj, "size", image->size_bytes);
	cli_json_hex(obj, "sha256", image->sha256, LB_SHA256_BYTES);
	cJSON_AddStringToObject(obj, "encoding", lb_encoding_name(image->encoding));
	if (image->chunking)
		cli_json_u64(obj, "chunking", image->chunking);
	add_member(obj, "index", &image->index);
	add_member(obj, "payload", &image->payload);
	add_patches(obj, image);
}

static cJSON *build(const struct description *d)
{
	const struct lb_manifest *m = &d->m;
	cJSON *root = cJSON_CreateObject(), *list;

	cli_json_u64(root, "format", m->format);
	cJSON_AddStringToObject(root, "product", m->product);
	list = cJSON_AddArrayToObject(root, "hardware");
	for (uint32_t i = 0; i < m->hardware_count; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(m->hardware[i]));
	cJSON_AddStringToObject(root, "version", m->version);
	cli_json_u64(root, "release", m->release);
	cli_json_u64(root, "min_release", m->min_release);
	cli_json_u64(root, "created", (uint64_t)m->created_s);
	cli_json_u64(root, "min_recovery", m->min_recovery);
	list = cJSON_AddArrayToObject(root, "critical");
	for (uint32_t i = 0; i < d->critical_count; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(d->critical[i]));
	list = cJSON_AddArrayToObject(root, "images");
	for (uint32_t i = 0; i < m->image_count; i++)
		add_image(list, &m->images[i]);
	return root;
}

/* A bundle that nobody could install is found here. Newer critical fields are the packer's affair. */
static int check(const char *text, size_t len, struct lb_error *err)
{
	struct lb_manifest *parsed = malloc(sizeof(*parsed));
	int rc = parsed ? lb_manifest_parse(text, len, parsed, err) :
			  lb_error_set(err, LB_E_NOMEM, "no memory for the manifest");

	free(parsed);
	return rc == -LB_E_CRITICAL ? 0 : rc;
}

int description_manifest(const struct description *d, char **ret, size_t *ret_len,
			 struct lb_error *err)
{
	cJSON *root = build(d);
	char *json = root ? cJSON_PrintUnformatted(root) : NULL, *text = NULL;
	size_t len = json ? strlen(json) + 1 : 0;
	int rc;

	if (json)
		text = malloc(len + 1);
	if (text) {
		memcpy(text, json, len - 1);
		memcpy(text + len - 1, "\n", 2);
	}
	cJSON_free(json);
	cJSON_Delete(root);
	rc = text ? check(text, len, err) :
		    lb_error_set(err, LB_E_NOMEM, "no memory for the manifest");
	if (rc) {
		free(text);
		return rc;
	}
	*ret = text;
	*ret_len = len;
	return 0;
}
