// SPDX-License-Identifier: GPL-2.0-or-later
#include "flow/recovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define CANDIDATES_MAX 12

/* One job: which release, and where it may be had. */
struct job {
	enum lb_job kind;
	bool may_give_up;		 /* main is untouched so far */
	bool any_bundle;		 /* not only the one with the expected digest */
	uint8_t expected[LB_SHA256_BYTES];
	struct lb_request request;	 /* zeros without one */
	struct lb_network network;
	char urls[LB_URLS_MAX][LB_URL_MAX + 1];
	uint32_t url_count;
	char used_url[LB_URL_MAX + 1];	 /* the place that was tried last */
	char blame[160];		 /* rescue: what failed */
	uint64_t blame_release;
	uint64_t failed_release;	 /* rescue: no URL's word is taken for this one again */
	uint64_t started_ms;
};

static bool stopped(struct lb_recovery *r)
{
	return r->stop && r->stop(r->stop_ctx);
}

static void persist(struct lb_recovery *r)
{
	if (r->report && r->report->persist)
		r->report->persist(r->report->ctx);
}

static bool is_zero(const uint8_t digest[LB_SHA256_BYTES])
{
	return lb_bytes_all_zero(digest, LB_SHA256_BYTES);
}

static void add_urls(struct job *job, const char (*urls)[LB_URL_MAX + 1], uint32_t count)
{
	for (uint32_t i = 0; i < count && job->url_count < LB_URLS_MAX; i++)
		snprintf(job->urls[job->url_count++], sizeof(job->urls[0]), "%s", urls[i]);
}

/* ---- results ---------------------------------------------------------- */

static void make_result(struct lb_recovery *r, const struct job *job, const struct lb_install *in,
			int code, const char *text, struct lb_result *ret)
{
	memset(ret, 0, sizeof(*ret));
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
	ret->skipped_bytes = in->counters.skip_bytes;
	ret->power_cycles = in->progress.power_cycles;
}

static int give_back(struct lb_recovery *r, const struct job *job, const struct lb_install *in,
		     int code, const struct lb_error *why, enum lb_recovery_end *end,
		     struct lb_error *err)
{
	struct lb_result result;

	lb_say(r->report, LB_LEVEL_INFO, "returned", "main was not changed and is started again");
	make_result(r, job, in, code, why && why->text[0] ? why->text : lb_error_meaning(code),
		    &result);
	persist(r);
	*end = LB_END_RETURNED;
	return lb_handover_return(&r->dev, &result, err);
}

/* Where the release can be had again: the place that worked, then its mirrors. */
static void note_places(const struct job *job, struct lb_release *installed)
{
	snprintf(installed->urls[0], sizeof(installed->urls[0]), "%s", job->used_url);
	installed->url_count = 1;
	for (uint32_t i = 0; !job->any_bundle && i < job->url_count; i++)
		if (installed->url_count < LB_URLS_MAX && strcmp(job->urls[i], job->used_url))
			snprintf(installed->urls[installed->url_count++],
				 sizeof(installed->urls[0]), "%s", job->urls[i]);
}

/* Everything matches on the medium: note where it came from, and hand over. */
static int hand_over(struct lb_recovery *r, const struct job *job, const struct lb_install *in,
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
	make_result(r, job, in, job->blame[0] ? LB_E_TRIAL : LB_OK, text, &result);
	lb_say(r->report, LB_LEVEL_INFO, "installed",
	       "release %llu: every byte was read back from the medium and matches its signed manifest",
	       (unsigned long long)installed.release);
	persist(r);
	*end = LB_END_BOOT_MAIN;
	code = lb_handover_finish(&r->dev, &installed, &result, err);
	/* or the next update of the same bundle would add to it; a cut here is harmless */
	if (!code && lb_log_put(r->dev.log, LB_REC_PROGRESS, NULL, 0, err))
		lb_say(r->report, LB_LEVEL_WARN, "progress", "the progress record stays behind");
	return code;
}

/* ---- attempts --------------------------------------------------------- */

