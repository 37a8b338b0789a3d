// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Invariants that every path below keeps:
 *  - a block that holds part of a live record is never written;
 *  - a half's header is written only after everything it vouches for is durable;
 *  - a generation is used for one attempt only. An interrupted compaction leaves
 *    whole records behind; if the next attempt bore the same number it would adopt them;
 *  - memory changes after storage agreed.
 */
#include <string.h>

#include "base/bytes.h"
#include "state/log_internal.h"

/* So much newer is a log beside a half that cannot be read: what that holds never counts again. */
#define WORN_GENERATIONS 0x10000u

static int write_header(struct lb_log *log, uint32_t half, uint32_t generation)
{
	uint8_t block[LB_LOG_ALIGN] = { 0 };
	int err;

	if (generation)
		lb_log_half_encode(block, generation, lb_log_half_bytes(log->blk));
	err = lb_blk_write(log->blk, lb_log_half_start(log, half), block, sizeof(block));
	return err ? err : lb_blk_flush(log->blk);
}

/* One record, block by block; the payload comes from memory or from another record. */
struct payload {
	const uint8_t *data; /* NULL: read from the region */
	uint64_t offset;     /* of the record in the region */
};

static int payload_piece(struct lb_log *log, const struct payload *from, uint32_t at,
			 uint8_t *piece, uint32_t n)
{
	if (!from->data)
		return lb_blk_read(log->blk, from->offset + LB_LOG_RECORD_HEADER + at, piece, n);
	memcpy(piece, from->data + at, n);
	return 0;
}

static int write_record(struct lb_log *log, uint64_t offset, const struct lb_log_record *rec,
			const struct payload *from)
{
	uint32_t crc = lb_log_record_crc(rec), done = 0;
	uint8_t block[LB_LOG_ALIGN];
	uint32_t head = LB_LOG_RECORD_HEADER;

	lb_log_record_encode(block, rec);
	do {
		uint32_t room = LB_LOG_ALIGN - head, left = rec->length - done;
		uint32_t n = left < room ? left : room;
		int err = payload_piece(log, from, done, block + head, n);

		if (err)
			return err;
		crc = lb_crc32(crc, block + head, n);
		memset(block + head + n, 0, room - n);
		err = lb_blk_write(log->blk, offset, block, LB_LOG_ALIGN);
		if (err)
			return err;
		offset += LB_LOG_ALIGN;
		done += n;
		head = 0;
	} while (done < rec->length);
	/* a copied payload that changed since it was summed must not be vouched for */
	return crc == rec->crc ? 0 : -LB_E_IO;
}

/*
 * Copies a live record under a new generation. -LB_E_NOT_FOUND when it is no longer
 * whole: it is lost either way, and must not get a fresh checksum.
 */
static int copy_record(struct lb_log *log, const struct lb_log_entry *e, uint32_t generation,
		       uint64_t offset, struct lb_log_record *ret)
{
	struct payload from = { .offset = e->offset };
	uint8_t raw[LB_LOG_RECORD_HEADER];
	struct lb_log_record rec;
	uint32_t old_crc;
	int err;

	err = lb_blk_read(log->blk, e->offset, raw, sizeof(raw));
	if (err)
		return err;
	if (!lb_log_record_decode(&rec, raw) || rec.length != e->length)
		return -LB_E_NOT_FOUND;
	old_crc = lb_log_record_crc(&rec);
	*ret = rec;
	ret->generation = generation;
	ret->crc = lb_log_record_crc(ret);
	err = lb_log_sum_payload(log->blk, e->offset, rec.length, &old_crc, &ret->crc);
	if (err)
		return err;
	if (old_crc != rec.crc)
		return -LB_E_NOT_FOUND;
	return write_record(log, offset, ret, &from);
}

static struct lb_log_record new_record(const struct lb_log *log, uint32_t generation, uint16_t type,
				       const void *data, size_t len)
{
	struct lb_log_record rec = {
		.type = type,
		.version = LB_LOG_VERSION,
		.length = (uint32_t)len,
		.generation = generation,
		.sequence = log->next_sequence,
	};

	rec.crc = lb_crc32(lb_log_record_crc(&rec), data, len);
	return rec;
}

