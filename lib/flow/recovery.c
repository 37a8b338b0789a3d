// SPDX-License-Identifier: GPL-2.0-or-later
#include "flow/recovery.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "flow/copies.h"
#include "flow/floor.h"
#include "flow/job.h"

static void show_check(void *ctx, const char *step, const char *image,
		       const struct lb_update_counters *c)
{
	struct lb_recovery *r = ctx;

	if (r->report && r->report->progress)
		r->report->progress(r->report->ctx, step, image, c);
}

/* 1: every image of the confirmed release is on the medium; 0: not, or nothing to compare with. */
static int main_is_whole(struct lb_recovery *r, struct lb_error *err)
{
	struct lb_release confirmed = { 0 };
	struct lb_install_lookup sizes = lb_install_lookup(&r->slots);
	struct lb_manifest m;
	int code = lb_release_load(r->dev.log, LB_REC_CONFIRMED, &confirmed, err);

	if (code)
		return code;
	code = lb_keyring_verify(r->keys, confirmed.manifest, confirmed.manifest_len,
				 &confirmed.signature, 1, NULL, err);
	if (!code)
		code = lb_manifest_parse(confirmed.manifest, confirmed.manifest_len, &m, err);
	lb_release_free(&confirmed);
	if (code)
		return code;
	code = lb_policy_covers(&m, &sizes.lookup, err);
	if (code)
		return code;
	for (uint32_t i = 0; i < m.image_count; i++) {
		struct lb_blk *blk;

		if (m.images[i].kind == LB_KIND_RECOVERY)
			continue; /* recovery looks after itself */
		code = r->slots.open(r->slots.ctx, m.images[i].target, false, &blk, err);
		if (code)
			return code;
		code = lb_update_image_whole(blk, &m.images[i], show_check, r, err);
		lb_blk_close(blk);
		if (code != 1)
			return code;
	}
	return 1;
}

/* A log without one may have been made anew by a run that was cut short right afterwards. */
static bool state_on_record(struct lb_recovery *r, const struct lb_job_order *job)
{
	struct lb_state s;

	return !r->state_lost && !job->unsure && !lb_state_load(r->dev.log, &s, NULL);
}

/* Main may be whole: look, and return the flag; otherwise rescue. */
static int heal(struct lb_recovery *r, const struct lb_state *s, struct lb_job_order *job,
		enum lb_recovery_end *end, struct lb_error *err)
{
	struct lb_error why = { 0 };
	int whole = main_is_whole(r, &why);
	int code;

	if (whole == 1) {
		lb_say(r->report, LB_LEVEL_INFO, "healed",
		       "main is whole by its signed manifest: the boot flag is returned");
		lb_job_mend_copies(r, false);
		*end = LB_END_BOOT_MAIN;
		lb_job_persist(r);
		return lb_job_return(r, NULL, err);
	}
	/* handed back before a cut took the flag: main was never touched */
	if (whole == -LB_E_NOT_FOUND && r->reason == LB_REASON_REQUESTED && state_on_record(r, job)) {
		lb_job_mend_copies(r, false);
		lb_say(r->report, LB_LEVEL_INFO, "returned", "nothing is requested");
		*end = LB_END_RETURNED;
		return lb_job_return(r, NULL, err);
	}
	lb_say(r->report, LB_LEVEL_WARN, "main-unknown", "main is not known to be whole: %s",
	       !whole		 ? "an image differs from its manifest"
	       : why.text[0] ? why.text
			     : "no confirmed release is on record");
	code = lb_job_prepare_rescue(r, s, job, err);
	return code ? code : lb_job_run(r, job, end, err);
}

/* What makes a person's visit end without an update; NULL: nothing yet. */
static const char *end_of_visit(struct lb_recovery *r, const struct lb_job_order *job)
{
	if (r->cancelled && r->cancelled(r->cancelled_ctx))
		return "as was asked for";
	if (r->limits.idle_ms && lb_clock_ms(r->clock) - job->started_ms >= r->limits.idle_ms)
		return "since nothing happened";
	return NULL;
}

/* Until something is offered that was not refused before. 1: it is; 0: @end is set; or an error. */
static int wait_for_offer(struct lb_recovery *r, struct lb_job_order *job, bool main_is_good, uint32_t refused,
			  enum lb_recovery_end *end, struct lb_error *err)
{
	struct lb_patience how = lb_job_patience(r, job);
	uint32_t offers;

