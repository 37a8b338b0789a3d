/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the simulator's files only. */
#ifndef POWERCUT_SIM_INTERNAL_H
#define POWERCUT_SIM_INTERNAL_H

#include "sim.h"

/* @p, or the end of the program. */
void *sim_must(void *p);

/* The only way in which the medium changes once the power may fail. */
void sim_put(struct sim_region *r, uint64_t offset, const void *data, size_t len);
/* The medium is as it was when the journal held @count changes. */
void sim_undo_to(struct sim *s, size_t count);
size_t sim_journal_count(const struct sim *s);
struct sim_journal *sim_journal_new(void);
void sim_journal_free(struct sim_journal *j); /* NULL is fine */
/* Digests are kept for so many pages of @r. */
size_t sim_page_count(const struct sim_region *r);
/* Every digest of @r has to be made again. */
void sim_forget_digests(struct sim_region *r);

/* One more pending write. */
void sim_push(struct sim *s, struct sim_region *r, uint64_t offset, const void *buf, size_t len);
/* Makes @r's pending writes durable, or everybody's when @r is NULL. */
void sim_drain(struct sim *s, struct sim_region *r);
void sim_drop_pending(struct sim *s);
/* A cached region's cache holds what its medium holds. */
void sim_drop_caches(struct sim *s);

/* Shows sim->now_ms; only inside of a struct sim. */
void sim_clock_init(struct lb_clock *clock);

/* What the programs did, when it is recorded. */
void sim_record(struct sim *s, enum sim_op_kind kind, struct sim_region *r, uint64_t offset,
		const void *data, size_t len);

#endif
