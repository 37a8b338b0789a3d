// SPDX-License-Identifier: GPL-2.0-or-later
#include "channel_write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "archive.h"
#include "cli.h"
#include "trust/channel.h"

int64_t channel_now_s(void)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	unsigned long v;

	return epoch && cli_number(epoch, UINT32_MAX, &v) ? (int64_t)v : (int64_t)time(NULL);
}

static int make_room(struct channel_edit *e)
{
	struct lb_channel_release *all = calloc(LB_CHANNEL_RELEASES_MAX, sizeof(*all));

	if (!all)
		return -LB_E_NOMEM;
	if (e->ch.count)
		memcpy(all, e->ch.releases, e->ch.count * sizeof(*all));
	free(e->ch.releases);
	e->ch.releases = all;
	return 0;
}

int channel_edit_open(struct channel_edit *e, const char *path, const struct lb_keyring *ring,
		      struct lb_error *err)
{
	char *bytes;
	size_t len;
	int rc;

	memset(e, 0, sizeof(*e));
	if (access(path, F_OK) && errno == ENOENT)
		return make_room(e);
	rc = cli_read_file(path, LB_CHANNEL_FILE_MAX, &bytes, &len, err);
	if (rc)
		return rc;
	rc = cli_prefix(err, path, lb_channel_open(bytes, len, ring, &e->ch, err));
	free(bytes);
	return rc ? rc : make_room(e);
}

void channel_edit_free(struct channel_edit *e)
{
	lb_channel_free(&e->ch);
}

static bool share_hardware(const struct lb_channel_release *a, const struct lb_channel_release *b)
{
	for (uint32_t i = 0; i < a->hardware_count; i++)
		for (uint32_t j = 0; j < b->hardware_count; j++)
			if (!strcmp(a->hardware[i], b->hardware[j]))
				return true;
	return false;
}

int channel_edit_add(struct channel_edit *e, const struct lb_channel_release *r,
		     struct lb_error *err)
{
	struct lb_channel_release *all = e->ch.releases;
	uint32_t at = 0;

	for (uint32_t i = 0; i < e->ch.count; i++) {
		if (!memcmp(all[i].manifest_sha256, r->manifest_sha256, LB_SHA256_BYTES)) {
			all[i] = *r;
			return 0;
		}
		if (all[i].release == r->release && share_hardware(&all[i], r))
			return lb_error_set(err, LB_E_EXISTS,
					    "release %llu is published already, as %.60s; raise the number",
					    (unsigned long long)r->release, all[i].url);
	}
	while (at < e->ch.count && all[at].release > r->release)
		at++;
	if (at == LB_CHANNEL_RELEASES_MAX)
		return lb_error_set(err, LB_E_TOO_BIG, "release %llu is older than the %d that are kept",
				    (unsigned long long)r->release, LB_CHANNEL_RELEASES_MAX);
	if (e->ch.count == LB_CHANNEL_RELEASES_MAX)
		e->ch.count--;
	memmove(&all[at + 1], &all[at], (e->ch.count - at) * sizeof(*all));
	all[at] = *r;
	e->ch.count++;
	return 0;
}

void channel_edit_keep(struct channel_edit *e, uint32_t count)
{
	if (e->ch.count > count)
		e->ch.count = count;
}

static void add_release(cJSON *list, const struct lb_channel_release *r)
{
	cJSON *obj = cJSON_CreateObject(), *hardware;

	cJSON_AddItemToArray(list, obj);
	cli_json_u64(obj, "release", r->release);
	cJSON_AddStringToObject(obj, "version", r->version);
	hardware = cJSON_AddArrayToObject(obj, "hardware");
	for (uint32_t i = 0; i < r->hardware_count; i++)
		cJSON_AddItemToArray(hardware, cJSON_CreateString(r->hardware[i]));
	cli_json_u64(obj, "min_release", r->min_release);
	cJSON_AddStringToObject(obj, "url", r->url);
	cli_json_u64(obj, "size", r->size_bytes);
	cli_json_hex(obj, "manifest", r->manifest_sha256, LB_SHA256_BYTES);
	cli_json_u64(obj, "created", (uint64_t)r->created_s);
}

/* channel.json with its newline, from malloc; NULL without memory. */
static char *to_json(const struct lb_channel *ch)
{
	cJSON *root = cJSON_CreateObject(), *list;
	char *json, *text = NULL;

	cli_json_u64(root, "format", LB_CHANNEL_FORMAT);
	cJSON_AddStringToObject(root, "product", ch->product);
	cli_json_u64(root, "sequence", ch->sequence);
	cli_json_u64(root, "created", (uint64_t)ch->created_s);
	cJSON_AddArrayToObject(root, "critical");
	list = cJSON_AddArrayToObject(root, "releases");
	for (uint32_t i = 0; i < ch->count; i++)
		add_release(list, &ch->releases[i]);
	json = cJSON_PrintUnformatted(root);
	cJSON_Delete(root);
	if (json)
		text = malloc(strlen(json) + 2);
	if (text)
		strcat(strcpy(text, json), "\n");
	cJSON_free(json);
	return text;
}

static int sign_and_store(struct lb_bundle_head *head, const char *path, int64_t now_s,
			  const struct signer *signers, unsigned int count, struct lb_error *err)
{
	struct lb_signature sig;
	struct archive a;
	int rc = 0;

	for (unsigned int i = 0; !rc && i < count; i++) {
		rc = signer_sign(&signers[i], head->manifest, head->manifest_len, &sig, err);
		if (!rc)
			rc = signer_merge(head, &sig, err);
	}
	if (!rc)
		rc = archive_create(&a, path, (uint64_t)now_s, err);
	if (rc)
		return rc;
	rc = archive_add_head(&a, "channel", head, err);
	if (!rc)
		return archive_commit(&a, err);
	archive_abort(&a);
	return rc;
}

int channel_edit_write(struct channel_edit *e, const char *path, int64_t now_s,
		       const struct signer *signers, unsigned int count, struct lb_error *err)
{
	struct lb_bundle_head head = { 0 };
	struct lb_channel again;
	int rc;

	e->ch.sequence++;
	e->ch.created_s = now_s;
	head.manifest = (uint8_t *)to_json(&e->ch);
	if (!head.manifest)
		return lb_error_set(err, LB_E_NOMEM, "no memory for the channel file");
	head.manifest_len = strlen((char *)head.manifest);
	rc = lb_channel_parse(head.manifest, head.manifest_len, &again, err);
	if (!rc) {
		lb_channel_free(&again);
		rc = sign_and_store(&head, path, now_s, signers, count, err);
	}
	lb_bundle_head_free(&head);
	return rc;
}
