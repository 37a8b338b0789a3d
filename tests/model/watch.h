/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device's storage that tells what became durable, in order: one line
 * "event NAME=value ..." whenever a flush changed what the next start would read.
 * main and the other copy of recovery are told as torn when their first byte changes
 * and by their release when all of it was read back from the medium.
 */
#ifndef MODEL_WATCH_H
#define MODEL_WATCH_H

#include "sim.h"

#include "flow/handover.h"
#include "mini_bundle.h"
#include "mini_fit.h"

#define WATCH_RELEASES 3u
#define WATCH_MAIN_BYTES 7001u
#define WATCH_SLOT_BYTES 9000u

/* What exists outside of the device, made once. */
struct watch_world {
	uint8_t main_os[WATCH_RELEASES + 1][WATCH_MAIN_BYTES]; /* [0] unused */
	uint8_t fit[3][MINI_FIT_MAX];
	size_t fit_len[3];
	struct mini_bundle bundle[WATCH_RELEASES + 1]; /* of main alone */
	struct mini_bundle carrier;	       /* release 2 and recovery release 2 */
	struct mini_bundle alone;	       /* recovery release 2, and nothing of main */
	struct lb_bundle_head head[WATCH_RELEASES + 1], carrier_head, alone_head;
	struct lb_manifest carried;
};

const struct watch_world *watch_world(void);

/* What the table speaks of, in the order in which it is printed. */
enum watch_name {
	WATCH_LOG, WATCH_STATE, WATCH_RECORD, WATCH_RELEASE, WATCH_REQUEST, WATCH_RESULT,
	WATCH_CONFIRMED, WATCH_PREVIOUS, WATCH_INSTALLED, WATCH_FLOOR, WATCH_CLOCK, WATCH_NETWORK,
	WATCH_NOTE, WATCH_TRIES, WATCH_FLAG, WATCH_TRIAL, WATCH_COUNT, WATCH_SLOT, WATCH_RTRIES,
	WATCH_MAIN, WATCH_OTHER, WATCH_NAMES
};

struct watch;

struct watched {
	struct lb_blk blk;	 /* what the code under test gets */
	struct watch *watch;
	struct sim_region *under;
	bool dirty;		 /* written, not flushed */
	uint64_t read_back;	 /* bytes from the beginning, since the last write */
};

enum { WATCH_STATE_BLK, WATCH_ENV0, WATCH_ENV1, WATCH_ROOT, WATCH_A, WATCH_B, WATCH_BLKS };

struct watch {
	struct sim sim;
	struct watched blk[WATCH_BLKS];
	char running;		 /* the copy that runs */
	bool on;		 /* false: changes are taken in, and not told */
	char value[WATCH_NAMES][24];
};

/* Storage with both copies of recovery release 1 and main release 1, and no log, no environment. */
void watch_init(struct watch *w, char running);
void watch_free(struct watch *w);
/* Everything is durable now; prints the line "start ..." and begins to tell. */
void watch_begin(struct watch *w);
/* What was left unflushed is told, too. */
void watch_end(struct watch *w);
/* The port of a slot by its name, NULL when there is none. */
struct lb_blk *watch_slot(struct watch *w, const char *name);

#endif
