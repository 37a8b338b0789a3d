// SPDX-License-Identifier: GPL-2.0-or-later
/* How a job ends: main is given back as it was, or handed over; and what is kept of it. */
#include <stdio.h>
#include <string.h>

#include "flow/copies.h"
#include "flow/job.h"

/*
 * The newest record may be one that cannot be read: whatever is written next lies in its place, and
 * the next start would see nothing wrong with the older state that is left. First a state, then words.
 */
static bool in_doubt(struct lb_log *log)
{
	struct lb_state s;

	return log->damaged && (lb_state_load(log, &s, NULL) ||
				(s.name != LB_STATE_UPDATING && s.name != LB_STATE_RESCUE));
}

void lb_job_persist(struct lb_recovery *r)
{
	if (r->report && r->report->persist && !in_doubt(r->dev.log))
		r->report->persist(r->report->ctx);
}

void lb_job_result(struct lb_recovery *r, const struct lb_job_order *job,
		   const struct lb_install *in, int code, const char *text,
		   struct lb_result *ret)
{
	struct lb_result last = { 0 };

	if (lb_result_load(r->dev.log, &last, NULL))
		memset(&last, 0, sizeof(last));
	*ret = (struct lb_result){ .fetch_rate = last.fetch_rate, .write_rate = last.write_rate };
	snprintf(ret->code, sizeof(ret->code), "%s", lb_error_name(code));
	snprintf(ret->text, sizeof(ret->text), "%s", text);
	snprintf(ret->deployment, sizeof(ret->deployment), "%s", job->request.deployment);
	ret->release = job->blame_release ? job->blame_release : job->request.release;
	ret->time_s = lb_clock_wall_s(r->clock);
	ret->seconds = (uint32_t)((lb_clock_ms(r->clock) - job->started_ms) / 1000);
	if (!in)
		return;
	if (!ret->release)
		ret->release = in->manifest.release;
	ret->main_changed = in->writing;
	ret->fetched_bytes = in->counters.fetched_bytes + in->progress.fetched_bytes;
	ret->written_bytes = in->counters.written_bytes + in->progress.written_bytes;
	ret->copied_bytes = in->counters.copied_bytes + in->progress.copied_bytes;
	ret->skipped_bytes = in->counters.skip_bytes;
	ret->ranges = in->counters.ranges + in->progress.ranges;
	ret->power_cycles = in->progress.power_cycles;
	if (in->estimate.rates.fetch)
		ret->fetch_rate = in->estimate.rates.fetch;
	if (in->estimate.rates.write)
		ret->write_rate = in->estimate.rates.write;
	ret->plan_ms = in->counters.plan.ms;
	ret->plan_cpu_ms = in->counters.plan.cpu_ms;
	ret->install_ms = in->counters.install.ms;
	ret->install_cpu_ms = in->counters.install.cpu_ms;
	ret->readback_ms = in->counters.readback.ms;
	ret->readback_cpu_ms = in->counters.readback.cpu_ms;
}

void lb_job_mend_copies(struct lb_recovery *r, bool worked)
{
	struct lb_install in = {
		.dev = &r->dev,
		.slots = &r->slots,
		.fit_key = r->fit_key,
		.report = r->report,
		.copy = r->copy,
	};
	struct lb_error why = { 0 };
	int code = worked ? lb_copies_proved(&in, &why) : 0;

	lb_copies_mend(&in);
	if (!worked)
		code = lb_copies_step_back(&in, &why);
	if (code)
		lb_say_error(r->report, LB_LEVEL_WARN, code, &why);
}

int lb_job_return(struct lb_recovery *r, const struct lb_result *result, struct lb_error *err)
{
	struct lb_boot_status boot;
	struct lb_error why = { 0 };
	int code = lb_handover_return(&r->dev, result, &why);

	lb_boot_read(r->dev.boot, &boot);
	if (code == -LB_E_IO && !r->dev.boot->stale && boot.target == LB_BOOT_MAIN) {
		lb_say_error(r->report, LB_LEVEL_WARN, code, &why);
		return 0;
	}
	if (code && err)
		*err = why;
	return code;
}

int lb_job_give_back(struct lb_recovery *r, const struct lb_job_order *job, const struct lb_install *in,
		     int code, const struct lb_error *why, enum lb_recovery_end *end, struct lb_error *err)
{
	struct lb_result result;

	lb_job_mend_copies(r, false);
	code = code == LB_E_AGAIN ? LB_E_UNREACHABLE : code; /* it was waited for long enough */
	lb_say(r->report, LB_LEVEL_INFO, "returned", "main was not changed and is started again");
	lb_job_result(r, job, in, code, why && why->text[0] ? why->text : lb_error_meaning(code),
		    &result);
	lb_job_persist(r);
	*end = LB_END_RETURNED;
	return lb_job_return(r, &result, err);
}

/* Where the release can be had again: the place that worked, then its mirrors. */
static void note_places(const struct lb_job_order *job, struct lb_release *installed)
{
	snprintf(installed->urls[0], sizeof(installed->urls[0]), "%s", job->used_url);
	installed->url_count = 1;
	for (uint32_t i = 0; !job->any_bundle && i < job->url_count; i++)
		if (installed->url_count < LB_URLS_MAX && strcmp(job->urls[i], job->used_url))
			snprintf(installed->urls[installed->url_count++],
				 sizeof(installed->urls[0]), "%s", job->urls[i]);
}

int lb_job_hand_over(struct lb_recovery *r, const struct lb_job_order *job, const struct lb_install *in,
		     enum lb_recovery_end *end, struct lb_error *err)
{
	struct lb_release installed = {
		.release = in->manifest.release,
		.manifest = in->head.manifest,
		.manifest_len = in->head.manifest_len,
	};
	struct lb_result result;
	char text[sizeof(result.text)];
	int code;

	for (uint32_t i = 0; i < in->head.signature_count; i++)
		if (!strcmp(in->head.signatures[i].keyid, in->keyid))
			installed.signature = in->head.signatures[i];
	note_places(job, &installed);
	if (job->blame[0])
		snprintf(text, sizeof(text), "%s; release %llu is back", job->blame,
			 (unsigned long long)installed.release);
	else
		snprintf(text, sizeof(text), "release %llu is installed and verified",
			 (unsigned long long)installed.release);
	lb_job_result(r, job, in, job->blame[0] ? job->blame_code : LB_OK, text, &result);
	lb_say(r->report, LB_LEVEL_INFO, "installed",
	       "release %llu: every byte was read back from the medium and matches its signed manifest",
	       (unsigned long long)installed.release);
	lb_job_mend_copies(r, true);
	lb_job_persist(r);
	*end = LB_END_BOOT_MAIN;
	code = lb_handover_finish(&r->dev, &installed, &result, err);
	/* or the next update of the same bundle would add to it; a cut here is harmless */
	if (!code && lb_log_put(r->dev.log, LB_REC_PROGRESS, NULL, 0, err))
		lb_say(r->report, LB_LEVEL_WARN, "progress", "the progress record stays behind");
	return code;
}
