/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `lifeboat pack` is told: a small JSON file and the images that it names. */
#ifndef LIFEBOAT_DESCRIBE_H
#define LIFEBOAT_DESCRIBE_H

#include "base/error.h"
#include "bundle/manifest.h"

struct description {
	struct lb_manifest m;		 /* sizes and digests are filled in by packing */
	char *files[LB_IMAGES_MAX];	 /* owned: where the images are */
	char critical[LB_HARDWARE_MAX][64];
	uint32_t critical_count;
};

/**
 * description_load() - parse, find the images, settle the creation time
 * @d: free with description_free(), also after a failure
 *
 * "created" is, if absent, SOURCE_DATE_EPOCH, else the newest image's mtime.
 */
int description_load(struct description *d, const char *path, struct lb_error *err) LB_MUST_CHECK;
void description_free(struct description *d);

/* manifest.json as its exact bytes, from malloc, parsed once more for certainty. */
int description_manifest(const struct description *d, char **ret, size_t *ret_len,
			 struct lb_error *err) LB_MUST_CHECK;

#endif
