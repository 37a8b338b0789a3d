// SPDX-License-Identifier: GPL-2.0-or-later
/* Records as docs/SPEC.md, "Records", has them: expected texts are written out by hand. */
#define _GNU_SOURCE
#include "ram_blk.h"

#include "base/bytes.h"
#include "state/records.h"

#define REGION (512u * 1024u)

static struct ram_blk ram;
static struct lb_log log_;

static int setup(void **state)
{
	(void)state;
	ram_init(&ram, "state", REGION);
	return lb_log_format(&log_, &ram.blk, NULL);
}

static int teardown(void **state)
{
	(void)state;
	lb_blk_close(&ram.blk);
	return 0;
}

static void expect_text(uint16_t type, const char *text)
{
	char buf[8192] = "";

	assert_int_equal(lb_log_get(&log_, type, buf, sizeof(buf) - 1), strlen(text));
	assert_string_equal(buf, text);
}

static void put_text(uint16_t type, const char *text)
{
	assert_int_equal(lb_log_put(&log_, type, text, strlen(text), NULL), 0);
}

static void state_is_stored_as_specified(void **state)
{
	struct lb_state s = { .name = LB_STATE_UPDATING, .release = 12 }, back;

	(void)state;
	assert_int_equal(lb_state_load(&log_, &back, NULL), -LB_E_NOT_FOUND);
	memset(s.manifest, 0xab, sizeof(s.manifest));
	assert_int_equal(lb_state_save(&log_, &s, NULL), 0);
	expect_text(LB_REC_STATE,
		    "{\"state\":\"updating\",\"release\":12,\"manifest\":\""
		    "abababababababababababababababababababababababababababababababab\"}");
	assert_int_equal(lb_state_load(&log_, &back, NULL), 0);
	assert_int_equal(back.name, LB_STATE_UPDATING);
	assert_int_equal(back.release, 12);
	assert_memory_equal(back.manifest, s.manifest, sizeof(s.manifest));

	s = (struct lb_state){ .name = LB_STATE_CONFIRMED };
	assert_int_equal(lb_state_save(&log_, &s, NULL), 0);
	expect_text(LB_REC_STATE, "{\"state\":\"confirmed\"}");
	s.name = LB_STATE_COUNT;
	assert_int_equal(lb_state_save(&log_, &s, NULL), -LB_E_INVALID);
}

static void a_record_that_makes_no_sense_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "x", "{", "[]", "{\"release\":1}", "{\"state\":\"flying\"}", "{\"state\":7}",
		"{\"state\":\"trial\",\"release\":-1}", "{\"state\":\"trial\",\"release\":1.5}",
		"{\"state\":\"trial\",\"manifest\":\"ab\"}", "{\"state\":\"trial\"}x",
		"{\"state\":\"trial\",\"state\":\"confirmed\"}",
	};
	struct lb_state s = { .name = LB_STATE_RESCUE }, untouched = s;

	(void)state;
	for (size_t i = 1; i < LB_ARRAY_LEN(bad); i++) {
		put_text(LB_REC_STATE, bad[i]);
		assert_int_equal(lb_state_load(&log_, &s, NULL), -LB_E_FORMAT);
		assert_memory_equal(&s, &untouched, sizeof(s));
	}
	put_text(LB_REC_STATE, "{\"state\":\"trial\",\"added_later\":[1,2]}");
	assert_int_equal(lb_state_load(&log_, &s, NULL), 0);
	assert_int_equal(s.name, LB_STATE_TRIAL);
}

static void a_newer_version_is_kept_but_not_read(void **state)
{
	struct lb_state s;

	(void)state;
	put_text(LB_REC_STATE, "{\"state\":\"trial\"}");
	/* version 2, checksum made anew */
	lb_put_le16(ram.bytes + 4096 + 6, 2);
	lb_put_le32(ram.bytes + 4096 + 28,
		    lb_crc32(lb_crc32(0, ram.bytes + 4096, 28), ram.bytes + 4096 + 32, 17));
	assert_int_equal(lb_log_open(&log_, &ram.blk, NULL), 0);
	assert_int_equal(lb_state_load(&log_, &s, NULL), -LB_E_FORMAT);
}

static struct lb_request full_request(void)
{
	struct lb_request q = {
		.urls = { "https://a.example/x.lbu", "http://[fe80::1]/\"y\"" },
		.url_count = 2,
		.release = 9007199254740991,
		.budget_bytes = 1000000000000000,
		.time_s = 1700000000,
		.deployment = "d-1",
		.header = "Authorization: Bearer sesame",
	};

	memset(q.manifest, 0x01, sizeof(q.manifest));
	return q;
}

