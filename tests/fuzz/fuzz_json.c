// SPDX-License-Identifier: GPL-2.0-or-later
/* Any JSON, and every way to read a member of it. The mode says which allocation fails. */
#include "base/json.h"
#include "fuzz.h"

#define TEXT_MAX 65536u

/* 0, absent or refused: with a sentence, and @ret as it was. */
static int code_of(int rc, const struct lb_error *err)
{
	CHECK(!rc || rc == -LB_E_NOT_FOUND || (rc == -LB_E_FORMAT && err->code == LB_E_FORMAT));
	return rc;
}

static void read_member(const cJSON *obj, const char *name)
{
	struct lb_error err = { 0 };
	const cJSON *child = NULL;
	uint8_t bytes[32], many[65];
	uint64_t n = 1u << 20;
	char text[32] = "untouched";
	bool b;

	if (!code_of(lb_json_u64(obj, name, &n, &err), &err))
		CHECK(n <= (UINT64_C(1) << 53) - 1);
	(void)code_of(lb_json_bool(obj, name, &b, &err), &err);
	if (code_of(lb_json_str(obj, name, text, sizeof(text), &err), &err))
		CHECK(!strcmp(text, "untouched"));
	else
		CHECK(memchr(text, '\0', sizeof(text)) && !strpbrk(text, "\n\r\t\x7f"));
	(void)code_of(lb_json_hex(obj, name, bytes, sizeof(bytes), &err), &err);
	(void)code_of(lb_json_hex(obj, name, many, sizeof(many), &err), &err);
	if (!code_of(lb_json_obj(obj, name, &child, &err), &err))
		CHECK(cJSON_IsObject(child));
	if (!code_of(lb_json_array(obj, name, &child, &err), &err))
		CHECK(cJSON_IsArray(child));
	CHECK(lb_json_need(-LB_E_NOT_FOUND, name, &err) == -LB_E_FORMAT);
	CHECK(!lb_json_need(0, name, &err));
}

/* No name twice, no deeper than 8. */
static void walk(const cJSON *item, int depth)
{
	const cJSON *child, *other;

	CHECK(depth <= 9);
	cJSON_ArrayForEach(child, item) {
		if (cJSON_IsObject(item)) {
			for (other = child->next; other; other = other->next)
				CHECK(strcmp(child->string, other->string));
			read_member(item, child->string);
		}
		walk(child, depth + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t mode = fuzz_take_mode(data, &size), *text = fuzz_exact(data, size);
	struct lb_error err = { 0 };
	struct fuzz_alloc spent;
	cJSON *root = NULL;
	int rc;

	fuzz_alloc_start(mode);
	rc = lb_json_parse(text, size, TEXT_MAX, "it", &root, &err);
	spent = fuzz_alloc_stop();
	CHECK_RESULT(rc, &err);
	CHECK(spent.total_bytes <= 64 * size + 64);
	if (rc) {
		CHECK(!root && !spent.balance);
	} else {
		CHECK(cJSON_IsObject(root));
		walk(root, 1);
		read_member(root, "absent");
		read_member(NULL, "nothing");
		cJSON_Delete(root);
	}
	free(text);
	return 0;
}
