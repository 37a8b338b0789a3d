// SPDX-License-Identifier: GPL-2.0-or-later
#include "bundle_file.h"

#include <string.h>

#include "base/bytes.h"
#include "bundle/tar.h"
#include "cli.h"
#include "linux/source_file.h"

static int open_from(struct bundle_file *b, const char *source, const char *path,
		     const struct lb_keyring *ring, struct lb_error *err)
{
	int rc;

	memset(b, 0, sizeof(*b));
	b->path = path;
	rc = lb_source_file_open(source, &b->src, err);
	if (rc)
		return rc;
	rc = lb_bundle_read_head(b->src, &b->head, err);
	if (!rc && ring)
		rc = lb_keyring_verify(ring, b->head.manifest, b->head.manifest_len,
				       b->head.signatures, b->head.signature_count, b->keyid, err);
	if (!rc)
		rc = lb_manifest_parse(b->head.manifest, b->head.manifest_len, &b->manifest, err);
	if (!rc)
		rc = lb_bundle_layout(&b->manifest, b->head.end_offset, &b->layout, err);
	return cli_prefix(err, path, rc);
}

int bundle_file_open(struct bundle_file *b, const char *path, const struct lb_keyring *ring,
		     struct lb_error *err)
{
	return open_from(b, path, path, ring, err);
}

int bundle_file_open_fd(struct bundle_file *b, int fd, const char *path,
			const struct lb_keyring *ring, struct lb_error *err)
{
	char source[CLI_FD_PATH];

	return open_from(b, cli_fd_path(fd, source), path, ring, err);
}

void bundle_file_close(struct bundle_file *b)
{
	lb_bundle_head_free(&b->head);
	lb_source_close(b->src);
	b->src = NULL;
}

static int read_at(struct bundle_file *b, uint64_t offset, void *buf, size_t len,
		   struct lb_error *err)
{
	int rc = lb_source_seek(b->src, offset, len, err);

	return rc ? rc : lb_source_read_full(b->src, buf, len, err);
}

static int check_member(struct bundle_file *b, const struct lb_member *wanted, uint64_t data,
			struct lb_error *err)
{
	uint8_t block[LB_TAR_BLOCK];
	struct lb_tar_member m;
	uint64_t end = data + wanted->size_bytes;
	size_t padding = (size_t)(lb_tar_padded(wanted->size_bytes) - wanted->size_bytes);
	int rc;

	rc = read_at(b, data - LB_TAR_BLOCK, block, sizeof(block), err);
	if (rc)
		return rc;
	if (lb_tar_parse(block, &m, NULL) || strcmp(m.name, wanted->name) ||
	    m.size_bytes != wanted->size_bytes)
		return lb_error_set(err, LB_E_FORMAT, "member %s does not lie where it should",
				    wanted->name);
	if (!padding)
		return 0;
	rc = read_at(b, end, block, padding, err);
	if (!rc && !lb_bytes_all_zero(block, padding))
		rc = lb_error_set(err, LB_E_FORMAT, "member %s is not padded with zeros",
				  wanted->name);
	return rc;
}

static int check_patch_members(struct bundle_file *b, uint32_t image, struct lb_error *err)
{
	const struct lb_image *im = &b->manifest.images[image];
	int rc = 0;

	for (uint32_t k = 0; !rc && k < im->patch_set_count; k++) {
		rc = check_member(b, &im->patch_sets[k].index,
				  b->layout.patch_index_offset[image][k], err);
		if (!rc)
			rc = check_member(b, &im->patch_sets[k].payload,
					  b->layout.patch_offset[image][k], err);
	}
	return rc;
}

static int check_end(struct bundle_file *b, struct lb_error *err)
{
	uint8_t end[LB_TAR_END_BYTES];
	int rc = read_at(b, b->layout.end_offset, end, sizeof(end), err);

	if (!rc && !lb_bytes_all_zero(end, sizeof(end)))
		rc = lb_error_set(err, LB_E_FORMAT, "there are members that the manifest does not name");
	if (!rc && lb_source_read(b->src, end, 1, err) != 0)
		rc = lb_error_set(err, LB_E_FORMAT, "something follows the end of the archive");
	return rc;
}

int bundle_file_check_archive(struct bundle_file *b, struct lb_error *err)
{
	int rc = 0;

	for (uint32_t i = 0; !rc && i < b->manifest.image_count; i++)
		rc = check_member(b, &b->manifest.images[i].index, b->layout.index_offset[i], err);
	for (uint32_t i = 0; !rc && i < b->manifest.image_count; i++)
		rc = check_member(b, &b->manifest.images[i].payload, b->layout.payload_offset[i],
				  err);
	for (uint32_t i = 0; !rc && i < b->manifest.image_count; i++)
		rc = check_patch_members(b, i, err);
	if (!rc)
		rc = check_end(b, err);
	return cli_prefix(err, b->path, rc);
}

static int hash_member(struct bundle_file *b, const struct lb_member *m, uint64_t offset,
		       struct lb_error *err)
{
	uint8_t digest[LB_SHA256_BYTES], buf[4096];
	uint64_t left = m->size_bytes;
	struct lb_sha256 hash;
	int rc = lb_source_seek(b->src, offset, left, err);

	lb_sha256_start(&hash);
	while (!rc && left) {
		size_t n = left < sizeof(buf) ? (size_t)left : sizeof(buf);

		rc = lb_source_read_full(b->src, buf, n, err);
		if (!rc)
			lb_sha256_update(&hash, buf, n);
		left -= n;
	}
	lb_sha256_finish(&hash, digest);
	if (!rc && memcmp(digest, m->sha256, sizeof(digest)))
		rc = lb_error_set(err, LB_E_DIGEST, "%s is not what was signed", m->name);
	return rc;
}

int bundle_file_check_patches(struct bundle_file *b, uint32_t number, struct lb_error *err)
{
	const struct lb_image *im = &b->manifest.images[number];
	struct lb_index idx = { 0 };
	int rc = im->patch_set_count
			 ? lb_bundle_read_index(b->src, &b->manifest, &b->layout, number, &idx, err) : 0;

	for (uint32_t k = 0; !rc && k < im->patch_set_count; k++) {
		struct lb_patches p;

		rc = lb_bundle_read_patches(b->src, &b->manifest, &b->layout, number, k, &idx, &p, err);
		if (rc)
			break;
		lb_patches_free(&p);
		rc = hash_member(b, &im->patch_sets[k].payload, b->layout.patch_offset[number][k], err);
	}
	lb_index_free(&idx);
	return cli_prefix(err, b->path, rc);
}

int bundle_file_check(struct bundle_file *b, struct lb_error *err)
{
	int rc = bundle_file_check_archive(b, err);

	for (uint32_t i = 0; !rc && i < b->manifest.image_count; i++)
		rc = bundle_file_walk(b, i, NULL, err);
	for (uint32_t i = 0; !rc && i < b->manifest.image_count; i++)
		rc = bundle_file_check_patches(b, i, err);
	return rc;
}
