// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests, forms and codes that reach recovery's page. */
#include "golden.h"

#include "web/multipart.h"
#include "web/request.h"

static int parse(const char *head, struct lb_web_request *ret)
{
	return lb_web_request_parse(head, strlen(head), ret, NULL);
}

static void what_browsers_send_is_understood(void **state)
{
	struct lb_web_request r;

	assert_int_equal(parse("GET /status.json?x=1 HTTP/1.1\r\nHost: 10.0.0.7\r\nAccept: */*\r\n\r\n", &r), 0);
	assert_int_equal(r.method, LB_WEB_GET);
	assert_string_equal(r.path, "/status.json");
	assert_string_equal(r.host, "10.0.0.7");
	assert_false(r.has_length || r.chunked || r.origin[0] || r.token[0]);
	assert_int_equal(parse("POST /upload HTTP/1.0\r\nhost:[fe80::1]:80\r\nCONTENT-LENGTH: 12345678901 \r\n"
			       "Origin: http://[fe80::1]:80\r\nX-Lifeboat-Code:\tABCD\r\n"
			       "Content-Type: multipart/form-data; charset=x; boundary=\"----a b\"\r\n\r\n", &r),
			 -LB_E_FORMAT);
	assert_int_equal(parse("POST /upload HTTP/1.0\r\nhost:[fe80::1]:80\r\nCONTENT-LENGTH: 12345678901 \r\n"
			       "Origin: http://[fe80::1]:80\r\nX-Lifeboat-Code:\tABCD\r\nExpect: 100-continue\r\n"
			       "Content-Type: Multipart/Form-Data; charset=x; boundary=\"----ab\"\r\n\r\n", &r), 0);
	assert_true(r.method == LB_WEB_POST && r.has_length && r.length == 12345678901);
	assert_true(r.body == LB_WEB_BODY_MULTIPART && r.expects_continue);
	assert_string_equal(r.boundary, "----ab");
	assert_string_equal(r.token, "ABCD");
}

static void what_can_be_read_in_two_ways_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/2\r\nHost: a\r\n\r\n",
		"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
		"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /",
		"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
	};
	struct lb_web_request r;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (parse(bad[i], &r) != -LB_E_FORMAT)
			fail_msg("taken: %s", bad[i]);
}

static void only_names_that_mean_this_device_are_served(void **state)
{
	assert_true(lb_web_host_allowed("10.0.2.15", "") && lb_web_host_allowed("10.0.2.15:8080", ""));
	assert_true(lb_web_host_allowed("[::1]", "") && lb_web_host_allowed("LocalHost:80", ""));
	assert_true(lb_web_host_allowed("Unit-7.lan:80", "unit-7.lan"));
	assert_false(lb_web_host_allowed("evil.example", "") || lb_web_host_allowed("", ""));
	assert_false(lb_web_host_allowed("10.0.2.15.evil.example", "") || lb_web_host_allowed(":80", ""));
	assert_false(lb_web_host_allowed("unit-7.lan.evil.example", "unit-7.lan"));
	assert_true(lb_web_origin_allowed("", "10.0.0.1") && lb_web_origin_allowed("http://a:80", "A:80"));
	assert_false(lb_web_origin_allowed("null", "a") || lb_web_origin_allowed("https://a", "a"));
	assert_false(lb_web_origin_allowed("http://a.evil", "a") || lb_web_origin_allowed("http://a:81", "a:80"));
}

/* Takes @body apart in pieces of @step bytes; what belongs to the file is added to @file. */
static int take_apart(const char *body, size_t len, size_t step, char *file, char *field)
{
	struct lb_web_multipart m;
	char window[LB_WEB_MULTIPART_MIN];
	size_t have = 0, at = 0, file_len = 0;
	struct lb_error err;

	lb_web_multipart_init(&m, "XyZ");
	file[0] = field[0] = '\0';
	for (;;) {
		size_t used;
		int r = lb_web_multipart_step(&m, window, have, &used, &err);

		assert_true(used <= have);
		if (r < 0 || r == LB_WEB_END)
			return r;
		if (r == LB_WEB_DATA && m.is_file) {
			memcpy(file + file_len, window, used);
			file_len += used;
			file[file_len] = '\0';
		} else if (r == LB_WEB_DATA) {
			strncat(field, window, used);
		}
		have -= used;
		memmove(window, window + used, have);
		if (r == LB_WEB_MORE) {
			size_t n = len - at < step ? len - at : step;

			if (!n)
				return LB_WEB_MORE;
			if (n > sizeof(window) - have)
				n = sizeof(window) - have;
			assert_true(n);
			memcpy(window + have, body + at, n);
			have += n;
			at += n;
		}
	}
}

static void form_is_the_same_in_pieces_of_any_size(void **state)
{
	static const char body[] =
		"--XyZ\r\nContent-Disposition: form-data; name=\"code\"\r\n\r\nABCD-EFGH\r\n"
		"--XyZ\r\nContent-Type: x/y\r\ncontent-disposition: form-data; name=\"bundle\"; filename=\"a.lbu\"\r\n\r\n"
		"payload\r\n--Xy\r\n\r\n--XyY\r\nwith look-alikes\r\n--XyZ--\r\nepilogue";
	static const char payload[] = "payload\r\n--Xy\r\n\r\n--XyY\r\nwith look-alikes";
	char file[256], field[256];

	for (size_t step = 1; step < sizeof(body); step++) {
		assert_int_equal(take_apart(body, sizeof(body) - 1, step, file, field), LB_WEB_END);
		assert_string_equal(file, payload);
		assert_string_equal(field, "ABCD-EFGH");
	}
	for (size_t cut = 0; cut < (size_t)(strstr(body, "--XyZ--") - body) + 7; cut++)
		assert_int_equal(take_apart(body, cut, 64, file, field), LB_WEB_MORE);
}

static void malformed_forms_are_refused(void **state)
{
	char file[4096], field[256], head[LB_WEB_PART_HEAD_MAX + 64];

	assert_int_equal(take_apart("hello", 5, 5, file, field), -LB_E_FORMAT);
	assert_int_equal(take_apart("--XyZ!!", 7, 7, file, field), -LB_E_FORMAT);
	memset(head, 'a', sizeof(head));
	memcpy(head, "--XyZ\r\n", 7);
	assert_int_equal(take_apart(head, sizeof(head), 100, file, field), -LB_E_FORMAT);
}

static void values_of_a_form(void **state)
{
	static const char body[] = "a=1&code=AB%43+d&codes=x&bad=%4&nul=a%00b&empty=";
	char v[8];

	assert_true(lb_web_form_value(body, sizeof(body) - 1, "code", v, sizeof(v)));
	assert_string_equal(v, "ABC d");
	assert_true(lb_web_form_value(body, sizeof(body) - 1, "empty", v, sizeof(v)));
	assert_string_equal(v, "");
	assert_false(lb_web_form_value(body, sizeof(body) - 1, "bad", v, sizeof(v)));
	assert_false(lb_web_form_value(body, sizeof(body) - 1, "nul", v, sizeof(v)));
	assert_false(lb_web_form_value(body, sizeof(body) - 1, "none", v, sizeof(v)));
	assert_false(lb_web_form_value("code=123456789", 14, "code", v, sizeof(v)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_browsers_send_is_understood),
		cmocka_unit_test(what_can_be_read_in_two_ways_is_refused),
		cmocka_unit_test(only_names_that_mean_this_device_are_served),
		cmocka_unit_test(form_is_the_same_in_pieces_of_any_size),
		cmocka_unit_test(malformed_forms_are_refused),
		cmocka_unit_test(values_of_a_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
