// SPDX-License-Identifier: GPL-2.0-or-later
#include "pack_from.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "bundle_file.h"
#include "old_slot.h"
#include "pack_cut.h"

static const struct lb_image *counterpart(const struct lb_manifest *old, const struct lb_image *image)
{
	for (uint32_t i = 0; i < old->image_count; i++)
		if (image->kind != LB_KIND_RECOVERY && old->images[i].kind != LB_KIND_RECOVERY &&
		    !strcmp(old->images[i].target, image->target))
			return &old->images[i];
	return NULL;
}

static void name_members(struct lb_patch_set *set, const struct lb_image *image)
{
	char name[sizeof(image->name)];

	memcpy(name, image->name, sizeof(name));
	snprintf(set->index.name, sizeof(set->index.name), "%s.%" PRIu64 ".pidx", name, set->release);
	snprintf(set->payload.name, sizeof(set->payload.name), "%s.%" PRIu64 ".patch", name,
		 set->release);
}

static int cut_for(struct pack_image *packed, struct bundle_file *old, const struct lb_image *before,
		   uint32_t window_bytes, struct lb_error *err)
{
	struct pack_cut c = { .image = packed, .old_bytes = before->size_bytes,
			      .window_bytes = window_bytes };
	struct old_slot slot;
	int rc = old_slot_decode(&slot, old, before->target, err);

	if (!rc) {
		c.old_fd = slot.fd;
		rc = pack_cut(&c);
		if (rc)
			rc = lb_error_set(err, -rc, "no memory to compare %s with %s", packed->path,
					  old->path);
	}
	old_slot_close(&slot);
	return rc;
}

int pack_from_cut(const struct pack_from *f, struct pack_image *packed, uint32_t window_bytes,
		  struct lb_error *err)
{
	const struct lb_image *image = packed->image;
	int rc = 0;

	if (image->encoding != LB_ENC_ZSTD_FRAMES || !window_bytes)
		return 0; /* no chunk refers to what precedes it */
	for (unsigned int k = 0; !rc && k < f->count; k++) {
		const struct lb_image *before;
		struct bundle_file old;

		rc = bundle_file_open(&old, f->paths[k], NULL, err);
		before = rc ? NULL : counterpart(&old.manifest, image);
		if (before && memcmp(before->sha256, image->sha256, LB_SHA256_BYTES))
			rc = cut_for(packed, &old, before, window_bytes, err);
		bundle_file_close(&old);
	}
	return rc;
}

/* Patches of image @n against @before, if there are any. */
static int make_set(struct pack_from *f, struct lb_image *image, uint32_t n,
		    const struct pack_image *packed, struct bundle_file *old,
		    const struct lb_image *before, int spool, uint64_t *spool_end,
		    unsigned int threads, struct lb_error *err)
{
	struct lb_patch_set *set = &image->patch_sets[image->patch_set_count];
	struct patch_pack *p = &f->packs[n][image->patch_set_count];
	struct old_slot slot;
	int rc = old_slot_decode(&slot, old, image->target, err);

	if (rc)
		goto out;
	memset(set, 0, sizeof(*set));
	memcpy(set->from, before->sha256, sizeof(set->from));
	set->release = old->manifest.release;
	name_members(set, image);
	*p = (struct patch_pack){ .image = packed, .old_fd = slot.fd, .old_bytes = before->size_bytes,
				  .threads = threads, .set = set };
	rc = patch_pack_make(p, spool, spool_end, err);
	if (!rc && p->patch_count)
		image->patch_set_count++;
	else
		patch_pack_free(p); /* copies alone the device finds by itself */
out:
	old_slot_close(&slot);
	return rc;
}

static int check_old(const struct lb_manifest *m, const struct bundle_file *old, struct lb_error *err)
{
	if (strcmp(m->product, old->manifest.product))
		return lb_error_set(err, LB_E_INVALID, "%s is of product %s", old->path,
				    old->manifest.product);
	for (uint32_t i = 0; i < m->image_count; i++)
		for (uint32_t k = 0; k < m->images[i].patch_set_count; k++)
			if (m->images[i].patch_sets[k].release == old->manifest.release)
				return lb_error_set(err, LB_E_INVALID,
						    "%s is release %" PRIu64 ", which was given before",
						    old->path, old->manifest.release);
	return 0;
}

