// SPDX-License-Identifier: GPL-2.0-or-later
/* manifest.json: understood as written by another program, refused when out of bounds. */
#include "golden.h"

#include "bundle/manifest.h"

static char *manifest_text;
static size_t manifest_len;

static int load(void **state)
{
	size_t len;
	uint8_t *bytes = golden_read("small.lbu", &len);

	manifest_len = 976;
	manifest_text = calloc(1, manifest_len + 1);
	memcpy(manifest_text, bytes + 512, manifest_len);
	free(bytes);
	return 0;
}

static int unload(void **state)
{
	free(manifest_text);
	return 0;
}

static int parse(const char *text, size_t len, struct lb_manifest *m, struct lb_error *err)
{
	char *exact = malloc(len + !len);
	int rc;

	memcpy(exact, text, len);
	rc = lb_manifest_parse(exact, len, m, err);
	free(exact);
	return rc;
}

/* The golden text with the first @from replaced by @to. */
static char *edited(const char *from, const char *to)
{
	char *at = strstr(manifest_text, from), *text = malloc(manifest_len + strlen(to) + 1);

	if (!at)
		fail_msg("the manifest has no %s", from);
	sprintf(text, "%.*s%s%s", (int)(at - manifest_text), manifest_text, to, at + strlen(from));
	return text;
}

static void all_fields_are_read(void **state)
{
	struct lb_error err = { 0 };
	struct lb_manifest m;

	if (parse(manifest_text, manifest_len, &m, &err))
		fail_msg("%s", err.text);
	assert_string_equal(m.product, "golden");
	assert_string_equal(m.version, "1.0 \xe2\x9a\x93");
	assert_true(m.format == 1 && m.release == 7 && m.min_release == 5 && m.min_recovery == 1);
	assert_true(m.created_s == 1700000000);
	assert_int_equal(m.hardware_count, 2);
	assert_string_equal(m.hardware[1], "lifeboat,golden");
	assert_int_equal(m.image_count, 2);
	assert_string_equal(m.images[0].payload.name, "boot.raw");
	assert_true(m.images[0].encoding == LB_ENC_NONE && m.images[0].kind == LB_KIND_RAW);
	assert_true(m.images[0].size_bytes == 5096 && m.images[0].payload.size_bytes == 500);
	assert_string_equal(m.images[1].target, "main-root");
	assert_true(m.images[1].encoding == LB_ENC_ZSTD_FRAMES);
	assert_true(m.images[1].index.size_bytes == 32 + 5 * 40);
}

static void truncation_anywhere_is_refused(void **state)
{
	struct lb_manifest m;

	for (size_t len = 0; len < manifest_len - 1; len++)
		assert_int_equal(parse(manifest_text, len, &m, NULL), -LB_E_FORMAT);
	assert_int_equal(parse(manifest_text, manifest_len - 1, &m, NULL), 0); /* no newline */
}

/* None may crash; what the parser says is its affair. */
static void any_flipped_bit_is_survived(void **state)
{
	struct lb_manifest m;

	for (size_t bit = 0; bit < 8 * manifest_len; bit++) {
		manifest_text[bit / 8] ^= (char)(1 << bit % 8);
		(void)!parse(manifest_text, manifest_len, &m, NULL);
		manifest_text[bit / 8] ^= (char)(1 << bit % 8);
	}
}

