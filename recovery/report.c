// SPDX-License-Identifier: GPL-2.0-or-later
#include "report.h"

#include <cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "events.h"
#include "report_file.h"

static bool is_outcome(enum lb_level level, const char *code)
{
	static const char *const codes[] = {
		"installed", "returned", "healed", "handover", "waiting", "recovery-written", "rescue",
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(codes); i++)
		if (!strcmp(code, codes[i]))
			return true;
	return level == LB_LEVEL_ERROR;
}

static void say(void *ctx, enum lb_level level, const char *code, const char *text)
{
	struct report *r = ctx;
	struct report_message *m = &r->messages[r->said++ % REPORT_MESSAGES];

	m->level = level;
	snprintf(m->code, sizeof(m->code), "%s", code);
	snprintf(m->text, sizeof(m->text), "%s", text);
	if (!strcmp(code, "installed"))
		r->installed = true;
	if (level != LB_LEVEL_INFO && lb_error_by_name(code))
		r->reason = *m;
	if (is_outcome(level, code))
		r->outcome = *m;
}

struct lb_reporter report_listener(struct report *r)
{
	return (struct lb_reporter){ .ctx = r, .say = say };
}

/* What a person can do about it. */
static const char *advice_for(const char *code)
{
	static const struct { const char *code, *text; } list[] = {
		{ "signature-invalid", "Bring a bundle that is signed for these devices." },
		{ "malformed", "Copy the bundle to the medium again, and eject the medium before you take it out." },
		{ "truncated", "Copy the bundle to the medium again, and eject the medium before you take it out." },
		{ "digest-mismatch", "Copy the bundle to the medium again, and eject the medium before you take it out." },
		{ "io-error", "Copy the bundle to another medium." },
		{ "wrong-product", "Bring a bundle for this product; it is named above." },
		{ "wrong-hardware", "Bring a bundle for this hardware; it is named above." },
		{ "not-newer", "Bring a newer release, or make a file lifeboat/reinstall to install this one again." },
		{ "below-floor", "Bring a newer release." },
		{ "invalid-argument", "Rename the bundle: letters, digits, '-', '_', '.' and spaces." },
		{ "fit-invalid", "Ask who made the bundle: the bootloader of this device would not start it." },
		{ "image-too-large", "Ask who made the bundle: it does not fit this device." },
		{ "slot-missing", "Ask who made the bundle: it does not fit this device." },
		{ "bundle-incomplete", "Ask who made the bundle: it does not fit this device." },
		{ "medium-worn", "The storage of the device does not keep what is written: have it replaced." },
		{ "source-interrupted", "Put in the medium with the bundle again." },
		{ "source-unreachable", "Put a bundle into the folder lifeboat of the medium." },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(list); i++)
		if (!strcmp(code, list[i].code))
			return list[i].text;
	return NULL;
}

/* The first file that is to blame, if nothing that was tried is. */
static const char *file_reason(const struct report *r)
{
	for (uint32_t i = 0; i < r->media->count; i++)
		if (r->media->files[i].code)
			return lb_error_name(r->media->files[i].code);
	return "";
}

static const char *next_step(const struct report *r, bool last)
{
	const char *text;

	if (r->installed)
		return last ? "Leave the power on: the device starts the new release by itself."
			    : "Leave the power on.";
	text = advice_for(r->reason.code);
	if (!text)
		text = advice_for(file_reason(r));
	if (text)
		return text;
	return last ? "Leave the power on: the device restarts by itself."
		    : "Put a bundle (*.lbu) into the folder lifeboat of the medium.";
}

/* As long as main is half written its bundle is needed. */
static bool may_unplug(const struct report *r, bool last)
{
	return last || !r->recovery->committed;
}

static const char *verdict(const struct media_file *f)
{
	return f->code ? lb_error_name(f->code) : f->installed ? "installed" : "found";
}

static void verdict_text(const struct media_file *f, char *ret, size_t size)
{
	if (f->code)
		snprintf(ret, size, "%s", f->text);
	else
		snprintf(ret, size, "version %s (release %llu)%s", f->version,
			 (unsigned long long)f->release, f->installed ? ", installed" : "");
}

static const struct report_message *nth_message(const struct report *r, uint32_t n)
{
	uint32_t first = r->said > REPORT_MESSAGES ? r->said - REPORT_MESSAGES : 0;

	return first + n < r->said ? &r->messages[(first + n) % REPORT_MESSAGES] : NULL;
}

