// SPDX-License-Identifier: GPL-2.0-or-later
/* The channel file: signed, in order, and URLs that lead where they should. */
#include "golden.h"

#include "base/bytes.h"
#include "bundle/url.h"
#include "trust/channel.h"

static struct lb_keyring ring;
static uint8_t *golden;
static size_t golden_len;

static int load(void **state)
{
	size_t len;
	uint8_t *pem = golden_read("key.pub.pem", &len);

	assert_int_equal(lb_keyring_add(&ring, pem, len, NULL), 0);
	free(pem);
	golden = golden_read("channel.lbc", &golden_len);
	return 0;
}

static int unload(void **state)
{
	free(golden);
	lb_keyring_free(&ring);
	return 0;
}

static int open_bytes(const uint8_t *bytes, size_t len)
{
	uint8_t *exact = malloc(len + !len);
	struct lb_channel ch;
	int rc;

	memcpy(exact, bytes, len);
	rc = lb_channel_open(exact, len, &ring, &ch, NULL);
	free(exact);
	if (!rc)
		lb_channel_free(&ch);
	return rc;
}

static void a_channel_made_by_other_tools_is_read(void **state)
{
	static const char hardware[][LB_COMPATIBLE_MAX + 1] = { "x", "lifeboat,other" };
	static const char golden_hw[][LB_COMPATIBLE_MAX + 1] = { "lifeboat,golden" };
	struct lb_error err = { 0 };
	struct lb_channel ch;

	if (lb_channel_open(golden, golden_len, &ring, &ch, &err))
		fail_msg("%s", err.text);
	assert_string_equal(ch.product, "golden");
	assert_true(ch.sequence == 12 && ch.created_s == 1700000000 && ch.count == 2);
	assert_true(ch.releases[0].release == 7 && ch.releases[0].size_bytes == 7680);
	assert_string_equal(ch.releases[0].url, "small.lbu");
	assert_ptr_equal(lb_channel_newest(&ch, golden_hw, 1), &ch.releases[0]);
	assert_ptr_equal(lb_channel_newest(&ch, hardware, 2), &ch.releases[1]);
	assert_null(lb_channel_newest(&ch, hardware, 1));
	assert_ptr_equal(lb_channel_find(&ch, 6, hardware, 2), &ch.releases[1]);
	assert_null(lb_channel_find(&ch, 7, hardware, 2));
	assert_null(lb_channel_find(&ch, 5, golden_hw, 1));
	lb_channel_free(&ch);
	lb_channel_free(&ch);
}

static void a_visit_names_devices_one_by_one(void **state)
{
	static const char text[] = "{\"format\":1,\"product\":\"p\",\"sequence\":1,\"created\":0,"
		"\"releases\":[],\"recovery\":[{\"id\":\"repair-7\",\"until\":86400,"
		"\"serials\":[\"SN-1\",\"00:11:22\"]}]}";
	struct lb_channel ch;

	assert_int_equal(lb_channel_parse(text, strlen(text), &ch, NULL), 0);
	assert_true(ch.visit_count == 1 && ch.visits[0].until_s == 86400);
	assert_string_equal(ch.visits[0].id, "repair-7");
	assert_true(lb_channel_visit_names(&ch.visits[0], "SN-1"));
	assert_true(lb_channel_visit_names(&ch.visits[0], "00:11:22"));
	assert_false(lb_channel_visit_names(&ch.visits[0], "sn-1"));
	assert_false(lb_channel_visit_names(&ch.visits[0], "SN-"));
	assert_false(lb_channel_visit_names(&ch.visits[0], ""));
	lb_channel_free(&ch);
	assert_false(lb_serial_valid("") || lb_serial_valid(".a") || lb_serial_valid("a*"));
}

static void truncation_anywhere_is_refused(void **state)
{
	for (size_t len = 0; len < golden_len - 512; len++)
		assert_int_not_equal(open_bytes(golden, len), 0);
	assert_int_equal(open_bytes(golden, golden_len - 512), 0); /* one zero block of two */
}

