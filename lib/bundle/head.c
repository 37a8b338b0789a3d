// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The front of a bundle or channel file: NAME.json, then NAME.sig.KEYID. This
 * code sees bytes that nobody vouched for: bounds first, and no JSON in here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "bundle/bundle.h"
#include "bundle/tar.h"

#define FIRST_WINDOW 8192u /* holds an ordinary manifest: one request of a server */
#define LATER_WINDOW (64u * 1024u)
#define KEYID_CHARS (LB_KEYID_HEX - 1)

/* Reads on from the start, announcing a window at a time. */
struct reader {
	struct lb_source *src;
	uint64_t offset, window_end;
};

static int read_bytes(struct reader *r, void *buf, size_t len, struct lb_error *err)
{
	uint8_t *p = buf;

	while (len) {
		uint64_t part;
		int rc;

		if (r->offset == r->window_end) {
			part = r->offset ? LATER_WINDOW : FIRST_WINDOW;
			rc = lb_source_seek(r->src, r->offset, part, err);
			if (rc)
				return rc;
			r->window_end += part;
		}
		part = r->window_end - r->offset;
		if (part > len)
			part = len;
		rc = lb_source_read_full(r->src, p, (size_t)part, err);
		if (rc)
			return rc;
		p += part;
		len -= (size_t)part;
		r->offset += part;
	}
	return 0;
}

/* A member's data and the zeros after it; @buf holds lb_tar_padded(@size). */
static int read_member(struct reader *r, uint8_t *buf, uint64_t size, struct lb_error *err)
{
	uint64_t padded = lb_tar_padded(size);
	int rc = read_bytes(r, buf, (size_t)padded, err);

	if (!rc && !lb_bytes_all_zero(buf + size, (size_t)(padded - size)))
		rc = lb_error_set(err, LB_E_FORMAT, "a tar member is not padded with zeros");
	return rc;
}

static int read_document(struct reader *r, const char *name, struct lb_bundle_head *head,
			 struct lb_error *err)
{
	uint8_t block[LB_TAR_BLOCK];
	struct lb_tar_member m;
	char wanted[32];
	int rc;

	snprintf(wanted, sizeof(wanted), "%s.json", name);
	rc = read_bytes(r, block, sizeof(block), err);
	if (rc)
		return rc;
	if (lb_tar_parse(block, &m, NULL) || strcmp(m.name, wanted))
		return lb_error_set(err, LB_E_FORMAT, "it does not begin with a member %s", wanted);
	if (!m.size_bytes || m.size_bytes > LB_MANIFEST_MAX_BYTES)
		return lb_error_set(err, LB_E_TOO_BIG, "%s has %llu bytes, 1 to %u are allowed",
				    wanted, (unsigned long long)m.size_bytes,
				    LB_MANIFEST_MAX_BYTES);
	head->manifest = malloc((size_t)lb_tar_padded(m.size_bytes));
	if (!head->manifest)
		return lb_error_set(err, LB_E_NOMEM, "no memory for %s", wanted);
	rc = read_member(r, head->manifest, m.size_bytes, err);
	if (rc)
		return rc;
	head->manifest_len = (size_t)m.size_bytes;
	lb_sha256(head->manifest, head->manifest_len, head->manifest_sha256);
	return 0;
}

static bool keyid_valid(const char *s)
{
	return strlen(s) == KEYID_CHARS && strspn(s, "0123456789abcdef") == KEYID_CHARS;
}

static int read_signature(struct reader *r, const struct lb_tar_member *m, const char *keyid,
			  struct lb_bundle_head *head, struct lb_error *err)
{
	struct lb_signature *sig = &head->signatures[head->signature_count];
	uint8_t data[LB_TAR_BLOCK];
	int rc;

	if (!keyid_valid(keyid))
		return lb_error_set(err, LB_E_FORMAT, "member %s names no key", m->name);
	if (head->signature_count == LB_SIGNATURES_MAX)
		return lb_error_set(err, LB_E_TOO_BIG, "it has more than %d signatures",
				    LB_SIGNATURES_MAX);
	if (!m->size_bytes || m->size_bytes > LB_SIGNATURE_MAX_BYTES)
		return lb_error_set(err, LB_E_TOO_BIG, "member %s has %llu bytes, 1 to %d are allowed",
				    m->name, (unsigned long long)m->size_bytes,
				    LB_SIGNATURE_MAX_BYTES);
	for (uint32_t i = 0; i < head->signature_count; i++)
		if (!strcmp(head->signatures[i].keyid, keyid))
			return lb_error_set(err, LB_E_FORMAT, "key %s signed it twice", keyid);
	rc = read_member(r, data, m->size_bytes, err);
	if (rc)
		return rc;
	memcpy(sig->keyid, keyid, LB_KEYID_HEX);
	memcpy(sig->der, data, (size_t)m->size_bytes);
	sig->length = (uint16_t)m->size_bytes;
	head->signature_count++;
	return 0;
}

/* Up to and with the header of the first member that is no signature. */
static int read_signatures(struct reader *r, const char *name, struct lb_bundle_head *head,
			   struct lb_error *err)
{
	uint8_t block[LB_TAR_BLOCK];
	struct lb_tar_member m;
	char prefix[32];
	size_t prefix_len;
	int rc;

	prefix_len = (size_t)snprintf(prefix, sizeof(prefix), "%s.sig.", name);
	for (;;) {
		head->end_offset = r->offset;
		rc = read_bytes(r, block, sizeof(block), err);
		if (rc)
			return rc;
		rc = lb_tar_parse(block, &m, err);
		if (rc == -LB_E_NOT_FOUND)
			return 0;
		if (rc)
			return rc;
		if (strncmp(m.name, prefix, prefix_len))
			return 0;
		rc = read_signature(r, &m, m.name + prefix_len, head, err);
		if (rc)
			return rc;
	}
}

int lb_signed_read_head(struct lb_source *src, const char *name, struct lb_bundle_head *ret,
			struct lb_error *err)
{
	struct reader r = { .src = src };
	struct lb_bundle_head head = { 0 };
	int rc;

	rc = read_document(&r, name, &head, err);
	if (!rc)
		rc = read_signatures(&r, name, &head, err);
	if (rc) {
		lb_bundle_head_free(&head);
		return rc;
	}
	*ret = head;
	return 0;
}

int lb_bundle_read_head(struct lb_source *src, struct lb_bundle_head *ret, struct lb_error *err)
{
	return lb_signed_read_head(src, "manifest", ret, err);
}

void lb_bundle_head_free(struct lb_bundle_head *head)
{
	if (!head)
		return;
	free(head->manifest);
	memset(head, 0, sizeof(*head));
}
