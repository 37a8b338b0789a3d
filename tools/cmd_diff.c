// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an update would cost a device. The figures are those of the device's own
 * engine, which plans here as it does there: on slots that hold what is given.
 */
#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "bundle_file.h"
#include "cli.h"
#include "linux/clock.h"
#include "old_slot.h"
#include "update/update.h"

struct diff {
	char *sizes[LB_IMAGES_MAX]; /* NAME=BYTES; borrowed, as all arguments */
	int size_count;
	char *source_names[LB_UPDATE_SOURCES_MAX]; /* borrowed */
	uint32_t source_count;
	char **old; /* one bundle, or NAME=FILE for each slot */
	int old_count;
	const char *path;
	bool json;
	struct bundle_file bundle;		/* the new one */
	struct old_slot slots[LB_IMAGES_MAX];	/* by number of its images */
	struct lb_blk *blks[LB_IMAGES_MAX];	/* NULL: not planned */
	struct old_slot sources[LB_UPDATE_SOURCES_MAX];
	struct lb_update_old held[LB_IMAGES_MAX]; /* images of the old bundle */
	uint32_t held_count;
	const struct lb_image *recovery;	/* borrowed; NULL: none in the bundle */
	struct lb_update update;
	uint64_t head_bytes, index_bytes, patch_index_bytes;
};

static int parse_options(int argc, char **argv, struct diff *d, struct lb_error *err)
{
	static const struct option options[] = {
		{ "slot", required_argument, NULL, 's' },
		{ "source", required_argument, NULL, 'r' },
		{ "json", no_argument, NULL, 'J' },
		{ 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's' && d->size_count < LB_IMAGES_MAX)
			d->sizes[d->size_count++] = optarg;
		else if (c == 'r' && d->source_count < LB_UPDATE_SOURCES_MAX)
			d->source_names[d->source_count++] = optarg;
		else if (c == 'J')
			d->json = true;
		else
			return cli_bad_option(err, argv);
	}
	d->old = argv + optind;
	d->old_count = argc - optind - 1;
	if (d->old_count < 1)
		return cli_usage(err, "what the device holds and a bundle are needed");
	d->path = argv[argc - 1];
	return 0;
}

/* ---- what the device holds ----------------------------------------------- */

/* "NAME=VALUE": VALUE; NULL when @text does not begin with a valid name and "=". */
static const char *value_of(const char *text, char ret_name[LB_NAME_MAX + 1])
{
	const char *equals = strchr(text, '=');
	size_t len = equals ? (size_t)(equals - text) : LB_NAME_MAX + 1;

	if (len > LB_NAME_MAX)
		return NULL;
	memcpy(ret_name, text, len);
	ret_name[len] = '\0';
	return lb_name_valid(ret_name) ? equals + 1 : NULL;
}

/* The number of the image for the slot @name; LB_IMAGES_MAX: there is none. */
static uint32_t find_slot(const struct diff *d, const char *name)
{
	const struct lb_manifest *m = &d->bundle.manifest;

	for (uint32_t i = 0; i < m->image_count; i++)
		if (m->images[i].kind != LB_KIND_RECOVERY && !strcmp(m->images[i].target, name))
			return i;
	return LB_IMAGES_MAX;
}

static int no_such_slot(const struct diff *d, const char *name, struct lb_error *err)
{
	return lb_error_set(err, LB_E_NOT_FOUND, "%s has no image for slot %s", d->path, name);
}

