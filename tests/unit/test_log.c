// SPDX-License-Identifier: GPL-2.0-or-later
/* The state log against docs/SPEC.md, "State log". Bytes were packed by Python's struct and zlib. */
#define _GNU_SOURCE
#include "ram_blk.h"

#include <stdio.h>

#include "base/bytes.h"
#include "state/records.h"

#define REGION (256u * 1024u)
#define HALF (REGION / 2)
#define BLOCK 4096u

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

static void reopen(void)
{
	memset(&log_, 0x55, sizeof(log_));
	assert_int_equal(lb_log_open(&log_, &ram.blk, NULL), 0);
}

static void put(uint16_t type, const char *text)
{
	assert_int_equal(lb_log_put(&log_, type, text, strlen(text), NULL), 0);
}

static void expect(uint16_t type, const char *text)
{
	char buf[256];
	ptrdiff_t n = lb_log_get(&log_, type, buf, sizeof(buf));

	if (!text) {
		assert_int_equal(n, -LB_E_NOT_FOUND);
		return;
	}
	assert_int_equal(n, strlen(text));
	assert_memory_equal(buf, text, strlen(text));
}

/* A second encoder, straight from the specification. */
static void poke_record(uint64_t at, uint16_t type, uint16_t version, uint32_t generation,
			uint64_t sequence, const char *text)
{
	uint8_t *p = ram.bytes + at;
	size_t len = strlen(text);

	memset(p, 0, BLOCK);
	memcpy(p, "LBRC", 4);
	lb_put_le16(p + 4, type);
	lb_put_le16(p + 6, version);
	lb_put_le32(p + 8, (uint32_t)len);
	lb_put_le32(p + 12, generation);
	lb_put_le64(p + 16, sequence);
	memcpy(p + 32, text, len);
	lb_put_le32(p + 28, lb_crc32(lb_crc32(0, p, 28), text, len));
}

/* struct.pack('<8sIIQI', b'LBSTATE1', 7, 0, 0x20000, 0) + crc32 */
static const char golden_half[] =
	"4c42535441544531070000000000000000000200000000000000000013210999";
/* struct.pack('<4sHHIIQI', b'LBRC', 1, 1, 17, 7, 41, 0) + crc32 + b'{"state":"trial"}' */
static const char golden_record[] =
	"4c425243010001001100000007000000290000000000000000000000bd0542f0"
	"7b227374617465223a22747269616c227d";

static void reads_and_writes_the_bytes_of_the_specification(void **state)
{
	uint8_t half[32], record[49];

	(void)state;
	assert_true(lb_hex_decode(half, sizeof(half), golden_half));
	assert_true(lb_hex_decode(record, sizeof(record), golden_record));
	memset(ram.bytes, 0xff, REGION);
	memcpy(ram.bytes + HALF, half, sizeof(half));
	memcpy(ram.bytes + HALF + BLOCK, record, sizeof(record));
	reopen();
	assert_int_equal(log_.half, 1);
	assert_int_equal(log_.generation, 7);
	expect(LB_REC_STATE, "{\"state\":\"trial\"}");
	assert_int_equal(log_.next_sequence, 42);

	/* the same again with our encoder */
	log_.next_sequence = 41;
	put(LB_REC_STATE, "{\"state\":\"trial\"}");
	assert_memory_equal(ram.bytes + HALF + 2 * BLOCK, record, sizeof(record));
	assert_true(lb_bytes_all_zero(ram.bytes + HALF + 2 * BLOCK + sizeof(record),
				      BLOCK - sizeof(record)));
}

static void garbage_is_no_log_and_can_be_formatted(void **state)
{
	(void)state;
	memset(ram.bytes, 0xa5, REGION);
	assert_int_equal(lb_log_open(&log_, &ram.blk, NULL), -LB_E_STATE);
	memset(ram.bytes, 0, REGION);
	assert_int_equal(lb_log_open(&log_, &ram.blk, NULL), -LB_E_STATE);
	assert_int_equal(lb_log_format(&log_, &ram.blk, NULL), 0);
	put(1, "a");
	reopen();
	expect(1, "a");
}

static void formatting_empties_a_used_log(void **state)
{
	(void)state;
	for (int i = 0; i < 40; i++)
		put(1, "old");
	assert_int_equal(lb_log_format(&log_, &ram.blk, NULL), 0);
	expect(1, NULL);
	reopen();
	expect(1, NULL);
}

