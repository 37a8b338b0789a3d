// SPDX-License-Identifier: GPL-2.0-or-later
#include "flow/handover.h"

#include <stdio.h>
#include <string.h>

#include "bundle/manifest.h"

int lb_handover_open_log(struct lb_log *log, struct lb_blk *blk, bool *ret_lost,
			 struct lb_error *err)
{
	int r = lb_log_open(log, blk, err);

	*ret_lost = r == -LB_E_STATE;
	return r == -LB_E_STATE ? lb_log_format(log, blk, err) : r;
}

/*
 * A log without a state record is that of a device that never was updated. One that
 * cannot be understood (a newer version, or spoiled by root in main) says as little, and
 * must not keep anybody from writing one that can.
 */
static int load_state(struct lb_log *log, struct lb_state *ret, struct lb_error *err)
{
	int r = lb_state_load(log, ret, err);

	if (r != -LB_E_NOT_FOUND && r != -LB_E_FORMAT)
		return r;
	memset(ret, 0, sizeof(*ret));
	ret->name = LB_STATE_CONFIRMED;
	return 0;
}

/* Moves the state record by @event; @s holds the old state and gets the new one. */
static int move(struct lb_log *log, struct lb_state *s, enum lb_event event, struct lb_error *err)
{
	struct lb_state before;
	int next = lb_machine_next(s->name, event);

	if (next < 0)
		return lb_error_set(err, LB_E_INVALID, "\"%s\" cannot happen in state \"%s\"",
				    lb_event_text(event), lb_state_text(s->name));
	s->name = (enum lb_state_name)next;
	if (!lb_state_load(log, &before, NULL) && before.name == s->name &&
	    before.release == s->release && !memcmp(before.manifest, s->manifest, LB_SHA256_BYTES))
		return 0; /* nothing changes: spare the medium */
	return lb_state_save(log, s, err);
}

int lb_handover_stage(struct lb_device_state *d, const struct lb_request *request,
		      const struct lb_network *network, struct lb_error *err)
{
	struct lb_state s;
	int r = load_state(d->log, &s, err);

	if (r)
		return r;
	if (lb_machine_next(s.name, LB_EV_STAGED) < 0)
		return lb_error_set(err, LB_E_BUSY, "nothing can be staged in state \"%s\"",
				    lb_state_text(s.name));
	if (network) {
		r = lb_network_save(d->log, network, err);
		if (r)
			return r;
	}
	r = lb_request_save(d->log, request, err);
	if (r)
		return r;
	s.release = request->release;
	memcpy(s.manifest, request->manifest, sizeof(s.manifest));
	r = move(d->log, &s, LB_EV_STAGED, err);
	return r ? r : lb_boot_set_recovery(d->boot, err);
}

int lb_handover_reboot_recovery(struct lb_device_state *d, struct lb_error *err)
{
	struct lb_request request = { .recovery_only = true };
	struct lb_state s;
	int r = load_state(d->log, &s, err);

	if (r)
		return r;
	if (s.name != LB_STATE_CONFIRMED && s.name != LB_STATE_TRIAL)
		return lb_error_set(err, LB_E_BUSY, "state \"%s\" already leads to recovery",
				    lb_state_text(s.name));
	/* main runs: without its word recovery could not know that it may be given back */
	if (s.name == LB_STATE_CONFIRMED)
		r = move(d->log, &s, LB_EV_CONFIRMED, err);
	if (!r)
		r = lb_request_save(d->log, &request, err);
	return r ? r : lb_boot_set_recovery(d->boot, err);
}

/*
 * The next request is free to try its recovery again: cuts that came before must not keep it
 * out for ever. Not on the word of a recovery that is on trial itself. That the other copy
 * did not start stays on record until it is mended.
 */
static int forget_tries(struct lb_device_state *d, struct lb_error *err)
{
	struct lb_self_update note;
	int r = lb_self_update_load(d->log, &note, err);

	if (r)
		return r == -LB_E_NOT_FOUND || r == -LB_E_FORMAT ? 0 : r;
	if (!note.copy)
		return lb_log_put(d->log, LB_REC_SELF_UPDATE, NULL, 0, err);
	if (note.copy == d->copy || !note.tries)
		return 0;
	note.tries = 0;
	return lb_self_update_save(d->log, &note, err);
}

/* The records of a return, as far as the state region lets us; main is good either way. */
static int note_return(struct lb_device_state *d, struct lb_state *s,
		       const struct lb_result *result, struct lb_error *err)
{
	int r = result ? lb_result_save(d->log, result, err) : 0;

	if (!r && s->name != LB_STATE_TRIAL) { /* on trial main goes on with it */
		if (s->name == LB_STATE_REQUESTED) {
			s->release = 0;
			memset(s->manifest, 0, sizeof(s->manifest));
		}
		r = move(d->log, s, LB_EV_RETURNED, err);
	}
	if (!r)
		r = forget_tries(d, err);
	return r ? r : lb_request_drop(d->log, err);
}