static struct lb_patience patience(struct lb_recovery *r, const struct job *job,
				   uint32_t candidates)
{
	return (struct lb_patience){
		.clock = r->clock,
		.report = r->report,
		.deadline_ms = job->may_give_up ? job->started_ms + r->limits.give_up_ms : 0,
		.limit_ms = candidates > 1 ? r->limits.url_ms : 0,
		.retry_min_ms = r->limits.retry_min_ms,
		.retry_max_ms = r->limits.retry_max_ms,
		.stop = r->stop,
		.stop_ctx = r->stop_ctx,
	};
}

/* The @n-th place to try: the job's URLs first, then what lies on inserted media. */
static bool candidate(struct lb_recovery *r, const struct job *job, uint32_t n, char *ret,
		      size_t size)
{
	if (n < job->url_count) {
		snprintf(ret, size, "%s", job->urls[n]);
		return true;
	}
	return n < CANDIDATES_MAX && r->sources.medium &&
	       r->sources.medium(r->sources.ctx, n - job->url_count, ret, size);
}

static uint32_t count_candidates(struct lb_recovery *r, const struct job *job)
{
	char url[LB_URL_MAX + 1];
	uint32_t n = 0;

	while (candidate(r, job, n, url, sizeof(url)))
		n++;
	return n;
}

static int attempt(struct lb_recovery *r, const struct job *job, struct lb_install *in,
		   uint32_t candidates, struct lb_error *err)
{
	const char *url = job->used_url;
	struct lb_patience how = patience(r, job, candidates);
	const struct lb_request *request = job->request.url_count ? &job->request : NULL;
	struct lb_source *source;
	int code;

	lb_say(r->report, LB_LEVEL_INFO, "source", "trying %s", url);
	code = r->sources.open(r->sources.ctx, url, request, &job->network, r->time_floor_s,
			       &source, err);
	if (code)
		return code;
	return lb_install_run(in, source, &how, err);
}

/* Place @n is tried next. What a person brings is taken once main is broken. */
static void start_install(struct lb_recovery *r, struct job *job, struct lb_install *in,
			  uint32_t n)
{
	bool writing = in->writing || !job->may_give_up, counted = in->counted;
	bool any = job->any_bundle || (writing && n >= job->url_count);

	lb_install_free(in);
	*in = (struct lb_install){
		.dev = &r->dev,
		.slots = &r->slots,
		.keys = r->keys,
		.device = &r->device,
		.report = r->report,
		.clock = r->clock,
		.expected = any ? NULL : job->expected,
		.failed_release = n < job->url_count ? job->failed_release : 0,
		.budget_bytes = job->request.budget_bytes,
		.writing = writing,
		.counted = counted,
	};
}

/* One failure: true when the job gives main back. */
static bool is_final(struct lb_recovery *r, const struct job *job, const struct lb_install *in,
		     int code, bool last_place)
{
	if (!job->may_give_up || in->writing)
		return false;
	if (code == -LB_E_AGAIN)
		return lb_clock_ms(r->clock) >= job->started_ms + r->limits.give_up_ms;
	return last_place || code == -LB_E_UNREACHABLE;
}

static int try_place(struct lb_recovery *r, struct job *job, struct lb_install *in, uint32_t n,
		     uint32_t candidates, struct lb_error *why)
{
	int code;

	start_install(r, job, in, n);
	if (!candidate(r, job, n, job->used_url, sizeof(job->used_url)))
		return lb_error_set(why, LB_E_UNREACHABLE,
				    "no server and no medium has the bundle");
	code = attempt(r, job, in, candidates, why);
	if (job->kind == LB_JOB_INSTALL && job->any_bundle && in->writing) {
		/* whatever that place holds next: what was begun is finished, as after a cut */
		memcpy(job->expected, in->head.manifest_sha256, sizeof(job->expected));
		job->any_bundle = false;
	}
	return code;
}

/* Between two attempts; the first failure of a round is the one that is told to main. */
static void note_failure(struct lb_recovery *r, struct job *job, const struct lb_install *in,
			 uint32_t n, int code, const struct lb_error *why,
			 struct lb_error *first)
{
	lb_say_error(r->report, LB_LEVEL_WARN, code, why);
	if (!n)
		*first = *why;
	first->code = first->code ? first->code : -code;
	if (in->writing)
		job->may_give_up = false;
	persist(r);
}