static void a_region_that_is_too_small_is_refused(void **state)
{
	(void)state;
	ram.blk.size_bytes = REGION - 1;
	assert_int_equal(lb_log_open(&log_, &ram.blk, NULL), -LB_E_INVALID);
	assert_int_equal(lb_log_format(&log_, &ram.blk, NULL), -LB_E_INVALID);
}

static void newest_record_of_each_type_counts(void **state)
{
	(void)state;
	put(1, "one");
	put(2, "other");
	put(1, "two");
	expect(1, "two");
	reopen();
	expect(1, "two");
	expect(2, "other");
	expect(3, NULL);
}

static void many_puts_wrap_through_both_halves(void **state)
{
	char text[32];

	(void)state;
	put(9, "kept");
	for (int i = 0; i < 500; i++) {
		snprintf(text, sizeof(text), "value %d", i);
		put(1, text);
		if (i % 37 == 0)
			reopen();
		expect(1, text);
		expect(9, "kept");
	}
	assert_true(log_.generation > 10);
}

static void a_deleted_type_stays_deleted(void **state)
{
	(void)state;
	put(1, "a");
	put(2, "b");
	assert_int_equal(lb_log_put(&log_, 1, NULL, 0, NULL), 0);
	expect(1, NULL);
	reopen();
	expect(1, NULL);
	expect(2, "b");
	assert_int_equal(lb_log_compact(&log_, NULL), 0);
	reopen();
	expect(1, NULL);
	expect(2, "b");
}

static void deleting_what_does_not_exist_writes_nothing(void **state)
{
	int writes = ram.writes;

	(void)state;
	assert_int_equal(lb_log_put(&log_, 5, NULL, 0, NULL), 0);
	assert_int_equal(ram.writes, writes);
}

static void records_of_several_blocks(void **state)
{
	static char big[LB_LOG_RECORD_MAX], back[LB_LOG_RECORD_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7 + i / 251);
	for (size_t len = 4050; len < 4080; len++) { /* around one block less its header */
		assert_int_equal(lb_log_put(&log_, 4, big, len, NULL), 0);
		reopen();
		assert_int_equal(lb_log_get(&log_, 4, back, sizeof(back)), len);
		assert_memory_equal(big, back, len);
	}
	assert_int_equal(lb_log_put(&log_, 4, big, sizeof(big), NULL), 0);
	reopen();
	assert_int_equal(lb_log_get(&log_, 4, back, sizeof(back)), sizeof(back));
	assert_memory_equal(big, back, sizeof(big));
	assert_int_equal(lb_log_get(&log_, 4, back, sizeof(back) - 1), -LB_E_TOO_BIG);
	assert_int_equal(lb_log_put(&log_, 4, big, sizeof(big) + 1, NULL), -LB_E_TOO_BIG);
	/* it and another one of the same size are more than half the region */
	assert_int_equal(lb_log_put(&log_, 5, big, sizeof(big), NULL), -LB_E_TOO_BIG);
	assert_int_equal(lb_log_get(&log_, 4, back, sizeof(back)), sizeof(back));
}

static void a_33rd_type_is_refused_and_a_deletion_makes_room(void **state)
{
	static struct ram_blk big;

	(void)state;
	ram_init(&big, "big", 4 * REGION);
	assert_int_equal(lb_log_format(&log_, &big.blk, NULL), 0);
	for (uint16_t type = 1; type <= LB_LOG_TYPES_MAX; type++)
		put(type, "x");
	assert_int_equal(lb_log_put(&log_, 77, "y", 1, NULL), -LB_E_TOO_BIG);
	assert_int_equal(lb_log_put(&log_, 5, NULL, 0, NULL), 0);
	put(77, "y");
	assert_int_equal(lb_log_open(&log_, &big.blk, NULL), 0);
	expect(77, "y");
	expect(LB_LOG_TYPES_MAX, "x");
	expect(5, NULL);
	lb_blk_close(&big.blk);
}

static void a_torn_record_never_hides_a_later_one(void **state)
{
	(void)state;
	put(1, "one");
	put(2, "two");
	put(3, "three");
	ram.bytes[2 * BLOCK + 33] ^= 1; /* payload of "two" */
	reopen();
	expect(1, "one");
	expect(2, NULL);
	expect(3, "three");
	put(2, "again");
	reopen();
	expect(2, "again");
	expect(3, "three");
}

static void the_next_record_goes_over_a_torn_last_one(void **state)
{
	(void)state;
	put(1, "one");
	put(2, "two");
	ram.bytes[2 * BLOCK + 30] ^= 1;
	reopen();
	assert_int_equal(log_.end, 2 * BLOCK);
	put(3, "three");
	reopen();
	expect(1, "one");
	expect(2, NULL);
	expect(3, "three");
	assert_int_equal(log_.end, 3 * BLOCK);
}

