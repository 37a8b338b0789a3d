/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by log.c and log_write.c only. */
#ifndef LB_STATE_LOG_INTERNAL_H
#define LB_STATE_LOG_INTERNAL_H

#include "state/log.h"
#include "state/log_format.h"

uint64_t lb_log_half_bytes(const struct lb_blk *blk);
/* Where half 0 or 1 begins in the region. */
uint64_t lb_log_half_start(const struct lb_log *log, uint32_t half);

/* Which half is live; log->generation is 0 when none is. 0, -LB_E_INVALID, -LB_E_IO. */
int lb_log_survey(struct lb_log *log, struct lb_blk *blk, struct lb_error *err) LB_MUST_CHECK;

/* @rec, at @offset of the region, is the newest of its type; length 0 forgets the type. */
void lb_log_adopt(struct lb_log *log, const struct lb_log_record *rec, uint64_t offset);

/* Continues one or two (@crc2 not NULL) sums over @len payload bytes of the record at @offset. */
int lb_log_sum_payload(struct lb_blk *blk, uint64_t offset, uint32_t len, uint32_t *crc,
		       uint32_t *crc2) LB_MUST_CHECK;

/* A sentence for @code, which is returned: the port's own if it left one. */
int lb_log_io_error(const struct lb_log *log, const char *what, uint64_t offset, int code,
		    struct lb_error *err);

#endif
