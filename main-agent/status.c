// SPDX-License-Identifier: GPL-2.0-or-later
/* `status`: what the records, the boot environment and the daemon say. Only reads. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "bundle/url.h"
#include "device.h"
#include "files.h"
#include "memory.h"

#define WHEN_BYTES 40

static void add_number(cJSON *obj, const char *name, uint64_t v)
{
	cJSON_AddNumberToObject(obj, name, (double)v);
}

static cJSON *boot_json(const struct agent_device *d)
{
	static const char *const targets[] = {
		[LB_BOOT_LOST] = "lost", [LB_BOOT_MAIN] = "main", [LB_BOOT_RECOVERY] = "recovery",
	};
	const struct lb_boot_status *b = &d->boot_status;
	char slot[2] = { b->recovery_slot, '\0' };
	cJSON *obj = cJSON_CreateObject();

	cJSON_AddStringToObject(obj, "next", targets[b->target]);
	cJSON_AddBoolToObject(obj, "trial", b->trial);
	add_number(obj, "count", b->main_boots);
	cJSON_AddStringToObject(obj, "recovery_slot", slot);
	add_number(obj, "recovery_count", b->recovery_boots);
	cJSON_AddBoolToObject(obj, "environment_lost", b->lost);
	return obj;
}

static cJSON *result_json(struct agent_device *d)
{
	struct lb_result r;
	cJSON *obj;

	if (!d->log.blk || lb_result_load(&d->log, &r, NULL))
		return cJSON_CreateNull();
	obj = cJSON_CreateObject();
	cJSON_AddStringToObject(obj, "code", r.code);
	cJSON_AddStringToObject(obj, "text", r.text);
	cJSON_AddStringToObject(obj, "deployment", r.deployment);
	add_number(obj, "release", r.release);
	cJSON_AddBoolToObject(obj, "main_changed", r.main_changed);
	add_number(obj, "fetched_bytes", r.fetched_bytes);
	add_number(obj, "written_bytes", r.written_bytes);
	add_number(obj, "skipped_bytes", r.skipped_bytes);
	add_number(obj, "copied_bytes", r.copied_bytes);
	add_number(obj, "ranges", r.ranges);
	add_number(obj, "seconds", r.seconds);
	add_number(obj, "fetch_rate", r.fetch_rate);
	add_number(obj, "write_rate", r.write_rate);
	add_number(obj, "power_cycles", r.power_cycles);
	add_number(obj, "plan_ms", r.plan_ms);
	add_number(obj, "plan_cpu_ms", r.plan_cpu_ms);
	add_number(obj, "install_ms", r.install_ms);
	add_number(obj, "install_cpu_ms", r.install_cpu_ms);
	add_number(obj, "readback_ms", r.readback_ms);
	add_number(obj, "readback_cpu_ms", r.readback_cpu_ms);
	add_number(obj, "time", (uint64_t)(r.time_s > 0 ? r.time_s : 0));
	return obj;
}

/* Where something can be had, as far as it may be shown. */
static void add_urls(cJSON *obj, const char (*urls)[LB_URL_MAX + 1], uint32_t count)
{
	cJSON *list = cJSON_AddArrayToObject(obj, "urls");
	char shown[LB_URL_MAX + 1];

	for (uint32_t i = 0; i < count; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(lb_url_shown(urls[i], shown,
									   sizeof(shown))));
}

static cJSON *request_json(struct agent_device *d)
{
	struct lb_request r;
	cJSON *obj;

	if (!d->log.blk || lb_request_load(&d->log, &r, NULL))
		return cJSON_CreateNull();
	obj = cJSON_CreateObject();
	cJSON_AddBoolToObject(obj, "recovery_only", r.recovery_only);
	add_number(obj, "release", r.release);
	cJSON_AddStringToObject(obj, "deployment", r.deployment);
	add_number(obj, "budget_bytes", r.budget_bytes);
	add_urls(obj, (const char (*)[LB_URL_MAX + 1])r.urls, r.url_count);
	return obj;
}

