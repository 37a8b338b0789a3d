// SPDX-License-Identifier: GPL-2.0-or-later
#include "settings.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "config.h"
#include "extent.h"

#define LEDS "/sys/class/leds/"

static const struct settings defaults = {
	.release = 1,
	.limits = {
		.give_up_ms = CONFIG_GIVE_UP_S * 1000,
		.retry_min_ms = CONFIG_RETRY_MIN_MS,
		.retry_max_ms = CONFIG_RETRY_MAX_S * 1000,
		.url_ms = CONFIG_URL_S * 1000,
		.idle_ms = 600 * 1000,
	},
	.stall_ms = 30 * 1000,
	.interface = CONFIG_INTERFACE,
	.network_wait_s = CONFIG_NETWORK_WAIT_S,
	.cmdline = "/proc/cmdline",
	.lock = "/run/lifeboat-recovery.lock",
};

/* A missing setting leaves its default. */
static int optional(int r)
{
	return r == -LB_E_NOT_FOUND ? 0 : r;
}

/* A number of seconds or milliseconds into 32 bits of milliseconds. */
static int time_setting(const cJSON *o, const char *name, uint32_t unit_ms, uint32_t *ret_ms,
			struct lb_error *err)
{
	uint64_t v;
	int r = lb_json_u64(o, name, &v, err);

	if (r)
		return optional(r);
	if (v > UINT32_MAX / 2 / unit_ms)
		return lb_error_set(err, LB_E_FORMAT, "recovery.%s: %llu is too long a time", name,
				    (unsigned long long)v);
	*ret_ms = (uint32_t)v * unit_ms;
	return 0;
}

static int number_setting(const cJSON *o, const char *name, uint32_t *ret, struct lb_error *err)
{
	return time_setting(o, name, 1, ret, err);
}

static int media_setting(const cJSON *o, struct settings *s, struct lb_error *err)
{
	const cJSON *list, *entry;
	int r = lb_json_array(o, "media", &list, err);

	if (r)
		return optional(r);
	cJSON_ArrayForEach(entry, list) {
		if (!cJSON_IsString(entry) || s->media_count == MEDIA_MAX ||
		    strlen(entry->valuestring) > LB_CONFIG_PATH_MAX)
			return lb_error_set(err, LB_E_FORMAT,
					    "recovery.media: wants at most %d folders", MEDIA_MAX);
		snprintf(s->media[s->media_count++], sizeof(s->media[0]), "%s",
			 entry->valuestring);
	}
	return 0;
}

/* Places that this recovery knows by itself. */
static int urls_setting(const cJSON *o, struct settings *s, struct lb_error *err)
{
	const cJSON *list, *entry;
	int r = lb_json_array(o, "urls", &list, err);

	if (r)
		return optional(r);
	cJSON_ArrayForEach(entry, list) {
		if (!cJSON_IsString(entry) || s->url_count == LB_URLS_MAX ||
		    strlen(entry->valuestring) > LB_URL_MAX)
			return lb_error_set(err, LB_E_FORMAT, "recovery.urls: wants at most %d places",
					    LB_URLS_MAX);
		snprintf(s->urls[s->url_count++], sizeof(s->urls[0]), "%s", entry->valuestring);
	}
	return 0;
}

/* A slot by its name, or any region that is none of them. */
static int source_setting(const cJSON *entry, const struct lb_config *c, struct lb_config_slot *ret,
			  struct lb_error *err)
{
	const struct lb_config_slot *slot;
	int r;

	if (cJSON_IsString(entry) && entry->valuestring[0] != '/') {
		slot = lb_config_slot(c, entry->valuestring);
		if (!slot)
			return lb_error_set(err, LB_E_FORMAT, "recovery.sources: there is no slot %.40s",
					    entry->valuestring);
		*ret = *slot;
		return 0;
	}
	r = lb_config_region(entry, "recovery.sources", &ret->region, err);
	for (uint32_t i = 0; !r && i < c->slot_count; i++)
		if (regions_overlap(&ret->region, &c->slots[i].region))
			r = lb_error_set(err, LB_E_FORMAT,
					 "recovery.sources: slot %s lies there: it is named, not its path",
					 c->slots[i].name);
	return r;
}

