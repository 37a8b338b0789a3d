// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * JSON records. Names and defaults are those of docs/SPEC.md, "Records": a field
 * that is absent has its default, an unknown one is ignored, so that fields can
 * be added; what an older program must not misread gets a new record version.
 */
#include "state/records.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/json.h"

#define JSON_MAX_BYTES (24u * 1024u) /* a certificate of LB_CA_MAX bytes with every byte escaped fits */
#define EXACT_MAX ((UINT64_C(1) << 53) - 1)

static const char *const state_names[LB_STATE_COUNT] = {
	[LB_STATE_CONFIRMED] = "confirmed",
	[LB_STATE_REQUESTED] = "requested",
	[LB_STATE_UPDATING] = "updating",
	[LB_STATE_TRIAL] = "trial",
	[LB_STATE_RESCUE] = "rescue",
};

const char *lb_state_text(enum lb_state_name name)
{
	return name < LB_STATE_COUNT ? state_names[name] : "unknown";
}

/* ---- between log and JSON ---- */

static int load_json(struct lb_log *log, uint16_t type, const char *what, cJSON **ret,
		     struct lb_error *err)
{
	const struct lb_log_entry *e = lb_log_find(log, type);
	ptrdiff_t len;
	char *text;
	int r;

	if (!e)
		return -LB_E_NOT_FOUND;
	if (e->version != LB_LOG_VERSION)
		return lb_error_set(err, LB_E_FORMAT,
				    "the %s record has version %u, this program knows %u", what,
				    e->version, LB_LOG_VERSION);
	if (e->length > JSON_MAX_BYTES)
		return lb_error_set(err, LB_E_FORMAT, "the %s record has %u bytes, at most %u are known",
				    what, e->length, JSON_MAX_BYTES);
	text = malloc(e->length);
	if (!text)
		return lb_error_set(err, LB_E_NOMEM, "no memory for the %s record", what);
	len = lb_log_get(log, type, text, e->length);
	if (len < 0)
		r = lb_error_set(err, (int)-len, "the %s record could not be read", what);
	else
		r = lb_json_parse(text, (size_t)len, JSON_MAX_BYTES, what, ret, err);
	free(text);
	return r;
}

/* Takes @root over; NULL stands for "no memory". */
static int save_json(struct lb_log *log, uint16_t type, cJSON *root, struct lb_error *err)
{
	char *text = root ? cJSON_PrintUnformatted(root) : NULL;
	int r;

	cJSON_Delete(root);
	if (!text)
		return lb_error_set(err, LB_E_NOMEM, "no memory for a record");
	r = lb_log_put(log, type, text, strlen(text), err);
	cJSON_free(text);
	return r;
}

/* A reader that notes the first failure, so that a record is read line by line. */
struct reader {
	const cJSON *obj;
	struct lb_error *err;
	int failed;
};

static void note(struct reader *in, int r)
{
	if (!in->failed && r != -LB_E_NOT_FOUND)
		in->failed = r;
}

static void read_u64(struct reader *in, const char *name, uint64_t *v)
{
	note(in, lb_json_u64(in->obj, name, v, in->err));
}

static void read_u32(struct reader *in, const char *name, uint32_t *v)
{
	uint64_t wide = *v;

	read_u64(in, name, &wide);
	if (wide > UINT32_MAX)
		note(in, lb_error_set(in->err, LB_E_FORMAT, "\"%s\" is too large", name));
	*v = (uint32_t)wide;
}

static void read_time(struct reader *in, const char *name, int64_t *v)
{
	uint64_t seconds = 0;

	read_u64(in, name, &seconds);
	*v = (int64_t)seconds;
}

static void read_bool(struct reader *in, const char *name, bool *v)
{
	note(in, lb_json_bool(in->obj, name, v, in->err));
}

static void read_str(struct reader *in, const char *name, char *v, size_t size)
{
	note(in, lb_json_str(in->obj, name, v, size, in->err));
}

static void read_digest(struct reader *in, const char *name, uint8_t v[LB_SHA256_BYTES])
{
	note(in, lb_json_hex(in->obj, name, v, LB_SHA256_BYTES, in->err));
}

static int bad_text(const char *name, struct lb_error *err)
{
	return lb_error_set(err, LB_E_INVALID, "\"%s\" contains characters that cannot be stored",
			    name);
}

static bool printable(const char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s > '~')
			return false;
	return true;
}

/* False on no memory. Defaults are left out. */
static bool add_u64(cJSON *obj, const char *name, uint64_t v)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRIu64, v > EXACT_MAX ? EXACT_MAX : v);
	return !v || cJSON_AddRawToObject(obj, name, digits);
}

