/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ports of lib/port over memory, with a power switch. Regions lie between
 * neighbours that must not change, and have a volatile cache: a write is pending until its region is flushed. The power
 * fails at the N-th mutating call (write, zero or flush); from then on every call
 * returns -LB_E_POWER, so that the code under test unwinds as it would after an
 * I/O error and a leak shows. What became of each pending write is decided
 * afterwards, by a struct sim_fate.
 */
#ifndef POWERCUT_SIM_H
#define POWERCUT_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "port/blk.h"
#include "../late_worker.h"
#include "port/clock.h"
#include "port/source.h"

#define SIM_REGIONS_MAX 9
#define SIM_MEMOS 8
#define SIM_GUARD_BYTES 4096u /* of the neighbours, on either side of a region */

struct sim;

struct sim_region {
	struct lb_blk blk;
	struct sim *sim;
	uint8_t *room;	  /* owned: neighbour, medium, neighbour */
	uint8_t *medium;  /* in it: what is durable; while setting up it may be filled directly */
	uint64_t *page;	  /* owned: digest of each 4 KiB of it, 0: to be made */
	uint64_t digest;  /* of all pages; 0: to be made */
	uint64_t written; /* bytes, over all power cycles */
	uint64_t worn_at; /* the write that takes @written over this is lost silently; 0: none */
	bool small_writes; /* records: a cut may tear them at any byte, not only at a sector */
	bool strayed;	  /* something was written behind its end, perhaps undone since */
	bool untouchable;  /* somebody else's: nothing may write it */
	uint64_t pristine; /* untouchable: digest of what it has to hold */
	const uint8_t *releases[2]; /* borrowed: only what one of them has there may be written; may be NULL */
	size_t release_bytes;
	bool no_zero;	  /* zeros have to be written */
	bool any_tail;	  /* behind that anything may be written */
	/* canaries */
	bool deaf;	  /* flush promises and does nothing */
	bool lazy;	  /* nothing is durable before it is read back */
	uint8_t *cache;	  /* owned: answers every read, also that of the medium; NULL: none */
};

struct sim_write {
	struct sim_region *region;
	uint64_t offset;
	size_t len;
	uint8_t *data; /* owned */
};

/* One mutating call, or what else changed the medium, of a run that was recorded. */
enum sim_op_kind { SIM_OP_WRITE, SIM_OP_FLUSH, SIM_OP_DRAIN, SIM_OP_REBOOT };

struct sim_op {
	enum sim_op_kind kind;
	struct sim_region *region; /* NULL: REBOOT */
	uint64_t offset;
	size_t len;
	uint8_t *data;	/* owned; NULL: the medium ignores it */
	uint64_t memo[SIM_MEMOS], payload_read; /* at that moment */
};

struct sim_ops {
	struct sim_op *op; /* owned */
	uint32_t count, room;
};

/* What the cut does to the writes that were not flushed. */
enum sim_pending {
	SIM_KEPT,
	SIM_LOST,
	SIM_ONLY,    /* one is kept */
	SIM_BUT,     /* one is lost */
	SIM_SEED,    /* some are kept, lost or end at a sector, by a generator */
	SIM_GARBLED, /* kept, but the sectors of the last one hold noise */
	SIM_PENDING_COUNT
};

struct sim_fate {
	enum sim_pending pending;
	uint32_t number; /* ONLY, BUT: this write, counted from 0; SEED: of the generator */
	/* KEPT, LOST: of write @number, from the end, only the first (> 0) or last (< 0) so many bytes */
	int32_t tear;
	uint32_t loss;	 /* 0, or 1 + the number of what else the cut takes away */
};

/* Regions that are garbage after a cut; a table ends with an entry without a name. */
struct sim_loss {
	const char *name; /* one word */
	const char *regions[3];
	uint64_t bits;	  /* set in memo[SIM_MEMO_LOST] */
};

/* Of memo[], the last ones are the simulator's. */
enum {
	SIM_MEMO_UNVERIFIED = SIM_MEMOS - 2, /* writes of what is in no release */
	SIM_MEMO_LOST, /* what was taken away by cuts */
};

