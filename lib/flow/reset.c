// SPDX-License-Identifier: GPL-2.0-or-later
#include "flow/reset.h"

#include <string.h>

#include "base/bytes.h"
#include "state/records.h"

#define PIECE_BYTES (4u * 1024u * 1024u) /* between two looks at everything else */
#define WRITE_BYTES 32768u

bool lb_reset_pending(struct lb_log *log)
{
	bool pending;

	return !lb_reset_load(log, &pending, NULL) && pending;
}

/* What is zero already is not worn; what cannot be read is written. */
static int write_zeros(struct lb_reset *rs, struct lb_blk *blk, uint64_t offset, uint64_t len)
{
	uint8_t buf[WRITE_BYTES];

	while (len) {
		size_t n = len < sizeof(buf) ? (size_t)len : sizeof(buf);
		int r = lb_blk_read(blk, offset, buf, n);

		if (r == -LB_E_POWER)
			return r;
		if (r || !lb_bytes_all_zero(buf, n)) {
			memset(buf, 0, n);
			r = lb_blk_write(blk, offset, buf, n);
			if (r)
				return r;
			rs->counters.written_bytes += n;
		}
		offset += n;
		len -= n;
	}
	return 0;
}

static int erase_piece(struct lb_reset *rs, struct lb_blk *blk, uint64_t offset, uint64_t len)
{
	int r = lb_blk_zero(blk, offset, len);

	if (r == 1)
		rs->counters.zeroed_bytes += len;
	else if (!r)
		r = write_zeros(rs, blk, offset, len);
	return r < 0 ? r : lb_blk_flush(blk);
}

static int erase(struct lb_reset *rs, struct lb_blk *blk, uint64_t from, uint64_t to, struct lb_error *err)
{
	while (from < to) {
		uint64_t n = to - from < PIECE_BYTES ? to - from : PIECE_BYTES;
		int r;

		if (rs->stop && rs->stop(rs->stop_ctx))
			return lb_error_set(err, LB_E_AGAIN, "erasing was stopped: it goes on at the next start");
		r = erase_piece(rs, blk, from, n);
		if (r)
			return lb_blk_error(blk, r, err);
		from += n;
		rs->counters.durable_bytes += n;
		if (rs->report && rs->report->progress)
			rs->report->progress(rs->report->ctx, "erase", blk->name, &rs->counters);
	}
	return 0;
}

enum part { PART_SIZE, PART_HEAD, PART_REST };

static int do_part(struct lb_reset *rs, struct lb_blk *blk, enum part part, struct lb_error *err)
{
	uint64_t wanted = rs->head_bytes ? rs->head_bytes : LB_RESET_HEAD_BYTES;
	uint64_t head = blk->size_bytes < wanted ? blk->size_bytes : wanted;

	switch (part) {
	case PART_SIZE:
		rs->counters.total_bytes += blk->size_bytes;
		return 0;
	case PART_HEAD:
		return erase(rs, blk, 0, head, err);
	default:
		return erase(rs, blk, head, blk->size_bytes, err);
	}
}

/* One part of every region. All of them can be opened, or none is touched: PART_SIZE comes first. */
static int each_region(struct lb_reset *rs, enum part part, struct lb_error *err)
{
	for (uint32_t n = 0; rs->regions->open; n++) {
		struct lb_blk *blk;
		int r = rs->regions->open(rs->regions->ctx, n, &blk, err);

		if (r)
			return r == -LB_E_NOT_FOUND ? 0 : r;
		r = do_part(rs, blk, part, err);
		lb_blk_close(blk);
		if (r)
			return r;
	}
	return 0;
}

int lb_reset_erase(struct lb_reset *rs, struct lb_log *log, struct lb_error *err)
{
	int r = 0;

	rs->counters = (struct lb_update_counters){ 0 };
	for (enum part part = PART_SIZE; !r && part <= PART_REST; part++)
		r = each_region(rs, part, err);
	return r ? r : lb_reset_save(log, false, err);
}
