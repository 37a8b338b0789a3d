// SPDX-License-Identifier: GPL-2.0-or-later
#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/json.h"
#include "files.h"

#define MEMORY_FILE "agent.json"
#define MEMORY_MAX 8192

/* The object in @dir's file, NULL when there is none that can be read. */
static cJSON *load(const struct agent *a, const char *dir)
{
	char path[AGENT_PATH_MAX], text[MEMORY_MAX];
	struct lb_error err = { 0 };
	cJSON *root = NULL;
	ptrdiff_t len;

	agent_path(path, dir, MEMORY_FILE);
	len = agent_file_read(path, text, sizeof(text), &err);
	if (len == -LB_E_NOT_FOUND)
		return NULL;
	if (len < 0 || lb_json_parse(text, (size_t)len, sizeof(text), path, &root, &err)) {
		agent_error(a, "%s; going on without what it held", err.text);
		return NULL;
	}
	return root;
}

static int save(const char *dir, const cJSON *root, struct lb_error *err)
{
	char path[AGENT_PATH_MAX];
	char *text = cJSON_PrintUnformatted(root);
	int rc;

	if (!text)
		return lb_error_set(err, LB_E_NOMEM, "no memory for " MEMORY_FILE);
	agent_path(path, dir, MEMORY_FILE);
	rc = agent_file_write(path, text, strlen(text), err);
	free(text);
	return rc;
}

/* Fields of another type or out of bounds are as good as absent. */
static uint64_t number(const cJSON *obj, const char *name)
{
	uint64_t v = 0;

	return lb_json_u64(obj, name, &v, NULL) ? 0 : v;
}

static void take_text(const cJSON *obj, const char *name, char *ret, size_t size)
{
	if (lb_json_str(obj, name, ret, size, NULL))
		*ret = '\0';
}

static void read_attempt(const cJSON *obj, struct agent_attempt *t)
{
	if (!cJSON_IsObject(obj) ||
	    lb_json_hex(obj, "manifest", t->manifest, sizeof(t->manifest), NULL))
		return;
	t->release = number(obj, "release");
	t->failures = (uint32_t)number(obj, "failures");
	t->not_before_s = (int64_t)number(obj, "not_before");
	t->pending = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(obj, "pending"));
	t->reboot_wanted = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(obj, "reboot_wanted"));
	t->reboots = (uint32_t)number(obj, "reboots");
	take_text(obj, "deployment", t->deployment, sizeof(t->deployment));
}

cJSON *agent_visit_json(const struct agent_visit *v)
{
	cJSON *obj = cJSON_CreateObject();

	cJSON_AddStringToObject(obj, "id", v->id);
	cJSON_AddNumberToObject(obj, "time", (double)v->time_s);
	cJSON_AddStringToObject(obj, "code", v->code);
	return obj;
}

static void read_visits(const cJSON *list, struct agent_memory *m)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, list) {
		struct agent_visit *v = &m->visits[m->visit_count];

		if (m->visit_count == AGENT_VISITS_MAX)
			return;
		take_text(item, "id", v->id, sizeof(v->id));
		take_text(item, "code", v->code, sizeof(v->code));
		v->time_s = (int64_t)number(item, "time");
		m->visit_count += lb_serial_valid(v->id);
	}
}

static void read_once(const cJSON *list, struct agent_memory *m)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, list) {
		if (m->once_count == AGENT_ONCE_MAX)
			return;
		m->once_count += !lb_json_hex(item, "manifest", m->once[m->once_count],
					      LB_SHA256_BYTES, NULL);
	}
}

static void add_once(cJSON *root, const struct agent_memory *m)
{
	cJSON *list = m->once_count ? cJSON_AddArrayToObject(root, "once") : NULL;
	char hex[LB_SHA256_HEX];

	for (uint32_t i = 0; i < m->once_count; i++) {
		cJSON *obj = cJSON_CreateObject();

		lb_hex_encode(hex, m->once[i], LB_SHA256_BYTES);
		cJSON_AddStringToObject(obj, "manifest", hex);
		cJSON_AddItemToArray(list, obj);
	}
}

static void add_visits(cJSON *root, const struct agent_memory *m)
{
	cJSON *list = m->visit_count ? cJSON_AddArrayToObject(root, "visits") : NULL;

	cJSON_AddBoolToObject(root, "visit_pending", m->visit_pending);
	cJSON_AddNumberToObject(root, "visit_reboots", m->visit_reboots);
	for (uint32_t i = 0; i < m->visit_count; i++)
		cJSON_AddItemToArray(list, agent_visit_json(&m->visits[i]));
}

void agent_memory_load(const struct agent *a, struct agent_memory *ret)
{
	cJSON *root = load(a, a->set.state_dir);

	memset(ret, 0, sizeof(*ret));
	if (!root)
		return;
	take_text(root, "channel", ret->channel_url, sizeof(ret->channel_url));
	ret->channel_sequence = number(root, "sequence");
	ret->channel_created_s = (int64_t)number(root, "created");
	take_text(root, "etag", ret->etag, sizeof(ret->etag));
	read_attempt(cJSON_GetObjectItemCaseSensitive(root, "attempt"), &ret->attempt);
	read_visits(cJSON_GetObjectItemCaseSensitive(root, "visits"), ret);
	ret->visit_pending = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(root, "visit_pending"));
	ret->visit_reboots = (uint32_t)number(root, "visit_reboots");
	read_once(cJSON_GetObjectItemCaseSensitive(root, "once"), ret);
	cJSON_Delete(root);
}