static int open_files(struct diff *d, struct lb_error *err)
{
	const struct lb_manifest *m = &d->bundle.manifest;

	for (int k = 0; k < d->old_count; k++) {
		char name[LB_NAME_MAX + 1];
		const char *file = value_of(d->old[k], name);
		uint32_t n;
		int rc;

		if (!file)
			return cli_usage(err, "%.100s is not NAME=FILE", d->old[k]);
		n = find_slot(d, name);
		if (n == LB_IMAGES_MAX)
			return no_such_slot(d, name, err);
		if (d->slots[n].fd >= 0)
			return cli_usage(err, "slot %s is given twice", name);
		rc = old_slot_open(&d->slots[n], file, name, err);
		if (rc)
			return rc;
	}
	for (uint32_t i = 0; i < m->image_count; i++)
		if (m->images[i].kind != LB_KIND_RECOVERY && d->slots[i].fd < 0)
			return lb_error_set(err, LB_E_NOT_FOUND,
					    "what slot %s holds is not given: %s=FILE",
					    m->images[i].target, m->images[i].target);
	return 0;
}

static int decode_bundle(struct diff *d, struct lb_error *err)
{
	const struct lb_manifest *m = &d->bundle.manifest;
	struct bundle_file old;
	int rc = bundle_file_open(&old, d->old[0], NULL, err);

	for (uint32_t i = 0; !rc && i < m->image_count; i++)
		if (m->images[i].kind != LB_KIND_RECOVERY)
			rc = old_slot_decode(&d->slots[i], &old, m->images[i].target, err);
	if (!rc)
		d->held_count = lb_update_old_of(&old.manifest, d->held, 0);
	bundle_file_close(&old);
	return rc;
}

/* As large as what is in it and what comes into it, or as @d->sizes say. */
static int size_slots(struct diff *d, struct lb_error *err)
{
	const struct lb_manifest *m = &d->bundle.manifest;

	for (uint32_t i = 0; i < m->image_count; i++)
		if (d->slots[i].blk.size_bytes < m->images[i].size_bytes)
			d->slots[i].blk.size_bytes = m->images[i].size_bytes;
	for (int k = 0; k < d->size_count; k++) {
		char name[LB_NAME_MAX + 1];
		const char *value = value_of(d->sizes[k], name);
		unsigned long size;
		uint32_t n;

		if (!value || !cli_number(value, INT64_MAX, &size))
			return cli_usage(err, "%.100s is not NAME=BYTES", d->sizes[k]);
		n = find_slot(d, name);
		if (n == LB_IMAGES_MAX)
			return no_such_slot(d, name, err);
		if (size < d->slots[n].blk.size_bytes)
			return lb_error_set(err, LB_E_TOO_BIG,
					    "slot %s needs %" PRIu64 " bytes and has %lu", name,
					    d->slots[n].blk.size_bytes, size);
		d->slots[n].blk.size_bytes = size;
	}
	return 0;
}

static int open_slots(struct diff *d, struct lb_error *err)
{
	const struct lb_manifest *m = &d->bundle.manifest;
	char name[LB_NAME_MAX + 1];
	int rc;

	if (d->old_count == 1 && !value_of(d->old[0], name))
		rc = decode_bundle(d, err);
	else
		rc = open_files(d, err);
	if (!rc)
		rc = size_slots(d, err);
	for (uint32_t i = 0; !rc && i < m->image_count; i++)
		if (m->images[i].kind == LB_KIND_RECOVERY)
			d->recovery = &m->images[i];
		else
			d->blks[i] = &d->slots[i].blk;
	return rc;
}

static int plan(struct diff *d, struct lb_error *err)
{
	struct bundle_file *b = &d->bundle;
	int rc;

	d->head_bytes = b->src->fetched_bytes;
	rc = lb_update_load(&d->update, &b->manifest, &b->layout, d->blks, b->src,
			    lb_clock_system(), NULL, err);
	d->index_bytes = b->src->fetched_bytes - d->head_bytes;
	if (!rc)
		rc = lb_update_use_patches(&d->update, &b->manifest, &b->layout, d->held,
					   d->held_count, err);
	d->patch_index_bytes = b->src->fetched_bytes - d->head_bytes - d->index_bytes;
	if (rc)
		return cli_prefix(err, d->path, rc);
	for (uint32_t i = 0; !rc && i < d->source_count; i++) {
		rc = old_slot_open(&d->sources[i], d->source_names[i], "source", err);
		lb_update_add_source(&d->update, &d->sources[i].blk);
	}
	return rc ? rc : lb_update_plan(&d->update, err);
}

