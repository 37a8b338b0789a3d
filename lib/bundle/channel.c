// SPDX-License-Identifier: GPL-2.0-or-later
#include "bundle/channel.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/json.h"
#include "bundle/hardware.h"

#define ALNUM "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* What "critical" may list. */
static const char *const known_fields[] = { "format",  "product",  "sequence",
					    "created", "critical", "releases", "recovery" };

static int need_u64(const cJSON *obj, const char *name, uint64_t *ret, struct lb_error *err)
{
	return lb_json_need(lb_json_u64(obj, name, ret, err), name, err);
}

static int need_str(const cJSON *obj, const char *name, char *ret, size_t size,
		    struct lb_error *err)
{
	return lb_json_need(lb_json_str(obj, name, ret, size, err), name, err);
}

static int check_critical(const cJSON *root, struct lb_error *err)
{
	const cJSON *list, *item;
	int rc = lb_json_array(root, "critical", &list, err);

	if (rc == -LB_E_NOT_FOUND)
		return 0;
	if (rc)
		return rc;
	cJSON_ArrayForEach(item, list) {
		bool known = false;
		char name[64];

		rc = lb_json_str_of(item, "critical", name, sizeof(name), err);
		if (rc)
			return rc;
		for (size_t i = 0; i < LB_ARRAY_LEN(known_fields); i++)
			known = known || !strcmp(name, known_fields[i]);
		if (!known)
			return lb_error_set(err, LB_E_CRITICAL,
					    "the channel's field \"%s\" is not known here", name);
	}
	return 0;
}

static int parse_head(const cJSON *root, struct lb_channel *ch, struct lb_error *err)
{
	uint64_t format, created;
	int rc = need_u64(root, "format", &format, err);

	if (!rc && format != LB_CHANNEL_FORMAT)
		rc = lb_error_set(err, LB_E_CRITICAL, "the channel's format %llu is not known here",
				  (unsigned long long)format);
	if (!rc)
		rc = check_critical(root, err);
	if (!rc)
		rc = need_str(root, "product", ch->product, sizeof(ch->product), err);
	if (!rc && !lb_name_valid(ch->product))
		rc = lb_error_set(err, LB_E_FORMAT, "\"product\" is no valid name");
	if (!rc)
		rc = need_u64(root, "sequence", &ch->sequence, err);
	if (!rc)
		rc = need_u64(root, "created", &created, err);
	if (!rc)
		ch->created_s = (int64_t)created;
	return rc;
}

static int parse_release(const cJSON *obj, struct lb_channel_release *r, struct lb_error *err)
{
	uint64_t created;
	int rc = need_u64(obj, "release", &r->release, err);

	if (!rc)
		rc = need_str(obj, "version", r->version, sizeof(r->version), err);
	if (!rc)
		rc = lb_hardware_parse(obj, r->hardware, LB_CHANNEL_HARDWARE_MAX,
				       &r->hardware_count, err);
	if (!rc)
		rc = need_u64(obj, "min_release", &r->min_release, err);
	if (!rc)
		rc = need_str(obj, "url", r->url, sizeof(r->url), err);
	if (!rc)
		rc = need_u64(obj, "size", &r->size_bytes, err);
	if (!rc)
		rc = lb_json_need(lb_json_hex(obj, "manifest", r->manifest_sha256, LB_SHA256_BYTES,
					      err), "manifest", err);
	if (!rc)
		rc = need_u64(obj, "created", &created, err);
	if (!rc)
		r->created_s = (int64_t)created;
	return rc;
}

static int parse_releases(const cJSON *root, struct lb_channel *ch, struct lb_error *err)
{
	const cJSON *list, *item;
	int rc = lb_json_need(lb_json_array(root, "releases", &list, err), "releases", err);
	int count = rc ? 0 : cJSON_GetArraySize(list);

	if (rc || !count)
		return rc;
	if (count > LB_CHANNEL_RELEASES_MAX)
		return lb_error_set(err, LB_E_TOO_BIG, "the channel has %d releases, at most %d are allowed",
				    count, LB_CHANNEL_RELEASES_MAX);
	ch->releases = calloc((size_t)count, sizeof(*ch->releases));
	if (!ch->releases)
		return lb_error_set(err, LB_E_NOMEM, "no memory for %d releases", count);
	cJSON_ArrayForEach(item, list) {
		struct lb_channel_release *r = &ch->releases[ch->count];

		rc = parse_release(item, r, err);
		if (rc)
			return rc;
		if (ch->count && r->release > r[-1].release)
			return lb_error_set(err, LB_E_FORMAT, "the channel's releases are out of order");
		ch->count++;
	}
	return 0;
}

_Bool lb_serial_valid(const char *text)
{
	size_t len = strlen(text);

	return len && len <= LB_SERIAL_MAX && strspn(text, ALNUM "._:-") == len &&
	       strchr(ALNUM, *text);
}

/* A name of the kind above, of a visit or of a device. */
static int take_serial(int rc, const char *what, const char *text, struct lb_error *err)
{
	if (!rc && !lb_serial_valid(text))
		return lb_error_set(err, LB_E_FORMAT, "\"recovery\" has an invalid %s", what);
	return rc;
}

