/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Handing the device from main to recovery and back. Each step writes records
 * first and the boot environment last, in the one order that survives a cut
 * between any two writes; docs/DESIGN.md, "Order of writing".
 */
#ifndef LB_FLOW_HANDOVER_H
#define LB_FLOW_HANDOVER_H

#include "boot/select.h"
#include "flow/machine.h"
#include "state/log.h"
#include "state/records.h"

#define LB_CLOCK_STEP_S (30 * 86400) /* how far one manifest or request may push the time */

struct lb_device_state {
	struct lb_log *log;   /* borrowed */
	struct lb_boot *boot; /* borrowed */
	int64_t time_floor_s; /* what the program knows of the time by itself; 0: nothing */
	char copy;	      /* 'a' or 'b': the recovery copy that runs; 0: main, or not known */
};

/**
 * lb_handover_open_log() - open the state log, or make a new one
 * @ret_lost: true when it had to be made: its contents were lost or never there
 */
int lb_handover_open_log(struct lb_log *log, struct lb_blk *blk, bool *ret_lost,
			 struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_handover_stage() - ask recovery to install @request
 * @network: NULL leaves the stored settings
 *
 * network, request, state=requested (release and manifest of the request), then
 * flag=recovery. A cut before the flag leaves main booting with a request that
 * lb_handover_reconcile() withdraws; it never starts by itself.
 * Return: 0; -LB_E_BUSY in a state from which nothing may be staged (updating,
 * trial, rescue); -LB_E_IO and others from the log.
 */
int lb_handover_stage(struct lb_device_state *d, const struct lb_request *request,
		      const struct lb_network *network, struct lb_error *err) LB_MUST_CHECK;

/*
 * Only a flag: recovery starts and waits for a person. State and request as for stage; a device
 * without a state record gets one (confirmed), by which recovery knows that main may be given back.
 */
int lb_handover_reboot_recovery(struct lb_device_state *d, struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_handover_return() - recovery gives main back untouched
 * @result: why; stored for the agent
 *
 * result, state=confirmed, tries of a newer recovery forgotten (unless it is the one that
 * runs, on trial), request dropped, then flag=main without a trial (on trial: with it).
 * The flag is written even when a record cannot be, because main is good; that failure is
 * returned all the same.
 */
int lb_handover_return(struct lb_device_state *d, const struct lb_result *result,
		       struct lb_error *err) LB_MUST_CHECK;

/*
 * state=updating and flag=recovery before the first byte of main changes; keeps the request.
 * A flag that leads to recovery already is changed last: "manual" keeps a person's wish alive.
 */
int lb_handover_begin_writing(struct lb_device_state *d, uint64_t release,
			      const uint8_t manifest[LB_SHA256_BYTES],
			      struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_handover_begin_rescue() - main failed: fetch @target again
 * @target: NULL when no release is known that could be fetched
 * @result: what failed, for the agent of the release that comes back
 *
 * result, state=rescue, then flag=recovery (it is, unless a boot counter chose us). In a
 * damaged log the state comes first: a result in the place of a lost state would hide that.
 */
int lb_handover_begin_rescue(struct lb_device_state *d, const struct lb_release *target,
			     const struct lb_result *result, struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_handover_begin_reset() - the user's data is about to be erased
 * @main_is_good: a device without a state record gets one (confirmed), or nobody could say afterwards
 *
 * state (if there is none), flag=recovery (if it says main), reset=pending. From the last one on
 * recovery goes on with it at every start; a cut before it costs the wish and nothing else.
 */
int lb_handover_begin_reset(struct lb_device_state *d, bool main_is_good,
			    struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_handover_finish() - everything was read back and matched
 * @installed: manifest, signature and sources of what now is in main
 * @result: stored for the agent
 *
 * flag=recovery (it is, unless nothing had to be written), installed, result, state=trial,
 * then flag=main with upgrade_available=1 and bootcount=0 in one commit. The request stays until it is confirmed.
 */
int lb_handover_finish(struct lb_device_state *d, const struct lb_release *installed,
		       const struct lb_result *result, struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_handover_confirm() - the agent: this release is healthy
 *
 * confirmed -> previous, installed -> confirmed, floor, clock, request dropped,
 * state=confirmed, then the environment. In state confirmed only the boot count
 * is cleared, and the state record made again if it was lost. May be called again at any time.
 * Return: 0; -LB_E_INVALID in a state that cannot be confirmed from main
 * (requested, updating, rescue: reconcile first).
 */
int lb_handover_confirm(struct lb_device_state *d, struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_handover_reconcile_main() - the agent, once at start
 *
 * Main runs, so what the records say is compared with that and with the flag:
 * requested with flag=main (cut while staging): request withdrawn, state=confirmed.
 * trial with the trial flag missing: the flag is written again. confirmed with a trial flag:
 * it is cleared; not on the word of a log that holds no state. Anything else is left.
 * @ret_note: NULL or room for a sentence about what was mended, "" for nothing
 */
int lb_handover_reconcile_main(struct lb_device_state *d, char *ret_note, size_t note_size,
			       struct lb_error *err) LB_MUST_CHECK;

#endif