static bool add_time(cJSON *obj, const char *name, int64_t v)
{
	return v < 0 || add_u64(obj, name, (uint64_t)v);
}

static bool add_bool(cJSON *obj, const char *name, bool v)
{
	return !v || cJSON_AddTrueToObject(obj, name);
}

static bool add_str(cJSON *obj, const char *name, const char *v)
{
	return !*v || cJSON_AddStringToObject(obj, name, v);
}

static bool add_digest(cJSON *obj, const char *name, const uint8_t v[LB_SHA256_BYTES])
{
	char hex[LB_SHA256_HEX];

	if (lb_bytes_all_zero(v, LB_SHA256_BYTES))
		return true;
	lb_hex_encode(hex, v, LB_SHA256_BYTES);
	return cJSON_AddStringToObject(obj, name, hex);
}

/* @obj when everything was added, else NULL and @obj is freed. */
static cJSON *complete(cJSON *obj, bool ok)
{
	if (ok)
		return obj;
	cJSON_Delete(obj);
	return NULL;
}

/* ---- state ---- */

int lb_state_load(struct lb_log *log, struct lb_state *ret, struct lb_error *err)
{
	struct lb_state s = { .name = LB_STATE_COUNT };
	struct reader in = { .err = err };
	char name[16] = "";
	cJSON *root;
	int r = load_json(log, LB_REC_STATE, "state", &root, err);

	if (r)
		return r;
	in.obj = root;
	read_str(&in, "state", name, sizeof(name));
	read_u64(&in, "release", &s.release);
	read_digest(&in, "manifest", s.manifest);
	cJSON_Delete(root);
	if (in.failed)
		return in.failed;
	for (int i = 0; i < LB_STATE_COUNT; i++)
		if (!strcmp(name, state_names[i]))
			s.name = (enum lb_state_name)i;
	if (s.name == LB_STATE_COUNT)
		return lb_error_set(err, LB_E_FORMAT, "the state record names no known state");
	*ret = s;
	return 0;
}

int lb_state_save(struct lb_log *log, const struct lb_state *s, struct lb_error *err)
{
	cJSON *obj;

	if (s->name >= LB_STATE_COUNT)
		return lb_error_set(err, LB_E_INVALID, "there is no state %d", (int)s->name);
	obj = cJSON_CreateObject();
	return save_json(log, LB_REC_STATE,
			 complete(obj, obj && add_str(obj, "state", state_names[s->name]) &&
					       add_u64(obj, "release", s->release) &&
					       add_digest(obj, "manifest", s->manifest)),
			 err);
}

/* ---- request ---- */

static void read_urls(struct reader *in, char urls[LB_URLS_MAX][LB_URL_MAX + 1], uint32_t *count)
{
	const cJSON *list = NULL, *item;

	note(in, lb_json_array(in->obj, "urls", &list, in->err));
	cJSON_ArrayForEach(item, list) {
		if (*count == LB_URLS_MAX) {
			note(in, lb_error_set(in->err, LB_E_FORMAT,
					      "\"urls\" has more than %d entries", LB_URLS_MAX));
			return;
		}
		note(in, lb_json_str_of(item, "urls", urls[*count], LB_URL_MAX + 1, in->err));
		++*count;
	}
}

static bool add_urls(cJSON *obj, const struct lb_request *q)
{
	cJSON *list;

	if (!q->url_count)
		return true;
	list = cJSON_AddArrayToObject(obj, "urls");
	for (uint32_t i = 0; list && i < q->url_count; i++) {
		cJSON *url = cJSON_CreateString(q->urls[i]);

		if (!cJSON_AddItemToArray(list, url)) {
			cJSON_Delete(url);
			return false;
		}
	}
	return list != NULL;
}

int lb_request_load(struct lb_log *log, struct lb_request *ret, struct lb_error *err)
{
	struct lb_request q = { 0 };
	struct reader in = { .err = err };
	cJSON *root;
	int r = load_json(log, LB_REC_REQUEST, "request", &root, err);

	if (r)
		return r;
	in.obj = root;
	read_bool(&in, "recovery_only", &q.recovery_only);
	read_urls(&in, q.urls, &q.url_count);
	read_digest(&in, "manifest", q.manifest);
	read_u64(&in, "release", &q.release);
	read_u64(&in, "budget_bytes", &q.budget_bytes);
	read_time(&in, "time", &q.time_s);
	read_str(&in, "deployment", q.deployment, sizeof(q.deployment));
	read_str(&in, "header", q.header, sizeof(q.header));
	cJSON_Delete(root);
	if (!in.failed)
		*ret = q;
	return in.failed;
}

