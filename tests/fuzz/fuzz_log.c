// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The state log over a region that the input fills, step by step:
 *   'H' half generation(4)                                  a header that is valid
 *   'R' block type version generation sequence(2) length(2) payload   a record that is valid
 *   'B' block offset(2) length payload                      any bytes anywhere
 * Mode 0x01 to 0x3f: which read fails; 0x40: the region is too small; 0x80: nothing can be
 * read.
 */
#include "fuzz.h"
#include "region.h"

struct text {
	const uint8_t *at, *end;
};

static uint32_t take(struct text *t, unsigned int bytes)
{
	uint32_t v = 0;

	for (unsigned int i = 0; i < bytes && t->at < t->end; i++)
		v |= (uint32_t)*t->at++ << 8 * i;
	return v;
}

static uint32_t left(const struct text *t, uint32_t wanted)
{
	size_t n = (size_t)(t->end - t->at);

	return n < wanted ? (uint32_t)n : wanted;
}

static void add_record(struct fuzz_blk *f, struct text *t)
{
	uint32_t block = take(t, 1) % REGION_BLOCKS;
	struct lb_log_record rec = { .type = (uint16_t)take(t, 1), .version = (uint16_t)take(t, 1),
				     .generation = take(t, 1), .sequence = take(t, 2) };

	rec.length = left(t, take(t, 2));
	region_record(f, block, &rec, t->at);
	t->at += rec.length;
}

static void add_bytes(struct fuzz_blk *f, struct text *t)
{
	size_t at = (size_t)(take(t, 1) % REGION_BLOCKS) * LB_LOG_ALIGN + take(t, 2) % LB_LOG_ALIGN;
	uint32_t len = left(t, take(t, 1));

	if (len > REGION_BYTES - at)
		len = (uint32_t)(REGION_BYTES - at);
	if (len)
		memcpy(f->bytes + at, t->at, len);
	t->at += len;
}

static void fill(struct fuzz_blk *f, struct text t)
{
	while (t.at < t.end) {
		uint32_t half;

		switch (*t.at++) {
		case 'H':
			half = take(&t, 1) & 1;
			region_half(f, half, take(&t, 4));
			break;
		case 'R':
			add_record(f, &t);
			break;
		case 'B':
			add_bytes(f, &t);
			break;
		}
	}
}

/* Every live record is there once, whole, in the live half, in order. */
static void check_log(struct lb_log *log)
{
	static uint8_t payload[LB_LOG_RECORD_MAX];
	uint64_t sequence = 0, half = (uint64_t)log->half * HALF_BYTES;

	CHECK(log->generation && log->generation <= LB_LOG_GENERATION_MAX);
	CHECK(log->highest_generation >= log->generation);
	CHECK(log->end >= LB_LOG_ALIGN && log->end <= HALF_BYTES && log->end % LB_LOG_ALIGN == 0);
	CHECK(log->live_count <= LB_LOG_TYPES_MAX);
	for (uint32_t i = 0; i < log->live_count; i++) {
		const struct lb_log_entry *e = &log->live[i];

		CHECK(e->sequence >= sequence && e->sequence < log->next_sequence);
		sequence = e->sequence;
		CHECK(e->length && e->length <= LB_LOG_RECORD_MAX);
		CHECK(e->offset >= half + LB_LOG_ALIGN);
		CHECK(e->offset + LB_LOG_RECORD_HEADER + e->length <= half + log->end);
		CHECK(lb_log_find(log, e->type) == e);
		CHECK(lb_log_get(log, e->type, payload, sizeof(payload)) == (ptrdiff_t)e->length);
		CHECK(lb_log_get(log, e->type, payload, e->length - 1) == -LB_E_TOO_BIG);
	}
}