/* ---- figures ------------------------------------------------------------- */

/* What loaded image @n has of the whole; @sum: of those before it, and then of it too. */
static struct lb_update_counters share_of(const struct diff *d, uint32_t n,
					  struct lb_update_counters *sum)
{
	struct lb_update_counters before = *sum;
	uint64_t size = d->update.images[n].image->size_bytes;

	lb_update_count(&d->update, n, sum);
	return (struct lb_update_counters){
		.total_bytes = size,
		.skip_bytes = size - (sum->write_bytes - before.write_bytes),
		.copy_bytes = sum->copy_bytes - before.copy_bytes,
		.patch_bytes = sum->patch_bytes - before.patch_bytes,
		.zero_bytes = sum->zero_bytes - before.zero_bytes,
		.fetch_bytes = sum->fetch_bytes - before.fetch_bytes,
		.write_bytes = sum->write_bytes - before.write_bytes,
		.plan_ranges = sum->plan_ranges - before.plan_ranges,
	};
}

/* The names are those of recovery's event lines. */
static void add_figures(cJSON *obj, const struct lb_update_counters *c)
{
	cli_json_u64(obj, "total_bytes", c->total_bytes);
	cli_json_u64(obj, "skip_bytes", c->skip_bytes);
	cli_json_u64(obj, "copy_bytes", c->copy_bytes);
	cli_json_u64(obj, "patch_bytes", c->patch_bytes);
	cli_json_u64(obj, "zero_bytes", c->zero_bytes);
	cli_json_u64(obj, "fetch_bytes", c->fetch_bytes);
	cli_json_u64(obj, "write_bytes", c->write_bytes);
	cli_json_u64(obj, "plan_ranges", c->plan_ranges);
}

static int print_json(const struct diff *d, struct lb_error *err)
{
	const struct lb_bundle_head *head = &d->bundle.head;
	struct lb_update_counters sum = { 0 };
	cJSON *root = cJSON_CreateObject(), *list, *obj;

	cli_json_u64(root, "release", d->bundle.manifest.release);
	list = cJSON_AddArrayToObject(root, "signatures");
	for (uint32_t i = 0; i < head->signature_count; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(head->signatures[i].keyid));
	list = cJSON_AddArrayToObject(root, "images");
	for (uint32_t i = 0; i < d->update.image_count; i++) {
		const struct lb_update_image *im = &d->update.images[i];
		struct lb_update_counters c = share_of(d, i, &sum);

		obj = cJSON_CreateObject();
		cJSON_AddStringToObject(obj, "name", im->image->name);
		cJSON_AddStringToObject(obj, "target", im->image->target);
		cli_json_u64(obj, "slot_bytes", im->blk->size_bytes);
		add_figures(obj, &c);
		cJSON_AddItemToArray(list, obj);
	}
	add_figures(cJSON_AddObjectToObject(root, "total"), &d->update.counters);
	cli_json_u64(root, "head_bytes", d->head_bytes);
	cli_json_u64(root, "index_bytes", d->index_bytes);
	cli_json_u64(root, "patch_index_bytes", d->patch_index_bytes);
	if (d->recovery) {
		obj = cJSON_AddObjectToObject(root, "recovery");
		cli_json_u64(obj, "recovery_release", d->recovery->recovery_release);
		cli_json_u64(obj, "max_fetch_bytes", d->recovery->payload.size_bytes);
	}
	return cli_print_json(root, err);
}

