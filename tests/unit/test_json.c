// SPDX-License-Identifier: GPL-2.0-or-later
/* JSON from outside: what cJSON would let through and we do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

/* In memory of exactly its length, so that reading on is noticed. */
static int parse(const char *text, size_t len, cJSON **ret, struct lb_error *err)
{
	char *exact = malloc(len + !len);
	int rc;

	memcpy(exact, text, len);
	rc = lb_json_parse(exact, len, 4096, "it", ret, err);
	free(exact);
	return rc;
}

static cJSON *good(const char *text)
{
	struct lb_error err = { 0 };
	cJSON *root = NULL;

	if (parse(text, strlen(text), &root, &err))
		fail_msg("%s: %s", text, err.text);
	return root;
}

static void one_object_is_accepted(void **state)
{
	static const char *const texts[] = {
		"{}", " {} \n", "{\"a\":1}", "{\"a\":{\"a\":{\"a\":[[[[[1]]]]]}}}",
		"{\"a\":\"[[[[[[[[[[[[[[[\"}", "{\"a\":\"\\\"[[[[[[[[[[[[\"}", "{\"a\\\\\":\"\\\\\"}",
		"{\"a\":{\"b\":1},\"c\":{\"b\":1}}", "{\"a\":\"\\\\u0000\"}",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		cJSON_Delete(good(texts[i]));
}

static void anything_else_is_refused(void **state)
{
	static const char *const texts[] = {
		"", " ", "[]", "1", "null", "\"\"", "{", "{\"a\":", "{\"a\"}", "{\"a\":1,}", "{}{}",
		"{} x", "{}\"", "{\"a\":1,\"a\":2}", "{\"b\":{\"a\":1,\"a\":2}}",
		"{\"b\":[0,{\"a\":1,\"c\":0,\"a\":2}]}", "{\"a\":\"\\u0000\"}", "{\"\\u0000\":1}",
		"{\"a\":\"\\", "{\"a\":\"\\u00", "{\"a\":[[[[[[[[1]]]]]]]]}",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct lb_error err = { 0 };
		cJSON *root = NULL;

		if (parse(texts[i], strlen(texts[i]), &root, &err) != -LB_E_FORMAT)
			fail_msg("accepted: %s", texts[i]);
		assert_int_equal(err.code, LB_E_FORMAT);
		assert_null(root);
	}
}

static void nul_bytes_and_excess_length_are_refused(void **state)
{
	static const char text[] = "{\"a\":\"x\0y\"}";
	char big[4097];
	cJSON *root;

	assert_int_equal(parse(text, sizeof(text) - 1, &root, NULL), -LB_E_FORMAT);
	assert_int_equal(parse("{}\0", 3, &root, NULL), -LB_E_FORMAT);
	memset(big, ' ', sizeof(big));
	memcpy(big, "{}", 2);
	assert_int_equal(parse(big, 4097, &root, NULL), -LB_E_TOO_BIG);
	assert_int_equal(parse(big, 4096, &root, NULL), 0);
	cJSON_Delete(root);
}

static void truncation_anywhere_is_refused(void **state)
{
	static const char text[] = "{\"a\":[1,{\"b\":\"\\u20ac \\\\\"}],\"c\":true,\"d\":-1.5e3}";
	cJSON *root;

	for (size_t len = 0; len < sizeof(text) - 1; len++)
		assert_int_equal(parse(text, len, &root, NULL), -LB_E_FORMAT);
	cJSON_Delete(good(text));
}

static void integers_are_exact(void **state)
{
	cJSON *root = good("{\"max\":9007199254740991,\"over\":9007199254740993,\"half\":0.5,"
			   "\"neg\":-1,\"text\":\"1\",\"zero\":0,\"huge\":1e300,\"inf\":1e999}");
	static const char *const wrong[] = { "over", "half", "neg", "text", "huge", "inf" };
	struct lb_error err = { 0 };
	uint64_t v = 7;

	assert_int_equal(lb_json_u64(root, "max", &v, &err), 0);
	assert_true(v == 9007199254740991u);
	assert_int_equal(lb_json_u64(root, "zero", &v, &err), 0);
	assert_true(v == 0);
	v = 7;
	assert_int_equal(lb_json_u64(root, "absent", &v, &err), -LB_E_NOT_FOUND);
	assert_int_equal(lb_json_u64(root, "MAX", &v, &err), -LB_E_NOT_FOUND);
	assert_int_equal(err.code, 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(lb_json_u64(root, wrong[i], &v, &err), -LB_E_FORMAT);
	assert_true(v == 7);
	assert_int_equal(lb_json_need(-LB_E_NOT_FOUND, "absent", &err), -LB_E_FORMAT);
	assert_string_equal(err.text, "\"absent\" is missing");
	cJSON_Delete(root);
}

static void strings_are_printable_and_bounded(void **state)
{
	static const char *const wrong[] = {
		"{\"s\":\"abcdefgh\"}", "{\"s\":\"a\\nb\"}", "{\"s\":\"a\\u001bb\"}", "{\"s\":\"\x7f\"}",
		"{\"s\":\"\xc2\x9b\"}", "{\"s\":\"\xc0\x80\"}", "{\"s\":\"\xff\"}", "{\"s\":\"\xe2\x82\"}",
		"{\"s\":\"\xed\xa0\x80\"}", "{\"s\":\"\xf4\x90\x80\x80\"}", "{\"s\":1}", "{\"s\":null}",
	};
	struct lb_error err = { 0 };
	char s[8] = "before";
	cJSON *root;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		root = good(wrong[i]);
		assert_int_equal(lb_json_str(root, "s", s, sizeof(s), &err), -LB_E_FORMAT);
		assert_string_equal(s, "before");
		cJSON_Delete(root);
	}
	root = good("{\"s\":\"\xe2\x82\xac \\u2693\"}");
	assert_int_equal(lb_json_str(root, "s", s, sizeof(s), &err), 0);
	assert_string_equal(s, "\xe2\x82\xac \xe2\x9a\x93");
	cJSON_Delete(root);
}

static void digests_have_their_length(void **state)
{
	cJSON *root = good("{\"ok\":\"00ffA5\",\"short\":\"00ff\",\"long\":\"00ffa500\",\"odd\":\"00ffg5\",\"n\":1}");
	uint8_t d[3];

	assert_int_equal(lb_json_hex(root, "ok", d, 3, NULL), 0);
	assert_memory_equal(d, "\x00\xff\xa5", 3);
	assert_int_equal(lb_json_hex(root, "short", d, 3, NULL), -LB_E_FORMAT);
	assert_int_equal(lb_json_hex(root, "long", d, 3, NULL), -LB_E_FORMAT);
	assert_int_equal(lb_json_hex(root, "odd", d, 3, NULL), -LB_E_FORMAT);
	assert_int_equal(lb_json_hex(root, "n", d, 3, NULL), -LB_E_FORMAT);
	cJSON_Delete(root);
}

static void types_are_checked(void **state)
{
	cJSON *root = good("{\"o\":{},\"a\":[],\"t\":true,\"f\":false}");
	const cJSON *item;
	bool b;

	assert_int_equal(lb_json_obj(root, "o", &item, NULL), 0);
	assert_int_equal(lb_json_obj(root, "a", &item, NULL), -LB_E_FORMAT);
	assert_int_equal(lb_json_array(root, "a", &item, NULL), 0);
	assert_int_equal(lb_json_array(root, "o", &item, NULL), -LB_E_FORMAT);
	assert_int_equal(lb_json_array(item, "o", &item, NULL), -LB_E_NOT_FOUND);
	assert_int_equal(lb_json_bool(root, "t", &b, NULL), 0);
	assert_true(b);
	assert_int_equal(lb_json_bool(root, "f", &b, NULL), 0);
	assert_false(b);
	assert_int_equal(lb_json_bool(root, "o", &b, NULL), -LB_E_FORMAT);
	cJSON_Delete(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_object_is_accepted),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(nul_bytes_and_excess_length_are_refused),
		cmocka_unit_test(truncation_anywhere_is_refused),
		cmocka_unit_test(integers_are_exact),
		cmocka_unit_test(strings_are_printable_and_bounded),
		cmocka_unit_test(digests_have_their_length),
		cmocka_unit_test(types_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
