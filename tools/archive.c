// SPDX-License-Identifier: GPL-2.0-or-later
#include "archive.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "bundle/tar.h"

#define COPY_BYTES (256u * LB_KIB)

int archive_create(struct archive *a, const char *path, uint64_t mtime_s, struct lb_error *err)
{
	a->mtime_s = mtime_s;
	return cli_file_create(&a->file, path, err);
}

static int put(struct archive *a, const void *data, size_t len, struct lb_error *err)
{
	return cli_write_full(a->file.fd, data, len) ? cli_errno(err, a->file.path, "written") : 0;
}

static int put_header(struct archive *a, const char *name, uint64_t len, struct lb_error *err)
{
	struct lb_tar_member m = { .size_bytes = len, .mtime_s = a->mtime_s };
	uint8_t block[LB_TAR_BLOCK];

	if (strlen(name) > LB_TAR_NAME_MAX || len > LB_TAR_SIZE_MAX)
		return lb_error_set(err, LB_E_TOO_BIG, "member %.40s with %llu bytes does not fit",
				    name, (unsigned long long)len);
	strcpy(m.name, name);
	lb_tar_format(block, &m);
	return put(a, block, sizeof(block), err);
}

static int put_padding(struct archive *a, uint64_t len, struct lb_error *err)
{
	static const uint8_t zeros[LB_TAR_BLOCK];

	return put(a, zeros, (size_t)(lb_tar_padded(len) - len), err);
}

int archive_add(struct archive *a, const char *name, const void *data, size_t len,
		struct lb_error *err)
{
	int rc = put_header(a, name, len, err);

	if (!rc)
		rc = put(a, data, len, err);
	return rc ? rc : put_padding(a, len, err);
}

int archive_copy(struct archive *a, int fd, uint64_t offset, uint64_t len, struct lb_error *err)
{
	uint8_t *buf = malloc(COPY_BYTES);
	int rc = buf ? 0 : lb_error_set(err, LB_E_NOMEM, "no memory for copying");

	while (!rc && len) {
		size_t n = len < COPY_BYTES ? (size_t)len : COPY_BYTES;

		rc = cli_pread_full(fd, buf, n, offset);
		if (rc)
			lb_error_set(err, LB_E_IO, "%zu bytes at %llu cannot be read for %s", n,
				     (unsigned long long)offset, a->file.path);
		else
			rc = put(a, buf, n, err);
		offset += n;
		len -= n;
	}
	free(buf);
	return rc;
}

int archive_add_range(struct archive *a, const char *name, int fd, uint64_t offset, uint64_t len,
		      struct lb_error *err)
{
	int rc = put_header(a, name, len, err);

	if (!rc)
		rc = archive_copy(a, fd, offset, len, err);
	return rc ? rc : put_padding(a, len, err);
}

int archive_add_head(struct archive *a, const char *name, const struct lb_bundle_head *head,
		     struct lb_error *err)
{
	char member[64];
	int rc;

	snprintf(member, sizeof(member), "%s.json", name);
	rc = archive_add(a, member, head->manifest, head->manifest_len, err);
	for (uint32_t i = 0; !rc && i < head->signature_count; i++) {
		const struct lb_signature *sig = &head->signatures[i];

		snprintf(member, sizeof(member), "%s.sig.%s", name, sig->keyid);
		rc = archive_add(a, member, sig->der, sig->length, err);
	}
	return rc;
}

int archive_commit(struct archive *a, struct lb_error *err)
{
	static const uint8_t end[LB_TAR_END_BYTES];
	int rc = put(a, end, sizeof(end), err);

	if (!rc)
		return cli_file_commit(&a->file, err);
	archive_abort(a);
	return rc;
}

void archive_abort(struct archive *a)
{
	cli_file_abort(&a->file);
}