/* Where else an update may find what it is missing. */
static int sources_setting(const cJSON *o, struct settings *s, struct lb_error *err)
{
	const cJSON *list, *entry;
	int r = lb_json_array(o, "sources", &list, err);

	if (r)
		return optional(r);
	cJSON_ArrayForEach(entry, list) {
		struct lb_config_slot *source = &s->sources[s->source_count];

		if (s->source_count == LB_UPDATE_SOURCES_MAX)
			return lb_error_set(err, LB_E_FORMAT, "recovery.sources: wants at most %u regions",
					    LB_UPDATE_SOURCES_MAX);
		snprintf(source->name, sizeof(source->name), "source-%u", ++s->source_count);
		r = source_setting(entry, &s->config, source, err);
		if (r)
			return r;
	}
	return 0;
}

/* The kernel's name of a LED, or the path of its folder. */
static int led_setting(const cJSON *o, struct settings *s, struct lb_error *err)
{
	char name[LB_CONFIG_PATH_MAX - sizeof(LEDS)] = "";
	int r = lb_json_str(o, "led", name, sizeof(name), err);

	if (r || !name[0])
		return optional(r);
	if (name[0] != '/' && strchr(name, '/'))
		return lb_error_set(err, LB_E_FORMAT, "recovery.led: wants a name or an absolute path");
	snprintf(s->led, sizeof(s->led), "%s%s", name[0] == '/' ? "" : LEDS, name);
	return 0;
}

/* Nothing that an update or the boot decision lives on. */
static int check_erasable(const struct lb_config *c, const struct lb_config_region *region, struct lb_error *err)
{
	const char *what = regions_overlap(region, &c->state) ? "the state region" :
			   regions_overlap(region, &c->env[0]) || regions_overlap(region, &c->env[1]) ? "the boot environment" : NULL;

	for (uint32_t i = 0; !what && i < c->slot_count; i++)
		what = regions_overlap(region, &c->slots[i].region) ? c->slots[i].name : NULL;
	return what ? lb_error_set(err, LB_E_FORMAT, "recovery.reset: %s lies there", what) : 0;
}

/* What a factory reset erases: nothing that is not named here. */
static int reset_setting(const cJSON *o, struct settings *s, struct lb_error *err)
{
	const cJSON *list, *entry;
	int r = lb_json_array(o, "reset", &list, err);

	if (r)
		return optional(r);
	cJSON_ArrayForEach(entry, list) {
		struct lb_config_slot *region = &s->reset[s->reset_count];

		if (s->reset_count == LB_RESET_REGIONS_MAX)
			return lb_error_set(err, LB_E_FORMAT, "recovery.reset: wants at most %u regions",
					    LB_RESET_REGIONS_MAX);
		snprintf(region->name, sizeof(region->name), "data-%u", ++s->reset_count);
		r = lb_config_region(entry, "recovery.reset", &region->region, err);
		if (!r)
			r = check_erasable(&s->config, &region->region, err);
		if (r)
			return r;
	}
	s->web.reset = s->reset_count > 0;
	return 0;
}

static int data_setting(const cJSON *o, struct data_settings *d, struct lb_error *err)
{
	static const char *const names[] = { "device", "folder", "type", "options", NULL };
	const char *unknown;
	const cJSON *obj;
	int r = lb_json_obj(o, "data", &obj, err);

	if (r)
		return optional(r);
	if (!lb_config_known(obj, names, &unknown))
		return lb_error_set(err, LB_E_FORMAT, "recovery.data.%.60s: no such setting", unknown);
	r = lb_json_need(lb_json_str(obj, "device", d->device, sizeof(d->device), err), "device", err);
	if (!r)
		r = lb_json_need(lb_json_str(obj, "folder", d->folder, sizeof(d->folder), err),
				 "folder", err);
	if (!r)
		r = lb_json_need(lb_json_str(obj, "type", d->type, sizeof(d->type), err), "type", err);
	if (!r)
		r = optional(lb_json_str(obj, "options", d->options, sizeof(d->options), err));
	return r;
}

