// SPDX-License-Identifier: GPL-2.0-or-later
/* A person was asked for, or may have asked for it by the power switch: what they bring is tried. */
#include <stdio.h>

#include "flow/job.h"
#include "lb_boot_names.h"

/*
 * Main is whole and was started too often: it gets its boots once more, on trial. If it was the
 * power switch it will be confirmed; if it fails again, the release before it is fetched.
 */
static int try_again(struct lb_recovery *r, const struct lb_job_order *job, struct lb_error *err)
{
	struct lb_release confirmed = { 0 };
	struct lb_error why = { 0 };
	struct lb_result result;
	char text[sizeof(result.text)];
	int code = lb_release_load(r->dev.log, LB_REC_CONFIRMED, &confirmed, &why);

	if (!code) {
		snprintf(text, sizeof(text),
			 "release %llu was started %d times without a report of health: it is whole, "
			 "and is on trial again", (unsigned long long)confirmed.release, LB_BOOT_LIMIT);
		lb_job_result(r, job, NULL, LB_E_TRIAL, text, &result);
		result.release = confirmed.release;
		code = lb_handover_finish(&r->dev, &confirmed, &result, &why);
	}
	lb_release_free(&confirmed);
	if (!code || code == -LB_E_POWER)
		return code;
	/* without the record at least the boots, as always when main is given back */
	lb_say_error(r->report, LB_LEVEL_WARN, code, &why);
	return lb_job_return(r, NULL, err);
}

int lb_job_erase(struct lb_recovery *r, struct lb_job_order *job, struct lb_error *err)
{
	struct lb_patience how = lb_job_patience(r, job);
	struct lb_reset rs = {
		.regions = &r->reset, .report = r->report, .stop = r->stop, .stop_ctx = r->stop_ctx,
	};
	uint32_t delay_ms = r->limits.retry_min_ms;

	lb_say(r->report, LB_LEVEL_WARN, "reset-pending", "the user's data is being erased");
	lb_job_persist(r);
	for (;;) {
		struct lb_error why = { 0 };
		int code = lb_reset_erase(&rs, r->dev.log, &why);

		if (!code)
			break;
		if (code == -LB_E_POWER)
			return lb_error_set(err, LB_E_POWER, "%s", why.text);
		if (lb_job_stopped(r))
			return 1;
		lb_say_error(r->report, LB_LEVEL_ERROR, code, &why);
		if (!lb_patience_sleep(&how, delay_ms))
			return 1;
		delay_ms = delay_ms > r->limits.retry_max_ms / 2 ? r->limits.retry_max_ms : delay_ms * 2;
	}
	lb_say(r->report, LB_LEVEL_INFO, "reset", "the user's data is erased: %llu bytes are zeros",
	       (unsigned long long)rs.counters.total_bytes);
	lb_job_persist(r);
	job->erased = true;
	return 0;
}

/* Not while a newer state may be lost: the record of it would lie where that one lay. */
static bool reset_is_wanted(struct lb_recovery *r, const struct lb_job_order *job)
{
	if (!r->reset_asked || !r->reset_asked(r->reset_ctx))
		return false;
	if (job->unsure)
		lb_say(r->report, LB_LEVEL_WARN, "reset",
		       "nothing is erased while newer records may be lost: install a bundle first");
	return !job->unsure;
}

static int reset_now(struct lb_recovery *r, struct lb_job_order *job, bool main_is_good,
		     struct lb_error *err)
{
	int code = lb_handover_begin_reset(&r->dev, main_is_good, err);

	if (!code)
		code = lb_job_erase(r, job, err);
	job->started_ms = lb_clock_ms(r->clock);
	return code;
}

/* What makes a person's visit end without an update; NULL: nothing yet. */
static const char *end_of_visit(struct lb_recovery *r, const struct lb_job_order *job)
{
	if (job->erased)
		return "with its data erased";
	if (r->cancelled && r->cancelled(r->cancelled_ctx))
		return "as was asked for";
	if (r->limits.idle_ms && lb_clock_ms(r->clock) - job->started_ms >= r->limits.idle_ms)
		return "since nothing happened";
	return NULL;
}

/* Until something is offered that was not refused before. 1: it is; 0: @end is set; or an error. */
static int wait_for_offer(struct lb_recovery *r, struct lb_job_order *job, bool main_is_good,
			  uint32_t refused, enum lb_recovery_end *end, struct lb_error *err)
{
	struct lb_patience how = lb_job_patience(r, job);
	uint32_t offers;

	lb_say(r->report, LB_LEVEL_INFO, "waiting", "recovery waits for a medium with a bundle%s",
	       refused ? " that can be installed" : "");
	lb_job_persist(r);
	while (!(offers = lb_job_offers(r)) || offers == refused) {
		int code = reset_is_wanted(r, job) ? reset_now(r, job, main_is_good, err) : 0;
		const char *why = main_is_good ? end_of_visit(r, job) : NULL;

		if (code) {
			*end = LB_END_STOPPED;
			return code == 1 ? 0 : code;
		}
		if (why) {
			lb_say(r->report, LB_LEVEL_INFO, "returned", "main is started again%s, %s",
			       job->kind == LB_JOB_EXAMINE ? " on trial" : "", why);
			lb_job_mend_copies(r, false);
			lb_job_persist(r);
			*end = LB_END_RETURNED;
			return job->kind == LB_JOB_EXAMINE ? try_again(r, job, err)
							   : lb_job_return(r, NULL, err);
		}
		if (!lb_patience_sleep(&how, 1000)) {
			*end = LB_END_STOPPED;
			return 0;
		}
		refused = offers ? refused : 0; /* pulled and put in again is tried again */
	}
	return 1;
}

int lb_job_visit(struct lb_recovery *r, struct lb_job_order *job, bool main_is_good,
		 enum lb_recovery_end *end, struct lb_error *err)
{
	uint32_t refused = 0;
	int code;

	lb_job_network_up(r, job);
	job->started_ms = lb_clock_ms(r->clock);
	do {
		r->visiting = true;
		code = wait_for_offer(r, job, main_is_good, refused, end, err);
		r->visiting = false;
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
