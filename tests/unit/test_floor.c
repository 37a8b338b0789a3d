// SPDX-License-Identifier: GPL-2.0-or-later
/* The floor: no record that main can delete or spoil lowers what the others say. */
#include "ram_blk.h"

#include "golden.h"

#include "bundle/bundle.h"
#include "flow/floor.h"
#include "port/source_mem.h"
#include "state/records.h"

#define SIGNED_FLOOR 5 /* min_release of tests/golden/small.lbu */

static struct ram_blk ram;
static struct lb_log log_;
static struct lb_keyring ring;
static struct lb_bundle_head head;

static int setup(void **state)
{
	struct lb_source_mem mem;
	size_t len, pem_len;
	uint8_t *bytes = golden_read("small.lbu", &len);
	uint8_t *pem = golden_read("key.pub.pem", &pem_len);

	(void)state;
	lb_source_mem_init(&mem, bytes, len);
	assert_int_equal(lb_bundle_read_head(&mem.src, &head, NULL), 0);
	assert_int_equal(lb_keyring_add(&ring, pem, pem_len, NULL), 0);
	free(bytes);
	free(pem);
	ram_init(&ram, "state", 512u * 1024u);
	return lb_log_format(&log_, &ram.blk, NULL);
}

static int teardown(void **state)
{
	(void)state;
	lb_bundle_head_free(&head);
	lb_keyring_free(&ring);
	lb_blk_close(&ram.blk);
	return 0;
}

static uint64_t floor_with(uint64_t built_in)
{
	uint64_t floor = 99;

	assert_int_equal(lb_floor_effective(&log_, &ring, built_in, &floor, NULL), 0);
	return floor;
}

static void put(uint16_t type, const char *text)
{
	assert_int_equal(lb_log_put(&log_, type, text, strlen(text), NULL), 0);
}

static void put_confirmed(char flip)
{
	struct lb_release r = {
		.release = 7,
		.manifest = head.manifest,
		.manifest_len = head.manifest_len,
		.signature = head.signatures[0],
	};

	head.manifest[20] ^= flip;
	assert_int_equal(lb_release_save(&log_, LB_REC_CONFIRMED, &r, NULL), 0);
	head.manifest[20] ^= flip;
}

static void the_highest_counts(void **state)
{
	(void)state;
	assert_int_equal(floor_with(0), 0);
	assert_int_equal(floor_with(3), 3);
	put_confirmed(0);
	assert_int_equal(floor_with(3), SIGNED_FLOOR);
	assert_int_equal(floor_with(6), 6);
	assert_int_equal(lb_floor_save(&log_, 8, NULL), 0);
	assert_int_equal(floor_with(6), 8);
	assert_int_equal(floor_with(9), 9);
}

static void without_its_record_the_signed_manifest_holds(void **state)
{
	static const char *const spoiled[] = { "junk", "{\"release\":0}", "{}", "{\"release\":-1}" };

	(void)state;
	put_confirmed(0);
	for (size_t i = 0; i < sizeof(spoiled) / sizeof(*spoiled); i++) {
		put(LB_REC_FLOOR, spoiled[i]);
		assert_int_equal(floor_with(0), SIGNED_FLOOR);
	}
	assert_int_equal(lb_log_put(&log_, LB_REC_FLOOR, NULL, 0, NULL), 0);
	assert_int_equal(floor_with(0), SIGNED_FLOOR);
}

static void what_nobody_signed_raises_nothing(void **state)
{
	(void)state;
	put_confirmed(1);
	assert_int_equal(floor_with(2), 2);
	put(LB_REC_CONFIRMED, "junk");
	assert_int_equal(floor_with(2), 2);
	lb_keyring_free(&ring);
	put_confirmed(0);
	assert_int_equal(floor_with(2), 2);
}

/* Neither guessed nor taken for absent: the caller decides. */
static void a_medium_that_fails_is_reported(void **state)
{
	uint64_t floor = 42;

	(void)state;
	put_confirmed(0);
	ram.fail_reads = true;
	assert_int_equal(lb_floor_effective(&log_, &ring, 0, &floor, NULL), -LB_E_IO);
	assert_int_equal(floor, 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_highest_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(without_its_record_the_signed_manifest_holds, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_nobody_signed_raises_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_medium_that_fails_is_reported, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
