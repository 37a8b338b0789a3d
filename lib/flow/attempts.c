// SPDX-License-Identifier: GPL-2.0-or-later
/* Trying one place after the other. */
#include <string.h>

#include "bundle/url.h"
#include "flow/job.h"

bool lb_job_stopped(struct lb_recovery *r)
{
	return r->stop && r->stop(r->stop_ctx);
}

bool lb_job_cancelled(struct lb_recovery *r, const struct lb_job_order *job)
{
	return job->may_give_up && !r->committed && r->cancelled &&
	       r->cancelled(r->cancelled_ctx);
}

/* With the first of the media in hand. */
static bool person_waits(void *ctx)
{
	const struct lb_sources *s = &((struct lb_job_order *)ctx)->owner->sources;

	return s->person_waits && s->person_waits(s->ctx);
}

/* While a source is waited for. */
static bool stop_waiting(void *ctx)
{
	struct lb_job_order *job = ctx;

	return lb_job_stopped(job->owner) || lb_job_cancelled(job->owner, job);
}

void lb_job_network_up(struct lb_recovery *r, struct lb_job_order *job)
{
	struct lb_error why = { 0 };
	int code;

	if (!r->sources.network_up)
		return;
	code = r->sources.network_up(r->sources.ctx, &job->network, &why);
	if (code && !job->network_down)
		lb_say_error(r->report, LB_LEVEL_WARN, code, &why);
	job->network_down = code != 0;
}

static void nudge(void *ctx)
{
	struct lb_job_order *job = ctx;

	lb_job_network_up(job->owner, job);
}

/* Between two rounds; what a person offers meanwhile ends it. False: stopped. */
static bool rest(struct lb_recovery *r, struct lb_job_order *job, uint32_t delay_ms)
{
	struct lb_patience how = lb_job_patience(r, job);
	uint32_t before = lb_job_offers(r), offers = before;

	while (delay_ms && (!offers || offers == before)) {
		uint32_t part = delay_ms < 1000 ? delay_ms : 1000;

		if (!lb_patience_sleep(&how, part))
			return !lb_job_stopped(r);
		delay_ms -= part;
		offers = lb_job_offers(r);
	}
	return true;
}

/* No other place than the one in use, until somebody inserts a medium: it is worth any waiting. */
static bool only_place(void *ctx)
{
	struct lb_job_order *job = ctx;
	char url[LB_URL_MAX + 1];

	for (uint32_t n = 0; lb_job_place(job->owner, job, n, url, sizeof(url)); n++)
		if (strcmp(url, job->used_url))
			return false;
	return true;
}

struct lb_patience lb_job_patience(struct lb_recovery *r, struct lb_job_order *job)
{
	return (struct lb_patience){
		.clock = r->clock,
		.report = r->report,
		.deadline_ms = job->may_give_up ? job->started_ms + r->limits.give_up_ms : 0,
		.limit_ms = r->limits.url_ms,
		.retry_min_ms = r->limits.retry_min_ms,
		.retry_max_ms = r->limits.retry_max_ms,
		.stop = stop_waiting,
		.stop_ctx = job,
		.urgent = person_waits,
		.urgent_ctx = job,
		.alone = only_place,
		.alone_ctx = job,
		.nudge = nudge,
		.nudge_ctx = job,
	};
}

/* scheme://host:port of both is the same, letter by letter. */
static bool same_server(const char *a, const char *b)
{
	const char *host = strstr(a, "://");
	size_t len;

	if (!host)
		return false;
	len = (size_t)(host - a) + 3;
	len += strcspn(a + len, "/?#");
	return !strncmp(a, b, len) && (!b[len] || strchr("/?#", b[len]));
}

/* The request's token is for the servers that it names, not for those of other releases. */
static bool token_belongs(const struct lb_job_order *job, const char *url)
{
	for (uint32_t i = 0; i < job->request.url_count; i++)
		if (same_server(job->request.urls[i], url))
			return true;
	return false;
}

static int attempt(struct lb_recovery *r, struct lb_job_order *job, struct lb_install *in,
		   struct lb_error *err)
{
	const char *url = job->used_url;
	char shown[LB_URL_MAX + 1];
	struct lb_patience how = lb_job_patience(r, job);
	const struct lb_request *request = token_belongs(job, url) ? &job->request : NULL;
	struct lb_source *source;
	int code;

	lb_say(r->report, LB_LEVEL_INFO, "source", "trying %s",
	       lb_url_shown(url, shown, sizeof(shown)));
	code = r->sources.open(r->sources.ctx, url, request, &job->network, r->time_floor_s,
			       &source, err);
	if (code)
		return code;
	return lb_install_run(in, source, &how, err);
}

/* Place @n is tried next. What a person brings is taken once main is broken. */
static void start_install(struct lb_recovery *r, struct lb_job_order *job, struct lb_install *in,
			  uint32_t n)
{
	bool writing = in->writing || !job->may_give_up, counted = in->counted;
	uint32_t patch_failures = in->patch_failures;
	bool any = job->any_bundle || (writing && n >= job->url_count);

	lb_install_free(in);
	*in = (struct lb_install){
		.dev = &r->dev,
		.slots = &r->slots,
		.keys = r->keys,
		.fit_key = r->fit_key,
		.device = &r->device,
		.report = r->report,
		.clock = r->clock,
		.worker = r->worker,
		.copy = r->copy,
		.expected = any ? NULL : job->expected,
		.failed_release = n < job->url_count ? job->failed_release : 0,
		.budget_bytes = job->request.budget_bytes,
		.cancelled = r->cancelled,
		.cancelled_ctx = r->cancelled_ctx,
		.committed = &r->committed,
		.writing = writing,
		.counted = counted,
		.patch_failures = patch_failures,
	};
}