int lb_handover_return(struct lb_device_state *d, const struct lb_result *result,
		       struct lb_error *err)
{
	struct lb_state s;
	bool trial;
	int flag, r = load_state(d->log, &s, err);

	if (r)
		return r;
	trial = s.name == LB_STATE_TRIAL;
	if (!trial && lb_machine_next(s.name, LB_EV_RETURNED) < 0)
		return lb_error_set(err, LB_E_INVALID, "main cannot be given back in state \"%s\"",
				    lb_state_text(s.name));
	r = note_return(d, &s, result, err);
	if (r == -LB_E_POWER)
		return r;
	/* a worn state region must not keep a good main down: the flag is written all the same */
	flag = lb_boot_set_main(d->boot, trial, r ? NULL : err);
	return r ? r : flag;
}

int lb_handover_begin_reset(struct lb_device_state *d, bool main_is_good, struct lb_error *err)
{
	struct lb_boot_status boot;
	struct lb_state s;
	int r = load_state(d->log, &s, err);

	if (!r && main_is_good && s.name == LB_STATE_CONFIRMED)
		r = move(d->log, &s, LB_EV_CONFIRMED, err);
	if (r)
		return r;
	lb_boot_read(d->boot, &boot);
	if (boot.target == LB_BOOT_MAIN)
		r = lb_boot_set_recovery(d->boot, err);
	return r ? r : lb_reset_save(d->log, true, err);
}

int lb_handover_begin_writing(struct lb_device_state *d, uint64_t release,
			      const uint8_t manifest[LB_SHA256_BYTES], struct lb_error *err)
{
	struct lb_boot_status boot;
	struct lb_state s;
	int r = load_state(d->log, &s, err);

	if (r)
		return r;
	lb_boot_read(d->boot, &boot);
	/* main failed, or the flag was lost: it must say recovery first */
	if (boot.target != LB_BOOT_RECOVERY)
		r = lb_boot_set_recovery(d->boot, err);
	if (r)
		return r;
	s.release = release;
	memcpy(s.manifest, manifest, sizeof(s.manifest));
	r = move(d->log, &s, LB_EV_FIRST_WRITE, err);
	/* a person asked: their word stands until the state says the same */
	return r ? r : lb_boot_set_recovery(d->boot, err);
}

int lb_handover_begin_rescue(struct lb_device_state *d, const struct lb_release *target,
			     const struct lb_result *result, struct lb_error *err)
{
	struct lb_state s;
	int r = load_state(d->log, &s, err);

	if (r)
		return r;
	s.release = target ? target->release : 0;
	memset(s.manifest, 0, sizeof(s.manifest));
	if (target)
		lb_sha256(target->manifest, target->manifest_len, s.manifest);
	/* nothing may take the place of a lost state before the new one does */
	if (d->log->damaged)
		r = move(d->log, &s, LB_EV_MAIN_FAILED, err);
	if (!r && result)
		r = lb_result_save(d->log, result, err);
	if (!r)
		r = move(d->log, &s, LB_EV_MAIN_FAILED, err);
	return r ? r : lb_boot_set_recovery(d->boot, err);
}

int lb_handover_finish(struct lb_device_state *d, const struct lb_release *installed,
		       const struct lb_result *result, struct lb_error *err)
{
	struct lb_boot_status boot;
	struct lb_state s;
	int r = load_state(d->log, &s, err);

	if (r)
		return r;
	lb_boot_read(d->boot, &boot);
	/* nothing had to be written: main must not start, nor its old count end, a trial that it is not told of */
	if (boot.target == LB_BOOT_MAIN)
		r = lb_boot_set_recovery(d->boot, err);
	if (!r)
		r = lb_release_save(d->log, LB_REC_INSTALLED, installed, err);
	if (!r)
		r = lb_result_save(d->log, result, err);
	if (r)
		return r;
	s.release = installed->release;
	lb_sha256(installed->manifest, installed->manifest_len, s.manifest);
	r = move(d->log, &s, LB_EV_INSTALLED, err);
	return r ? r : lb_boot_set_main(d->boot, true, err);
}

static bool same_manifest(const struct lb_release *a, const struct lb_release *b)
{
	return a->manifest_len == b->manifest_len &&
	       !memcmp(a->manifest, b->manifest, a->manifest_len);
}

/* One manifest, by mistake or malice from 2099, must not make every certificate look expired. */
static int64_t bounded_clock(const struct lb_device_state *d, int64_t stored_s, int64_t created_s)
{
	int64_t known_s = stored_s > d->time_floor_s ? stored_s : d->time_floor_s;

	return known_s && created_s > known_s + LB_CLOCK_STEP_S ? known_s + LB_CLOCK_STEP_S
								: created_s;
}

/* A record that cannot be understood is as good as none: it must not keep main on trial. */
static int absent(int code)
{
	return code == -LB_E_NOT_FOUND || code == -LB_E_FORMAT ? 0 : code;
}

