// SPDX-License-Identifier: GPL-2.0-or-later
/* The head of a request to recovery's page, and who it says it is for. */
#include "fuzz.h"
#include "web/request.h"

static void check_text(const char *text, size_t size)
{
	CHECK(memchr(text, '\0', size));
	for (; *text; text++)
		CHECK(*text > ' ' && *text <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lb_web_request r;
	struct lb_error err = { 0 };
	uint8_t *input = fuzz_exact(data, size);
	size_t head = lb_web_head_bytes((const char *)input, size);
	int rc;

	CHECK(head <= size);
	rc = lb_web_request_parse((const char *)input, head ? head : size, &r, &err);
	CHECK_RESULT(rc, &err);
	if (!rc) {
		check_text(r.path, sizeof(r.path));
		check_text(r.host, sizeof(r.host));
		check_text(r.origin, sizeof(r.origin));
		check_text(r.token, sizeof(r.token));
		check_text(r.boundary, sizeof(r.boundary));
		CHECK(r.path[0] == '/' && r.host[0]);
		CHECK((r.body == LB_WEB_BODY_MULTIPART) == (r.boundary[0] != '\0'));
		CHECK(!r.has_length || r.length < 1000000000000000);
		/* a name with a letter is served only when it is the one that is configured */
		if (lb_web_host_allowed(r.host, "unit-7.lan") && r.host[0] != '[')
			CHECK(!strncasecmp(r.host, "localhost", 9) || !strncasecmp(r.host, "unit-7.lan", 10) ||
			      r.host[strspn(r.host, "0123456789.")] == '\0' ||
			      r.host[strspn(r.host, "0123456789.")] == ':');
		lb_web_origin_allowed(r.origin, r.host);
	}
	free(input);
	return 0;
}