static void any_changed_byte_is_refused(void **state)
{
	for (size_t i = 0; i < golden_len - 1024; i++) {
		golden[i] ^= (uint8_t)(1 << i % 8);
		if (!open_bytes(golden, golden_len))
			fail_msg("byte %zu was changed and the channel accepted", i);
		golden[i] ^= (uint8_t)(1 << i % 8);
	}
}

static void a_bundle_is_no_channel(void **state)
{
	size_t len;
	uint8_t *bundle = golden_read("small.lbu", &len);
	uint8_t *large = calloc(1, LB_CHANNEL_FILE_MAX + 1);

	assert_int_equal(open_bytes(bundle, len), -LB_E_FORMAT);
	assert_int_equal(open_bytes(large, LB_CHANNEL_FILE_MAX + 1), -LB_E_TOO_BIG);
	free(bundle);
	free(large);
}

#define HEAD "{\"format\":1,\"product\":\"p\",\"sequence\":1,\"created\":0,\"releases\":["
#define RELEASE(n, more) "{\"release\":" #n ",\"version\":\"v\",\"hardware\":[\"h\"],\"min_release\":0," \
	"\"url\":\"a.lbu\",\"size\":1,\"manifest\":\"" \
	"0000000000000000000000000000000000000000000000000000000000000000\",\"created\":0" more "}"
#define VISIT(id, until) "{\"id\":\"" id "\",\"until\":" until ",\"serials\":[\"SN:1\"],\"new\":1}"

static void contents_are_checked(void **state)
{
	static const struct {
		const char *text;
		int code;
	} cases[] = {
		{ HEAD "]}", 0 },
		{ HEAD RELEASE(2, "") "," RELEASE(2, "") "," RELEASE(1, "") "]}", 0 },
		{ HEAD RELEASE(1, ",\"new\":1") "]}", 0 },
		{ HEAD RELEASE(1, "") "," RELEASE(2, "") "]}", LB_E_FORMAT }, /* order */
		{ HEAD "{}]}", LB_E_FORMAT },
		{ HEAD "1]}", LB_E_FORMAT },
		{ "{\"format\":2}", LB_E_CRITICAL },
		{ "{\"format\":1,\"critical\":[\"x\"]}", LB_E_CRITICAL },
		{ HEAD "],\"recovery\":[" VISIT("a", "1") "," VISIT("b", "2678400") "]}", 0 },
		{ HEAD "],\"critical\":[\"recovery\"],\"recovery\":[]}", 0 },
		{ HEAD "],\"recovery\":[" VISIT("a", "1") "," VISIT("a", "1") "]}", LB_E_FORMAT },
		{ HEAD "],\"recovery\":[" VISIT("a b", "1") "]}", LB_E_FORMAT },
		{ HEAD "],\"recovery\":[" VISIT("a", "2678401") "]}", LB_E_FORMAT }, /* 31 days */
		{ HEAD "],\"recovery\":[{\"id\":\"a\",\"until\":1,\"serials\":[]}]}", LB_E_FORMAT },
		{ HEAD "],\"recovery\":[{\"id\":\"a\",\"until\":1,\"serials\":[\"*\"]}]}", LB_E_FORMAT },
		{ HEAD "],\"recovery\":[{\"id\":\"a\",\"until\":1}]}", LB_E_FORMAT },
		{ HEAD "],\"recovery\":{}}", LB_E_FORMAT },
		{ "{\"format\":1,\"product\":\"../p\",\"sequence\":1,\"created\":0,\"releases\":[]}",
		  LB_E_FORMAT },
	};

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		struct lb_channel ch;
		int rc = lb_channel_parse(cases[i].text, strlen(cases[i].text), &ch, NULL);

		if (rc != -cases[i].code)
			fail_msg("%s gives %s", cases[i].text, lb_error_name(rc));
		if (!rc)
			lb_channel_free(&ch);
	}
}