/* A header that cannot be written does no harm if what is there does not count. */
static bool medium_is_older(struct lb_log *log)
{
	uint8_t raw[LB_LOG_HALF_HEADER];

	return !lb_blk_read_medium(log->blk, lb_log_half_start(log, !log->half), raw,
				   sizeof(raw)) &&
	       lb_log_half_decode(raw, lb_log_half_bytes(log->blk)) < log->generation;
}

/* After a take-over that failed half-way the other half's header may or may not be there. */
static int settle(struct lb_log *log)
{
	int err;

	if (!log->unsure)
		return 0;
	err = write_header(log, !log->half, 0);
	if (err == -LB_E_IO && medium_is_older(log))
		err = 0;
	log->unsure = err != 0;
	return err;
}

/* Writes all live records but @type's, then @data as its new one, to @next's half. */
static int fill_half(struct lb_log *log, struct lb_log *next, uint16_t type, const void *data,
		     size_t len)
{
	uint64_t start = lb_log_half_start(log, next->half);
	struct lb_log_record rec;
	int err;

	for (uint32_t i = 0; i < log->live_count; i++) {
		const struct lb_log_entry *e = &log->live[i];

		if (e->type == type)
			continue;
		err = copy_record(log, e, next->generation, start + next->end, &rec);
		if (err == -LB_E_NOT_FOUND)
			continue;
		if (err)
			return err;
		lb_log_adopt(next, &rec, start + next->end);
		next->end += lb_log_record_span(rec.length);
	}
	if (!len)
		return 0;
	rec = new_record(log, next->generation, type, data, len);
	err = write_record(log, start + next->end, &rec, &(struct payload){ .data = data });
	if (err)
		return err;
	lb_log_adopt(next, &rec, start + next->end);
	next->end += lb_log_record_span(rec.length);
	next->next_sequence = rec.sequence + 1;
	return 0;
}

/* Changes halves. The header's write is what matters: before it the old log, after it the new. */
static int take_over(struct lb_log *log, uint16_t type, const void *data, size_t len)
{
	struct lb_log next = *log;
	int err;

	if (log->highest_generation >= LB_LOG_GENERATION_MAX)
		return -LB_E_IO;
	next.half = !log->half;
	next.generation = ++log->highest_generation;
	next.highest_generation = next.generation;
	next.end = LB_LOG_ALIGN;
	next.live_count = 0;
	next.damaged = false;

	err = fill_half(log, &next, type, data, len);
	if (!err)
		err = lb_blk_flush(log->blk);
	if (err)
		return err;
	log->unsure = true;
	err = write_header(log, next.half, next.generation);
	if (err)
		return err;
	next.unsure = false;
	*log = next;
	return 0;
}

/* Bytes that the live records but @type's take. */
static uint64_t live_span(const struct lb_log *log, uint16_t type)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < log->live_count; i++)
		if (log->live[i].type != type)
			sum += lb_log_record_span(log->live[i].length);
	return sum;
}

static int append(struct lb_log *log, uint16_t type, const void *data, size_t len)
{
	struct lb_log_record rec = new_record(log, log->generation, type, data, len);
	uint64_t offset = lb_log_half_start(log, log->half) + log->end;
	int err;

	/* consumed even on failure: the next one goes behind what may be torn here */
	log->end += lb_log_record_span(rec.length);
	log->next_sequence++;
	err = write_record(log, offset, &rec, &(struct payload){ .data = data });
	if (!err)
		err = lb_blk_flush(log->blk);
	if (!err)
		lb_log_adopt(log, &rec, offset);
	return err;
}

int lb_log_put(struct lb_log *log, uint16_t type, const void *data, size_t len,
	       struct lb_error *err)
{
	const struct lb_log_entry *old = lb_log_find(log, type);
	uint64_t size = lb_log_half_bytes(log->blk), span = lb_log_record_span((uint32_t)len);
	int ret;