/* The floor and the clock never go back. */
static int raise_floors(struct lb_device_state *d, const struct lb_release *confirmed,
			struct lb_error *err)
{
	struct lb_log *log = d->log;
	struct lb_manifest m;
	uint64_t floor = 0;
	int64_t clock = 0;
	int r = lb_manifest_parse(confirmed->manifest, confirmed->manifest_len, &m, err);

	if (!r)
		r = absent(lb_floor_load(log, &floor, err));
	if (!r && m.min_release > floor)
		r = lb_floor_save(log, m.min_release, err);
	if (!r)
		r = absent(lb_clock_floor_load(log, &clock, err));
	if (r)
		return r;
	m.created_s = bounded_clock(d, clock, m.created_s);
	return m.created_s > clock ? lb_clock_floor_save(log, m.created_s, err) : 0;
}

/*
 * installed -> confirmed -> previous. A cut after the confirmed record was
 * written is recognised by its manifest: previous must not become the same.
 */
static int rotate_releases(struct lb_device_state *d, struct lb_error *err)
{
	struct lb_log *log = d->log;
	struct lb_release installed = { 0 }, confirmed = { 0 };
	int have, r = lb_release_load(log, LB_REC_INSTALLED, &installed, err);

	if (r)
		return absent(r); /* a trial without a record: nothing to remember */
	have = lb_release_load(log, LB_REC_CONFIRMED, &confirmed, err);
	if (absent(have)) {
		r = have;
		goto out;
	}
	if (have || !same_manifest(&installed, &confirmed)) {
		if (!have)
			r = lb_release_save(log, LB_REC_PREVIOUS, &confirmed, err);
		if (!r)
			r = lb_release_save(log, LB_REC_CONFIRMED, &installed, err);
	}
	if (!r)
		r = raise_floors(d, &installed, err);
out:
	lb_release_free(&installed);
	lb_release_free(&confirmed);
	return r;
}

int lb_handover_confirm(struct lb_device_state *d, struct lb_error *err)
{
	struct lb_state s;
	int r = load_state(d->log, &s, err);

	if (r)
		return r;
	if (lb_machine_next(s.name, LB_EV_CONFIRMED) < 0)
		return lb_error_set(err, LB_E_INVALID, "state \"%s\" cannot be confirmed",
				    lb_state_text(s.name));
	if (s.name == LB_STATE_TRIAL) {
		r = rotate_releases(d, err);
		if (!r)
			r = lb_request_drop(d->log, err);
		if (!r)
			r = move(d->log, &s, LB_EV_CONFIRMED, err);
	} else {
		r = move(d->log, &s, LB_EV_CONFIRMED, err); /* the record may have been lost */
	}
	return r ? r : lb_boot_main_healthy(d->boot, true, err);
}

/* A request for a person's visit to recovery whose flag was never written. */
static bool forgotten_visit(struct lb_device_state *d, const struct lb_state *s,
			    const struct lb_boot_status *boot)
{
	struct lb_request request;

	return (s->name == LB_STATE_CONFIRMED || s->name == LB_STATE_TRIAL) &&
	       boot->target == LB_BOOT_MAIN && !lb_request_load(d->log, &request, NULL) &&
	       request.recovery_only;
}

/* What reconcile found out of step; the sentence goes to the agent's log. */
static int withdraw(struct lb_device_state *d, struct lb_state *s, struct lb_error *err)
{
	int r;

	s->release = 0;
	memset(s->manifest, 0, sizeof(s->manifest));
	r = move(d->log, s, LB_EV_RETURNED, err);
	return r ? r : lb_request_drop(d->log, err);
}

int lb_handover_reconcile_main(struct lb_device_state *d, char *ret_note, size_t note_size,
			       struct lb_error *err)
{
	struct lb_boot_status boot;
	struct lb_state s;
	const char *note = "";
	int r = load_state(d->log, &s, err);

	if (r)
		return r;
	lb_boot_read(d->boot, &boot);
	if (forgotten_visit(d, &s, &boot)) {
		note = "a visit to recovery was staged only in part: withdrawn";
		r = lb_request_drop(d->log, err);
	} else if (s.name == LB_STATE_REQUESTED && boot.target == LB_BOOT_MAIN) {
		note = "a request was staged only in part before the power was cut: withdrawn";
		r = withdraw(d, &s, err);
	} else if (s.name == LB_STATE_TRIAL && boot.target == LB_BOOT_MAIN && !boot.trial) {
		note = "the boot environment did not know of the trial: told again";
		r = lb_boot_set_main(d->boot, true, err);
	} else if (!lb_state_load(d->log, &s, NULL) && s.name == LB_STATE_CONFIRMED &&
		   boot.target == LB_BOOT_MAIN && boot.trial) {
		note = "the release was confirmed but the boot environment not told: told again";
		r = lb_boot_main_healthy(d->boot, true, err);
	}
	if (!r && ret_note)
		snprintf(ret_note, note_size, "%s", note);
	return r;
}