int lb_request_save(struct lb_log *log, const struct lb_request *q, struct lb_error *err)
{
	cJSON *obj;

	if (q->url_count > LB_URLS_MAX)
		return lb_error_set(err, LB_E_INVALID, "a request has at most %d URLs", LB_URLS_MAX);
	for (uint32_t i = 0; i < q->url_count; i++)
		if (!printable(q->urls[i]))
			return bad_text("urls", err);
	if (!printable(q->deployment))
		return bad_text("deployment", err);
	if (!printable(q->header))
		return bad_text("header", err);

	obj = cJSON_CreateObject();
	return save_json(log, LB_REC_REQUEST,
			 complete(obj, obj && add_bool(obj, "recovery_only", q->recovery_only) &&
					       add_urls(obj, q) &&
					       add_digest(obj, "manifest", q->manifest) &&
					       add_u64(obj, "release", q->release) &&
					       add_u64(obj, "budget_bytes", q->budget_bytes) &&
					       add_time(obj, "time", q->time_s) &&
					       add_str(obj, "deployment", q->deployment) &&
					       add_str(obj, "header", q->header)),
			 err);
}

int lb_request_drop(struct lb_log *log, struct lb_error *err)
{
	int r = lb_log_put(log, LB_REC_REQUEST, NULL, 0, err);

	return r ? r : lb_log_compact(log, err);
}

/* ---- progress and result ---- */

int lb_progress_load(struct lb_log *log, struct lb_progress *ret, struct lb_error *err)
{
	struct lb_progress p = { 0 };
	struct reader in = { .err = err };
	cJSON *root;
	int r = load_json(log, LB_REC_PROGRESS, "progress", &root, err);

	if (r)
		return r;
	in.obj = root;
	read_digest(&in, "manifest", p.manifest);
	read_u64(&in, "total_bytes", &p.total_bytes);
	read_u64(&in, "done_bytes", &p.done_bytes);
	read_u64(&in, "fetched_bytes", &p.fetched_bytes);
	read_u64(&in, "written_bytes", &p.written_bytes);
	read_u32(&in, "power_cycles", &p.power_cycles);
	cJSON_Delete(root);
	if (!in.failed)
		*ret = p;
	return in.failed;
}

int lb_progress_save(struct lb_log *log, const struct lb_progress *p, struct lb_error *err)
{
	cJSON *obj = cJSON_CreateObject();

	return save_json(log, LB_REC_PROGRESS,
			 complete(obj, obj && add_digest(obj, "manifest", p->manifest) &&
					       add_u64(obj, "total_bytes", p->total_bytes) &&
					       add_u64(obj, "done_bytes", p->done_bytes) &&
					       add_u64(obj, "fetched_bytes", p->fetched_bytes) &&
					       add_u64(obj, "written_bytes", p->written_bytes) &&
					       add_u64(obj, "power_cycles", p->power_cycles)),
			 err);
}

int lb_result_load(struct lb_log *log, struct lb_result *ret, struct lb_error *err)
{
	struct lb_result v = { 0 };
	struct reader in = { .err = err };
	cJSON *root;
	int r = load_json(log, LB_REC_RESULT, "result", &root, err);

	if (r)
		return r;
	in.obj = root;
	read_str(&in, "code", v.code, sizeof(v.code));
	read_str(&in, "text", v.text, sizeof(v.text));
	read_str(&in, "deployment", v.deployment, sizeof(v.deployment));
	read_u64(&in, "release", &v.release);
	read_bool(&in, "main_changed", &v.main_changed);
	read_u64(&in, "fetched_bytes", &v.fetched_bytes);
	read_u64(&in, "written_bytes", &v.written_bytes);
	read_u64(&in, "skipped_bytes", &v.skipped_bytes);
	read_u32(&in, "seconds", &v.seconds);
	read_u32(&in, "power_cycles", &v.power_cycles);
	read_time(&in, "time", &v.time_s);
	cJSON_Delete(root);
	if (!in.failed)
		*ret = v;
	return in.failed;
}

static void make_printable(char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s > '~')
			*s = '?';
}

int lb_result_save(struct lb_log *log, const struct lb_result *result, struct lb_error *err)
{
	cJSON *obj = cJSON_CreateObject();
	struct lb_result v = *result;

	make_printable(v.code);
	make_printable(v.text);
	make_printable(v.deployment);
	return save_json(log, LB_REC_RESULT,
			 complete(obj, obj && add_str(obj, "code", v.code) &&
					       add_str(obj, "text", v.text) &&
					       add_str(obj, "deployment", v.deployment) &&
					       add_u64(obj, "release", v.release) &&
					       add_bool(obj, "main_changed", v.main_changed) &&
					       add_u64(obj, "fetched_bytes", v.fetched_bytes) &&
					       add_u64(obj, "written_bytes", v.written_bytes) &&
					       add_u64(obj, "skipped_bytes", v.skipped_bytes) &&
					       add_u64(obj, "seconds", v.seconds) &&
					       add_u64(obj, "power_cycles", v.power_cycles) &&
					       add_time(obj, "time", v.time_s)),
			 err);
}

