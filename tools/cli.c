// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"

#define REDRAW_MS 200

int cli_usage(struct lb_error *err, const char *fmt, ...)
{
	va_list ap;

	err->code = LB_E_INVALID;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return CLI_USAGE;
}

extern int optind;

int cli_bad_option(struct lb_error *err, char **argv)
{
	return cli_usage(err, "option %.64s is not known or lacks its value", argv[optind - 1]);
}

int cli_errno(struct lb_error *err, const char *path, const char *verb)
{
	int code = errno == ENOENT ? LB_E_NOT_FOUND : errno == EEXIST ? LB_E_EXISTS : LB_E_IO;

	return lb_error_set(err, code, "%s cannot be %s: %s", path, verb, strerror(errno));
}

int cli_prefix(struct lb_error *err, const char *subject, int rc)
{
	struct lb_error before = *err;

	if (rc < 0)
		lb_error_set(err, -rc, "%.80s: %.140s", subject,
			     before.code ? before.text : lb_error_meaning(rc));
	return rc;
}

bool cli_number(const char *text, unsigned long max, unsigned long *ret)
{
	unsigned long v;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno || *end || v > max)
		return false;
	*ret = v;
	return true;
}

int cli_print_json(cJSON *json, struct lb_error *err)
{
	char *text = json ? cJSON_PrintUnformatted(json) : NULL;
	int rc = 0;

	if (!text)
		rc = lb_error_set(err, LB_E_NOMEM, "no memory for the output");
	else if (puts(text) == EOF)
		rc = lb_error_set(err, LB_E_IO, "standard output cannot be written");
	cJSON_free(text);
	cJSON_Delete(json);
	return rc;
}

void cli_json_u64(cJSON *obj, const char *name, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, v);
	cJSON_AddRawToObject(obj, name, text);
}

void cli_json_hex(cJSON *obj, const char *name, const uint8_t *bytes, size_t len)
{
	char text[2 * 64 + 1] = "";

	if (len <= 64)
		lb_hex_encode(text, bytes, len);
	cJSON_AddStringToObject(obj, name, text);
}

const char *cli_size(uint64_t bytes, char ret[16])
{
	static const char *const unit[] = { "bytes", "KiB", "MiB", "GiB" };
	double v = (double)bytes;
	size_t i = 0;

	while (v >= 1024 && i < LB_ARRAY_LEN(unit) - 1) {
		v /= 1024;
		i++;
	}
	snprintf(ret, 16, i ? "%.1f %s" : "%.0f %s", v, unit[i]);
	return ret;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void cli_progress_start(struct cli_progress *p, const char *label, uint64_t total)
{
	*p = (struct cli_progress){ .label = label, .total = total, .started_ms = now_ms() };
	p->shown = total && isatty(STDERR_FILENO);
}

static void draw(struct cli_progress *p, uint64_t now)
{
	static const char bar[] = "########################################";
	uint64_t passed = now - p->started_ms + 1;
	int filled = (int)(p->done * (sizeof(bar) - 1) / p->total);

	fprintf(stderr, "\r%-16s [%-*.*s] %3d %%  %.1f MB/s ", p->label, (int)sizeof(bar) - 1, filled,
		bar, (int)(p->done * 100 / p->total), (double)p->done / 1000 / (double)passed);
	p->drawn_ms = now;
}

void cli_progress_add(struct cli_progress *p, uint64_t bytes)
{
	uint64_t now;

	p->done += bytes;
	if (!p->shown)
		return;
	now = now_ms();
	if (now - p->drawn_ms >= REDRAW_MS)
		draw(p, now);
}

void cli_progress_end(struct cli_progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}
