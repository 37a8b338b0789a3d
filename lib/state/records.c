// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * JSON records. Names and defaults are those of docs/SPEC.md, "Records": a field
 * that is absent has its default, an unknown one is ignored, so that fields can
 * be added; what an older program must not misread gets a new record version.
 */
#include "state/records.h"

#include <string.h>

#include "base/bytes.h"
#include "base/json.h"
#include "state/record_json.h"

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

/* ---- state ---- */

int lb_state_load(struct lb_log *log, struct lb_state *ret, struct lb_error *err)
{
	struct lb_state s = { .name = LB_STATE_COUNT };
	struct lb_record_reader in = { .err = err };
	char name[16] = "";
	cJSON *root;
	int r = lb_record_load(log, LB_REC_STATE, "state", &root, err);

	if (r)
		return r;
	in.obj = root;
	lb_record_read_str(&in, "state", name, sizeof(name));
	lb_record_read_u64(&in, "release", &s.release);
	lb_record_read_digest(&in, "manifest", s.manifest);
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
	struct lb_record_writer out;

	if (s->name >= LB_STATE_COUNT)
		return lb_error_set(err, LB_E_INVALID, "there is no state %d", (int)s->name);
	lb_record_begin(&out);
	lb_record_add_str(&out, "state", state_names[s->name]);
	lb_record_add_u64(&out, "release", s->release);
	lb_record_add_digest(&out, "manifest", s->manifest);
	return lb_record_save(log, LB_REC_STATE, &out, err);
}

/* ---- request ---- */

static void read_urls(struct lb_record_reader *in, char (*urls)[LB_URL_MAX + 1], uint32_t *count)
{
	const cJSON *list = NULL, *item;

	lb_record_note(in, lb_json_array(in->obj, "urls", &list, in->err));
	cJSON_ArrayForEach(item, list) {
		if (*count == LB_URLS_MAX) {
			lb_record_note(in, lb_error_set(in->err, LB_E_FORMAT,
					      "\"urls\" has more than %d entries", LB_URLS_MAX));
			return;
		}
		lb_record_note(in, lb_json_str_of(item, "urls", urls[*count], LB_URL_MAX + 1,
						  in->err));
		++*count;
	}
}

static void add_urls(struct lb_record_writer *out, const struct lb_request *q)
{
	cJSON *list;

	if (!q->url_count || !out->obj)
		return;
	list = cJSON_AddArrayToObject(out->obj, "urls");
	for (uint32_t i = 0; list && i < q->url_count; i++) {
		cJSON *url = cJSON_CreateString(q->urls[i]);

		if (!cJSON_AddItemToArray(list, url)) {
			cJSON_Delete(url);
			list = NULL;
		}
	}
	out->failed = out->failed || !list;
}

int lb_request_load(struct lb_log *log, struct lb_request *ret, struct lb_error *err)
{
	struct lb_request q = { 0 };
	struct lb_record_reader in = { .err = err };
	cJSON *root;
	int r = lb_record_load(log, LB_REC_REQUEST, "request", &root, err);

	if (r)
		return r;
	in.obj = root;
	lb_record_read_bool(&in, "recovery_only", &q.recovery_only);
	read_urls(&in, q.urls, &q.url_count);
	lb_record_read_digest(&in, "manifest", q.manifest);
	lb_record_read_u64(&in, "release", &q.release);
	lb_record_read_u64(&in, "budget_bytes", &q.budget_bytes);
	lb_record_read_time(&in, "time", &q.time_s);
	lb_record_read_str(&in, "deployment", q.deployment, sizeof(q.deployment));
	lb_record_read_str(&in, "header", q.header, sizeof(q.header));
	cJSON_Delete(root);
	if (!in.failed)
		*ret = q;
	return in.failed;
}