int pack_from_make(struct pack_from *f, struct lb_manifest *m, const struct pack_image *images,
		   int spool, uint64_t *spool_end, unsigned int threads, struct lb_error *err)
{
	int rc = 0;

	for (unsigned int k = 0; !rc && k < f->count; k++) {
		struct bundle_file old;

		rc = bundle_file_open(&old, f->paths[k], NULL, err);
		if (!rc)
			rc = check_old(m, &old, err);
		for (uint32_t i = 0; !rc && i < m->image_count; i++) {
			const struct lb_image *before = counterpart(&old.manifest, &m->images[i]);

			if (before && memcmp(before->sha256, m->images[i].sha256, LB_SHA256_BYTES))
				rc = make_set(f, &m->images[i], i, &images[i], &old, before, spool,
					      spool_end, threads, err);
		}
		bundle_file_close(&old);
	}
	return rc;
}

int pack_from_archive(const struct pack_from *f, const struct lb_manifest *m, struct archive *a,
		      int spool, struct lb_error *err)
{
	int rc = 0;

	for (uint32_t i = 0; i < m->image_count; i++) {
		for (uint32_t k = 0; !rc && k < m->images[i].patch_set_count; k++) {
			const struct lb_patch_set *set = &m->images[i].patch_sets[k];
			const struct patch_pack *p = &f->packs[i][k];

			rc = archive_add(a, set->index.name, p->index,
					 (size_t)set->index.size_bytes, err);
			if (!rc)
				rc = archive_add_range(a, set->payload.name, spool, p->payload_offset,
						       set->payload.size_bytes, err);
		}
	}
	return rc;
}

void pack_from_print(const struct pack_from *f, const struct lb_manifest *m)
{
	char a[16], b[16], c[16], d[16], e[16];

	for (uint32_t i = 0; i < m->image_count; i++)
		for (uint32_t k = 0; k < m->images[i].patch_set_count; k++) {
			const struct lb_patch_set *set = &m->images[i].patch_sets[k];
			const struct patch_pack *p = &f->packs[i][k];

			printf("%-12s from release %" PRIu64
			       ": %u chunks (%s) moved, %u (%s) patched by %s and %s of index",
			       m->images[i].name, set->release, p->copy_count,
			       cli_size(p->copy_bytes, a), p->patch_count,
			       cli_size(p->patched_bytes, b), cli_size(set->payload.size_bytes, c),
			       cli_size(set->index.size_bytes, d));
			if (p->recoded_count)
				printf("; %u of these between symbols of compressed blocks",
				       p->recoded_count);
			if (p->lost_bytes)
				printf("; %s more to fetch, since too many wait for each other",
				       cli_size(p->lost_bytes, e));
			putchar('\n');
		}
}

void pack_from_json(const struct pack_from *f, const struct lb_image *image, uint32_t number,
		    cJSON *obj)
{
	cJSON *list = image->patch_set_count ? cJSON_AddArrayToObject(obj, "patches") : NULL;

	for (uint32_t k = 0; k < image->patch_set_count; k++) {
		const struct patch_pack *p = &f->packs[number][k];
		cJSON *set = cJSON_CreateObject();

		cJSON_AddItemToArray(list, set);
		cli_json_u64(set, "release", image->patch_sets[k].release);
		cli_json_u64(set, "index", image->patch_sets[k].index.size_bytes);
		cli_json_u64(set, "payload", image->patch_sets[k].payload.size_bytes);
		cli_json_u64(set, "copies", p->copy_count);
		cli_json_u64(set, "copy_bytes", p->copy_bytes);
		cli_json_u64(set, "patched", p->patch_count);
		cli_json_u64(set, "patched_bytes", p->patched_bytes);
		cli_json_u64(set, "recoded", p->recoded_count);
		cli_json_u64(set, "lost_bytes", p->lost_bytes);
	}
}

void pack_from_free(struct pack_from *f)
{
	for (size_t i = 0; i < LB_IMAGES_MAX; i++)
		for (size_t k = 0; k < LB_PATCH_SETS_MAX; k++)
			patch_pack_free(&f->packs[i][k]);
}
