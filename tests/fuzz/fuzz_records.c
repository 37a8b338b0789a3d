// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A record's payload: type, version, then its bytes, with a checksum that is right. The
 * mode says which allocation fails. What can be loaded and saved again is the same then.
 */
#include "fuzz.h"
#include "region.h"
#include "state/records.h"

static struct lb_log log_;
static struct lb_error err;
static struct fuzz_alloc spent;
static uint8_t fail_nth;

/* Loads with counted memory; 0 when there is something to save again. */
#define LOAD(call)                                                                        \
	({                                                                                \
		int rc_;                                                                  \
		memset(&err, 0, sizeof(err));                                             \
		fuzz_alloc_start(fail_nth);                                               \
		rc_ = (call);                                                             \
		spent = fuzz_alloc_stop();                                                \
		CHECK(rc_ <= 0 && rc_ > -LB_E_COUNT);                                     \
		CHECK(!rc_ || rc_ == -LB_E_NOT_FOUND || err.code == -rc_);                \
		CHECK(spent.total_bytes <= 64u * LB_LOG_RECORD_MAX);                      \
		rc_;                                                                      \
	})

static size_t payload(uint16_t type, uint8_t *buf)
{
	ptrdiff_t n = lb_log_get(&log_, type, buf, LB_LOG_RECORD_MAX);

	CHECK(n > 0);
	return (size_t)n;
}

/* Saved, loaded and saved again: the second time gives the same bytes. */
#define ROUND_TRIP(type, load, save)                                                      \
	do {                                                                              \
		static uint8_t one[LB_LOG_RECORD_MAX], two[LB_LOG_RECORD_MAX];            \
		size_t n;                                                                 \
		if (LOAD(load) || (save))                                                 \
			break; /* refused, or not in the form in which we store */        \
		n = payload(type, one);                                                   \
		fail_nth = 0;                                                             \
		CHECK(!LOAD(load));                                                       \
		CHECK(!(save));                                                           \
		CHECK(payload(type, two) == n && !memcmp(one, two, n));                   \
	} while (0)

static void release_round_trip(uint16_t type)
{
	static uint8_t one[LB_LOG_RECORD_MAX], two[LB_LOG_RECORD_MAX];
	struct lb_release r;
	size_t n;

	if (LOAD(lb_release_load(&log_, type, &r, &err)))
		return;
	CHECK(r.manifest_len && r.manifest_len <= LB_MANIFEST_MAX_BYTES);
	CHECK(r.url_count <= LB_URLS_MAX && r.signature.length <= LB_SIGNATURE_MAX_BYTES);
	CHECK(strnlen(r.signature.keyid, sizeof(r.signature.keyid)) < sizeof(r.signature.keyid));
	n = payload(type, one);
	if (!lb_release_save(&log_, type, &r, &err))
		CHECK(payload(type, two) <= n);
	lb_release_free(&r);
	lb_release_free(NULL);
}

/* What could not be loaded again is not stored. */
static void check_refused(void)
{
	static struct lb_network network = { .ca_pem = "\x01" };
	static struct lb_request request = { .url_count = LB_URLS_MAX + 1 };
	struct lb_release release = { .manifest_len = 1, .url_count = 1, .urls = { "\n" } };
	struct lb_state state = { .name = LB_STATE_COUNT };

	CHECK(lb_state_save(&log_, &state, NULL) == -LB_E_INVALID);
	CHECK(lb_request_save(&log_, &request, NULL) == -LB_E_INVALID);
	CHECK(lb_network_save(&log_, &network, NULL) == -LB_E_INVALID);
	CHECK(lb_floor_save(&log_, UINT64_MAX, NULL) == -LB_E_INVALID);
	CHECK(lb_release_save(&log_, LB_REC_CONFIRMED, &release, NULL) == -LB_E_INVALID);
	release.url_count = LB_URLS_MAX + 1;
	CHECK(lb_release_save(&log_, LB_REC_CONFIRMED, &release, NULL) == -LB_E_INVALID);
}

static void try_all(uint16_t type)
{
	struct lb_self_update self;
	static struct lb_request request;
	static struct lb_network network;
	static struct lb_result result;
	struct lb_progress progress;
	struct lb_state state;
	uint64_t floor = 0;
	int64_t clock = 0;
	bool pending = false;

	ROUND_TRIP(LB_REC_STATE, lb_state_load(&log_, &state, &err),
		   lb_state_save(&log_, &state, &err));
	ROUND_TRIP(LB_REC_REQUEST, lb_request_load(&log_, &request, &err),
		   lb_request_save(&log_, &request, &err));
	ROUND_TRIP(LB_REC_PROGRESS, lb_progress_load(&log_, &progress, &err),
		   lb_progress_save(&log_, &progress, &err));
	ROUND_TRIP(LB_REC_RESULT, lb_result_load(&log_, &result, &err),
		   lb_result_save(&log_, &result, &err));
	ROUND_TRIP(LB_REC_NETWORK, lb_network_load(&log_, &network, &err),
		   lb_network_save(&log_, &network, &err));
	ROUND_TRIP(LB_REC_SELF_UPDATE, lb_self_update_load(&log_, &self, &err),
		   lb_self_update_save(&log_, &self, &err));
	if (type != LB_REC_FLOOR)
		CHECK(!lb_floor_load(&log_, &floor, NULL) && !floor);
	else
		ROUND_TRIP(LB_REC_FLOOR, lb_floor_load(&log_, &floor, &err),
			   lb_floor_save(&log_, floor, &err));
	if (type == LB_REC_CLOCK)
		ROUND_TRIP(LB_REC_CLOCK, lb_clock_floor_load(&log_, &clock, &err),
			   lb_clock_floor_save(&log_, clock, &err));
	if (type == LB_REC_RESET)
		ROUND_TRIP(LB_REC_RESET, lb_reset_load(&log_, &pending, &err),
			   lb_reset_save(&log_, pending, &err));
	release_round_trip(LB_REC_CONFIRMED);
	check_refused();
	(void)LOAD(lb_request_drop(&log_, &err));
	CHECK(!lb_log_find(&log_, LB_REC_REQUEST));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lb_log_record rec = { .generation = 1, .sequence = 1 };
	uint8_t *bytes;
	struct fuzz_blk f;

	fail_nth = fuzz_take_mode(data, &size);
	if (size < 2 || size - 2 > LB_LOG_RECORD_MAX)
		return 0;
	rec.type = data[0];
	rec.version = data[1];
	rec.length = (uint32_t)size - 2;
	bytes = fuzz_exact(data + 2, size - 2);
	fuzz_blk_init(&f, "state", REGION_BYTES, 0);
	f.may_write = true;
	region_half(&f, 0, 1);
	region_record(&f, 1, &rec, bytes);
	CHECK(!lb_log_open(&log_, &f.blk, NULL));
	try_all(rec.type);
	CHECK(lb_state_text(LB_STATE_COUNT) && lb_state_text(LB_STATE_RESCUE));
	fuzz_blk_free(&f);
	free(bytes);
	return 0;
}
