// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name, *meaning;
} table[LB_E_COUNT] = {
	[LB_OK] = { "ok", "nothing failed" },
#define LB_ERROR_ROW(id, name, text) [LB_E_##id] = { name, text },
	LB_ERRORS(LB_ERROR_ROW)
#undef LB_ERROR_ROW
};

int lb_error_set(struct lb_error *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -code;
	err->code = code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -code;
}

static int known(int code)
{
	if (code < 0)
		code = -code;
	return code < LB_E_COUNT ? code : -1;
}

const char *lb_error_name(int code)
{
	code = known(code);
	return code < 0 ? "unknown" : table[code].name;
}

const char *lb_error_meaning(int code)
{
	code = known(code);
	return code < 0 ? "an unknown error" : table[code].meaning;
}

int lb_error_by_name(const char *name)
{
	for (int i = 1; i < LB_E_COUNT; i++)
		if (!strcmp(table[i].name, name))
			return i;
	return 0;
}