struct sim {
	struct sim_region region[SIM_REGIONS_MAX];
	uint32_t region_count;
	struct sim_write *pending; /* owned, in the order of the calls */
	uint32_t pending_count, pending_room;
	uint32_t calls;	  /* mutating calls since power-on */
	uint32_t cut_at;  /* the call at which the power fails; 0: never */
	bool off;
	bool trace;	  /* print every mutating call */
	uint32_t sector;  /* bytes that the medium writes at once: 512 or 4096 */
	const struct sim_loss *losses; /* borrowed; may be NULL */
	struct sim_ops *ops; /* borrowed: records every call; may be NULL */
	struct sim_journal *journal; /* owned: what the medium held before; NULL: cannot go back */
	struct lb_clock clock;
	struct late_worker worker;
	uint64_t now_ms;
	uint64_t payload_read;	/* bytes that sources delivered behind their payload offset */
	uint32_t power_cycles;	/* cuts so far */
	uint32_t ms_per_call;
	char why[200];	  /* what a check found broken */
	/*
	 * What the world outside remembers over a cut, such as what was acknowledged.
	 * Saved and restored with the media; all but the last are the scenario's own.
	 */
	uint64_t memo[SIM_MEMOS];
};

void sim_init(struct sim *s);
void sim_free(struct sim *s);

/* A new region full of 0xff; only while setting up. */
struct lb_blk *sim_add(struct sim *s, const char *name, size_t size_bytes);
/* The same, full of somebody's data that nothing may write. */
struct lb_blk *sim_add_untouchable(struct sim *s, const char *name, size_t size_bytes);
/* 0; 1 when a neighbour, somebody else's region or a byte that is in no release was written. */
int sim_check_writes(struct sim *s);
struct lb_blk *sim_blk(struct sim *s, const char *name);
struct sim_region *sim_region(struct sim *s, const char *name);

/* Canary: every read of this region is answered from a cache, also that of the medium. */
void sim_keep_cache(struct sim *s, const char *name);

/* How a source behaves; zeros: it has everything, at once, in any order. */
struct sim_source_manners {
	uint64_t payload_offset; /* what is read from here on counts as payload */
	uint64_t lose_every;	 /* the connection is lost after so many bytes; 0: never */
	bool sequential;	 /* never goes back, as a pipe */
	bool dead;		 /* never answers */
	uint64_t silent_from;	 /* payload bytes, over all power cycles: then it is silent ... */
	uint64_t silent_ms;	 /* ... until so long after power-on */
};

/* Reads @bytes (borrowed) from memory; free with lb_source_close(). */
struct lb_source *sim_source_open(struct sim *s, const uint8_t *bytes, size_t len,
				  const struct sim_source_manners *manners);

/* Everything that is pending becomes durable, and calls are counted from 0. */
void sim_settle(struct sim *s);
/* For a program that retries for ever: the power is off, or it has called or waited for too long. */
bool sim_stops(const struct sim *s);
/* It stopped although the power is on: a dead end, or a circle. */
bool sim_stuck(const struct sim *s);
/* A reboot without a cut: what was not flushed is lost, the calls count on. */
void sim_reboot(struct sim *s);
/* Applies @fate to what is pending; the power is on again and calls are counted from 0. */
void sim_power_on(struct sim *s, const struct sim_fate *fate);

/* ---- going back: one region of memory, any number of nested moments ---- */

struct sim_mark {
	size_t journal;
	struct sim_write *pending; /* owned */
	uint32_t pending_count, pending_room;
	uint64_t memo[SIM_MEMOS], payload_read, written[SIM_REGIONS_MAX];
	uint32_t power_cycles, calls;
};

/* From now on sim_go_back() works; what was changed directly before is taken in. */
void sim_begin(struct sim *s);
/* @mark takes the pending writes; after @fate (may be NULL) the power is on again. */
void sim_mark(struct sim *s, const struct sim_fate *fate, struct sim_mark *mark);
/* Everything is as it was at sim_mark(), which can be called once for each. */
void sim_go_back(struct sim *s, struct sim_mark *mark);

/* A recorded run once more, without the program: up to the moment of the power cut, and on. */
void sim_enter(struct sim *s, const struct sim_op *op);
void sim_leave(struct sim *s, const struct sim_op *op);
bool sim_is_call(const struct sim_op *op);
void sim_ops_free(struct sim_ops *ops);

/* Of what a region's medium holds. */
uint64_t sim_digest(struct sim_region *r);
/* Of all media, byte by byte, and of what else the run so far left behind. */
uint64_t sim_digest_all(struct sim *s);
uint64_t sim_hash(uint64_t seed, const void *data, size_t len);

/* Notes why a check failed, for `return sim_fail(s, "...")`: 1. */
int sim_fail(struct sim *s, const char *fmt, ...) LB_PRINTF(2, 3);

#endif