/* What became unreadable, or changed on the medium, since the log was opened. */
static void check_get_fails(struct fuzz_blk *f, struct lb_log *log)
{
	const struct lb_log_entry *e = log->live_count ? &log->live[0] : NULL;
	static uint8_t payload[LB_LOG_RECORD_MAX];
	uint8_t *first;

	if (!e)
		return;
	for (f->fail_read = 2; f->fail_read; f->fail_read--) {
		uint32_t nth = f->fail_read;

		CHECK(lb_log_get(log, e->type, payload, sizeof(payload)) == -LB_E_IO);
		f->fail_read = nth;
	}
	first = f->bytes + e->offset + LB_LOG_RECORD_HEADER;
	*first ^= 1;
	CHECK(lb_log_get(log, e->type, payload, sizeof(payload)) == -LB_E_IO);
	*first ^= 1;
	CHECK(lb_log_get(log, 0x7fff, payload, sizeof(payload)) == -LB_E_NOT_FOUND);
}

static bool same_records(const struct lb_log *a, const struct lb_log *b, uint16_t but)
{
	for (uint32_t i = 0; i < a->live_count; i++) {
		const struct lb_log_entry *x = &a->live[i], *y = lb_log_find(b, x->type);

		if (x->type != but && (!y || y->length != x->length || y->version != x->version))
			return false;
	}
	return true;
}

/* One record more, everything else as it was; then nothing but the live records. */
static void write_on(struct fuzz_blk *f, struct lb_log *log)
{
	struct lb_log before = *log, again;
	char text[8];

	if (lb_log_put(log, LB_REC_STATE, "fuzz", 4, NULL))
		return; /* full of types, or of bytes */
	CHECK(!lb_log_open(&again, &f->blk, NULL));
	check_log(&again);
	CHECK(same_records(&before, &again, LB_REC_STATE));
	CHECK(lb_log_get(&again, LB_REC_STATE, text, sizeof(text)) == 4 && !memcmp(text, "fuzz", 4));
	if (lb_log_compact(&again, NULL))
		return;
	before = again;
	CHECK(!lb_log_open(&again, &f->blk, NULL));
	check_log(&again);
	CHECK(same_records(&before, &again, 0) && again.live_count == before.live_count);
}

static void use(struct fuzz_blk *f, uint8_t mode)
{
	struct lb_error err = { 0 };
	struct fuzz_alloc spent;
	struct lb_log log;
	int rc;

	f->fail_read = mode & 0x3f;
	f->unreadable = mode & 0x80;
	fuzz_alloc_start(0);
	rc = lb_log_open(&log, &f->blk, &err);
	spent = fuzz_alloc_stop();
	CHECK_RESULT(rc, &err);
	CHECK(!spent.total_bytes && !f->writes);
	/* headers, then each 4 KiB boundary of both halves and a payload behind it */
	CHECK(f->read_bytes <= (uint64_t)REGION_BLOCKS * (LB_LOG_RECORD_MAX + LB_LOG_ALIGN));
	f->fail_read = 0;
	f->may_write = true;
	if (f->unreadable)
		CHECK(rc == -LB_E_IO || rc == -LB_E_INVALID);
	if (mode & 0xbf)
		return; /* a half that is readable again may be the newer one: see lb_log_open() */
	if (!rc) {
		check_log(&log);
		check_get_fails(f, &log);
		write_on(f, &log);
	} else if (rc != -LB_E_INVALID) {
		CHECK(!lb_log_format(&log, &f->blk, &err));
		CHECK(!lb_log_open(&log, &f->blk, &err) && !log.live_count);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t mode = fuzz_take_mode(data, &size);
	struct fuzz_blk f;

	fuzz_blk_init(&f, "state", REGION_BYTES, 0);
	fill(&f, (struct text){ data, data + size });
	if (mode & 0x40)
		f.blk.size_bytes = LB_LOG_REGION_MIN - 1;
	use(&f, mode);
	f.blk.size_bytes = REGION_BYTES;
	fuzz_blk_free(&f);
	return 0;
}