static void every_flipped_bit_of_a_record_makes_it_torn(void **state)
{
	(void)state;
	put(1, "old");
	put(1, "new");
	for (int bit = 0; bit < 8 * (32 + 3); bit++) {
		ram.bytes[2 * BLOCK + bit / 8] ^= (uint8_t)(1 << bit % 8);
		reopen();
		expect(1, "old");
		ram.bytes[2 * BLOCK + bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	reopen();
	expect(1, "new");
}

static void records_of_an_earlier_use_of_the_half_are_never_taken(void **state)
{
	(void)state;
	put(1, "now");
	poke_record(3 * BLOCK, 1, 1, log_.generation - 1, 99, "stale");
	poke_record(4 * BLOCK, 2, 1, log_.generation + 1, 99, "stale");
	poke_record(5 * BLOCK, 1, 1, log_.generation, 1, "same sequence number");
	reopen();
	expect(1, "now");
	expect(2, NULL);
}

/* An interrupted compaction leaves whole records; the next one must not adopt them. */
static void leftovers_of_an_interrupted_compaction_are_never_adopted(void **state)
{
	uint32_t next = log_.generation + 1;

	(void)state;
	put(1, "confirmed");
	for (int i = 1; i < 8; i++)
		poke_record(HALF + (uint64_t)i * BLOCK, (uint16_t)i, 1, next, 1000u + (unsigned)i,
			    "never acknowledged");
	reopen();
	expect(1, "confirmed");
	for (int i = 0; log_.half == 0; i++)
		put(3, "filler");
	assert_true(log_.generation > next);
	reopen();
	expect(1, "confirmed");
	expect(3, "filler");
	for (uint16_t type = 4; type < 8; type++)
		expect(type, NULL);
}

static void unknown_types_and_newer_versions_survive_compaction(void **state)
{
	const struct lb_log_entry *e;

	(void)state;
	poke_record(BLOCK, 300, 1, log_.generation, 1, "from the future");
	poke_record(2 * BLOCK, LB_REC_STATE, 9, log_.generation, 2, "newer version");
	reopen();
	for (int i = 0; i < 100; i++)
		put(3, "filler");
	assert_int_equal(lb_log_compact(&log_, NULL), 0);
	reopen();
	expect(300, "from the future");
	expect(LB_REC_STATE, "newer version");
	e = lb_log_find(&log_, LB_REC_STATE);
	assert_non_null(e);
	assert_int_equal(e->version, 9);
}

static bool region_contains(const char *text)
{
	return memmem(ram.bytes, REGION, text, strlen(text)) != NULL;
}

static void nothing_of_a_deleted_record_remains_after_compaction(void **state)
{
	(void)state;
	put(1, "kept");
	for (int i = 0; i < 45; i++) /* in both halves */
		put(2, "Authorization: Bearer sesame");
	put(2, "rewritten");
	assert_true(region_contains("sesame"));
	assert_int_equal(lb_log_compact(&log_, NULL), 0);
	assert_false(region_contains("sesame"));
	expect(1, "kept");
	expect(2, "rewritten");
	reopen();
	expect(1, "kept");
	expect(2, "rewritten");
}

static void compacting_a_compact_log_writes_nothing(void **state)
{
	int writes;

	(void)state;
	put(1, "a");
	put(1, "b");
	assert_int_equal(lb_log_compact(&log_, NULL), 0);
	writes = ram.writes;
	assert_int_equal(lb_log_compact(&log_, NULL), 0);
	assert_int_equal(ram.writes, writes);
	expect(1, "b");
}

static void a_failed_write_leaves_the_old_record_and_may_be_repeated(void **state)
{
	(void)state;
	put(1, "old");
	ram.fail_write = 1;
	assert_int_equal(lb_log_put(&log_, 1, "new", 3, NULL), -LB_E_IO);
	expect(1, "old");
	ram.fail_flush = 1;
	assert_int_equal(lb_log_put(&log_, 1, "new", 3, NULL), -LB_E_IO);
	expect(1, "old");
	put(1, "new");
	reopen();
	expect(1, "new");
}

/*
 * The new header may be on the medium although its flush failed. What is put
 * afterwards must not vanish behind it.
 */
static void nothing_is_lost_after_a_take_over_whose_flush_failed(void **state)
{
	(void)state;
	put(1, "older");
	put(1, "old");
	ram.fail_flush = 2; /* the first flush is that of the records, the second the header's */
	assert_int_equal(lb_log_compact(&log_, NULL), -LB_E_IO);
	assert_int_equal(log_.half, 0);
	expect(1, "old");
	put(1, "acknowledged"); /* there is room behind the old record */
	assert_int_equal(log_.half, 0);
	reopen();
	expect(1, "acknowledged");

	while (log_.end + BLOCK <= HALF)
		put(1, "filler");
	ram.fail_flush = 2;
	assert_int_equal(lb_log_put(&log_, 1, "lost?", 5, NULL), -LB_E_IO);
	expect(1, "filler");
	put(1, "acknowledged");
	reopen();
	expect(1, "acknowledged");
}

static void a_failed_compaction_may_be_repeated(void **state)
{
	(void)state;
	for (int fail = 1; fail < 6; fail++) {
		put(1, "a");
		put(2, "b");
		put(1, "c");
		ram.fail_write = fail;
		(void)!lb_log_compact(&log_, NULL);
		ram.fail_write = 0;
		expect(1, "c");
		reopen();
		expect(1, "c");
		expect(2, "b");
		assert_int_equal(lb_log_compact(&log_, NULL), 0);
		expect(1, "c");
		expect(2, "b");
	}
}

static void a_record_that_rots_is_not_vouched_for_again(void **state)
{
	(void)state;
	put(1, "rotten");
	put(2, "good");
	ram.bytes[BLOCK + 32] ^= 0x40;
	expect(2, "good");
	assert_int_equal(lb_log_get(&log_, 1, (char[16]){ 0 }, 16), -LB_E_IO);
	put(2, "better");
	assert_int_equal(lb_log_compact(&log_, NULL), 0);
	reopen();
	expect(1, NULL);
	expect(2, "better");
}

static void hostile_numbers_end_in_errors_not_in_loops(void **state)
{
	(void)state;
	poke_record(BLOCK, 1, 1, log_.generation, UINT64_MAX - 1, "last sequence number");
	reopen();
	expect(1, "last sequence number");
	assert_int_equal(lb_log_put(&log_, 1, "x", 1, NULL), -LB_E_IO);

	poke_record(HALF + BLOCK, 1, 1, 0xfffffffe, 5, "last generation");
	reopen();
	assert_int_equal(lb_log_format(&log_, &ram.blk, NULL), 0);
	put(1, "usable again");
	reopen();
	expect(1, "usable again");
	assert_int_equal(log_.generation, 1);
}

static void an_unreadable_region_is_an_error(void **state)
{
	(void)state;
	put(1, "a");
	ram.fail_reads = true;
	assert_int_equal(lb_log_open(&log_, &ram.blk, NULL), -LB_E_IO);
}

static void an_unreadable_block_hides_no_other_record(void **state)
{
	(void)state;
	put(1, "one");
	put(2, "two");
	put(3, "three");
	assert_false(log_.damaged);
	ram.bad_at = 20 * BLOCK; /* unused so far */
	ram.bad_len = 1;
	reopen();
	assert_false(log_.damaged);
	expect(1, "one");
	expect(3, "three");
	put(1, "again");
	reopen();
	expect(1, "again");
	ram.bad_at = 2 * BLOCK; /* that of "two" */
	reopen();
	assert_true(log_.damaged);
	expect(1, "again");
	expect(2, NULL);
	expect(3, "three");
	ram.bad_at = HALF + 20 * BLOCK; /* the half that is not in force */
	reopen();
	assert_false(log_.damaged);
}

static void an_unreadable_block_behind_the_last_record_may_have_been_a_newer_one(void **state)
{
	(void)state;
	put(1, "one");
	put(2, "two");
	put(1, "newer");
	ram.bad_at = 3 * BLOCK;
	ram.bad_len = 1;
	reopen();
	assert_true(log_.damaged);
	expect(1, "one");
	assert_int_equal(lb_log_compact(&log_, NULL), 0);
	assert_false(log_.damaged);
	ram.bad_at = 3 * BLOCK; /* as worn as before */
	ram.bad_len = 1;
	reopen();
	assert_false(log_.damaged);
	expect(1, "one");
	expect(2, "two");
}

static void a_gap_that_no_record_is_missing_in_is_no_damage(void **state)
{
	(void)state;
	put(1, "one");
	put(2, "torn");
	memset(ram.bytes + 2 * BLOCK, 0x5a, BLOCK);
	reopen();
	ram.fail_write = 1; /* continues behind what may be torn */
	assert_int_equal(lb_log_put(&log_, 2, "x", 1, NULL), -LB_E_IO);
	put(2, "two");
	reopen();
	assert_false(log_.damaged);
	expect(1, "one");
	expect(2, "two");
}

static void a_log_is_made_anew_in_the_half_that_can_be_written(void **state)
{
	(void)state;
	for (uint32_t half = 0; half < 2; half++) {
		memset(ram.bytes, 0, REGION);
		ram.stuck_at = ram.bad_at = half * HALF;
		ram.stuck_len = ram.bad_len = HALF;
		assert_int_equal(lb_log_open(&log_, &ram.blk, NULL), -LB_E_STATE);
		assert_int_equal(lb_log_format(&log_, &ram.blk, NULL), 0);
		put(1, "kept");
		reopen();
		expect(1, "kept");
	}
}

static void wiping_passes_over_what_cannot_be_wiped(void **state)
{
	(void)state;
	for (int i = 0; log_.half == 0; i++)
		put(2, "Authorization: Bearer sesame");
	put(2, "Authorization: Bearer sesame");
	put(1, "kept");
	ram.stuck_at = 5 * BLOCK;
	ram.stuck_len = 1;
	assert_int_equal(lb_request_drop(&log_, NULL), 0);
	ram.stuck_len = 0;
	expect(1, "kept");
	expect(2, NULL);
	memset(ram.bytes + 5 * BLOCK, 0, BLOCK);
	assert_false(region_contains("sesame"));
	reopen();
	expect(1, "kept");
	expect(2, NULL);
}

static void what_cannot_be_read_is_wiped_too(void **state)
{
	(void)state;
	put(1, "kept");
	put(2, "Authorization: Bearer sesame");
	memcpy(ram.bytes + HALF + 9 * BLOCK, "sesame", 6);
	ram.bad_at = HALF + 9 * BLOCK;
	ram.bad_len = 1;
	assert_int_equal(lb_request_drop(&log_, NULL), 0);
	assert_false(region_contains("sesame"));
	expect(1, "kept");
}

/* The other half cannot take over for ever: the records go on in this one. */
static void a_header_that_cannot_be_written_stops_no_record(void **state)
{
	(void)state;
	put(1, "a");
	put(2, "request");
	ram.stuck_at = HALF;
	ram.stuck_len = BLOCK;
	assert_int_equal(lb_request_drop(&log_, NULL), 0);
	put(1, "b");
	expect(1, "b");
	expect(2, NULL);
	reopen();
	expect(1, "b");
	expect(2, NULL);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(reads_and_writes_the_bytes_of_the_specification),
		CASE(garbage_is_no_log_and_can_be_formatted),
		CASE(formatting_empties_a_used_log),
		CASE(a_region_that_is_too_small_is_refused),
		CASE(newest_record_of_each_type_counts),
		CASE(many_puts_wrap_through_both_halves),
		CASE(a_deleted_type_stays_deleted),
		CASE(deleting_what_does_not_exist_writes_nothing),
		CASE(records_of_several_blocks),
		CASE(a_33rd_type_is_refused_and_a_deletion_makes_room),
		CASE(a_torn_record_never_hides_a_later_one),
		CASE(the_next_record_goes_over_a_torn_last_one),
		CASE(every_flipped_bit_of_a_record_makes_it_torn),
		CASE(records_of_an_earlier_use_of_the_half_are_never_taken),
		CASE(leftovers_of_an_interrupted_compaction_are_never_adopted),
		CASE(unknown_types_and_newer_versions_survive_compaction),
		CASE(nothing_of_a_deleted_record_remains_after_compaction),
		CASE(compacting_a_compact_log_writes_nothing),
		CASE(a_failed_write_leaves_the_old_record_and_may_be_repeated),
		CASE(nothing_is_lost_after_a_take_over_whose_flush_failed),
		CASE(a_failed_compaction_may_be_repeated),
		CASE(a_record_that_rots_is_not_vouched_for_again),
		CASE(hostile_numbers_end_in_errors_not_in_loops),
		CASE(an_unreadable_region_is_an_error),
		CASE(an_unreadable_block_hides_no_other_record),
		CASE(an_unreadable_block_behind_the_last_record_may_have_been_a_newer_one),
		CASE(a_gap_that_no_record_is_missing_in_is_no_damage),
		CASE(a_log_is_made_anew_in_the_half_that_can_be_written),
		CASE(wiping_passes_over_what_cannot_be_wiped),
		CASE(what_cannot_be_read_is_wiped_too),
		CASE(a_header_that_cannot_be_written_stops_no_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
