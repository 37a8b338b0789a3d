// SPDX-License-Identifier: GPL-2.0-or-later
#include "check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "files.h"
#include "visit.h"

const struct lb_channel_release *agent_choose(const struct agent *a, const struct agent_device *d,
					      const struct lb_channel *ch)
{
	const struct lb_channel_release *e =
		lb_channel_newest(ch, a->device.hardware, a->device.hardware_count);

	if (!e || e->release <= a->running.release || e->release < d->floor)
		return NULL;
	return e;
}

int agent_order_entry(const struct agent *a, const struct lb_channel_release *entry,
		      struct agent_order *ret, struct lb_error *err)
{
	char url[LB_URL_MAX + 1];
	int rc = agent_channel_url(a, entry, url, err);

	memset(ret, 0, sizeof(*ret));
	if (!rc)
		rc = agent_place_of(a, url, &ret->places[0], err);
	ret->count = 1;
	ret->manifest = entry->manifest_sha256;
	return rc;
}

static void describe(const struct agent *a, const struct lb_channel_release *e, cJSON *answer,
		     char *text, size_t size)
{
	char hex[LB_SHA256_HEX];
	cJSON *obj;

	if (!e) {
		snprintf(text, size, "nothing newer than release %" PRIu64, a->running.release);
		cJSON_AddNullToObject(answer, "available");
		return;
	}
	snprintf(text, size, "release %" PRIu64 " (%s) is available, %" PRIu64 " bytes", e->release,
		 e->version, e->size_bytes);
	lb_hex_encode(hex, e->manifest_sha256, sizeof(e->manifest_sha256));
	obj = cJSON_AddObjectToObject(answer, "available");
	cJSON_AddNumberToObject(obj, "release", (double)e->release);
	cJSON_AddStringToObject(obj, "version", e->version);
	cJSON_AddNumberToObject(obj, "size", (double)e->size_bytes);
	cJSON_AddStringToObject(obj, "manifest", hex);
	cJSON_AddStringToObject(obj, "url", e->url);
}

/* What the daemon would act on; returns whether there is something. */
static bool describe_visit(const struct agent *a, const struct agent_memory *m,
			   const struct lb_channel *ch, int64_t now_s, cJSON *answer)
{
	const struct lb_channel_visit *v = agent_visit_next(a, m, ch, now_s);
	cJSON *obj;

	if (!v) {
		cJSON_AddNullToObject(answer, "recovery_request");
		return false;
	}
	obj = cJSON_AddObjectToObject(answer, "recovery_request");
	cJSON_AddStringToObject(obj, "id", v->id);
	cJSON_AddNumberToObject(obj, "until", (double)v->until_s);
	return true;
}

static int check(const struct agent *a, struct agent_device *d, struct agent_memory *m,
		 cJSON *answer, struct lb_error *err)
{
	int64_t now_s = agent_device_now(a, d, m->channel_created_s);
	const struct lb_channel_release *e = NULL;
	struct lb_channel ch = { 0 };
	char text[192] = "";
	uint32_t retry_s;
	int rc = agent_channel_fetch(a, now_s, m, &ch, &retry_s, err);

	if (!rc) {
		e = agent_choose(a, d, &ch);
		describe(a, e, answer, text, sizeof(text));
		now_s = agent_device_now(a, d, m->channel_created_s);
		if (describe_visit(a, m, &ch, now_s, answer))
			snprintf(text + strlen(text), sizeof(text) - strlen(text),
				 "; the server asks for recovery");
		cJSON_AddStringToObject(answer, "text", text);
	}
	agent_report_note(a, AGENT_SUBJECT_CHECK, now_s, rc, e ? e->release : 0,
			  rc ? err->text : text);
	lb_channel_free(&ch);
	return rc ? rc : e ? AGENT_OK : AGENT_NOTHING;
}

int agent_cmd_check(struct agent *a, cJSON *answer, struct lb_error *err)
{
	struct agent_memory memory;
	struct agent_device d;
	int lock = agent_lock(a, AGENT_LOCK_CHANGE, AGENT_LOCK_WAIT_MS, err);
	int rc;

	if (lock < 0)
		return lock;
	rc = agent_device_open(a, false, &d, err);
	if (!rc) {
		agent_memory_load(a, &memory);
		rc = check(a, &d, &memory, answer, err);
		agent_device_close(&d);
	}
	close(lock);
	return rc;
}