/* One failure: true when the job gives main back. */
static bool is_final(struct lb_recovery *r, const struct lb_job_order *job, const struct lb_install *in,
		     int code, bool last_place)
{
	if (!job->may_give_up || in->writing)
		return false;
	if (code == -LB_E_AGAIN)
		return lb_clock_ms(r->clock) >= job->started_ms + r->limits.give_up_ms;
	return last_place || code == -LB_E_UNREACHABLE;
}

static int try_place(struct lb_recovery *r, struct lb_job_order *job, struct lb_install *in, uint32_t n,
		     struct lb_error *why)
{
	int code;

	start_install(r, job, in, n);
	if (!lb_job_place(r, job, n, job->used_url, sizeof(job->used_url)))
		return n ? lb_error_set(why, LB_E_AGAIN, "what was to be tried next is not there any more")
			 : lb_error_set(why, LB_E_UNREACHABLE,
					"no server and no medium has the bundle");
	in->above_release = in->writing ? 0 : lb_job_release_to_beat(r, job, n);
	code = attempt(r, job, in, why);
	if (r->sources.ended)
		r->sources.ended(r->sources.ctx, job->used_url, code, why);
	if (job->kind == LB_JOB_INSTALL && job->any_bundle && in->writing) {
		/* whatever that place holds next: what was begun is finished, as after a cut */
		memcpy(job->expected, in->head.manifest_sha256, sizeof(job->expected));
		job->any_bundle = false;
	}
	return code;
}

/* Between two attempts; the first failure of a round is the one that is told to main. */
static void note_failure(struct lb_recovery *r, struct lb_job_order *job, const struct lb_install *in,
			 uint32_t n, int code, const struct lb_error *why,
			 struct lb_error *first)
{
	lb_say_error(r->report, LB_LEVEL_WARN, code, why);
	/* that nobody answered any more says more than that somebody was silent for a while */
	if (!n || (first->code == LB_E_AGAIN && code == -LB_E_UNREACHABLE))
		*first = *why;
	first->code = first->code ? first->code : -code;
	if (in->writing)
		job->may_give_up = false;
	lb_job_persist(r);
}

/*
 * No further attempt can help: only another release, or (when the records' device is gone) another
 * start, which finds it again or says that it is not there.
 */
static bool must_leave(struct lb_recovery *r, const struct lb_job_order *job,
		       const struct lb_install *in, int code)
{
	struct lb_state s;

	if (code == -LB_E_FIT)
		return lb_job_can_rescue(r, job, in);
	return in->writing && lb_state_load(r->dev.log, &s, NULL) == -LB_E_IO;
}

int lb_job_run(struct lb_recovery *r, struct lb_job_order *job, enum lb_recovery_end *end,
	       struct lb_error *err)
{
	static const struct lb_error only_recovery = {
		.text = "the bundle held a recovery and nothing of main: both copies hold it",
	};
	uint32_t n = 0, delay_ms = r->limits.retry_min_ms;
	struct lb_error first = { 0 };
	struct lb_install in = { 0 };
	int code;

	r->committed = !job->may_give_up;
	lb_job_network_up(r, job);
	for (;;) {
		uint32_t candidates = lb_job_places(r, job);
		bool last;

		if (person_waits(job))
			n = job->url_count;
		last = n + 1 >= candidates;
		struct lb_error why = { 0 };

		code = try_place(r, job, &in, n, &why);
		if (!code) {
			code = lb_job_hand_over(r, job, &in, end, err);
			break;
		}
		if (code == LB_INSTALL_REBOOT) {
			lb_job_persist(r);
			*end = LB_END_REBOOT;
			code = 0;
			break;
		}
		if (code == LB_INSTALL_NO_MAIN) {
			code = lb_job_give_back(r, job, &in, LB_OK, &only_recovery, end, err);
			break;
		}
		*end = LB_END_STOPPED;
		if (code == -LB_E_POWER || lb_job_stopped(r)) {
			code = code == -LB_E_POWER ? code : 0;
			break;
		}
		if (!in.writing && lb_job_cancelled(r, job)) {
			code = lb_job_give_back(r, job, &in, -LB_E_CANCELLED, NULL, end, err);
			break;
		}
		note_failure(r, job, &in, n, code, &why, &first);
		if (must_leave(r, job, &in, code)) {
			if (err)
				*err = why;
			break;
		}
		/* what a person inserts meanwhile is no reason to stop waiting for a server */
		if (is_final(r, job, &in, code,
			     last && (n < job->url_count || first.code != LB_E_AGAIN))) {
			code = job->person ? LB_JOB_REFUSED
					   : lb_job_give_back(r, job, &in, first.code, &first, end, err);
			break;
		}
		if (last && lb_job_places(r, job) > candidates) {
			n = candidates; /* what was inserted by now comes next, at once */
			continue;
		}
		n = last ? 0 : n + 1;
		if (last) {
			if (!rest(r, job, delay_ms)) {
				code = 0;
				break;
			}
			delay_ms = delay_ms > r->limits.retry_max_ms / 2 ? r->limits.retry_max_ms
									 : delay_ms * 2;
		}
	}
	lb_install_free(&in);
	return code;
}