/*
 * Tries every place in turn until it is installed. While main is untouched a
 * refusal or the time limit ends it; afterwards nothing but success does.
 */
static int run_job(struct lb_recovery *r, struct job *job, enum lb_recovery_end *end,
		   struct lb_error *err)
{
	uint32_t n = 0, delay_ms = r->limits.retry_min_ms;
	struct lb_error first = { 0 };
	struct lb_install in = { 0 };
	int code;

	for (;;) {
		uint32_t candidates = count_candidates(r, job);
		bool last = n + 1 >= candidates;
		struct lb_patience how = patience(r, job, candidates);
		struct lb_error why = { 0 };

		code = try_place(r, job, &in, n, candidates, &why);
		if (!code) {
			code = hand_over(r, job, &in, end, err);
			break;
		}
		*end = LB_END_STOPPED;
		if (code == -LB_E_POWER || stopped(r)) {
			code = code == -LB_E_POWER ? code : 0;
			break;
		}
		note_failure(r, job, &in, n, code, &why, &first);
		if (is_final(r, job, &in, code, last)) {
			code = give_back(r, job, &in, first.code, &first, end, err);
			break;
		}
		n = last ? 0 : n + 1;
		if (last) {
			if (!lb_patience_sleep(&how, delay_ms)) {
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

/* ---- jobs ------------------------------------------------------------- */

static int digest_of(struct lb_log *log, uint16_t type, struct lb_release *rel,
		     uint8_t digest[LB_SHA256_BYTES])
{
	int r = lb_release_load(log, type, rel, NULL);

	if (!r)
		lb_sha256(rel->manifest, rel->manifest_len, digest);
	return r;
}

/*
 * The remedy: the confirmed release, or the one confirmed before it when the
 * confirmed one is what failed its trial. NULL type (0) when none is known.
 */
static uint16_t choose_remedy(struct lb_recovery *r, const struct lb_state *s,
			      struct lb_release *ret)
{
	static const uint16_t types[] = { LB_REC_CONFIRMED, LB_REC_PREVIOUS };
	uint8_t digest[LB_SHA256_BYTES];

	for (size_t i = 0; i < LB_ARRAY_LEN(types); i++) {
		bool same;

		if (digest_of(r->dev.log, types[i], ret, digest))
			continue;
		same = !memcmp(digest, s->manifest, sizeof(digest));
		if (s->name == LB_STATE_RESCUE ? same || is_zero(s->manifest)
					       : s->name != LB_STATE_TRIAL || !same)
			return types[i];
		lb_release_free(ret);
	}
	/* a trial whose only known release is itself: better than nothing */
	return digest_of(r->dev.log, LB_REC_CONFIRMED, ret, digest) ? 0 : LB_REC_CONFIRMED;
}

static void describe_failure(struct lb_recovery *r, const struct lb_state *s, struct job *job)
{
	const char *how = r->reason == LB_REASON_BOOT_LIMIT ? "did not report healthy"
			  : r->reason == LB_REASON_MAIN_INVALID
				  ? "has no valid boot image"
				  : "cannot be trusted: the boot flag was lost";

	job->blame_release = s->name == LB_STATE_CONFIRMED ? 0 : s->release;
	if (s->name == LB_STATE_TRIAL)
		snprintf(job->blame, sizeof(job->blame), "release %llu on trial %s",
			 (unsigned long long)s->release, how);
	else
		snprintf(job->blame, sizeof(job->blame), "main %s", how);
}

/* If the confirmed release cannot be had, the one before it will do. */
static void add_previous(struct lb_recovery *r, const struct lb_state *s, struct job *job)
{
	uint8_t digest[LB_SHA256_BYTES];
	struct lb_release previous;

	if (digest_of(r->dev.log, LB_REC_PREVIOUS, &previous, digest))
		return;
	if (s->name != LB_STATE_TRIAL || memcmp(digest, s->manifest, sizeof(digest)))
		add_urls(job, (const char (*)[LB_URL_MAX + 1])previous.urls, previous.url_count);
	lb_release_free(&previous);
}

/* Enters or continues rescue; afterwards the job knows what to fetch. */
static int prepare_rescue(struct lb_recovery *r, const struct lb_state *s, struct job *job,
			  struct lb_error *err)
{
	struct lb_release remedy = { 0 };
	uint16_t type = choose_remedy(r, s, &remedy);
	struct lb_result result;
	int code = 0;

	job->kind = LB_JOB_RESCUE;
	job->any_bundle = true;
	if (s->name == LB_STATE_RESCUE) {
		if (!lb_result_load(r->dev.log, &result, NULL)) {
			snprintf(job->blame, sizeof(job->blame), "%.*s",
				 (int)sizeof(job->blame) - 1, result.text);
			job->blame_release = result.release;
		}
	} else {
		describe_failure(r, s, job);
		make_result(r, job, NULL, LB_E_TRIAL, job->blame, &result);
		result.main_changed = true;
		lb_say(r->report, LB_LEVEL_ERROR, "trial-failed", "%s", job->blame);
		code = lb_handover_begin_rescue(&r->dev, type ? &remedy : NULL, &result, err);
	}
	if (type) {
		add_urls(job, (const char (*)[LB_URL_MAX + 1])remedy.urls, remedy.url_count);
		lb_say(r->report, LB_LEVEL_INFO, "rescue", "release %llu is fetched again",
		       (unsigned long long)remedy.release);
	} else {
		lb_say(r->report, LB_LEVEL_WARN, "rescue",
		       "no earlier release is known: waiting for a medium with a bundle");
	}
	if (type && remedy.release != job->blame_release)
		job->failed_release = job->blame_release;
	if (type == LB_REC_CONFIRMED)
		add_previous(r, s, job);
	lb_release_free(&remedy);
	return code;
}

/* 1: every image of the confirmed release is on the medium; 0: not, or nothing to compare with. */
static int main_is_whole(struct lb_recovery *r, struct lb_error *err)
{
	struct lb_release confirmed = { 0 };
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
	for (uint32_t i = 0; i < m.image_count; i++) {
		struct lb_blk *blk;

		code = r->slots.open(r->slots.ctx, m.images[i].target, false, &blk, err);
		if (code)
			return code;
		code = lb_update_image_whole(blk, &m.images[i], err);
		lb_blk_close(blk);
		if (code != 1)
			return code;
	}
	return 1;
}

/* Main may be whole: look, and return the flag; otherwise rescue. */
static int heal(struct lb_recovery *r, const struct lb_state *s, struct job *job,
		enum lb_recovery_end *end, struct lb_error *err)
{
	struct lb_error why = { 0 };
	int whole = main_is_whole(r, &why);
	int code;

	if (whole == 1) {
		lb_say(r->report, LB_LEVEL_INFO, "healed",
		       "main is whole by its signed manifest: the boot flag is returned");
		*end = LB_END_BOOT_MAIN;
		persist(r);
		return lb_handover_return(&r->dev, NULL, err);
	}
	/* handed back before a cut took the flag: main was never touched */
	if (whole == -LB_E_NOT_FOUND && r->reason == LB_REASON_REQUESTED && !r->state_lost) {
		lb_say(r->report, LB_LEVEL_INFO, "returned", "nothing is requested");
		*end = LB_END_RETURNED;
		return lb_handover_return(&r->dev, NULL, err);
	}
	lb_say(r->report, LB_LEVEL_WARN, "main-unknown", "main is not known to be whole: %s",
	       whole ? why.text : "an image differs from its manifest");
	code = prepare_rescue(r, s, job, err);
	return code ? code : run_job(r, job, end, err);
}

/* A person was asked for: bundles on media, the idle limit, or for ever. */
static int wait_for_person(struct lb_recovery *r, const struct lb_state *s, struct job *job,
			   enum lb_recovery_end *end, struct lb_error *err)
{
	struct lb_patience how = patience(r, job, 1);
	bool main_is_good = s->name == LB_STATE_CONFIRMED || s->name == LB_STATE_TRIAL ||
			    s->name == LB_STATE_REQUESTED;
	char url[LB_URL_MAX + 1];

	lb_say(r->report, LB_LEVEL_INFO, "waiting", "recovery waits for a medium with a bundle");
	persist(r);
	while (!(r->sources.medium && r->sources.medium(r->sources.ctx, 0, url, sizeof(url)))) {
		uint64_t idle = lb_clock_ms(r->clock) - job->started_ms;

		if (main_is_good && r->limits.idle_ms && idle >= r->limits.idle_ms) {
			lb_say(r->report, LB_LEVEL_INFO, "returned",
			       "nothing happened for %u s: main is started again",
			       r->limits.idle_ms / 1000);
			*end = LB_END_RETURNED;
			return lb_handover_return(&r->dev, NULL, err);
		}
		if (!lb_patience_sleep(&how, 1000)) {
			*end = LB_END_STOPPED;
			return 0;
		}
	}
	job->any_bundle = true;
	job->may_give_up = main_is_good;
	job->started_ms = lb_clock_ms(r->clock);
	return run_job(r, job, end, err);
}

/* Trial is recorded, so everything was verified: a cut came before the flag. */
static int hand_over_again(struct lb_recovery *r, enum lb_recovery_end *end, struct lb_error *err)
{
	lb_say(r->report, LB_LEVEL_INFO, "handover",
	       "the update is complete: only the boot flag was missing");
	persist(r);
	*end = LB_END_BOOT_MAIN;
	return lb_boot_set_main(r->dev.boot, true, err);
}

static int do_job(struct lb_recovery *r, const struct lb_state *s, struct job *job,
		  enum lb_recovery_end *end, struct lb_error *err)
{
	int code;

	switch (job->kind) {
	case LB_JOB_INSTALL:
		job->may_give_up = true;
		/* fall through */
	case LB_JOB_RESUME:
		memcpy(job->expected, s->manifest, sizeof(job->expected));
		job->any_bundle = is_zero(s->manifest);
		add_urls(job, (const char (*)[LB_URL_MAX + 1])job->request.urls,
			  job->request.url_count);
		return run_job(r, job, end, err);
	case LB_JOB_RESCUE:
		code = prepare_rescue(r, s, job, err);
		return code ? code : run_job(r, job, end, err);
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

static int load_job(struct lb_recovery *r, struct lb_state *s, struct job *job,
		    struct lb_error *err)
{
	enum lb_reason reason = r->reason;
	int64_t clock = 0;
	uint64_t floor = 0;
	bool have_request;
	int code = load_optional(lb_state_load(r->dev.log, s, err));

	if (code)
		return code;
	code = lb_request_load(r->dev.log, &job->request, err);
	have_request = !code;
	if (load_optional(code))
		return code;
	code = load_optional(lb_network_load(r->dev.log, &job->network, err));
	if (!code)
		code = lb_floor_load(r->dev.log, &floor, err);
	if (!code)
		code = lb_clock_floor_load(r->dev.log, &clock, err);
	if (code)
		return code;
	if (floor > r->device.floor_release)
		r->device.floor_release = floor;
	if (clock > r->time_floor_s)
		r->time_floor_s = clock;
	if (job->request.recovery_only)
		reason = LB_REASON_MANUAL;
	job->kind = lb_machine_job(s->name, reason, have_request);
	job->started_ms = lb_clock_ms(r->clock);
	return 0;
}

int lb_recovery_run(struct lb_recovery *r, enum lb_recovery_end *ret_end, struct lb_error *err)
{
	struct lb_state s = { 0 };
	struct job *job = calloc(1, sizeof(*job));
	int code;

	if (!job)
		return lb_error_set(err, LB_E_NOMEM, "no memory for a job");
	code = load_job(r, &s, job, err);
	if (!code)
		code = lb_boot_recovery_alive(r->dev.boot, err);
	if (code)
		goto out;
	lb_say(r->report, LB_LEVEL_INFO, "start", "reason %s, state %s%s: %s",
	       lb_reason_text(r->reason), lb_state_text(s.name),
	       r->state_lost ? " (the state region was empty and was made anew)" : "",
	       lb_job_text(job->kind));
	if (r->sources.network_up && job->kind != LB_JOB_HEAL && job->kind != LB_JOB_HANDOVER) {
		struct lb_error why = { 0 };
		int net = r->sources.network_up(r->sources.ctx, &job->network, &why);

		if (net)
			lb_say_error(r->report, LB_LEVEL_WARN, net, &why);
	}
	code = do_job(r, &s, job, ret_end, err);
out:
	free(job);
	return code;
}
