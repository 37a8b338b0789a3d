// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A form in pieces: the first byte says of which size they are. Every byte is used
 * once, in order, and the parser never asks for more than its smallest buffer. What is
 * left over is read as another kind of form.
 */
#include "fuzz.h"
#include "web/multipart.h"

static void read_value(const uint8_t *data, size_t size)
{
	char value[16];

	if (!lb_web_form_value((const char *)data, size, "code", value, sizeof(value)))
		CHECK(!value[0]);
	CHECK(memchr(value, '\0', sizeof(value)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lb_web_multipart m;
	struct lb_error err = { 0 };
	char *window = malloc(LB_WEB_MULTIPART_MIN);
	size_t have = 0, at = 1, piece = size ? data[0] + 1u : 1;
	int rc = 0;

	CHECK(window);
	lb_web_multipart_init(&m, "XyZ");
	while (rc >= 0 && rc != LB_WEB_END) {
		size_t used, n = at < size ? size - at : 0;

		rc = lb_web_multipart_step(&m, window, have, &used, &err);
		CHECK(rc >= 0 || err.code == -rc);
		CHECK(used <= have && (rc != LB_WEB_DATA || used));
		CHECK(memchr(m.part_name, '\0', sizeof(m.part_name)));
		have -= used;
		memmove(window, window + used, have);
		if (rc != LB_WEB_MORE)
			continue;
		if (!n)
			break;
		CHECK(have < LB_WEB_MULTIPART_MIN);
		n = n < piece ? n : piece;
		n = n < LB_WEB_MULTIPART_MIN - have ? n : LB_WEB_MULTIPART_MIN - have;
		memcpy(window + have, data + at, n);
		have += n;
		at += n;
	}
	if (at < size)
		read_value(data + at, size - at);
	free(window);
	return 0;
}
