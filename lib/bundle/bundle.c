// SPDX-License-Identifier: GPL-2.0-or-later
/* Behind the head: where members lie, and fetching the indexes that the manifest vouches for. */
#include "bundle/bundle.h"

#include <stdlib.h>
#include <string.h>

#include "bundle/tar.h"

#define END_MAX ((uint64_t)INT64_MAX)

/* Passes over a member's header, notes where its data begin, passes over those. */
static bool advance(uint64_t *end, uint64_t size_bytes, uint64_t *ret_data)
{
	if (size_bytes > LB_TAR_SIZE_MAX || *end > END_MAX - 2 * LB_TAR_BLOCK - size_bytes)
		return false;
	*ret_data = *end + LB_TAR_BLOCK;
	*end = *ret_data + lb_tar_padded(size_bytes);
	return true;
}

/* Behind all else: a reader that knows no patches passes over nothing. */
static bool advance_patches(const struct lb_image *im, struct lb_bundle_layout *l, uint32_t i)
{
	bool fits = true;

	for (uint32_t n = 0; n < im->patch_set_count; n++)
		fits = fits &&
		       advance(&l->end_offset, im->patch_sets[n].index.size_bytes,
			       &l->patch_index_offset[i][n]) &&
		       advance(&l->end_offset, im->patch_sets[n].payload.size_bytes,
			       &l->patch_offset[i][n]);
	return fits;
}

int lb_bundle_layout(const struct lb_manifest *m, uint64_t head_end,
		     struct lb_bundle_layout *ret, struct lb_error *err)
{
	struct lb_bundle_layout l = { .end_offset = head_end };
	bool fits = head_end <= END_MAX;

	for (uint32_t i = 0; i < m->image_count; i++)
		fits = fits && advance(&l.end_offset, m->images[i].index.size_bytes,
				       &l.index_offset[i]);
	for (uint32_t i = 0; i < m->image_count; i++)
		fits = fits && advance(&l.end_offset, m->images[i].payload.size_bytes,
				       &l.payload_offset[i]);
	for (uint32_t i = 0; i < m->image_count; i++)
		fits = fits && advance_patches(&m->images[i], &l, i);
	if (!fits)
		return lb_error_set(err, LB_E_FORMAT, "the members' sizes make no archive");
	*ret = l;
	return 0;
}

int lb_bundle_read_member(struct lb_source *src, const struct lb_member *m, uint64_t offset,
			  uint8_t **ret, struct lb_error *err)
{
	size_t len = (size_t)m->size_bytes;
	uint8_t digest[LB_SHA256_BYTES];
	uint8_t *bytes = malloc(len);
	int rc;

	if (!bytes)
		return lb_error_set(err, LB_E_NOMEM, "no memory for the %zu bytes of %s", len, m->name);
	rc = lb_source_seek(src, offset, len, err);
	if (!rc)
		rc = lb_source_read_full(src, bytes, len, err);
	if (!rc) {
		lb_sha256(bytes, len, digest);
		if (memcmp(digest, m->sha256, sizeof(digest)))
			rc = lb_error_set(err, LB_E_DIGEST, "%s is not what was signed", m->name);
	}
	if (rc)
		free(bytes);
	else
		*ret = bytes;
	return rc;
}

int lb_bundle_read_index(struct lb_source *src, const struct lb_manifest *m,
			 const struct lb_bundle_layout *layout, uint32_t image,
			 struct lb_index *ret, struct lb_error *err)
{
	const struct lb_image *img = &m->images[image];
	uint8_t *bytes;
	int rc = lb_bundle_read_member(src, &img->index, layout->index_offset[image], &bytes, err);

	if (rc)
		return rc;
	rc = lb_index_parse(bytes, (size_t)img->index.size_bytes, img, ret, err);
	if (rc)
		free(bytes);
	return rc;
}
