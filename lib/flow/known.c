// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which releases the slots may hold, by the records: their patches are worth looking at.
 * A wrong record costs the fetch of a patch index, nothing else.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "flow/install.h"
#include "state/records.h"

/* Adds the images of the release in record @type, if there is one that somebody trusted has signed. */
static uint32_t add_release(const struct lb_install *in, uint16_t type, struct lb_manifest *m,
			    struct lb_update_old *list, uint32_t count)
{
	struct lb_release rel = { 0 };
	int r = lb_release_load(in->dev->log, type, &rel, NULL);

	if (!r)
		r = lb_keyring_verify(in->keys, rel.manifest, rel.manifest_len, &rel.signature, 1, NULL,
				      NULL);
	if (!r)
		r = lb_manifest_parse(rel.manifest, rel.manifest_len, m, NULL);
	lb_release_free(&rel);
	return r ? count : lb_update_old_of(m, list, count);
}

int lb_install_use_patches(struct lb_install *in, struct lb_update *u,
			   const struct lb_bundle_layout *layout, struct lb_error *err)
{
	static const uint16_t types[] = { LB_REC_INSTALLED, LB_REC_CONFIRMED, LB_REC_PREVIOUS };
	struct lb_update_old *list;
	struct lb_manifest *m;
	uint32_t count = 0, sets = 0;
	int r = 0;

	for (uint32_t i = 0; i < u->image_count; i++)
		sets += u->images[i].image->patch_set_count;
	if (!sets || in->patch_failures >= LB_INSTALL_PATCH_FAILURES)
		return 0;
	list = calloc(LB_ARRAY_LEN(types) * LB_IMAGES_MAX, sizeof(*list));
	m = malloc(sizeof(*m));
	for (size_t i = 0; list && m && i < LB_ARRAY_LEN(types); i++)
		count = add_release(in, types[i], m, list, count);
	if (count)
		r = lb_update_use_patches(u, &in->manifest, layout, list, count, err);
	free(list);
	free(m);
	if (r && in->writing)
		in->patch_failures++;
	return r;
}