	lb_say(r->report, LB_LEVEL_INFO, "waiting", "recovery waits for a medium with a bundle%s",
	       refused ? " that can be installed" : "");
	lb_job_persist(r);
	while (!(offers = lb_job_offers(r)) || offers == refused) {
		const char *why = main_is_good ? end_of_visit(r, job) : NULL;

		if (why) {
			lb_say(r->report, LB_LEVEL_INFO, "returned", "main is started again, %s", why);
			lb_job_mend_copies(r, false);
			*end = LB_END_RETURNED;
			return lb_job_return(r, NULL, err);
		}
		if (!lb_patience_sleep(&how, 1000)) {
			*end = LB_END_STOPPED;
			return 0;
		}
		refused = offers ? refused : 0; /* pulled and put in again is tried again */
	}
	return 1;
}

/*
 * A person was asked for: what is offered is tried, and what is refused leaves main as it was and
 * the person here. The idle limit counts from the last thing that happened.
 */
static int wait_for_person(struct lb_recovery *r, const struct lb_state *s, struct lb_job_order *job,
			   enum lb_recovery_end *end, struct lb_error *err)
{
	bool main_is_good = !job->unsure &&
			    (s->name == LB_STATE_CONFIRMED || s->name == LB_STATE_TRIAL ||
			     s->name == LB_STATE_REQUESTED);
	uint32_t refused = 0;
	int code;

	if (main_is_good && !state_on_record(r, job))
		main_is_good = main_is_whole(r, NULL) == 1;

	lb_job_network_up(r, job);
	do {
		code = wait_for_offer(r, job, main_is_good, refused, end, err);
		if (code != 1)
			return code;
		job->person = true;
		job->any_bundle = true;
		job->may_give_up = main_is_good;
		job->started_ms = lb_clock_ms(r->clock);
		code = lb_job_run(r, job, end, err);
		job->may_give_up = false;
		job->started_ms = lb_clock_ms(r->clock);
		r->committed = false; /* or it would not have been refused */
		refused = lb_job_offers(r);
	} while (code == LB_JOB_REFUSED);
	return code;
}

/* Trial is recorded, so everything was verified: a cut came before the flag. */
static int hand_over_again(struct lb_recovery *r, enum lb_recovery_end *end, struct lb_error *err)
{
	lb_say(r->report, LB_LEVEL_INFO, "handover",
	       "the update is complete: only the boot flag was missing");
	lb_job_persist(r);
	*end = LB_END_BOOT_MAIN;
	return lb_boot_set_main(r->dev.boot, true, err);
}

/* The new release could never be booted: the one before it is fetched again. */
static int rescue_instead(struct lb_recovery *r, struct lb_job_order *job, enum lb_recovery_end *end,
			  struct lb_error *err)
{
	struct lb_state s;
	int code = lb_state_load(r->dev.log, &s, err);

	job->url_count = 0;
	if (!code)
		code = lb_job_prepare_rescue(r, &s, job, err);
	return code ? code : lb_job_run(r, job, end, err);
}

static int do_job(struct lb_recovery *r, const struct lb_state *s, struct lb_job_order *job,
		  enum lb_recovery_end *end, struct lb_error *err)
{
	int code;

	switch (job->kind) {
	case LB_JOB_INSTALL:
		job->may_give_up = true;
		/* fall through */
	case LB_JOB_RESUME:
		memcpy(job->expected, s->manifest, sizeof(job->expected));
		job->any_bundle = lb_bytes_all_zero(s->manifest, sizeof(s->manifest));
		lb_job_add_urls(job, (const char (*)[LB_URL_MAX + 1])job->request.urls,
			  job->request.url_count);
		if (job->kind == LB_JOB_RESUME)
			lb_job_add_known(r, s->manifest, job);
		code = lb_job_run(r, job, end, err);
		return code == -LB_E_FIT ? rescue_instead(r, job, end, err) : code;
	case LB_JOB_RESCUE:
		code = lb_job_prepare_rescue(r, s, job, err);
		return code ? code : lb_job_run(r, job, end, err);
	case LB_JOB_HEAL:
		return heal(r, s, job, end, err);
	case LB_JOB_HANDOVER:
		return hand_over_again(r, end, err);
	default:
		return wait_for_person(r, s, job, end, err);
	}
}