static void urls_resolve(void **state)
{
	static const struct {
		const char *base, *ref, *want; /* NULL: refused */
	} cases[] = {
		{ "https://u.example/s/channel.lbc", "a.lbu", "https://u.example/s/a.lbu" },
		{ "https:///u.example/channel.lbc", "a:b", NULL }, /* to some readers a server */
		{ "https://u.example/s/channel.lbc", "http:///a.lbu", NULL },
		{ "https://", "a.lbu", NULL },
		{ "https://u.example/s/channel.lbc", "b/a.lbu", "https://u.example/s/b/a.lbu" },
		{ "https://u.example/s/channel.lbc", "/a.lbu", "https://u.example/a.lbu" },
		{ "https://u.example:8443/channel.lbc?t=a/b", "a.lbu", "https://u.example:8443/a.lbu" },
		{ "https://u.example", "a.lbu", "https://u.example/a.lbu" },
		{ "https://u.example", "/a.lbu", "https://u.example/a.lbu" },
		{ "https://u.example?x=/y", "a.lbu", "https://u.example/a.lbu" },
		{ "https://u.example/s/channel.lbc", "http://o.example/a.lbu", "http://o.example/a.lbu" },
		{ "file:///srv/u/channel.lbc", "a.lbu", "file:///srv/u/a.lbu" },
		{ "channel.lbc", "a.lbu", NULL },
		{ "https://u.example/s/channel.lbc", "", NULL },
		{ "https://u.example/s/channel.lbc", "../a.lbu", NULL },
		{ "https://u.example/s/channel.lbc", "//o.example/a.lbu", NULL },
		{ "https://u.example/s/channel.lbc", "ftp://o.example/a.lbu", NULL },
		{ "https://u.example/s/channel.lbc", "a b.lbu", NULL },
		{ "https://u.example/s/channel.lbc", "a\nb.lbu", NULL },
		{ "https://u.example/s/channel.lbc", "a\"b.lbu", NULL },
	};
	char url[LB_URL_MAX + 1], small[16];

	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		int rc = lb_url_resolve(cases[i].base, cases[i].ref, url, sizeof(url), NULL);

		if (rc != (cases[i].want ? 0 : -LB_E_FORMAT))
			fail_msg("%s at %s gives %s", cases[i].ref, cases[i].base, lb_error_name(rc));
		if (cases[i].want)
			assert_string_equal(url, cases[i].want);
	}
	assert_int_equal(lb_url_resolve("https://u.example/c", "a.lbu", small, sizeof(small), NULL),
			 -LB_E_TOO_BIG);
}

/* What may hold a token is not shown; what is no URL of a server stays as it is. */
static void urls_are_shown_without_secrets(void **state)
{
	static const struct {
		const char *url, *shown;
	} cases[] = {
		{ "https://u.example/a.lbu", "https://u.example/a.lbu" },
		{ "https://u.example:8443/a.lbu?token=SECRET", "https://u.example:8443/a.lbu" },
		{ "http://user:SECRET@u.example/a", "http://u.example/a" },
		{ "HTTP://SECRET@x@u.example", "HTTP://u.example" },
		{ "http://u.example?SECRET@x/y", "http://u.example" },
		{ "http://user:SECRET@u.example#SECRET", "http://u.example" },
		{ "http://u.example/with@sign#SECRET?", "http://u.example/with@sign" },
		{ "ftp://user:SECRET@u.example/a", "ftp://u.example/a" },
		{ "https://SECRET@", "https://" },
		{ "file:///data/a?b@c.lbu", "file:///data/a?b@c.lbu" },
		{ "/data/a://x?b@c", "/data/a://x?b@c" },
		{ "", "" },
	};
	char text[64], small[12];

	(void)state;
	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		lb_url_shown(cases[i].url, text, sizeof(text));
		assert_string_equal(text, cases[i].shown);
	}
	assert_string_equal(lb_url_shown("http://u:p@u.example/", small, sizeof(small)),
			    "http://u.ex");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_channel_made_by_other_tools_is_read),
		cmocka_unit_test(a_visit_names_devices_one_by_one),
		cmocka_unit_test(truncation_anywhere_is_refused),
		cmocka_unit_test(any_changed_byte_is_refused),
		cmocka_unit_test(a_bundle_is_no_channel),
		cmocka_unit_test(contents_are_checked),
		cmocka_unit_test(urls_resolve),
		cmocka_unit_test(urls_are_shown_without_secrets),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