static void print_text(FILE *out, const struct report *r, bool last)
{
	const struct lb_device *d = &r->recovery->device;
	const struct report_message *m;
	char text[256];

	fprintf(out, "Lifeboat recovery " LB_VERSION "\r\nDevice: %s on %s\r\n\r\n", d->product,
		d->hardware_count ? d->hardware[0] : "hardware that is not known");
	fprintf(out, "Result: %s [%s]\r\n", r->outcome.text, r->outcome.code);
	if (r->reason.code[0] && !r->installed)
		fprintf(out, "Reason: %s [%s]\r\n", r->reason.text, r->reason.code);
	fprintf(out, "Next: %s\r\n", next_step(r, last));
	fprintf(out, "Safe to unplug: %s\r\n\r\nFound:\r\n",
		may_unplug(r, last) ? "yes" : "no, the update is not finished");
	for (uint32_t i = 0; i < r->media->count; i++) {
		verdict_text(&r->media->files[i], text, sizeof(text));
		fprintf(out, "  %s: %s [%s]\r\n", r->media->files[i].name, text,
			verdict(&r->media->files[i]));
	}
	if (!r->media->count)
		fprintf(out, "  no file *.lbu at the root or in the folder lifeboat\r\n");
	fprintf(out, "\r\nMessages:\r\n");
	for (uint32_t n = 0; (m = nth_message(r, n)); n++)
		fprintf(out, "  %s%s%s [%s]\r\n", m->level ? event_level(m->level) : "",
			m->level ? ": " : "", m->text, m->code);
}

static cJSON *message_json(const struct report_message *m)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "level", event_level(m->level));
	cJSON_AddStringToObject(o, "code", m->code);
	cJSON_AddStringToObject(o, "text", m->text);
	return o;
}

static cJSON *files_json(const struct report *r)
{
	cJSON *list = cJSON_CreateArray();

	for (uint32_t i = 0; i < r->media->count; i++) {
		const struct media_file *f = &r->media->files[i];
		cJSON *o = cJSON_CreateObject();
		char text[256];

		verdict_text(f, text, sizeof(text));
		cJSON_AddNumberToObject(o, "medium", f->folder);
		cJSON_AddStringToObject(o, "name", f->name);
		cJSON_AddStringToObject(o, "code", verdict(f));
		cJSON_AddStringToObject(o, "text", text);
		if (f->release)
			cJSON_AddNumberToObject(o, "release", (double)f->release);
		cJSON_AddItemToArray(list, o);
	}
	return list;
}

static char *print_json(const struct report *r, bool last)
{
	const struct lb_device *d = &r->recovery->device;
	cJSON *o = cJSON_CreateObject(), *list = cJSON_CreateArray();
	const struct report_message *m;
	char *text;

	cJSON_AddNumberToObject(o, "format", 1);
	cJSON_AddStringToObject(o, "recovery", LB_VERSION);
	cJSON_AddStringToObject(o, "product", d->product);
	cJSON_AddStringToObject(o, "hardware", d->hardware_count ? d->hardware[0] : "");
	cJSON_AddItemToObject(o, "result", message_json(&r->outcome));
	if (r->reason.code[0] && !r->installed)
		cJSON_AddItemToObject(o, "reason", message_json(&r->reason));
	cJSON_AddStringToObject(o, "next", next_step(r, last));
	cJSON_AddBoolToObject(o, "safe_to_unplug", may_unplug(r, last));
	cJSON_AddItemToObject(o, "found", files_json(r));
	for (uint32_t n = 0; (m = nth_message(r, n)); n++)
		cJSON_AddItemToArray(list, message_json(m));
	cJSON_AddItemToObject(o, "messages", list);
	text = cJSON_Print(o);
	cJSON_Delete(o);
	return text;
}

static void write_to(struct report *r, uint32_t folder, const struct report_file files[2])
{
	const char *path = r->media->settings->media[folder];
	struct lb_error why = { 0 };
	int code = report_file_put(path, r->media->folders[folder].device, files, 2, &why);

	if (code && !r->failed[folder])
		lb_say(r->recovery->report, LB_LEVEL_INFO, "report", "%s", why.text);
	r->failed[folder] = code != 0;
}

/* Soon it will be read: what comes of that is worth waiting for. */
static bool something_to_try(const struct media *m)
{
	for (uint32_t i = 0; i < m->count; i++)
		if (m->files[i].offered && !m->files[i].code && !m->files[i].installed)
			return true;
	return m->reading;
}

static bool is_news(struct report *r, bool last)
{
	uint32_t outcome = lb_crc32(last, r->outcome.code, strlen(r->outcome.code));

	outcome = lb_crc32(outcome, r->reason.code, strlen(r->reason.code));
	if (!r->outcome.code[0] ||
	    (r->written_changes == r->media->changes && r->written_outcome == outcome))
		return false;
	r->written_changes = r->media->changes;
	r->written_outcome = outcome;
	return true;
}

bool report_has_medium(const struct report *r)
{
	for (uint32_t i = 0; r->media && i < r->media->settings->media_count; i++)
		if (r->media->folders[i].ours)
			return true;
	return false;
}

void report_write(struct report *r, bool last)
{
	char *text = NULL, *json;
	size_t len = 0;
	FILE *out;

	if (!report_has_medium(r) || (!last && something_to_try(r->media)) || !is_news(r, last))
		return;
	out = open_memstream(&text, &len);
	if (out) {
		print_text(out, r, last);
		if (fclose(out))
			len = 0;
	}
	json = print_json(r, last);
	if (len && json)
		for (uint32_t i = 0; i < r->media->settings->media_count; i++)
			if (r->media->folders[i].ours)
				write_to(r, i, (const struct report_file[]){
					{ "lifeboat-report.txt", text, len },
					{ "lifeboat-report.json", json, strlen(json) },
				});
	free(text);
	free(json);
}
