// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading the log: what it holds is decided here alone. Writing is in log_write.c. */
#include "state/log.h"

#include <string.h>

#include "base/bytes.h"
#include "state/log_internal.h"

uint64_t lb_log_half_bytes(const struct lb_blk *blk)
{
	return blk->size_bytes / 2 / LB_LOG_ALIGN * LB_LOG_ALIGN;
}

uint64_t lb_log_half_start(const struct lb_log *log, uint32_t half)
{
	return half * lb_log_half_bytes(log->blk);
}

int lb_log_io_error(const struct lb_log *log, const char *what, uint64_t offset, int code,
		    struct lb_error *err)
{
	if (log->blk->fault.code == -code)
		return lb_blk_error(log->blk, code, err);
	return lb_error_set(err, -code, "region %s: %s at byte %llu failed", log->blk->name, what,
			    (unsigned long long)offset);
}

int lb_log_sum_payload(struct lb_blk *blk, uint64_t offset, uint32_t len, uint32_t *crc,
		       uint32_t *crc2)
{
	uint8_t piece[1024];

	offset += LB_LOG_RECORD_HEADER;
	while (len) {
		uint32_t n = len < sizeof(piece) ? len : (uint32_t)sizeof(piece);
		int ret = lb_blk_read(blk, offset, piece, n);

		if (ret)
			return ret;
		*crc = lb_crc32(*crc, piece, n);
		if (crc2)
			*crc2 = lb_crc32(*crc2, piece, n);
		offset += n;
		len -= n;
	}
	return 0;
}

/* 0 and the header of the whole record at @offset (in @half), -LB_E_NOT_FOUND, -LB_E_IO. */
static int read_record(struct lb_log *log, uint32_t half, uint64_t offset,
		       struct lb_log_record *ret)
{
	uint64_t start = lb_log_half_start(log, half) + offset;
	uint8_t raw[LB_LOG_RECORD_HEADER];
	struct lb_log_record rec;
	uint32_t crc;
	int err;

	err = lb_blk_read(log->blk, start, raw, sizeof(raw));
	if (err)
		return err;
	if (!lb_log_record_decode(&rec, raw) ||
	    lb_log_record_span(rec.length) > lb_log_half_bytes(log->blk) - offset)
		return -LB_E_NOT_FOUND;

	crc = lb_log_record_crc(&rec);
	err = lb_log_sum_payload(log->blk, start, rec.length, &crc, NULL);
	if (err)
		return err;
	if (crc != rec.crc)
		return -LB_E_NOT_FOUND;
	*ret = rec;
	return 0;
}

/* 0 and the generation of a half with a valid header, else 0 and 0. */
static int read_half(struct lb_log *log, uint32_t half, uint32_t *ret_generation)
{
	uint8_t raw[LB_LOG_HALF_HEADER];
	int err = lb_blk_read(log->blk, lb_log_half_start(log, half), raw, sizeof(raw));

	if (err)
		return err;
	*ret_generation = lb_log_half_decode(raw, lb_log_half_bytes(log->blk));
	return 0;
}

static void forget(struct lb_log *log, uint16_t type)
{
	for (uint32_t i = 0; i < log->live_count; i++) {
		if (log->live[i].type != type)
			continue;
		memmove(&log->live[i], &log->live[i + 1],
			(log->live_count - i - 1) * sizeof(log->live[0]));
		log->live_count--;
		return;
	}
}

void lb_log_adopt(struct lb_log *log, const struct lb_log_record *rec, uint64_t offset)
{
	struct lb_log_entry *e;

	forget(log, rec->type);
	if (!rec->length || log->live_count == LB_LOG_TYPES_MAX)
		return;
	e = &log->live[log->live_count++];
	e->type = rec->type;
	e->version = rec->version;
	e->length = rec->length;
	e->sequence = rec->sequence;
	e->offset = offset;
}

/*
 * Looks at every 4 KiB boundary up to the end of the half, not only to the first
 * that holds no record: a torn record, or one that cannot be read, never hides later ones.
 */
