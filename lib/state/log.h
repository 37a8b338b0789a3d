/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state region: two halves of an append-only log of records. The newest
 * whole record of each type counts; a torn one is ignored. When a half is full
 * the live records are copied to the other half, which takes over with one
 * write of its header. Records begin at 4 KiB boundaries, so that appending
 * never rewrites a sector of an earlier record. Spec: docs/SPEC.md, "State log".
 */
#ifndef LB_STATE_LOG_H
#define LB_STATE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "port/blk.h"

#define LB_LOG_ALIGN 4096u
#define LB_LOG_REGION_MIN (256u * 1024u)
#define LB_LOG_RECORD_MAX (96u * 1024u) /* payload of one record */
#define LB_LOG_TYPES_MAX 32

enum lb_record_type {
	LB_REC_STATE = 1,
	LB_REC_REQUEST = 2,
	LB_REC_PROGRESS = 3,
	LB_REC_RESULT = 4,
	LB_REC_CONFIRMED = 5,	   /* manifest and signature of the confirmed release */
	LB_REC_PREVIOUS = 6,	   /* the one confirmed before it */
	LB_REC_FLOOR = 7,
	LB_REC_CLOCK = 8,
	LB_REC_NETWORK = 9,
	LB_REC_LOG = 10,
	LB_REC_INSTALLED = 11,	   /* what is on trial: becomes CONFIRMED */
	LB_REC_SELF_UPDATE = 12,   /* the recovery that was written and tried */
	LB_REC_RESET = 13,	   /* the user's data is being erased, or was */
};

/* A program writes this version of every type that it knows. */
#define LB_LOG_VERSION 1

struct lb_log {
	struct lb_blk *blk; /* borrowed */
	uint32_t half;	    /* 0 or 1: the live one */
	uint32_t generation;
	uint32_t highest_generation; /* ever seen on the medium or tried: never used again */
	bool unsure;	    /* a take-over failed: the other half may have a valid header */
	bool damaged;	    /* what could not be read may have been the newest record of a type */
	uint64_t next_sequence;
	uint64_t end;	    /* where the next record goes, offset in the half */
	struct lb_log_entry {
		uint16_t type;
		uint16_t version;
		uint32_t length;
		uint64_t sequence;
		uint64_t offset; /* in the region */
	} live[LB_LOG_TYPES_MAX]; /* by ascending sequence */
	uint32_t live_count;
};

/**
 * lb_log_open() - find the live half and its newest records
 * @blk: the state region, borrowed until the log is no longer used; at least 256 KiB
 *
 * Only reads: at most the whole region once. Constant memory. A half whose header
 * cannot be read counts as not valid. Should it be readable later, and newer, it counts
 * then: what was put in between is forgotten. A block that cannot be read holds no
 * record. If it lies where a record may have been (behind one, and the next one is not
 * the very next) log->damaged is set: the records that count may be older than the truth.
 *
 * Return: 0; -LB_E_STATE when neither half holds a valid header (use
 * lb_log_format()); -LB_E_INVALID (region too small); -LB_E_IO.
 */
int lb_log_open(struct lb_log *log, struct lb_blk *blk, struct lb_error *err) LB_MUST_CHECK;

/*
 * Makes an empty log; a cut leaves the old log or the empty one. Where there was none, one half that
 * can be written is enough. 0, -LB_E_INVALID or -LB_E_IO.
 */
int lb_log_format(struct lb_log *log, struct lb_blk *blk, struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_log_get() - newest whole record of @type
 * @buf: room for @size bytes; larger records give -LB_E_TOO_BIG
 *
 * Return: length of the payload, -LB_E_NOT_FOUND, -LB_E_TOO_BIG, -LB_E_IO (also
 * when the record is no longer what it was when the log was opened).
 */
ptrdiff_t lb_log_get(struct lb_log *log, uint16_t type, void *buf, size_t size) LB_MUST_CHECK;

/* What lb_log_get() would return, without reading; NULL when there is no such record. */
const struct lb_log_entry *lb_log_find(const struct lb_log *log, uint16_t type);

/**
 * lb_log_put() - append a record and make it durable
 * @len: 0 deletes the type
 *
 * A cut leaves the old or the new record of @type, and every other type as it
 * was. When the half is full the live records and this one go to the other half
 * (one flush more). After a failure the old record stands for this program; a
 * later boot may find the old or the new one. May be called again.
 *
 * Return: 0 once durable; -LB_E_TOO_BIG (this record, or all live ones together,
 * or a 33rd type); -LB_E_IO.
 */
int lb_log_put(struct lb_log *log, uint16_t type, const void *data, size_t len,
	       struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_log_compact() - leave nothing but the live records on the medium
 *
 * Moves them to the other half if the present one holds anything else or is damaged, then
 * overwrites with zeros what is not live: deleted tokens are gone as far as the
 * medium overwrites in place. A cut leaves the same records, and perhaps some
 * remains of deleted ones. Blocks for reading and writing at most the region.
 *
 * Return: 0 or -LB_E_IO: the records are as they were, all was overwritten that could be.
 */
int lb_log_compact(struct lb_log *log, struct lb_error *err) LB_MUST_CHECK;

#endif