static cJSON *release_json(struct agent_device *d, uint16_t type)
{
	struct lb_release r = { 0 };
	cJSON *obj;

	if (!d->log.blk || lb_release_load(&d->log, type, &r, NULL))
		return cJSON_CreateNull();
	obj = cJSON_CreateObject();
	add_number(obj, "release", r.release);
	add_urls(obj, (const char (*)[LB_URL_MAX + 1])r.urls, r.url_count);
	lb_release_free(&r);
	return obj;
}

/* A daemon runs when it holds its lock, whatever the report file says. */
static bool daemon_runs(const struct agent *a)
{
	int fd = agent_lock(a, AGENT_LOCK_DAEMON, 0, NULL);

	if (fd >= 0)
		close(fd);
	return fd == -LB_E_BUSY;
}

static cJSON *daemon_json(const struct agent *a, const struct agent_report *r)
{
	bool runs = daemon_runs(a);
	cJSON *obj = cJSON_CreateObject();

	cJSON_AddBoolToObject(obj, "running", runs);
	cJSON_AddStringToObject(obj, "activity", runs ? r->activity : "");
	if (runs && r->next_check_s)
		add_number(obj, "next_check", (uint64_t)r->next_check_s);
	else
		cJSON_AddNullToObject(obj, "next_check");
	return obj;
}

static cJSON *backoff_json(const struct agent_memory *m)
{
	cJSON *obj;

	if (!m->attempt.release || !m->attempt.failures)
		return cJSON_CreateNull();
	obj = cJSON_CreateObject();
	add_number(obj, "release", m->attempt.release);
	add_number(obj, "failures", m->attempt.failures);
	add_number(obj, "not_before", (uint64_t)m->attempt.not_before_s);
	return obj;
}

static void add_log(const struct agent *a, struct agent_device *d, cJSON *answer)
{
	char *text;
	ptrdiff_t len;

	if (!a->opt.show_log || !d->log.blk)
		return;
	text = malloc(LB_LOG_RECORD_MAX + 1);
	len = text ? lb_log_get(&d->log, LB_REC_LOG, text, LB_LOG_RECORD_MAX) : -LB_E_NOMEM;
	if (len >= 0)
		text[len] = '\0';
	cJSON_AddStringToObject(answer, "log", len >= 0 ? text : "");
	free(text);
}

static void fill(struct agent *a, struct agent_device *d, cJSON *answer)
{
	struct agent_memory memory;
	struct agent_report report;
	cJSON *running = cJSON_AddObjectToObject(answer, "running");
	cJSON *hardware;

	agent_memory_load(a, &memory);
	agent_report_load(a, &report);
	add_number(running, "release", a->running.release);
	cJSON_AddStringToObject(running, "version", a->running.version);
	cJSON_AddStringToObject(answer, "product", a->device.product);
	hardware = cJSON_AddArrayToObject(answer, "hardware");
	for (uint32_t i = 0; i < a->device.hardware_count; i++)
		cJSON_AddItemToArray(hardware, cJSON_CreateString(a->device.hardware[i]));
	cJSON_AddStringToObject(answer, "state", lb_state_text(d->state.name));
	cJSON_AddBoolToObject(answer, "state_lost", d->state_lost || d->state_unknown);
	cJSON_AddBoolToObject(answer, "trial", d->state.name == LB_STATE_TRIAL);
	add_number(answer, "floor", d->floor);
	cJSON_AddItemToObject(answer, "boot", boot_json(d));
	cJSON_AddItemToObject(answer, "request", request_json(d));
	cJSON_AddItemToObject(answer, "confirmed", release_json(d, LB_REC_CONFIRMED));
	cJSON_AddItemToObject(answer, "previous", release_json(d, LB_REC_PREVIOUS));
	cJSON_AddItemToObject(answer, "result", result_json(d));
	cJSON_AddItemToObject(answer, "last_check", agent_outcome_json(&report.check));
	cJSON_AddItemToObject(answer, "last_install", agent_outcome_json(&report.install));
	cJSON_AddItemToObject(answer, "health", agent_outcome_json(&report.health));
	cJSON_AddItemToObject(answer, "backoff", backoff_json(&memory));
	cJSON_AddStringToObject(answer, "serial", a->serial);
	cJSON_AddItemToObject(answer, "recovery_request",
			      memory.visit_count ? agent_visit_json(&memory.visits[memory.visit_count - 1])
						 : cJSON_CreateNull());
	cJSON_AddItemToObject(answer, "daemon", daemon_json(a, &report));
	add_log(a, d, answer);
}

