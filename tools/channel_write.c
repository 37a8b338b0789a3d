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
	struct lb_channel_visit *visits = calloc(LB_CHANNEL_VISITS_MAX, sizeof(*visits));

	if (!all || !visits) {
		free(all);
		free(visits);
		return -LB_E_NOMEM;
	}
	if (e->ch.visit_count)
		memcpy(visits, e->ch.visits, e->ch.visit_count * sizeof(*visits));
	free(e->ch.visits);
	e->ch.visits = visits;
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

int channel_edit_ask(struct channel_edit *e, const struct lb_channel_visit *v, struct lb_error *err)
{
	struct lb_channel *ch = &e->ch;

	for (uint32_t i = 0; i < ch->visit_count; i++)
		if (!strcmp(ch->visits[i].id, v->id))
			return lb_error_set(err, LB_E_EXISTS, "request %s is in the channel already", v->id);
	if (ch->visit_count == LB_CHANNEL_VISITS_MAX)
		return lb_error_set(err, LB_E_TOO_BIG, "the channel has %d requests, which is all there can "
				    "be; withdraw one", LB_CHANNEL_VISITS_MAX);
	ch->visits[ch->visit_count++] = *v;
	return 0;
}

static void drop_visit(struct lb_channel *ch, uint32_t at)
{
	ch->visit_count--;
	memmove(&ch->visits[at], &ch->visits[at + 1], (ch->visit_count - at) * sizeof(*ch->visits));
}

int channel_edit_withdraw(struct channel_edit *e, const char *id, struct lb_error *err)
{
	for (uint32_t i = 0; i < e->ch.visit_count; i++) {
		if (strcmp(e->ch.visits[i].id, id))
			continue;
		drop_visit(&e->ch, i);
		return 0;
	}
	return lb_error_set(err, LB_E_NOT_FOUND, "the channel has no request %.80s", id);
}

void channel_edit_forget(struct channel_edit *e, int64_t now_s)
{
	for (uint32_t i = e->ch.visit_count; i-- > 0;)
		if (e->ch.visits[i].until_s < now_s)
			drop_visit(&e->ch, i);
}

cJSON *channel_visit_json(const struct lb_channel_visit *v)
{
	cJSON *obj = cJSON_CreateObject(), *serials;

	cJSON_AddStringToObject(obj, "id", v->id);
	cli_json_u64(obj, "until", (uint64_t)v->until_s);
	serials = cJSON_AddArrayToObject(obj, "serials");
	for (uint32_t i = 0; i < v->serial_count; i++)
		cJSON_AddItemToArray(serials, cJSON_CreateString(v->serials[i]));
	return obj;
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
	list = ch->visit_count ? cJSON_AddArrayToObject(root, "recovery") : NULL;
	for (uint32_t i = 0; i < ch->visit_count; i++)
		cJSON_AddItemToArray(list, channel_visit_json(&ch->visits[i]));
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