int lb_request_save(struct lb_log *log, const struct lb_request *q, struct lb_error *err)
{
	struct lb_record_writer out;

	if (q->url_count > LB_URLS_MAX)
		return lb_error_set(err, LB_E_INVALID, "a request has at most %d URLs",
				    LB_URLS_MAX);
	for (uint32_t i = 0; i < q->url_count; i++)
		if (!lb_record_printable(q->urls[i]))
			return lb_record_bad_text("urls", err);
	if (!lb_record_printable(q->deployment))
		return lb_record_bad_text("deployment", err);
	if (!lb_record_printable(q->header))
		return lb_record_bad_text("header", err);

	lb_record_begin(&out);
	lb_record_add_bool(&out, "recovery_only", q->recovery_only);
	add_urls(&out, q);
	lb_record_add_digest(&out, "manifest", q->manifest);
	lb_record_add_u64(&out, "release", q->release);
	lb_record_add_u64(&out, "budget_bytes", q->budget_bytes);
	lb_record_add_time(&out, "time", q->time_s);
	lb_record_add_str(&out, "deployment", q->deployment);
	lb_record_add_str(&out, "header", q->header);
	return lb_record_save(log, LB_REC_REQUEST, &out, err);
}

int lb_request_drop(struct lb_log *log, struct lb_error *err)
{
	int r = lb_log_put(log, LB_REC_REQUEST, NULL, 0, err);

	if (r)
		return r;
	/* it is deleted: a worn block that keeps its bytes must not undo what was decided */
	r = lb_log_compact(log, err);
	return r == -LB_E_IO ? 0 : r;
}

/* ---- progress and result ---- */

int lb_progress_load(struct lb_log *log, struct lb_progress *ret, struct lb_error *err)
{
	struct lb_progress p = { 0 };
	struct lb_record_reader in = { .err = err };
	cJSON *root;
	int r = lb_record_load(log, LB_REC_PROGRESS, "progress", &root, err);

	if (r)
		return r;
	in.obj = root;
	lb_record_read_digest(&in, "manifest", p.manifest);
	lb_record_read_u64(&in, "total_bytes", &p.total_bytes);
	lb_record_read_u64(&in, "done_bytes", &p.done_bytes);
	lb_record_read_u64(&in, "fetched_bytes", &p.fetched_bytes);
	lb_record_read_u64(&in, "written_bytes", &p.written_bytes);
	lb_record_read_u64(&in, "copied_bytes", &p.copied_bytes);
	lb_record_read_u32(&in, "ranges", &p.ranges);
	lb_record_read_u32(&in, "power_cycles", &p.power_cycles);
	cJSON_Delete(root);
	if (!in.failed)
		*ret = p;
	return in.failed;
}

int lb_progress_save(struct lb_log *log, const struct lb_progress *p, struct lb_error *err)
{
	struct lb_record_writer out;

	lb_record_begin(&out);
	lb_record_add_digest(&out, "manifest", p->manifest);
	lb_record_add_u64(&out, "total_bytes", p->total_bytes);
	lb_record_add_u64(&out, "done_bytes", p->done_bytes);
	lb_record_add_u64(&out, "fetched_bytes", p->fetched_bytes);
	lb_record_add_u64(&out, "written_bytes", p->written_bytes);
	lb_record_add_u64(&out, "copied_bytes", p->copied_bytes);
	lb_record_add_u64(&out, "ranges", p->ranges);
	lb_record_add_u64(&out, "power_cycles", p->power_cycles);
	return lb_record_save(log, LB_REC_PROGRESS, &out, err);
}

int lb_self_update_load(struct lb_log *log, struct lb_self_update *ret, struct lb_error *err)
{
	struct lb_self_update v = { 0 };
	struct lb_record_reader in = { .err = err };
	char copy[2] = "";
	cJSON *root;
	int r = lb_record_load(log, LB_REC_SELF_UPDATE, "self-update", &root, err);

	if (r)
		return r;
	in.obj = root;
	lb_record_read_digest(&in, "image", v.image);
	lb_record_read_u32(&in, "tries", &v.tries);
	lb_record_read_str(&in, "copy", copy, sizeof(copy));
	v.copy = *copy == 'a' || *copy == 'b' ? *copy : 0;
	cJSON_Delete(root);
	if (!in.failed)
		*ret = v;
	return in.failed;
}