static void request_is_stored_as_specified(void **state)
{
	struct lb_request q = full_request(), back;

	(void)state;
	assert_int_equal(lb_request_save(&log_, &q, NULL), 0);
	expect_text(LB_REC_REQUEST,
		    "{\"urls\":[\"https://a.example/x.lbu\",\"http://[fe80::1]/\\\"y\\\"\"],"
		    "\"manifest\":"
		    "\"0101010101010101010101010101010101010101010101010101010101010101\","
		    "\"release\":9007199254740991,\"budget_bytes\":1000000000000000,"
		    "\"time\":1700000000,\"deployment\":\"d-1\","
		    "\"header\":\"Authorization: Bearer sesame\"}");
	memset(&back, 0x77, sizeof(back));
	assert_int_equal(lb_request_load(&log_, &back, NULL), 0);
	assert_int_equal(back.url_count, 2);
	assert_string_equal(back.urls[1], q.urls[1]);
	assert_int_equal(back.release, q.release);
	assert_int_equal(back.budget_bytes, q.budget_bytes);
	assert_int_equal(back.time_s, q.time_s);
	assert_string_equal(back.deployment, "d-1");
	assert_string_equal(back.header, q.header);
	assert_false(back.recovery_only);

	back = (struct lb_request){ .recovery_only = true };
	assert_int_equal(lb_request_save(&log_, &back, NULL), 0);
	expect_text(LB_REC_REQUEST, "{\"recovery_only\":true}");
}

static void a_request_cannot_smuggle_a_second_header_line(void **state)
{
	struct lb_request q = full_request(), back;

	(void)state;
	strcpy(q.header, "A: b\r\nC: d");
	assert_int_equal(lb_request_save(&log_, &q, NULL), -LB_E_INVALID);
	put_text(LB_REC_REQUEST, "{\"header\":\"A: b\\r\\nC: d\"}");
	assert_int_equal(lb_request_load(&log_, &back, NULL), -LB_E_FORMAT);
	put_text(LB_REC_REQUEST, "{\"urls\":[\"a\",\"b\",\"c\",\"d\",\"e\"]}");
	assert_int_equal(lb_request_load(&log_, &back, NULL), -LB_E_FORMAT);
	put_text(LB_REC_REQUEST, "{\"urls\":[1]}");
	assert_int_equal(lb_request_load(&log_, &back, NULL), -LB_E_FORMAT);
}