/* Optional record: absence and an unreadable one are the same. */
static int load_optional(int code)
{
	return code == -LB_E_NOT_FOUND || code == -LB_E_FORMAT ? 0 : code;
}

/* The agent's clock may be wrong: it moves ours by at most as much as a manifest may. */
static void raise_clock(struct lb_recovery *r, int64_t request_s)
{
	int64_t most_s = r->time_floor_s + LB_CLOCK_STEP_S;

	if (r->time_floor_s && request_s > most_s)
		request_s = most_s;
	if (request_s > r->time_floor_s)
		r->time_floor_s = request_s;
}

/*
 * A newer record may have said that main was being written: nothing that takes the old
 * one's word for main's being whole. Look at main, or fetch it.
 */
static enum lb_job job_when_unsure(enum lb_job kind, enum lb_reason reason)
{
	bool failed = reason == LB_REASON_BOOT_LIMIT || reason == LB_REASON_MAIN_INVALID;

	switch (kind) {
	case LB_JOB_INSTALL:
		return failed ? LB_JOB_RESCUE : LB_JOB_HEAL;
	case LB_JOB_HANDOVER:
		return LB_JOB_RESCUE;
	default:
		return kind;
	}
}

static int load_job(struct lb_recovery *r, struct lb_state *s, struct lb_job_order *job,
		    struct lb_error *err)
{
	enum lb_reason reason = r->reason;
	int64_t clock = 0;
	bool have_request;
	int code = lb_state_load(r->dev.log, s, err);

	if (code == -LB_E_FORMAT)
		lb_say(r->report, LB_LEVEL_WARN, lb_error_name(LB_E_STATE),
		       "the state is not known: %s", err ? err->text : "");
	if (load_optional(code))
		return code;
	code = lb_request_load(r->dev.log, &job->request, err);
	have_request = !code;
	if (load_optional(code))
		return code;
	code = load_optional(lb_network_load(r->dev.log, &job->network, err));
	if (!code)
		code = lb_floor_effective(r->dev.log, r->keys, r->device.floor_release,
					  &r->device.floor_release, err);
	if (!code)
		code = load_optional(lb_clock_floor_load(r->dev.log, &clock, err));
	if (code)
		return code;
	if (clock > r->time_floor_s)
		r->time_floor_s = clock;
	raise_clock(r, job->request.time_s);
	/* a visit that was asked for; not when main has failed since */
	if (job->request.recovery_only && reason != LB_REASON_BOOT_LIMIT &&
	    reason != LB_REASON_MAIN_INVALID)
		reason = LB_REASON_MANUAL;
	job->unsure = r->dev.log->damaged;
	job->kind = lb_machine_job(s->name, reason, have_request);
	if (job->unsure)
		job->kind = job_when_unsure(job->kind, reason);
	job->owner = r;
	job->started_ms = lb_clock_ms(r->clock);
	return 0;
}

/* A copy on trial shows first what it can do: flow/copies.h. */
static int report_alive(struct lb_recovery *r, struct lb_error *err)
{
	struct lb_install in = { .dev = &r->dev, .copy = r->copy };

	if (lb_copies_on_trial(&in))
		return 0;
	return r->copy ? lb_boot_set_copy(r->dev.boot, r->copy, err)
		       : lb_boot_recovery_alive(r->dev.boot, err);
}

int lb_recovery_run(struct lb_recovery *r, enum lb_recovery_end *ret_end, struct lb_error *err)
{
	struct lb_state s = { 0 };
	struct lb_job_order *job = calloc(1, sizeof(*job));
	int code;

	if (!job)
		return lb_error_set(err, LB_E_NOMEM, "no memory for a job");
	r->dev.copy = r->copy;
	code = load_job(r, &s, job, err);
	if (!code)
		code = report_alive(r, err);
	if (code)
		goto out;
	lb_say(r->report, LB_LEVEL_INFO, "start", "reason %s, state %s%s: %s",
	       lb_reason_text(r->reason), lb_state_text(s.name),
	       r->state_lost ? " (the state region was empty and was made anew)"
	       : job->unsure ? " (a block of the state region cannot be read: newer records may be lost)"
			     : "",
	       lb_job_text(job->kind));
	code = do_job(r, &s, job, ret_end, err);
out:
	free(job);
	return code;
}