static int parse_serials(const cJSON *obj, struct lb_channel_visit *v, struct lb_error *err)
{
	const cJSON *list, *item;
	int rc = lb_json_need(lb_json_array(obj, "serials", &list, err), "serials", err);

	if (rc)
		return rc;
	cJSON_ArrayForEach(item, list) {
		char *serial;

		if (v->serial_count == LB_CHANNEL_SERIALS_MAX)
			return lb_error_set(err, LB_E_TOO_BIG, "\"serials\" has more than %d names",
					    LB_CHANNEL_SERIALS_MAX);
		serial = v->serials[v->serial_count];
		rc = lb_json_str_of(item, "serials", serial, LB_SERIAL_MAX + 1, err);
		rc = take_serial(rc, "serial number", serial, err);
		if (rc)
			return rc;
		v->serial_count++;
	}
	if (!v->serial_count)
		return lb_error_set(err, LB_E_FORMAT, "\"serials\" names no device");
	return 0;
}

static int parse_visit(const cJSON *obj, const struct lb_channel *ch, struct lb_channel_visit *v,
		       struct lb_error *err)
{
	uint64_t until;
	int rc = take_serial(need_str(obj, "id", v->id, sizeof(v->id), err), "id", v->id, err);

	for (uint32_t i = 0; !rc && i < ch->visit_count; i++)
		if (!strcmp(ch->visits[i].id, v->id))
			rc = lb_error_set(err, LB_E_FORMAT, "\"recovery\" has %s twice", v->id);
	if (!rc)
		rc = need_u64(obj, "until", &until, err);
	if (rc)
		return rc;
	v->until_s = (int64_t)until;
	if (v->until_s > ch->created_s + LB_CHANNEL_VISIT_MAX_S)
		return lb_error_set(err, LB_E_FORMAT, "\"until\" of %s is more than %d days after the "
				    "channel was made", v->id, LB_CHANNEL_VISIT_MAX_S / 86400);
	return parse_serials(obj, v, err);
}

static int parse_visits(const cJSON *root, struct lb_channel *ch, struct lb_error *err)
{
	const cJSON *list, *item;
	int count, rc = lb_json_array(root, "recovery", &list, err);

	if (rc)
		return rc == -LB_E_NOT_FOUND ? 0 : rc;
	count = cJSON_GetArraySize(list);
	if (!count)
		return 0;
	if (count > LB_CHANNEL_VISITS_MAX)
		return lb_error_set(err, LB_E_TOO_BIG, "\"recovery\" has %d requests, at most %d are allowed",
				    count, LB_CHANNEL_VISITS_MAX);
	ch->visits = calloc((size_t)count, sizeof(*ch->visits));
	if (!ch->visits)
		return lb_error_set(err, LB_E_NOMEM, "no memory for %d requests", count);
	cJSON_ArrayForEach(item, list) {
		rc = parse_visit(item, ch, &ch->visits[ch->visit_count], err);
		if (rc)
			return rc;
		ch->visit_count++;
	}
	return 0;
}

int lb_channel_parse(const void *text, size_t len, struct lb_channel *ret, struct lb_error *err)
{
	struct lb_channel ch = { 0 };
	cJSON *root;
	int rc;

	rc = lb_json_parse(text, len, LB_MANIFEST_MAX_BYTES, "channel.json", &root, err);
	if (rc)
		return rc;
	rc = parse_head(root, &ch, err);
	if (!rc)
		rc = parse_releases(root, &ch, err);
	if (!rc)
		rc = parse_visits(root, &ch, err);
	cJSON_Delete(root);
	if (rc)
		lb_channel_free(&ch);
	else
		*ret = ch;
	return rc;
}

void lb_channel_free(struct lb_channel *ch)
{
	if (!ch)
		return;
	free(ch->releases);
	free(ch->visits);
	memset(ch, 0, sizeof(*ch));
}

static bool names(const struct lb_channel_release *r,
		  const char hardware[][LB_COMPATIBLE_MAX + 1], uint32_t count)
{
	for (uint32_t h = 0; h < count; h++)
		for (uint32_t i = 0; i < r->hardware_count; i++)
			if (!strcmp(r->hardware[i], hardware[h]))
				return true;
	return false;
}

const struct lb_channel_release *lb_channel_newest(const struct lb_channel *ch,
						   const char hardware[][LB_COMPATIBLE_MAX + 1],
						   uint32_t count)
{
	for (uint32_t i = 0; i < ch->count; i++)
		if (names(&ch->releases[i], hardware, count))
			return &ch->releases[i];
	return NULL;
}

const struct lb_channel_release *lb_channel_find(const struct lb_channel *ch, uint64_t release,
						 const char hardware[][LB_COMPATIBLE_MAX + 1],
						 uint32_t count)
{
	for (uint32_t i = 0; i < ch->count; i++)
		if (ch->releases[i].release == release && names(&ch->releases[i], hardware, count))
			return &ch->releases[i];
	return NULL;
}

_Bool lb_channel_visit_names(const struct lb_channel_visit *v, const char *serial)
{
	for (uint32_t i = 0; i < v->serial_count; i++)
		if (*serial && !strcmp(v->serials[i], serial))
			return true;
	return false;
}
