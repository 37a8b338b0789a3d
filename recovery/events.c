// SPDX-License-Identifier: GPL-2.0-or-later
#include "events.h"

#include <cJSON.h>

const char *event_level(enum lb_level level)
{
	static const char *const names[] = { "info", "warning", "error" };

	return names[level];
}

static cJSON *new_event(uint64_t ms, const char *kind)
{
	cJSON *event = cJSON_CreateObject();

	cJSON_AddNumberToObject(event, "ms", (double)ms);
	cJSON_AddStringToObject(event, "event", kind);
	return event;
}

static char *print(cJSON *event)
{
	char *text = cJSON_PrintUnformatted(event);

	cJSON_Delete(event);
	return text;
}

char *event_message(uint64_t ms, enum lb_level level, const char *code, const char *text)
{
	cJSON *event = new_event(ms, "message");

	cJSON_AddStringToObject(event, "level", event_level(level));
	cJSON_AddStringToObject(event, "code", code);
	cJSON_AddStringToObject(event, "text", text);
	return print(event);
}

static void add_time(cJSON *event, const char *ms, const char *cpu_ms,
		     const struct lb_update_time *t)
{
	cJSON_AddNumberToObject(event, ms, t->ms);
	cJSON_AddNumberToObject(event, cpu_ms, t->cpu_ms);
}

char *event_progress(uint64_t ms, const char *step, const char *image,
		     const struct lb_update_counters *n, uint64_t bytes_per_s)
{
	cJSON *event = new_event(ms, "progress");

	cJSON_AddStringToObject(event, "step", step);
	cJSON_AddStringToObject(event, "image", image);
	cJSON_AddNumberToObject(event, "total_bytes", (double)n->total_bytes);
	cJSON_AddNumberToObject(event, "durable_bytes", (double)n->durable_bytes);
	cJSON_AddNumberToObject(event, "skip_bytes", (double)n->skip_bytes);
	cJSON_AddNumberToObject(event, "write_bytes", (double)n->write_bytes);
	cJSON_AddNumberToObject(event, "copy_bytes", (double)n->copy_bytes);
	cJSON_AddNumberToObject(event, "copied_bytes", (double)n->copied_bytes);
	cJSON_AddNumberToObject(event, "patch_bytes", (double)n->patch_bytes);
	cJSON_AddNumberToObject(event, "zero_bytes", (double)n->zero_bytes);
	cJSON_AddNumberToObject(event, "zeroed_bytes", (double)n->zeroed_bytes);
	cJSON_AddNumberToObject(event, "fetch_bytes", (double)n->fetch_bytes);
	cJSON_AddNumberToObject(event, "fetched_bytes", (double)n->fetched_bytes);
	cJSON_AddNumberToObject(event, "written_bytes", (double)n->written_bytes);
	cJSON_AddNumberToObject(event, "plan_ranges", n->plan_ranges);
	cJSON_AddNumberToObject(event, "ranges", n->ranges);
	cJSON_AddNumberToObject(event, "bytes_per_s", (double)bytes_per_s);
	if (n->left_ms)
		cJSON_AddNumberToObject(event, "left_ms", (double)n->left_ms);
	add_time(event, "plan_ms", "plan_cpu_ms", &n->plan);
	add_time(event, "install_ms", "install_cpu_ms", &n->install);
	add_time(event, "readback_ms", "readback_cpu_ms", &n->readback);
	return print(event);
}

char *event_device(uint64_t ms, const struct event_device *d)
{
	cJSON *event = new_event(ms, "device");

	cJSON_AddStringToObject(event, "product", d->product);
	cJSON_AddStringToObject(event, "hardware", d->hardware);
	cJSON_AddStringToObject(event, "state", d->state);
	cJSON_AddNumberToObject(event, "release", (double)d->release);
	cJSON_AddNumberToObject(event, "recovery_release", d->recovery_release);
	cJSON_AddBoolToObject(event, "reset", d->reset);
	return print(event);
}