static int scan_live(struct lb_log *log)
{
	uint64_t offset = LB_LOG_ALIGN, size = lb_log_half_bytes(log->blk);
	bool hole = false; /* the next record's place could not be read */

	log->end = LB_LOG_ALIGN;
	log->next_sequence = 1;
	while (offset < size) {
		struct lb_log_record rec;
		int err = read_record(log, log->half, offset, &rec);

		if (err && err != -LB_E_NOT_FOUND && err != -LB_E_IO)
			return err;
		hole |= err == -LB_E_IO && offset == log->end;
		if (err || rec.generation != log->generation ||
		    rec.sequence < log->next_sequence) {
			offset += LB_LOG_ALIGN;
			continue;
		}
		log->damaged |= hole && rec.sequence != log->next_sequence;
		hole = false;
		lb_log_adopt(log, &rec, lb_log_half_start(log, log->half) + offset);
		log->next_sequence = rec.sequence + 1;
		offset += lb_log_record_span(rec.length);
		log->end = offset;
	}
	log->damaged |= hole;
	return 0;
}

/* Numbers that an interrupted compaction left in the other half. */
static void survey_stale(struct lb_log *log, uint32_t half)
{
	for (uint64_t at = LB_LOG_ALIGN; at < lb_log_half_bytes(log->blk); at += LB_LOG_ALIGN) {
		struct lb_log_record rec;

		if (!read_record(log, half, at, &rec) && rec.generation > log->highest_generation)
			log->highest_generation = rec.generation;
	}
}

int lb_log_survey(struct lb_log *log, struct lb_blk *blk, struct lb_error *err)
{
	uint32_t generation[2] = { 0, 0 };
	int ret[2];

	memset(log, 0, sizeof(*log));
	log->blk = blk;
	if (blk->size_bytes < LB_LOG_REGION_MIN)
		return lb_error_set(err, LB_E_INVALID,
				    "region %s has %llu bytes, a state log needs at least %u",
				    blk->name, (unsigned long long)blk->size_bytes,
				    LB_LOG_REGION_MIN);
	for (uint32_t half = 0; half < 2; half++)
		ret[half] = read_half(log, half, &generation[half]);
	if (ret[0] && ret[1])
		return lb_log_io_error(log, "reading", 0, ret[0], err);

	log->half = generation[1] > generation[0];
	log->generation = generation[log->half];
	log->highest_generation = log->generation;
	survey_stale(log, !log->half);
	if (!log->generation)
		survey_stale(log, log->half);
	return 0;
}

int lb_log_open(struct lb_log *log, struct lb_blk *blk, struct lb_error *err)
{
	int ret = lb_log_survey(log, blk, err);

	if (ret)
		return ret;
	if (!log->generation)
		return lb_error_set(err, LB_E_STATE, "region %s: neither half holds a valid header",
				    blk->name);
	ret = scan_live(log);
	if (ret)
		return lb_log_io_error(log, "reading", lb_log_half_start(log, log->half), ret, err);
	return 0;
}

const struct lb_log_entry *lb_log_find(const struct lb_log *log, uint16_t type)
{
	for (uint32_t i = 0; i < log->live_count; i++)
		if (log->live[i].type == type)
			return &log->live[i];
	return NULL;
}

ptrdiff_t lb_log_get(struct lb_log *log, uint16_t type, void *buf, size_t size)
{
	const struct lb_log_entry *e = lb_log_find(log, type);
	uint8_t raw[LB_LOG_RECORD_HEADER];
	struct lb_log_record rec;
	int err;

	if (!e)
		return -LB_E_NOT_FOUND;
	if (e->length > size)
		return -LB_E_TOO_BIG;
	err = lb_blk_read(log->blk, e->offset, raw, sizeof(raw));
	if (!err)
		err = lb_blk_read(log->blk, e->offset + sizeof(raw), buf, e->length);
	if (err)
		return err;
	if (!lb_log_record_decode(&rec, raw) || rec.length != e->length ||
	    lb_crc32(lb_log_record_crc(&rec), buf, rec.length) != rec.crc)
		return -LB_E_IO;
	return (ptrdiff_t)rec.length;
}
