/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `lifeboat pack --from OLD.lbu`: patches of all images against those of older bundles. */
#ifndef LIFEBOAT_PACK_FROM_H
#define LIFEBOAT_PACK_FROM_H

#include "archive.h"
#include "patch.h"

struct pack_from {
	const char *paths[LB_PATCH_SETS_MAX]; /* borrowed */
	unsigned int count;
	struct patch_pack packs[LB_IMAGES_MAX][LB_PATCH_SETS_MAX]; /* as the images' patch_sets */
};

/* Between scanning and compressing: cuts the image where its patches will want it, see pack_cut.h. */
int pack_from_cut(const struct pack_from *f, struct pack_image *packed, uint32_t window_bytes,
		  struct lb_error *err) LB_MUST_CHECK;

/*
 * @images: packed, of manifest @m, whose patch_sets are filled in. An image that the old
 * bundle has no counterpart of, or the same, gets no patches.
 */
int pack_from_make(struct pack_from *f, struct lb_manifest *m, const struct pack_image *images,
		   int spool, uint64_t *spool_end, unsigned int threads,
		   struct lb_error *err) LB_MUST_CHECK;

/* The members, behind all others. */
int pack_from_archive(const struct pack_from *f, const struct lb_manifest *m, struct archive *a,
		      int spool, struct lb_error *err) LB_MUST_CHECK;
void pack_from_print(const struct pack_from *f, const struct lb_manifest *m);
void pack_from_json(const struct pack_from *f, const struct lb_image *image, uint32_t number,
		    cJSON *obj);
void pack_from_free(struct pack_from *f);

#endif
