// SPDX-License-Identifier: GPL-2.0-or-later
#include "settings.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/json.h"

enum kind { NUMBER, FLAG, TEXT, PATH };

/* One row per setting: its place, bounds and default. */
struct row {
	const char *name;
	enum kind kind;
	size_t offset, size;
	uint64_t least, most, preset;
	const char *text;
};

#define AT(m) offsetof(struct agent_settings, m), sizeof(((struct agent_settings *)0)->m)
#define WEEK (7 * 86400u)
#define NUM(n, m, lo, hi, def) { n, NUMBER, AT(m), lo, hi, def, NULL }
#define YES(n, m) { n, FLAG, AT(m), 0, 1, 1, NULL }
#define STR(n, m, def) { n, TEXT, AT(m), 0, 0, 0, def }
#define DIR(n, m, def) { n, PATH, AT(m), 0, 0, 0, def }

static const struct row rows[] = {
	STR("channel", channel, ""),
	NUM("interval", interval_s, 1, WEEK, 3600),
	NUM("jitter", jitter_s, 0, WEEK, 60),
	NUM("retry_min", retry_min_s, 1, WEEK, 30),
	NUM("retry_max", retry_max_s, 1, WEEK, 3600),
	NUM("refusal_min", refusal_min_s, 1, WEEK, 3600),
	NUM("refusal_max", refusal_max_s, 1, 4 * WEEK, 86400),
	NUM("connect_timeout", connect_s, 1, 600, 15),
	NUM("stall_timeout", stall_s, 1, 600, 30),
	YES("auto_install", auto_install),
	YES("trust_clock", trust_clock),
	YES("require_remedy", require_remedy),
	YES("recovery_requests", recovery_requests),
	STR("serial", serial, ""),
	DIR("serial_file", serial_file, "/sys/firmware/devicetree/base/serial-number"),
	NUM("budget", budget_bytes, 0, (uint64_t)1 << 53, 0),
	NUM("recovery_release", recovery_release, 1, UINT32_MAX, UINT32_MAX),
	DIR("state_dir", state_dir, "/data/lifeboat"),
	DIR("run_dir", run_dir, "/run/lifeboat"),
	DIR("release_file", release_file, "/etc/lifeboat-release"),
	DIR("header_file", header_file, ""),
	DIR("handover_dir", handover_dir, ""),
	DIR("recovery_dir", recovery_dir, ""),
	DIR("health_dir", health_dir, "/etc/lifeboat/health.d"),
	NUM("health_timeout", health_timeout_s, 1, 86400, 60),
	NUM("health_total", health_total_s, 1, 86400, 300),
	NUM("health_retry", health_retry_s, 1, 86400, 60),
	YES("reboot_on_failure", reboot_on_failure),
	NUM("failure_delay", failure_delay_s, 0, 86400, 10),
	STR("address", network.address, ""),
	STR("gateway", network.gateway, ""),
	STR("dns", network.dns, ""),
};

static int fail(const struct agent_settings *s, const char *name, int code, const char *why,
		struct lb_error *err)
{
	char field[80];

	snprintf(field, sizeof(field), "agent.%.60s", name);
	if (err && why)
		snprintf(err->text, sizeof(err->text), "%s", why);
	return lb_config_fail(s->file, field, code, err);
}

static int read_number(struct agent_settings *s, const cJSON *obj, const struct row *r,
		       struct lb_error *err)
{
	uint64_t value = r->preset;
	char why[96];
	int rc = lb_json_u64(obj, r->name, &value, err);

	if (rc && rc != -LB_E_NOT_FOUND)
		return fail(s, r->name, rc, NULL, err);
	if (value < r->least || value > r->most) {
		snprintf(why, sizeof(why), "is not between %llu and %llu",
			 (unsigned long long)r->least, (unsigned long long)r->most);
		return fail(s, r->name, -LB_E_FORMAT, why, err);
	}
	memcpy((char *)s + r->offset, &value, sizeof(value));
	return 0;
}

static int read_row(struct agent_settings *s, const cJSON *obj, const struct row *r,
		    struct lb_error *err)
{
	char *place = (char *)s + r->offset;
	bool flag = r->preset;
	int rc;