static void print_line(const char *name, const char *slot, const struct lb_update_counters *c)
{
	char size[16], skip[16], copy[16], patch[16], fetch[16], write[16];

	printf("%-10s %12s %12s %12s %12s %12s %12s %12s %7u\n", name, slot,
	       cli_size(c->total_bytes, size), cli_size(c->skip_bytes, skip),
	       cli_size(c->copy_bytes, copy), cli_size(c->patch_bytes, patch),
	       cli_size(c->fetch_bytes, fetch), cli_size(c->write_bytes, write), c->plan_ranges);
}

static void print_text(const struct diff *d)
{
	struct lb_update_counters sum = { 0 };
	char size[16];

	printf("%-10s %12s %12s %12s %12s %12s %12s %12s %7s\n", "image", "slot", "size", "in place",
	       "copied", "patched", "fetched", "written", "ranges");
	for (uint32_t i = 0; i < d->update.image_count; i++) {
		const struct lb_update_image *im = &d->update.images[i];
		struct lb_update_counters c = share_of(d, i, &sum);

		print_line(im->image->name, cli_size(im->blk->size_bytes, size), &c);
	}
	print_line("total", "", &d->update.counters);
	printf("fetched are %" PRIu64 " bytes of payload, and in any case %" PRIu64
	       " of head and index\n", d->update.counters.fetch_bytes,
	       d->head_bytes + d->index_bytes + d->patch_index_bytes);
	if (d->recovery)
		printf("not counted: recovery release %u, at most %s for a device with an older one\n",
		       d->recovery->recovery_release,
		       cli_size(d->recovery->payload.size_bytes, size));
	if (!d->bundle.head.signature_count)
		puts("signed by  nobody: no device takes it");
}

static int predict(struct diff *d, struct lb_error *err)
{
	int rc = bundle_file_open(&d->bundle, d->path, NULL, err);

	if (!rc)
		rc = open_slots(d, err);
	if (!rc)
		rc = plan(d, err);
	if (!rc && d->json)
		rc = print_json(d, err);
	else if (!rc)
		print_text(d);
	lb_update_free(&d->update);
	for (size_t i = 0; i < LB_ARRAY_LEN(d->slots); i++)
		old_slot_close(&d->slots[i]);
	for (size_t i = 0; i < LB_ARRAY_LEN(d->sources); i++)
		old_slot_close(&d->sources[i]);
	bundle_file_close(&d->bundle);
	return rc;
}

static int run(int argc, char **argv, struct lb_error *err)
{
	struct diff d = { 0 };
	int rc;

	for (size_t i = 0; i < LB_ARRAY_LEN(d.slots); i++)
		d.slots[i].fd = -1;
	for (size_t i = 0; i < LB_ARRAY_LEN(d.sources); i++)
		d.sources[i].fd = -1;
	rc = parse_options(argc, argv, &d, err);
	return rc ? rc : predict(&d, err);
}

const struct cli_command cmd_diff = {
	.name = "diff",
	.arguments = "OLD.lbu|SLOT=FILE... NEW.lbu [OPTION...]",
	.summary = "predict what an update makes a device fetch, copy and write",
	.help =
	"OLD is what the device holds: a bundle, or a file or device with the content of each slot\n"
	"(/dev/null: zeros). Images of OLD.lbu are decoded into $TMPDIR (/var/tmp without it).\n\n"
	"      --slot SLOT=BYTES  size of a slot; repeat for several. Default: the larger of what it\n"
	"                         holds and the new image. Behind what it holds are zeros.\n"
	"      --source FILE      what a device holds elsewhere that is configured as a source; repeat\n"
	"                         in the order of its configuration\n"
	"      --json             as JSON, with the names of recovery's event lines\n\n"
	"Patches are planned with when OLD is a bundle that NEW has them for: the device is taken to\n"
	"have that release on record. No signature is checked. Fetched are bytes of payload, each range with one request; the\n"
	"other figures are bytes of the images. Where a slot holds other bytes behind OLD than\n"
	"zeros, the device may find another end of OLD's last chunk.\n",
	.run = run,
};
