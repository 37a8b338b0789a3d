// SPDX-License-Identifier: GPL-2.0-or-later
#include "flow/recovery.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "flow/copies.h"
#include "flow/floor.h"
#include "flow/job.h"
#include "lb_boot_names.h"

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

/*
 * The flag is changed before main is: while it says main, nothing was begun, and the bootloader
 * would start main at the next power-on. So a person's key may leave it at that.
 */
static bool flag_says_main(struct lb_recovery *r)
{
	struct lb_boot_status boot;

	lb_boot_read(r->dev.boot, &boot);
	return boot.target == LB_BOOT_MAIN;
}

/* @whole and @why: as main_is_whole() left them. */
static int rescue_main(struct lb_recovery *r, const struct lb_state *s, struct lb_job_order *job, int whole,
		       const struct lb_error *why, enum lb_recovery_end *end, struct lb_error *err)
{
	int code;

	lb_say(r->report, LB_LEVEL_WARN, "main-unknown", "main is not known to be whole: %s",
	       !whole		  ? "an image differs from its manifest"
	       : why->text[0] ? why->text
			      : "no confirmed release is on record");
	code = lb_job_prepare_rescue(r, s, job, err);
	return code ? code : lb_job_run(r, job, end, err);
}

/* Main may be whole: look, and return the flag; otherwise rescue. */
static int heal(struct lb_recovery *r, const struct lb_state *s, struct lb_job_order *job,
		enum lb_recovery_end *end, struct lb_error *err)
{
	struct lb_error why = { 0 };
	int whole = main_is_whole(r, &why);

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
	return rescue_main(r, s, job, whole, &why, end, err);
}

/* Nothing better than this main is to be had: a person may know what is wrong with it. */
static int visit_whole(struct lb_recovery *r, struct lb_job_order *job, enum lb_recovery_end *end,
		       struct lb_error *err)
{
	lb_say(r->report, LB_LEVEL_WARN, "examined",
	       "main was started %d times without a report of health, and is whole by its signed manifest",
	       LB_BOOT_LIMIT);
	return lb_job_visit(r, job, true, end, err);
}

/*
 * A confirmed main was started too often without a report of health: somebody switched the
 * power off and on, or it really fails. What is broken is fetched again at once; what is whole
 * is left to a person, and then tried once more.
 */
static int examine(struct lb_recovery *r, const struct lb_state *s, struct lb_job_order *job,
		   enum lb_recovery_end *end, struct lb_error *err)
{
	struct lb_error why = { 0 };
	int whole = main_is_whole(r, &why);

	if (whole != 1)
		return rescue_main(r, s, job, whole, &why, end, err);
	return visit_whole(r, job, end, err);
}

/* The failed release is fetched again only where that can make a difference. */
static int rescue(struct lb_recovery *r, const struct lb_state *s, struct lb_job_order *job,
		  enum lb_recovery_end *end, struct lb_error *err)
{
	int code;

	if (r->reason == LB_REASON_BOOT_LIMIT && !job->unsure && lb_job_remedy_is_what_failed(r, s) &&
	    main_is_whole(r, NULL) == 1)
		return visit_whole(r, job, end, err);
	code = lb_job_prepare_rescue(r, s, job, err);
	return code ? code : lb_job_run(r, job, end, err);
}

/* A person was asked for. */
static int wait_for_person(struct lb_recovery *r, const struct lb_state *s, struct lb_job_order *job,
			   enum lb_recovery_end *end, struct lb_error *err)
{
	bool good = !job->unsure &&
		    (s->name == LB_STATE_CONFIRMED || s->name == LB_STATE_TRIAL ||
		     s->name == LB_STATE_REQUESTED);

	if (good && !state_on_record(r, job))
		good = flag_says_main(r) || main_is_whole(r, NULL) == 1;
	return lb_job_visit(r, job, good, end, err);
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
		return rescue(r, s, job, end, err);
	case LB_JOB_HEAL:
		return heal(r, s, job, end, err);
	case LB_JOB_HANDOVER:
		return hand_over_again(r, end, err);
	case LB_JOB_EXAMINE:
		return examine(r, s, job, end, err);
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
	case LB_JOB_EXAMINE:
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
	if (lb_reset_pending(r->dev.log)) {
		code = lb_job_erase(r, job, err);
		job->started_ms = lb_clock_ms(r->clock);
	}
	*ret_end = code == 1 ? LB_END_STOPPED : *ret_end;
	if (!code)
		code = do_job(r, &s, job, ret_end, err);
	code = code == 1 ? 0 : code;
out:
	free(job);
	return code;
}
