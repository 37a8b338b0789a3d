// SPDX-License-Identifier: GPL-2.0-or-later
#include <getopt.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "bundle_file.h"
#include "cli.h"

/* What only an index tells. */
struct figures {
	uint32_t window_bytes; /* longest prefix that a chunk is decoded with */
	uint32_t chunks, prefix_chunks, far_chunks; /* all, with a prefix, with a far region */
};

static int read_index(struct bundle_file *b, uint32_t number, struct figures *ret,
		      struct lb_error *err)
{
	struct lb_chunk_cursor cursor = { 0 };
	struct lb_index idx;
	struct lb_chunk chunk;
	int rc = lb_bundle_read_index(b->src, &b->manifest, &b->layout, number, &idx, err);

	if (rc)
		return cli_prefix(err, b->path, rc);
	ret->window_bytes = idx.longest_prefix;
	ret->chunks = idx.chunk_count;
	ret->far_chunks = idx.far_count;
	while (lb_index_next(&idx, &cursor, &chunk))
		ret->prefix_chunks += chunk.reach || chunk.far_bytes;
	lb_index_free(&idx);
	return 0;
}

static void add_patches_json(cJSON *obj, const struct lb_image *image)
{
	for (uint32_t k = 0; k < image->patch_set_count; k++) {
		const struct lb_patch_set *set = &image->patch_sets[k];
		cJSON *patches = cJSON_GetObjectItem(obj, "patches");
		cJSON *item = cJSON_CreateObject();

		cJSON_AddItemToArray(patches ? patches : cJSON_AddArrayToObject(obj, "patches"), item);
		cli_json_u64(item, "release", set->release);
		cli_json_hex(item, "from", set->from, LB_SHA256_BYTES);
		cli_json_u64(item, "index_size", set->index.size_bytes);
		cli_json_u64(item, "payload_size", set->payload.size_bytes);
	}
}

static cJSON *image_json(const struct lb_image *image, const struct figures *f)
{
	cJSON *obj = cJSON_CreateObject();

	cJSON_AddStringToObject(obj, "name", image->name);
	cJSON_AddStringToObject(obj, "target", image->target);
	cJSON_AddStringToObject(obj, "kind", lb_image_kind_name(image->kind));
	if (image->kind == LB_KIND_RECOVERY)
		cli_json_u64(obj, "recovery_release", image->recovery_release);
	cJSON_AddStringToObject(obj, "encoding", lb_encoding_name(image->encoding));
	if (image->chunking)
		cli_json_u64(obj, "chunking", image->chunking);
	cli_json_u64(obj, "size", image->size_bytes);
	cli_json_hex(obj, "sha256", image->sha256, LB_SHA256_BYTES);
	cli_json_u64(obj, "payload_size", image->payload.size_bytes);
	cli_json_u64(obj, "chunks", f->chunks);
	cli_json_u64(obj, "prefix_chunks", f->prefix_chunks);
	cli_json_u64(obj, "far_chunks", f->far_chunks);
	cli_json_u64(obj, "window", f->window_bytes);
	add_patches_json(obj, image);
	return obj;
}

static int print_json(const struct bundle_file *b, const struct figures *f, struct lb_error *err)
{
	const struct lb_manifest *m = &b->manifest;
	cJSON *root = cJSON_CreateObject(), *list;

	cJSON_AddStringToObject(root, "product", m->product);
	list = cJSON_AddArrayToObject(root, "hardware");
	for (uint32_t i = 0; i < m->hardware_count; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(m->hardware[i]));
	cJSON_AddStringToObject(root, "version", m->version);
	cli_json_u64(root, "release", m->release);
	cli_json_u64(root, "min_release", m->min_release);
	cli_json_u64(root, "min_recovery", m->min_recovery);
	cli_json_u64(root, "created", (uint64_t)m->created_s);
	cli_json_u64(root, "size", b->layout.end_offset + 1024);
	cli_json_hex(root, "manifest_sha256", b->head.manifest_sha256, LB_SHA256_BYTES);
	list = cJSON_AddArrayToObject(root, "signatures");
	for (uint32_t i = 0; i < b->head.signature_count; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(b->head.signatures[i].keyid));
	list = cJSON_AddArrayToObject(root, "images");
	for (uint32_t i = 0; i < m->image_count; i++)
		cJSON_AddItemToArray(list, image_json(&m->images[i], &f[i]));
	return cli_print_json(root, err);
}

static void print_patches(const struct lb_image *image)
{
	char size[16], stored[16];

	for (uint32_t k = 0; k < image->patch_set_count; k++)
		printf("           patches from release %" PRIu64 " in %s, index %s\n",
		       image->patch_sets[k].release,
		       cli_size(image->patch_sets[k].payload.size_bytes, stored),
		       cli_size(image->patch_sets[k].index.size_bytes, size));
}

static void print_text(const struct bundle_file *b, const struct figures *f)
{
	const struct lb_manifest *m = &b->manifest;
	char created[32], digest[LB_SHA256_HEX], size[16], stored[16], window[16];
	time_t t = (time_t)m->created_s;
	struct tm tm;

	strftime(created, sizeof(created), "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&t, &tm));
	lb_hex_encode(digest, b->head.manifest_sha256, LB_SHA256_BYTES);
	printf("product    %s\nversion    %s (release %" PRIu64 ", floor %" PRIu64 " once confirmed)\n"
	       "created    %s\nneeds      recovery release %u\nhardware  ",
	       m->product, m->version, m->release, m->min_release, created, m->min_recovery);
	for (uint32_t i = 0; i < m->hardware_count; i++)
		printf(" %s", m->hardware[i]);
	printf("\nmanifest   %s\nsigned by ", digest);
	for (uint32_t i = 0; i < b->head.signature_count; i++)
		printf(" %s", b->head.signatures[i].keyid);
	puts(b->head.signature_count ? " (not checked here)" : " nobody");
	for (uint32_t i = 0; i < m->image_count; i++) {
		const struct lb_image *image = &m->images[i];

		printf("image      %s -> ", image->name);
		if (image->kind == LB_KIND_RECOVERY)
			printf("recovery release %u", image->recovery_release);
		else
			printf("slot %s, %s", image->target, lb_image_kind_name(image->kind));
		printf(", %s as %s in %s", cli_size(image->size_bytes, size),
		       lb_encoding_name(image->encoding),
		       cli_size(image->payload.size_bytes, stored));
		if (f[i].window_bytes)
			printf(", window %s", cli_size(f[i].window_bytes, window));
		puts("");
		print_patches(image);
	}
}

static int run(int argc, char **argv, struct lb_error *err)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'J' }, { 0 } };
	struct figures figures[LB_IMAGES_MAX] = { 0 };
	bool json = false;
	struct bundle_file b;
	int c, rc;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'J')
			return cli_bad_option(err, argv);
		json = true;
	}
	if (argc - optind != 1)
		return cli_usage(err, "one bundle is needed");
	rc = bundle_file_open(&b, argv[optind], NULL, err);
	for (uint32_t i = 0; !rc && i < b.manifest.image_count; i++)
		rc = read_index(&b, i, &figures[i], err);
	if (!rc && json)
		rc = print_json(&b, figures, err);
	else if (!rc)
		print_text(&b, figures);
	bundle_file_close(&b);
	return rc;
}

const struct cli_command cmd_info = {
	.name = "info",
	.arguments = "[--json] BUNDLE.lbu",
	.summary = "print what a bundle says of itself, checking no signature",
	.help = "      --json         as JSON\n",
	.run = run,
};