/* ---- network ---- */

static bool pem_text(const char *s)
{
	for (; *s; s++)
		if ((*s < ' ' || *s > '~') && *s != '\n' && *s != '\r' && *s != '\t')
			return false;
	return true;
}

/* The one text with line ends in it, which lb_json_str() refuses. */
static void read_pem(struct reader *in, const char *name, char *v, size_t size)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(in->obj, name);

	if (!item)
		return;
	if (!cJSON_IsString(item) || strlen(item->valuestring) >= size ||
	    !pem_text(item->valuestring)) {
		note(in, lb_error_set(in->err, LB_E_FORMAT, "\"%s\" is not PEM text", name));
		return;
	}
	memcpy(v, item->valuestring, strlen(item->valuestring) + 1);
}

int lb_network_load(struct lb_log *log, struct lb_network *ret, struct lb_error *err)
{
	struct lb_network n = { 0 };
	struct reader in = { .err = err };
	cJSON *root;
	int r = load_json(log, LB_REC_NETWORK, "network", &root, err);

	if (r)
		return r;
	in.obj = root;
	read_pem(&in, "ca_pem", n.ca_pem, sizeof(n.ca_pem));
	read_str(&in, "address", n.address, sizeof(n.address));
	read_str(&in, "gateway", n.gateway, sizeof(n.gateway));
	read_str(&in, "dns", n.dns, sizeof(n.dns));
	cJSON_Delete(root);
	if (!in.failed)
		*ret = n;
	return in.failed;
}

int lb_network_save(struct lb_log *log, const struct lb_network *n, struct lb_error *err)
{
	cJSON *obj;

	if (!pem_text(n->ca_pem))
		return bad_text("ca_pem", err);
	if (!printable(n->address) || !printable(n->gateway) || !printable(n->dns))
		return bad_text("address", err);
	obj = cJSON_CreateObject();
	return save_json(log, LB_REC_NETWORK,
			 complete(obj, obj && add_str(obj, "ca_pem", n->ca_pem) &&
					       add_str(obj, "address", n->address) &&
					       add_str(obj, "gateway", n->gateway) &&
					       add_str(obj, "dns", n->dns)),
			 err);
}

/* ---- floors ---- */

static int load_number(struct lb_log *log, uint16_t type, const char *what, const char *name,
		       uint64_t *ret, struct lb_error *err)
{
	uint64_t v = 0;
	cJSON *root;
	int r = load_json(log, type, what, &root, err);

	if (r == -LB_E_NOT_FOUND) {
		*ret = 0;
		return 0;
	}
	if (r)
		return r;
	r = lb_json_need(lb_json_u64(root, name, &v, err), name, err);
	cJSON_Delete(root);
	if (!r)
		*ret = v;
	return r;
}

static int save_number(struct lb_log *log, uint16_t type, const char *name, uint64_t v,
		       struct lb_error *err)
{
	cJSON *obj = cJSON_CreateObject();
	char digits[24];

	if (v > EXACT_MAX) {
		cJSON_Delete(obj);
		return lb_error_set(err, LB_E_INVALID, "\"%s\" is larger than 2^53 - 1", name);
	}
	snprintf(digits, sizeof(digits), "%" PRIu64, v);
	return save_json(log, type, complete(obj, obj && cJSON_AddRawToObject(obj, name, digits)),
			 err);
}

int lb_floor_load(struct lb_log *log, uint64_t *ret, struct lb_error *err)
{
	return load_number(log, LB_REC_FLOOR, "floor", "release", ret, err);
}

int lb_floor_save(struct lb_log *log, uint64_t release, struct lb_error *err)
{
	return save_number(log, LB_REC_FLOOR, "release", release, err);
}

int lb_clock_floor_load(struct lb_log *log, int64_t *ret, struct lb_error *err)
{
	uint64_t seconds;
	int r = load_number(log, LB_REC_CLOCK, "clock", "time", &seconds, err);

	if (!r)
		*ret = (int64_t)seconds;
	return r;
}

int lb_clock_floor_save(struct lb_log *log, int64_t seconds, struct lb_error *err)
{
	return save_number(log, LB_REC_CLOCK, "time", seconds < 0 ? 0 : (uint64_t)seconds, err);
}