	if (!len && !old)
		return 0;
	if (len > LB_LOG_RECORD_MAX || (!old && log->live_count == LB_LOG_TYPES_MAX) ||
	    LB_LOG_ALIGN + live_span(log, type) + span > size)
		return lb_error_set(err, LB_E_TOO_BIG,
				    "region %s: no room for a record of type %u with %zu bytes",
				    log->blk->name, type, len);
	if (log->next_sequence == UINT64_MAX)
		return lb_error_set(err, LB_E_IO, "region %s: sequence numbers are used up",
				    log->blk->name);
	ret = settle(log);
	if (!ret && span > size - log->end)
		ret = take_over(log, type, data, len);
	else if (!ret)
		ret = append(log, type, data, len);
	if (ret)
		return lb_log_io_error(log, "writing", lb_log_half_start(log, log->half), ret, err);
	return 0;
}

/* ---- wiping ---- */

/* Zeroes the block at @offset if it could tell anything; one of a single value does not. */
static int wipe_block(struct lb_log *log, uint64_t offset)
{
	uint8_t block[LB_LOG_ALIGN];
	int err = lb_blk_read(log->blk, offset, block, sizeof(block));

	if (err && err != -LB_E_IO)
		return err;
	/* what cannot be read here might be read by somebody else */
	if (!err && !memcmp(block, block + 1, sizeof(block) - 1))
		return 0;
	memset(block, 0, sizeof(block));
	return lb_blk_write(log->blk, offset, block, sizeof(block));
}

/* Every block of [@from, @to); one that cannot be wiped is noted in @worn and passed over. */
static int wipe(struct lb_log *log, uint64_t from, uint64_t to, int *worn)
{
	for (; from < to; from += LB_LOG_ALIGN) {
		int err = wipe_block(log, from);

		if (err && err != -LB_E_IO)
			return err;
		if (err)
			*worn = err;
	}
	return 0;
}

int lb_log_compact(struct lb_log *log, struct lb_error *err)
{
	uint64_t size = lb_log_half_bytes(log->blk), live, other;
	int worn = 0, ret = settle(log);

	if (!ret && (log->damaged || log->end != LB_LOG_ALIGN + live_span(log, 0)))
		ret = take_over(log, 0, NULL, 0);
	live = lb_log_half_start(log, log->half);
	other = lb_log_half_start(log, !log->half);
	if (!ret)
		ret = wipe(log, other, other + size, &worn);
	if (!ret)
		ret = wipe(log, live + log->end, live + size, &worn);
	if (!ret)
		ret = lb_blk_flush(log->blk);
	if (!ret)
		ret = worn;
	return ret ? lb_log_io_error(log, "wiping", live, ret, err) : 0;
}

/* No log is there, and a half that cannot be written: the other one is enough. */
static int format_beside_worn(struct lb_log *log)
{
	if (log->highest_generation > LB_LOG_GENERATION_MAX - WORN_GENERATIONS)
		return -LB_E_IO;
	log->half = !log->half;
	log->highest_generation += WORN_GENERATIONS;
	log->generation = log->highest_generation;
	return write_header(log, log->half, log->generation);
}

int lb_log_format(struct lb_log *log, struct lb_blk *blk, struct lb_error *err)
{
	int worn = 0, ret = lb_log_survey(log, blk, err);
	bool first = !ret && !log->generation;

	if (ret)
		return ret;
	if (log->highest_generation >= LB_LOG_GENERATION_MAX) {
		ret = wipe(log, 0, 2 * lb_log_half_bytes(blk), &worn);
		if (!ret)
			ret = lb_blk_flush(blk);
		if (!ret)
			ret = worn;
		log->generation = 0;
		log->highest_generation = 0;
	}
	if (log->generation)
		log->half = !log->half;
	log->generation = ++log->highest_generation;
	log->end = LB_LOG_ALIGN;
	log->next_sequence = 1;
	if (!ret)
		ret = write_header(log, log->half, log->generation);
	if (ret == -LB_E_IO && first)
		ret = format_beside_worn(log);
	return ret ? lb_log_io_error(log, "formatting", 0, ret, err) : 0;
}
