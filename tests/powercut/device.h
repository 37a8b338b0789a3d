/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulated device: a boot loader model, main with its agent's decisions, and
 * the real recovery over a real bundle, from "release 1 runs" to "release 2 is
 * confirmed". Between its slots and behind them lies what nobody may write, and
 * beside them the user's data.
 */
#ifndef POWERCUT_DEVICE_H
#define POWERCUT_DEVICE_H

#include "cutter.h"
#include "flow/recovery.h"
#include "mini_bundle.h"

#define DEVICE_STATE_BYTES (256u * 1024u)
#define DEVICE_RELEASES 3 /* 1 and 2; 0 is none */
#define DEVICE_STICK_URL "sim:2, a stick"

/* memo[] of the simulator */
enum device_memo {
	MEMO_BROKEN_BOOT, /* main was booted although it was not whole */
	MEMO_STARTED,	/* boots of main since it was handed over or confirmed: see check_tries() */
	MEMO_TOO_EARLY,	/* recovery came for a count that was not reached */
	MEMO_END,	/* the release that is right in the end, when not the world's; 0: the world's */
	MEMO_PERSON,	/* a person's stick was needed */
};

/* Bits of memo[SIM_MEMO_LOST] */
enum { LOST_ENV0 = 1, LOST_ENV1 = 2, LOST_ENV = 3, LOST_STATE = 4 };

struct device;

/* Known mistakes, made by wrappers around the real recovery. */
struct device_mistake {
	/* before recovery's job */
	int (*before)(struct device *dev);
	/* instead of the slot's own; may be NULL */
	struct lb_blk *(*slot)(struct device *dev, struct lb_blk *blk);
	bool count_stays; /* main confirms without the environment */
};

/* What exists outside of the device, and what befalls it. */
struct world {
	size_t boot_bytes, root_bytes, chunk_bytes;
	uint32_t ms_per_call;
	struct sim_source_manners manners; /* of every source but the stick */
	uint64_t worn_at;   /* of root, see sim.h */
	bool two_is_sick;   /* release 2 never reports healthy */
	int final_release;
	bool stick;	    /* with release 2 on it, inserted in recovery all the time */
	uint64_t person_ms; /* somebody inserts it after waiting so long; 0: nobody */
	unsigned int lost;  /* LOST_*: what is garbage when it all begins */
	uint32_t log_room;  /* blocks of the state log's half that are left; 0: as it comes */
	uint32_t compactions; /* at least so many must come to pass without a cut */
	struct mini_image image[DEVICE_RELEASES][MINI_IMAGES];
	struct mini_bundle bundle[DEVICE_RELEASES];
	/* what the run without a cut, which comes first, fetched and wrote */
	uint64_t needed_payload, needed_writes;
};

struct device {
	struct sim *s;
	const struct world *w;
	const struct device_mistake *mistake; /* may be NULL */
	struct lb_log log;
	struct lb_boot boot;
	struct lb_device_state d;
	bool lost;
	uint8_t hint[MINI_IMAGES][16], believed[MINI_IMAGES][16]; /* a mistake's */
};

void device_setup(struct sim *s, struct world *w);
/* Boots until main has nothing left to do; -LB_E_* when the power failed or it does not end. */
int device_run(struct sim *s, const struct world *w, const struct device_mistake *mistake);

int device_check(struct sim *s, struct world *w, enum sim_moment moment);
/* DESIGN, promise 4: so much more may be fetched and written for each cut. */
int device_check_bound(struct sim *s, struct world *w, enum sim_moment moment);
uint64_t device_digest(struct sim *s, const struct world *w, bool coarse);

/* For both of them. */
int device_open_env(struct device *dev);
int device_open_state(struct device *dev);
/* A log without a state record is that of a device that never was updated. */
int device_load_state(struct device *dev, struct lb_state *ret);
/* The release that both slots hold on the medium, 0 when they do not. */
int device_whole_release(const struct device *dev);

extern const struct device_mistake mistake_flag_before_writing, mistake_flag_before_read_back,
	mistake_count_stays, mistake_hint_believed, mistake_unverified_write,
	mistake_data_written, mistake_neighbour_written, mistake_empty_log_believed;

#endif
