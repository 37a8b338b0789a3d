/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Factory reset: the regions that the configuration names, and no others, read zeros
 * afterwards. What is asked for is on record before the first byte changes, so a cut
 * at any moment ends in all of it or in nothing; main is not started in between.
 */
#ifndef LB_FLOW_RESET_H
#define LB_FLOW_RESET_H

#include "flow/report.h"
#include "port/blk.h"
#include "state/log.h"

#define LB_RESET_REGIONS_MAX 4
#define LB_RESET_HEAD_BYTES (1024u * 1024u) /* superblocks lie there */

struct lb_reset_regions {
	void *ctx;
	/* the @n-th, writable; -LB_E_NOT_FOUND behind the last. NULL: none is configured */
	int (*open)(void *ctx, uint32_t n, struct lb_blk **ret, struct lb_error *err);
};

struct lb_reset {
	const struct lb_reset_regions *regions;
	const struct lb_reporter *report; /* may be NULL */
	bool (*stop)(void *ctx);	  /* asked between pieces; may be NULL */
	void *stop_ctx;
	uint32_t head_bytes;		  /* of every region first; 0: LB_RESET_HEAD_BYTES */
	struct lb_update_counters counters; /* total_bytes, durable_bytes, written_bytes, zeroed_bytes */
};

/* Is a reset on record that has not come to its end? An unreadable record is none. */
bool lb_reset_pending(struct lb_log *log);

/**
 * lb_reset_erase() - make every region zeros, and note that it is done
 * @rs: regions, report and stop() are given; counters are filled
 *
 * The first bytes of all regions first, flushed, so that nothing that is left looks
 * like a file system; then the rest; where the device cannot make zeros, what is not zero
 * yet is written. Everything is flushed before the record says that it is done. After a cut, or a failure, call it again.
 * Return: 0; -LB_E_AGAIN: stopped; otherwise what a region or the log said.
 */
int lb_reset_erase(struct lb_reset *rs, struct lb_log *log, struct lb_error *err) LB_MUST_CHECK;

#endif