static void dropping_a_request_leaves_nothing_of_its_token(void **state)
{
	struct lb_request q = full_request(), back;
	struct lb_state s = { .name = LB_STATE_TRIAL };

	(void)state;
	assert_int_equal(lb_state_save(&log_, &s, NULL), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(lb_request_save(&log_, &q, NULL), 0);
	assert_non_null(memmem(ram.bytes, REGION, "sesame", 6));
	assert_int_equal(lb_request_drop(&log_, NULL), 0);
	assert_null(memmem(ram.bytes, REGION, "sesame", 6));
	assert_int_equal(lb_request_load(&log_, &back, NULL), -LB_E_NOT_FOUND);
	assert_int_equal(lb_request_drop(&log_, NULL), 0);
	assert_int_equal(lb_state_load(&log_, &s, NULL), 0);
	assert_int_equal(s.name, LB_STATE_TRIAL);
}

static void progress_and_result_come_back(void **state)
{
	struct lb_progress p = { .total_bytes = 10, .done_bytes = 4, .fetched_bytes = 3,
				 .written_bytes = 2, .copied_bytes = 1, .ranges = 9,
				 .power_cycles = 4294967295u }, p2;
	struct lb_result v = { .code = "ok", .deployment = "d", .release = 3,
			       .main_changed = true, .fetched_bytes = 1, .written_bytes = 2,
			       .skipped_bytes = 3, .copied_bytes = 12, .ranges = 12, .seconds = 4,
			       .power_cycles = 5,
			       .fetch_rate = 13, .write_rate = 14,
			       .plan_ms = 6, .plan_cpu_ms = 7, .install_ms = 8,
			       .install_cpu_ms = 9, .readback_ms = 10, .readback_cpu_ms = 11,
			       .time_s = 1700000000 }, v2;

	(void)state;
	assert_int_equal(lb_progress_save(&log_, &p, NULL), 0);
	expect_text(LB_REC_PROGRESS, "{\"total_bytes\":10,\"done_bytes\":4,\"fetched_bytes\":3,"
				     "\"written_bytes\":2,\"copied_bytes\":1,\"ranges\":9,\"power_cycles\":4294967295}");
	assert_int_equal(lb_progress_load(&log_, &p2, NULL), 0);
	assert_memory_equal(&p, &p2, sizeof(p));

	strcpy(v.text, "the server said \x1b[31m\"no\"\xff\n");
	assert_int_equal(lb_result_save(&log_, &v, NULL), 0);
	expect_text(LB_REC_RESULT,
		    "{\"code\":\"ok\",\"text\":\"the server said ?[31m\\\"no\\\"??\","
		    "\"deployment\":\"d\",\"release\":3,\"main_changed\":true,"
		    "\"fetched_bytes\":1,\"written_bytes\":2,\"skipped_bytes\":3,"
		    "\"copied_bytes\":12,\"ranges\":12,\"seconds\":4,\"fetch_rate\":13,\"write_rate\":14,"
		    "\"power_cycles\":5,\"plan_ms\":6,\"plan_cpu_ms\":7,\"install_ms\":8,"
		    "\"install_cpu_ms\":9,\"readback_ms\":10,\"readback_cpu_ms\":11,\"time\":1700000000}");
	assert_int_equal(lb_result_load(&log_, &v2, NULL), 0);
	assert_string_equal(v2.text, "the server said ?[31m\"no\"??");
	assert_true(v2.main_changed);
	assert_int_equal(v2.seconds, 4);
	assert_int_equal(v2.copied_bytes, 12);
	assert_true(v2.ranges == 12 && v2.fetch_rate == 13 && v2.write_rate == 14);
	assert_int_equal(v2.plan_ms, 6);
	assert_int_equal(v2.plan_cpu_ms, 7);
	assert_int_equal(v2.install_ms, 8);
	assert_int_equal(v2.install_cpu_ms, 9);
	assert_int_equal(v2.readback_ms, 10);
	assert_int_equal(v2.readback_cpu_ms, 11);
	put_text(LB_REC_PROGRESS, "{\"power_cycles\":4294967296}");
	assert_int_equal(lb_progress_load(&log_, &p2, NULL), -LB_E_FORMAT);
}

static void note_of_recoverys_own_update_comes_back(void **state)
{
	struct lb_self_update v = { .tries = 2, .copy = 'b' }, v2 = { 0 };

	(void)state;
	memset(v.image, 0xab, sizeof(v.image));
	assert_int_equal(lb_self_update_save(&log_, &v, NULL), 0);
	assert_int_equal(lb_self_update_load(&log_, &v2, NULL), 0);
	assert_memory_equal(v.image, v2.image, sizeof(v.image));
	assert_true(v2.tries == 2 && v2.copy == 'b');
	put_text(LB_REC_SELF_UPDATE, "{\"tries\":1}"); /* as without a copy that is selected */
	assert_int_equal(lb_self_update_load(&log_, &v2, NULL), 0);
	assert_true(v2.tries == 1 && !v2.copy);
	put_text(LB_REC_SELF_UPDATE, "{\"copy\":\"c\"}");
	assert_int_equal(lb_self_update_load(&log_, &v2, NULL), 0);
	assert_false(v2.copy);
	put_text(LB_REC_SELF_UPDATE, "{\"copy\":\"ab\"}");
	assert_int_equal(lb_self_update_load(&log_, &v2, NULL), -LB_E_FORMAT);
}

static void network_keeps_the_lines_of_a_certificate(void **state)
{
	static struct lb_network n = { .ca_pem = "-----BEGIN CERTIFICATE-----\nMII=\n"
						 "-----END CERTIFICATE-----\n",
				       .address = "192.0.2.7/24", .gateway = "192.0.2.1" }, n2;

	(void)state;
	assert_int_equal(lb_network_save(&log_, &n, NULL), 0);
	assert_int_equal(lb_network_load(&log_, &n2, NULL), 0);
	assert_memory_equal(&n, &n2, sizeof(n));
	memset(n.ca_pem, '\n', LB_CA_MAX); /* two bytes each on the medium */
	assert_int_equal(lb_network_save(&log_, &n, NULL), 0);
	assert_int_equal(lb_network_load(&log_, &n2, NULL), 0);
	assert_memory_equal(&n, &n2, sizeof(n));
	n.ca_pem[0] = 1;
	assert_int_equal(lb_network_save(&log_, &n, NULL), -LB_E_INVALID);
}

static void floors_are_zero_when_absent_but_not_when_broken(void **state)
{
	uint64_t floor = 5;
	int64_t clock = 5;

	(void)state;
	assert_int_equal(lb_floor_load(&log_, &floor, NULL), 0);
	assert_int_equal(floor, 0);
	assert_int_equal(lb_clock_floor_load(&log_, &clock, NULL), 0);
	assert_int_equal(clock, 0);
	assert_int_equal(lb_floor_save(&log_, 41, NULL), 0);
	assert_int_equal(lb_clock_floor_save(&log_, 1700000000, NULL), 0);
	expect_text(LB_REC_FLOOR, "{\"release\":41}");
	expect_text(LB_REC_CLOCK, "{\"time\":1700000000}");
	assert_int_equal(lb_floor_load(&log_, &floor, NULL), 0);
	assert_int_equal(floor, 41);
	assert_int_equal(lb_clock_floor_load(&log_, &clock, NULL), 0);
	assert_int_equal(clock, 1700000000);
	put_text(LB_REC_FLOOR, "{\"relase\":1}");
	assert_int_equal(lb_floor_load(&log_, &floor, NULL), -LB_E_FORMAT);
	assert_int_equal(floor, 41);
	assert_int_equal(lb_floor_save(&log_, UINT64_C(1) << 53, NULL), -LB_E_INVALID);
}

/* struct.pack('<QIHH16s', 7, 5, 3, 2, b'0123456789abcdef') + two URLs + b'sig' + b'{"a"}' */
static const char golden_release[] = "0700000000000000"
				     "05000000" "0300" "0200"
				     "30313233343536373839616263646566"
				     "0300" "613a62" "0000"
				     "736967"
				     "7b2261227d";

static void release_is_stored_as_specified(void **state)
{
	struct lb_release r = { .release = 7, .manifest = (uint8_t *)"{\"a\"}",
				.manifest_len = 5, .urls = { "a:b", "" }, .url_count = 2,
				.signature = { "0123456789abcdef", 3, "sig" } }, back = { 0 };
	uint8_t golden[(sizeof(golden_release) - 1) / 2], buf[256];

	(void)state;
	assert_true(lb_hex_decode(golden, sizeof(golden), golden_release));
	assert_int_equal(lb_release_save(&log_, LB_REC_INSTALLED, &r, NULL), 0);
	assert_int_equal(lb_log_get(&log_, LB_REC_INSTALLED, buf, sizeof(buf)), sizeof(golden));
	assert_memory_equal(buf, golden, sizeof(golden));
	assert_int_equal(lb_release_load(&log_, LB_REC_CONFIRMED, &back, NULL), -LB_E_NOT_FOUND);
	assert_int_equal(lb_release_load(&log_, LB_REC_INSTALLED, &back, NULL), 0);
	assert_int_equal(back.release, 7);
	assert_int_equal(back.manifest_len, 5);
	assert_memory_equal(back.manifest, "{\"a\"}", 5);
	assert_string_equal(back.signature.keyid, "0123456789abcdef");
	assert_int_equal(back.signature.length, 3);
	assert_string_equal(back.urls[0], "a:b");
	lb_release_free(&back);
	lb_release_free(&back);
	lb_release_free(NULL);
}

static void a_malformed_release_is_refused_at_every_length(void **state)
{
	uint8_t golden[(sizeof(golden_release) - 1) / 2], *copy;
	struct lb_release back;

	(void)state;
	assert_true(lb_hex_decode(golden, sizeof(golden), golden_release));
	for (size_t len = 0; len < sizeof(golden); len++) {
		copy = malloc(len + 1); /* exact size: the sanitizer sees a byte too far */
		memcpy(copy, golden, len);
		assert_int_equal(lb_release_decode(copy, len, &back, NULL), -LB_E_FORMAT);
		free(copy);
	}
	for (size_t at = 8; at < 16; at++) { /* every length field */
		golden[at] ^= 0xff;
		assert_int_equal(lb_release_decode(golden, sizeof(golden), &back, NULL),
				 -LB_E_FORMAT);
		golden[at] ^= 0xff;
	}
	golden[34] = 0x1b; /* control character in a URL */
	assert_int_equal(lb_release_decode(golden, sizeof(golden), &back, NULL), -LB_E_FORMAT);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(state_is_stored_as_specified),
		CASE(a_record_that_makes_no_sense_is_refused),
		CASE(a_newer_version_is_kept_but_not_read),
		CASE(request_is_stored_as_specified),
		CASE(a_request_cannot_smuggle_a_second_header_line),
		CASE(dropping_a_request_leaves_nothing_of_its_token),
		CASE(progress_and_result_come_back),
		CASE(note_of_recoverys_own_update_comes_back),
		CASE(network_keeps_the_lines_of_a_certificate),
		CASE(floors_are_zero_when_absent_but_not_when_broken),
		CASE(release_is_stored_as_specified),
		CASE(a_malformed_release_is_refused_at_every_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