static void bounds_are_kept(void **state)
{
	static const struct {
		const char *from, *to;
		int code;
	} cases[] = {
		{ "\"format\":1", "\"format\":2", LB_E_CRITICAL },
		{ "\"format\":1", "\"format\":0", LB_E_FORMAT },
		{ "\"format\":1,", "", LB_E_FORMAT },
		{ "\"critical\":[]", "\"critical\":[\"images\",\"images.target\"]", 0 },
		{ "\"critical\":[]", "\"critical\":[\"images\",\"seal\"],\"seal\":1", LB_E_CRITICAL },
		{ "\"critical\":[]", "\"seal\":1", 0 },
		{ "\"critical\":[]", "\"critical\":[1]", LB_E_FORMAT },
		{ "\"critical\":[]", "\"critical\":{}", LB_E_FORMAT },
		{ "\"product\":\"golden\"", "\"product\":\"Golden\"", LB_E_FORMAT },
		{ "\"product\":\"golden\"", "\"product\":\"\"", LB_E_FORMAT },
		{ "\"product\":\"golden\"", "\"product\":\"..\"", LB_E_FORMAT },
		{ "\"product\":\"golden\"", "\"product\":\"a/b\"", LB_E_FORMAT },
		{ "\"product\":\"golden\"", "\"product\":\"abcdefghijklmnopqrstuvwxyz0123456789\"",
		  LB_E_FORMAT },
		{ "[\"lifeboat,golden-1\",\"lifeboat,golden\"]", "[]", LB_E_FORMAT },
		{ "lifeboat,golden-1", "lifeboat golden", LB_E_FORMAT },
		{ "\"release\":7", "\"release\":4", LB_E_FORMAT }, /* below its own floor */
		{ "\"release\":7,\"min_release\":5", "\"release\":0,\"min_release\":0", LB_E_FORMAT },
		{ "\"release\":7", "\"release\":\"7\"", LB_E_FORMAT },
		{ "\"release\":7", "\"release\":7.5", LB_E_FORMAT },
		{ "\"min_recovery\":1", "\"min_recovery\":4294967296", LB_E_FORMAT },
		{ "\"created\":1700000000", "\"created\":-1", LB_E_FORMAT },
		{ "\"name\":\"boot\"", "\"name\":\"..\"", LB_E_FORMAT },
		{ "\"name\":\"boot\"", "\"name\":\"root\"", LB_E_FORMAT },
		{ "\"name\":\"boot\"", "\"name\":\"-oops\"", LB_E_FORMAT },
		{ "\"target\":\"boot\"", "\"target\":\"main-root\"", LB_E_FORMAT }, /* twice */
		{ "\"target\":\"boot\"", "\"target\":\"/dev/sda\"", LB_E_FORMAT },
		{ "\"kind\":\"raw\"", "\"kind\":\"tape\"", LB_E_CRITICAL },
		{ "\"encoding\":\"none\"", "\"encoding\":\"lzma\"", LB_E_CRITICAL },
		{ "\"encoding\":\"none\"", "\"encoding\":\"zstd-frames\"", LB_E_FORMAT }, /* boot.raw */
		{ "\"kind\":\"raw\"", "\"kind\":\"raw\",\"chunking\":255", 0 },
		{ "\"kind\":\"raw\"", "\"kind\":\"raw\",\"chunking\":0", LB_E_FORMAT },
		{ "\"kind\":\"raw\"", "\"kind\":\"raw\",\"chunking\":256", LB_E_FORMAT },
		{ "\"kind\":\"raw\"", "\"kind\":\"raw\",\"chunking\":\"1\"", LB_E_FORMAT },
		{ "\"size\":5096", "\"size\":0", LB_E_FORMAT },
		{ "\"size\":152", "\"size\":153", LB_E_FORMAT },
		{ "\"size\":152", "\"size\":32", LB_E_FORMAT },
		{ "\"size\":152", "\"size\":2621512", LB_E_TOO_BIG }, /* 65,537 entries */
		{ "\"size\":152", "\"size\":2621472", 0 },
		{ "\"size\":500", "\"size\":8589934592", LB_E_TOO_BIG },
		{ "\"name\":\"boot.idx\"", "\"name\":\"boot.raw\"", LB_E_FORMAT },
		{ "\"name\":\"boot.raw\"", "\"name\":\"../boot\"", LB_E_FORMAT },
		{ "\"sha256\":\"", "\"sha256\":\"00", LB_E_FORMAT },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *text = edited(cases[i].from, cases[i].to);
		struct lb_error err = { 0 };
		struct lb_manifest m;
		int rc = parse(text, strlen(text), &m, &err);

		if (rc != -cases[i].code)
			fail_msg("%s gives %s: %s", cases[i].to, lb_error_name(rc), err.text);
		assert_int_equal(err.code, cases[i].code);
		free(text);
	}
}