	if (r->kind == NUMBER)
		return read_number(s, obj, r, err);
	if (r->kind == FLAG) {
		rc = lb_json_bool(obj, r->name, &flag, err);
		if (rc && rc != -LB_E_NOT_FOUND)
			return fail(s, r->name, rc, NULL, err);
		memcpy(place, &flag, sizeof(flag));
		return 0;
	}
	rc = lb_json_str(obj, r->name, place, r->size, err);
	if (rc == -LB_E_NOT_FOUND)
		snprintf(place, r->size, "%s", r->text);
	else if (rc)
		return fail(s, r->name, rc, NULL, err);
	if (r->kind == PATH && *place && *place != '/')
		return fail(s, r->name, -LB_E_FORMAT, "is no absolute path", err);
	return 0;
}

/* "reboot": a command as a list of words, or "none". */
static int read_reboot(struct agent_settings *s, const cJSON *obj, struct lb_error *err)
{
	const cJSON *item, *list = cJSON_GetObjectItemCaseSensitive(obj, "reboot");

	if (!list) {
		snprintf(s->reboot[0], sizeof(s->reboot[0]), "/sbin/reboot");
		s->reboot_count = 1;
		return 0;
	}
	if (cJSON_IsString(list) && !strcmp(list->valuestring, "none"))
		return 0;
	if (!cJSON_IsArray(list) || !list->child)
		return fail(s, "reboot", -LB_E_FORMAT, "is neither a list of words nor \"none\"",
			    err);
	cJSON_ArrayForEach(item, list) {
		if (s->reboot_count == AGENT_ARGV_MAX)
			return fail(s, "reboot", -LB_E_FORMAT, "has more than 8 words", err);
		if (!cJSON_IsString(item) || strlen(item->valuestring) >= sizeof(s->reboot[0]))
			return fail(s, "reboot", -LB_E_FORMAT,
				    "holds something else than words of at most 127 characters", err);
		snprintf(s->reboot[s->reboot_count++], sizeof(s->reboot[0]), "%s",
			 item->valuestring);
	}
	if (s->reboot[0][0] != '/')
		return fail(s, "reboot", -LB_E_FORMAT, "does not begin with an absolute path", err);
	return 0;
}

static int check_names(const struct agent_settings *s, const cJSON *obj, struct lb_error *err)
{
	const char *names[LB_ARRAY_LEN(rows) + 2], *unknown;
	size_t n;

	for (n = 0; n < LB_ARRAY_LEN(rows); n++)
		names[n] = rows[n].name;
	names[n++] = "reboot";
	names[n] = NULL;
	if (lb_config_known(obj, names, &unknown))
		return 0;
	return fail(s, unknown, -LB_E_FORMAT, "is not known", err);
}

static int read_section(struct agent_settings *s, const cJSON *root, struct lb_error *err)
{
	static const cJSON empty = { .type = cJSON_Object };
	const cJSON *obj = cJSON_GetObjectItemCaseSensitive(root, "agent");
	int rc;

	if (!obj)
		obj = &empty;
	if (!cJSON_IsObject(obj))
		return lb_error_set(err, LB_E_FORMAT, "%.150s: agent: is no object", s->file);
	rc = check_names(s, obj, err);
	for (size_t i = 0; !rc && i < LB_ARRAY_LEN(rows); i++)
		rc = read_row(s, obj, &rows[i], err);
	if (!rc)
		rc = read_reboot(s, obj, err);
	if (!rc && *s->serial && !lb_serial_valid(s->serial))
		rc = fail(s, "serial", -LB_E_FORMAT, "holds something else than letters, digits and ._:-",
			  err);
	if (!rc && !*s->handover_dir != !*s->recovery_dir)
		rc = fail(s, *s->handover_dir ? "recovery_dir" : "handover_dir", -LB_E_FORMAT,
			  "is missing: one folder as main and as recovery see it", err);
	return rc;
}

int agent_settings_load(const char *file, struct agent_settings *ret, struct lb_error *err)
{
	struct agent_settings *s = calloc(1, sizeof(*s));
	cJSON *root = NULL;
	int rc;

	if (!s)
		return lb_error_set(err, LB_E_NOMEM, "no memory for the settings");
	s->file = file;
	rc = lb_config_load(file, &s->config, &root, err);
	if (!rc)
		rc = read_section(s, root, err);
	if (!rc)
		*ret = *s;
	cJSON_Delete(root);
	free(s);
	return rc;
}
