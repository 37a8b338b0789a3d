// SPDX-License-Identifier: GPL-2.0-or-later
#include "flow/report.h"

#include <stdarg.h>
#include <stdio.h>

void lb_say(const struct lb_reporter *rep, enum lb_level level, const char *code,
	    const char *fmt, ...)
{
	char text[320];
	va_list ap;

	if (!rep || !rep->say)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	rep->say(rep->ctx, level, code, text);
}

void lb_say_error(const struct lb_reporter *rep, enum lb_level level, int code,
		  const struct lb_error *err)
{
	bool fits = err && err->text[0] && err->code == (code < 0 ? -code : code);

	lb_say(rep, level, lb_error_name(code), "%s",
	       fits ? err->text : lb_error_meaning(code));
}
