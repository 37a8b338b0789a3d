// SPDX-License-Identifier: GPL-2.0-or-later
/* Fetching the patch index that the manifest vouches for. */
#include <stdlib.h>

#include "bundle/bundle.h"

int lb_bundle_read_patches(struct lb_source *src, const struct lb_manifest *m,
			   const struct lb_bundle_layout *layout, uint32_t image, uint32_t set,
			   const struct lb_index *idx, struct lb_patches *ret, struct lb_error *err)
{
	const struct lb_patch_set *s = &m->images[image].patch_sets[set];
	uint8_t *bytes;
	int rc = lb_bundle_read_member(src, &s->index, layout->patch_index_offset[image][set], &bytes, err);

	if (rc)
		return rc;
	rc = lb_patches_parse(bytes, (size_t)s->index.size_bytes, s, idx, ret, err);
	if (rc)
		free(bytes);
	return rc;
}
