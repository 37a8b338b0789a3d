// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A release record keeps the exact bytes that were signed, so it is no JSON:
 * fixed head, URLs, signature, manifest. Spec: docs/SPEC.md, "Release record".
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "state/records.h"

#define HEAD_BYTES 32u
#define KEYID_BYTES (LB_KEYID_HEX - 1)

void lb_release_free(struct lb_release *r)
{
	if (!r)
		return;
	free(r->manifest);
	memset(r, 0, sizeof(*r));
}

static bool printable(const uint8_t *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] < ' ' || s[i] > '~')
			return false;
	return true;
}

static bool storable(const struct lb_release *r)
{
	if (!r->manifest_len || r->manifest_len > LB_MANIFEST_MAX_BYTES ||
	    r->signature.length > LB_SIGNATURE_MAX_BYTES || r->url_count > LB_URLS_MAX ||
	    strlen(r->signature.keyid) > KEYID_BYTES)
		return false;
	for (uint32_t i = 0; i < r->url_count; i++)
		if (!printable((const uint8_t *)r->urls[i], strlen(r->urls[i])))
			return false;
	return true;
}

int lb_release_encode(const struct lb_release *r, uint8_t **ret_bytes, size_t *ret_len,
		      struct lb_error *err)
{
	size_t len = HEAD_BYTES;
	uint8_t *bytes, *p;

	if (!storable(r))
		return lb_error_set(err, LB_E_INVALID, "release %llu cannot be stored",
				    (unsigned long long)r->release);
	for (uint32_t i = 0; i < r->url_count; i++)
		len += 2 + strlen(r->urls[i]);
	len += r->signature.length + r->manifest_len;

	bytes = calloc(1, len);
	if (!bytes)
		return lb_error_set(err, LB_E_NOMEM, "no memory for a release record");
	lb_put_le64(bytes, r->release);
	lb_put_le32(bytes + 8, (uint32_t)r->manifest_len);
	lb_put_le16(bytes + 12, r->signature.length);
	lb_put_le16(bytes + 14, (uint16_t)r->url_count);
	memcpy(bytes + 16, r->signature.keyid, strlen(r->signature.keyid));
	p = bytes + HEAD_BYTES;
	for (uint32_t i = 0; i < r->url_count; i++) {
		uint16_t n = (uint16_t)strlen(r->urls[i]);

		lb_put_le16(p, n);
		memcpy(p + 2, r->urls[i], n);
		p += 2 + n;
	}
	memcpy(p, r->signature.der, r->signature.length);
	memcpy(p + r->signature.length, r->manifest, r->manifest_len);
	*ret_bytes = bytes;
	*ret_len = len;
	return 0;
}

/* Reads the URLs at @p; NULL or where they end. */
static const uint8_t *decode_urls(struct lb_release *r, const uint8_t *p, const uint8_t *end)
{
	for (uint32_t i = 0; i < r->url_count; i++) {
		uint16_t n;

		if (end - p < 2)
			return NULL;
		n = lb_get_le16(p);
		p += 2;
		if (n > end - p || n > LB_URL_MAX || !printable(p, n))
			return NULL;
		memcpy(r->urls[i], p, n);
		p += n;
	}
	return p;
}

static bool decode(struct lb_release *r, const uint8_t *bytes, size_t len)
{
	const uint8_t *p, *end = bytes + len;

	if (len < HEAD_BYTES)
		return false;
	r->release = lb_get_le64(bytes);
	r->manifest_len = lb_get_le32(bytes + 8);
	r->signature.length = lb_get_le16(bytes + 12);
	r->url_count = lb_get_le16(bytes + 14);
	if (!r->manifest_len || r->manifest_len > LB_MANIFEST_MAX_BYTES ||
	    r->signature.length > LB_SIGNATURE_MAX_BYTES || r->url_count > LB_URLS_MAX)
		return false;
	memcpy(r->signature.keyid, bytes + 16, KEYID_BYTES);
	p = decode_urls(r, bytes + HEAD_BYTES, end);
	if (!p || (size_t)(end - p) != r->signature.length + r->manifest_len)
		return false;
	memcpy(r->signature.der, p, r->signature.length);
	return true;
}

int lb_release_decode(const uint8_t *bytes, size_t len, struct lb_release *ret,
		      struct lb_error *err)
{
	struct lb_release r = { 0 };

	if (!decode(&r, bytes, len))
		return lb_error_set(err, LB_E_FORMAT, "a release record of %zu bytes is malformed",
				    len);
	r.manifest = malloc(r.manifest_len);
	if (!r.manifest)
		return lb_error_set(err, LB_E_NOMEM, "no memory for a manifest of %zu bytes",
				    r.manifest_len);
	memcpy(r.manifest, bytes + len - r.manifest_len, r.manifest_len);
	*ret = r;
	return 0;
}

int lb_release_load(struct lb_log *log, uint16_t type, struct lb_release *ret,
		    struct lb_error *err)
{
	const struct lb_log_entry *e = lb_log_find(log, type);
	ptrdiff_t len;
	uint8_t *bytes;
	int r;

	if (!e)
		return -LB_E_NOT_FOUND;
	if (e->version != LB_LOG_VERSION)
		return lb_error_set(err, LB_E_FORMAT,
				    "a release record has version %u, this program knows %u",
				    e->version, LB_LOG_VERSION);
	bytes = malloc(e->length);
	if (!bytes)
		return lb_error_set(err, LB_E_NOMEM, "no memory for a release record");
	len = lb_log_get(log, type, bytes, e->length);
	if (len < 0)
		r = lb_error_set(err, (int)-len, "a release record could not be read");
	else
		r = lb_release_decode(bytes, (size_t)len, ret, err);
	free(bytes);
	return r;
}

int lb_release_save(struct lb_log *log, uint16_t type, const struct lb_release *r,
		    struct lb_error *err)
{
	uint8_t *bytes;
	size_t len;
	int ret = lb_release_encode(r, &bytes, &len, err);

	if (ret)
		return ret;
	ret = lb_log_put(log, type, bytes, len, err);
	free(bytes);
	return ret;
}