int lb_self_update_save(struct lb_log *log, const struct lb_self_update *v, struct lb_error *err)
{
	const char copy[2] = { v->copy, '\0' };
	struct lb_record_writer out;

	lb_record_begin(&out);
	lb_record_add_digest(&out, "image", v->image);
	lb_record_add_u64(&out, "tries", v->tries);
	lb_record_add_str(&out, "copy", copy);
	return lb_record_save(log, LB_REC_SELF_UPDATE, &out, err);
}

int lb_result_load(struct lb_log *log, struct lb_result *ret, struct lb_error *err)
{
	struct lb_result v = { 0 };
	struct lb_record_reader in = { .err = err };
	cJSON *root;
	int r = lb_record_load(log, LB_REC_RESULT, "result", &root, err);

	if (r)
		return r;
	in.obj = root;
	lb_record_read_str(&in, "code", v.code, sizeof(v.code));
	lb_record_read_str(&in, "text", v.text, sizeof(v.text));
	lb_record_read_str(&in, "deployment", v.deployment, sizeof(v.deployment));
	lb_record_read_u64(&in, "release", &v.release);
	lb_record_read_bool(&in, "main_changed", &v.main_changed);
	lb_record_read_u64(&in, "fetched_bytes", &v.fetched_bytes);
	lb_record_read_u64(&in, "written_bytes", &v.written_bytes);
	lb_record_read_u64(&in, "skipped_bytes", &v.skipped_bytes);
	lb_record_read_u64(&in, "copied_bytes", &v.copied_bytes);
	lb_record_read_u32(&in, "ranges", &v.ranges);
	lb_record_read_u32(&in, "seconds", &v.seconds);
	lb_record_read_u64(&in, "fetch_rate", &v.fetch_rate);
	lb_record_read_u64(&in, "write_rate", &v.write_rate);
	lb_record_read_u32(&in, "power_cycles", &v.power_cycles);
	lb_record_read_u32(&in, "plan_ms", &v.plan_ms);
	lb_record_read_u32(&in, "plan_cpu_ms", &v.plan_cpu_ms);
	lb_record_read_u32(&in, "install_ms", &v.install_ms);
	lb_record_read_u32(&in, "install_cpu_ms", &v.install_cpu_ms);
	lb_record_read_u32(&in, "readback_ms", &v.readback_ms);
	lb_record_read_u32(&in, "readback_cpu_ms", &v.readback_cpu_ms);
	lb_record_read_time(&in, "time", &v.time_s);
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
	struct lb_record_writer out;
	struct lb_result v = *result;

	make_printable(v.code);
	make_printable(v.text);
	make_printable(v.deployment);
	lb_record_begin(&out);
	lb_record_add_str(&out, "code", v.code);
	lb_record_add_str(&out, "text", v.text);
	lb_record_add_str(&out, "deployment", v.deployment);
	lb_record_add_u64(&out, "release", v.release);
	lb_record_add_bool(&out, "main_changed", v.main_changed);
	lb_record_add_u64(&out, "fetched_bytes", v.fetched_bytes);
	lb_record_add_u64(&out, "written_bytes", v.written_bytes);
	lb_record_add_u64(&out, "skipped_bytes", v.skipped_bytes);
	lb_record_add_u64(&out, "copied_bytes", v.copied_bytes);
	lb_record_add_u64(&out, "ranges", v.ranges);
	lb_record_add_u64(&out, "seconds", v.seconds);
	lb_record_add_u64(&out, "fetch_rate", v.fetch_rate);
	lb_record_add_u64(&out, "write_rate", v.write_rate);
	lb_record_add_u64(&out, "power_cycles", v.power_cycles);
	lb_record_add_u64(&out, "plan_ms", v.plan_ms);
	lb_record_add_u64(&out, "plan_cpu_ms", v.plan_cpu_ms);
	lb_record_add_u64(&out, "install_ms", v.install_ms);
	lb_record_add_u64(&out, "install_cpu_ms", v.install_cpu_ms);
	lb_record_add_u64(&out, "readback_ms", v.readback_ms);
	lb_record_add_u64(&out, "readback_cpu_ms", v.readback_cpu_ms);
	lb_record_add_time(&out, "time", v.time_s);
	return lb_record_save(log, LB_REC_RESULT, &out, err);
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
static void read_pem(struct lb_record_reader *in, const char *name, char *v, size_t size)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(in->obj, name);

	if (!item)
		return;
	if (!cJSON_IsString(item) || strlen(item->valuestring) >= size ||
	    !pem_text(item->valuestring)) {
		lb_record_note(in, lb_error_set(in->err, LB_E_FORMAT, "\"%s\" is not PEM text",
						name));
		return;
	}
	memcpy(v, item->valuestring, strlen(item->valuestring) + 1);
}