/* The page is on the interface that recovery brings up, unless another one is named. */
static int web_setting(const cJSON *o, struct settings *s, struct lb_error *err)
{
	static const char *const names[] = { "port", "interface", "name", "code", "upload_max_mib", NULL };
	struct web_options *w = &s->web;
	const char *unknown;
	uint64_t port, mib;
	const cJSON *obj;
	int r;

	memcpy(w->interface, s->interface, sizeof(w->interface));
	w->port = s->interface[0] ? CONFIG_WEB_PORT : 0;
	w->upload_max = (uint64_t)CONFIG_WEB_UPLOAD_MAX_MIB << 20;
	port = w->port;
	mib = CONFIG_WEB_UPLOAD_MAX_MIB;
	r = lb_json_obj(o, "web", &obj, err);
	if (r)
		return optional(r);
	if (!lb_config_known(obj, names, &unknown))
		return lb_error_set(err, LB_E_FORMAT, "recovery.web.%.60s: no such setting", unknown);
	r = optional(lb_json_u64(obj, "port", &port, err));
	if (!r)
		r = optional(lb_json_u64(obj, "upload_max_mib", &mib, err));
	if (!r)
		r = optional(lb_json_str(obj, "interface", w->interface, sizeof(w->interface), err));
	if (!r)
		r = optional(lb_json_str(obj, "name", w->name, sizeof(w->name), err));
	if (!r)
		r = optional(lb_json_str(obj, "code", w->code, sizeof(w->code), err));
	if (!r && (port > 65535 || mib > 1u << 20))
		r = lb_error_set(err, LB_E_FORMAT, "recovery.web: the port is at most 65535, upload_max_mib at most %u",
				 1u << 20);
	w->port = (uint32_t)port;
	w->upload_max = mib << 20;
	return r;
}

static int section(const cJSON *o, struct settings *s, struct lb_error *err)
{
	static const char *const names[] = {
		"release", "give_up_s", "retry_min_ms", "retry_max_s", "url_s", "stall_s", "idle_s",
		"interface", "network_wait_s", "cmdline", "heartbeat", "lock", "fit_key", "media",
		"data", "urls", "sources", "reset", "web", "led", NULL,
	};
	const char *unknown;
	int r;

	if (!lb_config_known(o, names, &unknown))
		return lb_error_set(err, LB_E_FORMAT, "recovery.%.60s: no such setting", unknown);
	r = number_setting(o, "release", &s->release, err);
	if (!r)
		r = time_setting(o, "give_up_s", 1000, &s->limits.give_up_ms, err);
	if (!r)
		r = time_setting(o, "retry_min_ms", 1, &s->limits.retry_min_ms, err);
	if (!r)
		r = time_setting(o, "retry_max_s", 1000, &s->limits.retry_max_ms, err);
	if (!r)
		r = time_setting(o, "url_s", 1000, &s->limits.url_ms, err);
	if (!r)
		r = time_setting(o, "stall_s", 1000, &s->stall_ms, err);
	if (!r)
		r = time_setting(o, "idle_s", 1000, &s->limits.idle_ms, err);
	if (!r)
		r = number_setting(o, "network_wait_s", &s->network_wait_s, err);
	if (!r)
		r = optional(lb_json_str(o, "interface", s->interface, sizeof(s->interface), err));
	if (!r)
		r = optional(lb_json_str(o, "cmdline", s->cmdline, sizeof(s->cmdline), err));
	if (!r)
		r = optional(lb_json_str(o, "heartbeat", s->heartbeat, sizeof(s->heartbeat), err));
	if (!r)
		r = optional(lb_json_str(o, "lock", s->lock, sizeof(s->lock), err));
	if (!r)
		r = optional(lb_json_str(o, "fit_key", s->fit_key, sizeof(s->fit_key), err));
	if (!r)
		r = data_setting(o, &s->data, err);
	if (!r)
		r = urls_setting(o, s, err);
	if (!r)
		r = sources_setting(o, s, err);
	if (!r)
		r = web_setting(o, s, err);
	if (!r)
		r = led_setting(o, s, err);
	if (!r)
		r = reset_setting(o, s, err);
	return r ? r : media_setting(o, s, err);
}

int settings_load(const char *path, struct settings *ret, struct lb_error *err)
{
	struct settings s = defaults;
	const cJSON *own;
	cJSON *root;
	int r = lb_config_load(path, &s.config, &root, err);

	if (r)
		return r;
	r = lb_json_obj(root, "recovery", &own, err);
	r = r ? optional(r) : section(own, &s, err);
	cJSON_Delete(root);
	if (r)
		return lb_config_fail(path, NULL, r, err);
	if (!s.limits.retry_min_ms)
		s.limits.retry_min_ms = 1;
	*ret = s;
	return 0;
}