/* ---- for people -------------------------------------------------------- */

static const char *str(const cJSON *obj, const char *name)
{
	const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(obj, name));

	return s ? s : "";
}

static double num(const cJSON *obj, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(obj, name);

	return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static const char *when(const cJSON *obj, const char *name, char *buf)
{
	time_t t = (time_t)num(obj, name);
	struct tm tm;

	if (!t || !gmtime_r(&t, &tm) || !strftime(buf, WHEN_BYTES, "%Y-%m-%d %H:%M:%S UTC", &tm))
		snprintf(buf, WHEN_BYTES, "never");
	return buf;
}

static void print_outcome(const cJSON *answer, const char *name, const char *label)
{
	const cJSON *o = cJSON_GetObjectItemCaseSensitive(answer, name);
	char buf[WHEN_BYTES];

	if (cJSON_IsObject(o))
		printf("%-14s%s: %s (%s)\n", label, when(o, "time", buf), str(o, "text"),
		       str(o, "code"));
}

static void print_result(const cJSON *r)
{
	char buf[WHEN_BYTES];

	if (!cJSON_IsObject(r))
		return;
	printf("%-14s%s: %s (%s)\n", "last result", when(r, "time", buf), str(r, "text"),
	       str(r, "code"));
	printf("%-14sfetched %.0f bytes, wrote %.0f (copied %.0f of it), skipped %.0f, %.0f s, "
	       "%.0f power cycles\n", "",
	       num(r, "fetched_bytes"), num(r, "written_bytes"), num(r, "copied_bytes"),
	       num(r, "skipped_bytes"), num(r, "seconds"), num(r, "power_cycles"));
}

static void print_status(const cJSON *s)
{
	const cJSON *running = cJSON_GetObjectItemCaseSensitive(s, "running");
	const cJSON *boot = cJSON_GetObjectItemCaseSensitive(s, "boot");
	const cJSON *daemon = cJSON_GetObjectItemCaseSensitive(s, "daemon");
	const cJSON *backoff = cJSON_GetObjectItemCaseSensitive(s, "backoff");
	const cJSON *visit = cJSON_GetObjectItemCaseSensitive(s, "recovery_request");
	char buf[WHEN_BYTES];

	printf("%-14s%.0f (%s)\n", "release", num(running, "release"), str(running, "version"));
	printf("%-14s%s\n", "product", str(s, "product"));
	printf("%-14s%s%s\n", "state", str(s, "state"),
	       cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(s, "state_lost")) ?
		       ", the state region was lost" : "");
	printf("%-14s%s, boot count %.0f%s\n", "next boot", str(boot, "next"), num(boot, "count"),
	       cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(boot, "environment_lost")) ?
		       ", the boot environment is lost" : "");
	printf("%-14s%.0f\n", "floor", num(s, "floor"));
	print_result(cJSON_GetObjectItemCaseSensitive(s, "result"));
	print_outcome(s, "health", "health");
	print_outcome(s, "last_install", "last install");
	print_outcome(s, "last_check", "last check");
	if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(daemon, "running")))
		printf("%-14s%s, next check %s\n", "daemon", str(daemon, "activity"),
		       when(daemon, "next_check", buf));
	else
		printf("%-14snot running\n", "daemon");
	if (cJSON_IsObject(backoff))
		printf("%-14srelease %.0f failed %.0f times, not again before %s\n", "back-off",
		       num(backoff, "release"), num(backoff, "failures"),
		       when(backoff, "not_before", buf));
	if (cJSON_IsObject(visit))
		printf("%-14s%s: request %s (%s)\n", "recovery", when(visit, "time", buf),
		       str(visit, "id"), str(visit, "code"));
	if (*str(s, "log"))
		printf("log of recovery:\n%s\n", str(s, "log"));
}

int agent_cmd_status(struct agent *a, cJSON *answer, struct lb_error *err)
{
	struct agent_device d;
	int rc = agent_device_open(a, false, &d, err);

	if (rc)
		return rc;
	fill(a, &d, answer);
	agent_device_close(&d);
	if (!a->opt.json)
		print_status(answer);
	return AGENT_OK;
}