int lb_network_load(struct lb_log *log, struct lb_network *ret, struct lb_error *err)
{
	struct lb_network n = { 0 };
	struct lb_record_reader in = { .err = err };
	cJSON *root;
	int r = lb_record_load(log, LB_REC_NETWORK, "network", &root, err);

	if (r)
		return r;
	in.obj = root;
	read_pem(&in, "ca_pem", n.ca_pem, sizeof(n.ca_pem));
	lb_record_read_str(&in, "address", n.address, sizeof(n.address));
	lb_record_read_str(&in, "gateway", n.gateway, sizeof(n.gateway));
	lb_record_read_str(&in, "dns", n.dns, sizeof(n.dns));
	cJSON_Delete(root);
	if (!in.failed)
		*ret = n;
	return in.failed;
}

int lb_network_save(struct lb_log *log, const struct lb_network *n, struct lb_error *err)
{
	struct lb_record_writer out;

	if (!pem_text(n->ca_pem))
		return lb_record_bad_text("ca_pem", err);
	if (!lb_record_printable(n->address) || !lb_record_printable(n->gateway) ||
	    !lb_record_printable(n->dns))
		return lb_record_bad_text("address", err);
	lb_record_begin(&out);
	lb_record_add_str(&out, "ca_pem", n->ca_pem);
	lb_record_add_str(&out, "address", n->address);
	lb_record_add_str(&out, "gateway", n->gateway);
	lb_record_add_str(&out, "dns", n->dns);
	return lb_record_save(log, LB_REC_NETWORK, &out, err);
}

/* ---- floors ---- */

static int load_number(struct lb_log *log, uint16_t type, const char *what, const char *name,
		       uint64_t *ret, struct lb_error *err)
{
	uint64_t v = 0;
	cJSON *root;
	int r = lb_record_load(log, type, what, &root, err);

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
	struct lb_record_writer out;

	if (v > LB_RECORD_NUMBER_MAX)
		return lb_error_set(err, LB_E_INVALID, "\"%s\" is larger than 2^53 - 1", name);
	lb_record_begin(&out);
	lb_record_add_number(&out, name, v);
	return lb_record_save(log, type, &out, err);
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

int lb_reset_load(struct lb_log *log, bool *ret_pending, struct lb_error *err)
{
	uint64_t pending;
	int r = load_number(log, LB_REC_RESET, "reset", "pending", &pending, err);

	if (!r)
		*ret_pending = pending;
	return r;
}

int lb_reset_save(struct lb_log *log, bool pending, struct lb_error *err)
{
	return save_number(log, LB_REC_RESET, "pending", pending, err);
}