static void add_attempt(cJSON *root, const struct agent_attempt *t)
{
	char hex[LB_SHA256_HEX];
	cJSON *obj = cJSON_AddObjectToObject(root, "attempt");

	lb_hex_encode(hex, t->manifest, sizeof(t->manifest));
	cJSON_AddStringToObject(obj, "manifest", hex);
	cJSON_AddNumberToObject(obj, "release", (double)t->release);
	cJSON_AddNumberToObject(obj, "failures", t->failures);
	cJSON_AddNumberToObject(obj, "not_before", (double)t->not_before_s);
	cJSON_AddBoolToObject(obj, "pending", t->pending);
	cJSON_AddBoolToObject(obj, "reboot_wanted", t->reboot_wanted);
	cJSON_AddNumberToObject(obj, "reboots", t->reboots);
	cJSON_AddStringToObject(obj, "deployment", t->deployment);
}

int agent_memory_save(const struct agent *a, const struct agent_memory *m, struct lb_error *err)
{
	cJSON *root = cJSON_CreateObject();
	int rc;

	cJSON_AddStringToObject(root, "channel", m->channel_url);
	cJSON_AddNumberToObject(root, "sequence", (double)m->channel_sequence);
	cJSON_AddNumberToObject(root, "created", (double)m->channel_created_s);
	cJSON_AddStringToObject(root, "etag", m->etag);
	if (m->attempt.release)
		add_attempt(root, &m->attempt);
	add_visits(root, m);
	add_once(root, m);
	rc = save(a->set.state_dir, root, err);
	cJSON_Delete(root);
	return rc;
}

void agent_plain(char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s > '~')
			*s = '?';
}

static void set_outcome(struct agent_outcome *o, int64_t time_s, int code, uint64_t release,
			const char *sentence)
{
	memset(o, 0, sizeof(*o));
	o->time_s = time_s;
	o->release = release;
	snprintf(o->code, sizeof(o->code), "%s", lb_error_name(code));
	snprintf(o->text, sizeof(o->text), "%s", *sentence ? sentence : lb_error_meaning(code));
	agent_plain(o->text);
}

cJSON *agent_outcome_json(const struct agent_outcome *o)
{
	cJSON *obj;

	if (!o->time_s)
		return cJSON_CreateNull();
	obj = cJSON_CreateObject();
	cJSON_AddNumberToObject(obj, "time", (double)o->time_s);
	cJSON_AddStringToObject(obj, "code", o->code);
	cJSON_AddStringToObject(obj, "text", o->text);
	cJSON_AddNumberToObject(obj, "release", (double)o->release);
	return obj;
}

static void read_outcome(const cJSON *root, const char *name, struct agent_outcome *o)
{
	const cJSON *obj = cJSON_GetObjectItemCaseSensitive(root, name);

	if (!cJSON_IsObject(obj))
		return;
	o->time_s = (int64_t)number(obj, "time");
	o->release = number(obj, "release");
	take_text(obj, "code", o->code, sizeof(o->code));
	take_text(obj, "text", o->text, sizeof(o->text));
}

void agent_report_load(const struct agent *a, struct agent_report *ret)
{
	cJSON *root = load(a, a->set.run_dir);

	memset(ret, 0, sizeof(*ret));
	if (!root)
		return;
	read_outcome(root, "check", &ret->check);
	read_outcome(root, "install", &ret->install);
	read_outcome(root, "health", &ret->health);
	ret->next_check_s = (int64_t)number(root, "next_check");
	ret->pid = (int64_t)number(root, "pid");
	take_text(root, "activity", ret->activity, sizeof(ret->activity));
	cJSON_Delete(root);
}

void agent_report_save(const struct agent *a, const struct agent_report *r)
{
	cJSON *root = cJSON_CreateObject();
	struct lb_error err = { 0 };

	cJSON_AddItemToObject(root, "check", agent_outcome_json(&r->check));
	cJSON_AddItemToObject(root, "install", agent_outcome_json(&r->install));
	cJSON_AddItemToObject(root, "health", agent_outcome_json(&r->health));
	cJSON_AddNumberToObject(root, "next_check", (double)r->next_check_s);
	cJSON_AddNumberToObject(root, "pid", (double)r->pid);
	cJSON_AddStringToObject(root, "activity", r->activity);
	if (save(a->set.run_dir, root, &err))
		agent_error(a, "%s; `status` will not show the latest", err.text);
	cJSON_Delete(root);
}

void agent_report_note(const struct agent *a, enum agent_subject what, int64_t time_s, int code,
		       uint64_t release, const char *sentence)
{
	struct agent_report r;
	struct agent_outcome *of[] = {
		[AGENT_SUBJECT_CHECK] = &r.check,
		[AGENT_SUBJECT_INSTALL] = &r.install,
		[AGENT_SUBJECT_HEALTH] = &r.health,
	};

	agent_report_load(a, &r); /* the daemon may have written it meanwhile */
	set_outcome(of[what], time_s, code, release, sentence);
	agent_report_save(a, &r);
}
