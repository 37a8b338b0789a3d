// SPDX-License-Identifier: GPL-2.0-or-later
#include "state/record_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/json.h"

int lb_record_load(struct lb_log *log, uint16_t type, const char *what, cJSON **ret,
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
	if (e->length > LB_RECORD_JSON_MAX)
		return lb_error_set(err, LB_E_FORMAT, "the %s record has %u bytes, at most %u fit",
				    what, e->length, LB_RECORD_JSON_MAX);
	text = malloc(e->length);
	if (!text)
		return lb_error_set(err, LB_E_NOMEM, "no memory for the %s record", what);
	len = lb_log_get(log, type, text, e->length);
	if (len < 0)
		r = lb_error_set(err, (int)-len, "the %s record could not be read", what);
	else
		r = lb_json_parse(text, (size_t)len, LB_RECORD_JSON_MAX, what, ret, err);
	free(text);
	return r;
}

void lb_record_note(struct lb_record_reader *in, int r)
{
	if (!in->failed && r != -LB_E_NOT_FOUND)
		in->failed = r;
}

void lb_record_read_u64(struct lb_record_reader *in, const char *name, uint64_t *v)
{
	lb_record_note(in, lb_json_u64(in->obj, name, v, in->err));
}

void lb_record_read_u32(struct lb_record_reader *in, const char *name, uint32_t *v)
{
	uint64_t wide = *v;

	lb_record_read_u64(in, name, &wide);
	if (wide > UINT32_MAX)
		lb_record_note(in, lb_error_set(in->err, LB_E_FORMAT, "\"%s\" is too large", name));
	*v = (uint32_t)wide;
}

void lb_record_read_time(struct lb_record_reader *in, const char *name, int64_t *v)
{
	uint64_t seconds = 0;

	lb_record_read_u64(in, name, &seconds);
	*v = (int64_t)seconds;
}

void lb_record_read_bool(struct lb_record_reader *in, const char *name, bool *v)
{
	lb_record_note(in, lb_json_bool(in->obj, name, v, in->err));
}

void lb_record_read_str(struct lb_record_reader *in, const char *name, char *v, size_t size)
{
	lb_record_note(in, lb_json_str(in->obj, name, v, size, in->err));
}

void lb_record_read_digest(struct lb_record_reader *in, const char *name,
			   uint8_t v[LB_SHA256_BYTES])
{
	lb_record_note(in, lb_json_hex(in->obj, name, v, LB_SHA256_BYTES, in->err));
}

int lb_record_bad_text(const char *name, struct lb_error *err)
{
	return lb_error_set(err, LB_E_INVALID, "\"%s\" contains characters that cannot be stored",
			    name);
}

bool lb_record_printable(const char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s > '~')
			return false;
	return true;
}

/* ---- writing ---- */

void lb_record_begin(struct lb_record_writer *out)
{
	out->obj = cJSON_CreateObject();
	out->failed = !out->obj;
}

static void note_added(struct lb_record_writer *out, const cJSON *item)
{
	out->failed = out->failed || !item;
}

void lb_record_add_number(struct lb_record_writer *out, const char *name, uint64_t v)
{
	char digits[24];

	if (v > LB_RECORD_NUMBER_MAX)
		v = LB_RECORD_NUMBER_MAX;
	/* cJSON would print 1e+15 */
	snprintf(digits, sizeof(digits), "%" PRIu64, v);
	note_added(out, cJSON_AddRawToObject(out->obj, name, digits));
}

void lb_record_add_u64(struct lb_record_writer *out, const char *name, uint64_t v)
{
	if (v)
		lb_record_add_number(out, name, v);
}

void lb_record_add_time(struct lb_record_writer *out, const char *name, int64_t v)
{
	if (v > 0)
		lb_record_add_number(out, name, (uint64_t)v);
}

void lb_record_add_bool(struct lb_record_writer *out, const char *name, bool v)
{
	if (v)
		note_added(out, cJSON_AddTrueToObject(out->obj, name));
}

void lb_record_add_str(struct lb_record_writer *out, const char *name, const char *v)
{
	if (*v)
		note_added(out, cJSON_AddStringToObject(out->obj, name, v));
}

void lb_record_add_digest(struct lb_record_writer *out, const char *name,
			  const uint8_t v[LB_SHA256_BYTES])
{
	char hex[LB_SHA256_HEX];

	if (lb_bytes_all_zero(v, LB_SHA256_BYTES))
		return;
	lb_hex_encode(hex, v, LB_SHA256_BYTES);
	lb_record_add_str(out, name, hex);
}

int lb_record_save(struct lb_log *log, uint16_t type, struct lb_record_writer *out,
		   struct lb_error *err)
{
	char *text = out->failed ? NULL : cJSON_PrintUnformatted(out->obj);
	int r;

	cJSON_Delete(out->obj);
	out->obj = NULL;
	if (!text)
		return lb_error_set(err, LB_E_NOMEM, "no memory for a record");
	r = lb_log_put(log, type, text, strlen(text), err);
	cJSON_free(text);
	return r;
}