static void a_newer_bundle_names_the_recovery_it_needs(void **state)
{
	char *text = edited("\"min_recovery\":1,\"critical\":[]",
			    "\"min_recovery\":9,\"critical\":[\"seal\"]");
	struct lb_error err = { 0 };
	struct lb_manifest m;

	assert_int_equal(parse(text, strlen(text), &m, &err), -LB_E_CRITICAL);
	assert_non_null(strstr(err.text, "recovery release 9"));
	free(text);
}

/* @before, @count times @element with its number for every #, @after */
static int parse_many(const char *before, const char *after, const char *element, int count)
{
	char *text = calloc(1, 200000), *p = text;
	struct lb_manifest m;
	int rc;

	p += sprintf(p, "%s", before);
	for (int i = 0; i < count; i++) {
		p += sprintf(p, "%s", i ? "," : "");
		for (const char *e = element; *e; e++)
			p += *e == '#' ? sprintf(p, "%d", i) : sprintf(p, "%c", *e);
	}
	p += sprintf(p, "%s", after);
	rc = parse(text, strlen(text), &m, NULL);
	free(text);
	return rc;
}

#define HEAD "{\"format\":1,\"product\":\"p\",\"version\":\"\",\"release\":1,\"min_release\":0,\"created\":0,"
#define D64 "0000000000000000000000000000000000000000000000000000000000000000"
#define IMAGE "{\"name\":\"i#\",\"target\":\"t#\",\"kind\":\"raw\",\"size\":1,\"sha256\":\"" D64 "\"," \
	"\"encoding\":\"none\",\"index\":{\"name\":\"i#.idx\",\"size\":72,\"sha256\":\"" D64 "\"}," \
	"\"payload\":{\"name\":\"i#.raw\",\"size\":1,\"sha256\":\"" D64 "\"}}"

static void counts_are_bounded(void **state)
{
	static const char images[] = HEAD "\"hardware\":[\"h\"],\"images\":[";

	assert_int_equal(parse_many(images, "]}", IMAGE, 0), -LB_E_FORMAT);
	assert_int_equal(parse_many(images, "]}", IMAGE, 1), 0);
	assert_int_equal(parse_many(images, "]}", IMAGE, LB_IMAGES_MAX), 0);
	assert_int_equal(parse_many(images, "]}", IMAGE, LB_IMAGES_MAX + 1), -LB_E_TOO_BIG);
	assert_int_equal(parse_many(images, "]}", IMAGE, 400), -LB_E_TOO_BIG);
	assert_int_equal(parse_many(HEAD "\"hardware\":[", "],\"images\":[]}", "\"h#\"", 33),
			 -LB_E_TOO_BIG);
}

#define RECOVERY "{\"name\":\"r#\",\"target\":\"recovery_#\",\"kind\":\"recovery\"," \
	"\"recovery_release\":2,\"size\":1,\"sha256\":\"" D64 "\",\"encoding\":\"none\"," \
	"\"index\":{\"name\":\"r#.idx\",\"size\":72,\"sha256\":\"" D64 "\"}," \
	"\"payload\":{\"name\":\"r#.raw\",\"size\":1,\"sha256\":\"" D64 "\"}}"

/* Only one of two would be written, and to both copies. */
static void a_bundle_carries_one_recovery(void **state)
{
	static const char images[] = HEAD "\"hardware\":[\"h\"],\"images\":[";

	assert_int_equal(parse_many(images, "]}", RECOVERY, 1), 0);
	assert_int_equal(parse_many(images, "]}", RECOVERY, 2), -LB_E_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_fields_are_read),
		cmocka_unit_test(truncation_anywhere_is_refused),
		cmocka_unit_test(any_flipped_bit_is_survived),
		cmocka_unit_test(bounds_are_kept),
		cmocka_unit_test(a_newer_bundle_names_the_recovery_it_needs),
		cmocka_unit_test(counts_are_bounded),
		cmocka_unit_test(a_bundle_carries_one_recovery),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
