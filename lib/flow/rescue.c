// SPDX-License-Identifier: GPL-2.0-or-later
/* Main failed: which release is the remedy, and what is said about the one that failed. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "flow/job.h"

static bool is_zero(const uint8_t digest[LB_SHA256_BYTES])
{
	return lb_bytes_all_zero(digest, LB_SHA256_BYTES);
}

void lb_job_add_urls(struct lb_job_order *job, const char (*urls)[LB_URL_MAX + 1], uint32_t count)
{
	for (uint32_t i = 0; i < count && job->url_count < LB_JOB_URLS_MAX; i++) {
		uint32_t n = 0;

		while (n < job->url_count && strcmp(job->urls[n], urls[i]))
			n++;
		if (n == job->url_count)
			snprintf(job->urls[job->url_count++], sizeof(job->urls[0]), "%s", urls[i]);
	}
}

static int digest_of(struct lb_log *log, uint16_t type, struct lb_release *rel,
		     uint8_t digest[LB_SHA256_BYTES])
{
	int r = lb_release_load(log, type, rel, NULL);

	if (!r)
		lb_sha256(rel->manifest, rel->manifest_len, digest);
	return r;
}

void lb_job_add_known(struct lb_recovery *r, const uint8_t manifest[LB_SHA256_BYTES],
		      struct lb_job_order *job)
{
	static const uint16_t types[] = { LB_REC_CONFIRMED, LB_REC_PREVIOUS, LB_REC_INSTALLED };

	for (size_t i = 0; i < LB_ARRAY_LEN(types); i++) {
		uint8_t digest[LB_SHA256_BYTES];
		struct lb_release rel;

		if (digest_of(r->dev.log, types[i], &rel, digest))
			continue;
		if (!memcmp(digest, manifest, sizeof(digest)))
			lb_job_add_urls(job, (const char (*)[LB_URL_MAX + 1])rel.urls,
					rel.url_count);
		lb_release_free(&rel);
	}
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
		if (ret->release < r->device.floor_release)
			; /* every bundle of it would be refused */
		else if (s->name == LB_STATE_RESCUE ? same || is_zero(s->manifest)
					       : !same || (s->name != LB_STATE_TRIAL &&
							   s->name != LB_STATE_UPDATING))
			return types[i];
		lb_release_free(ret);
	}
	/* a trial whose only known release is itself: better than nothing */
	return digest_of(r->dev.log, LB_REC_CONFIRMED, ret, digest) ? 0 : LB_REC_CONFIRMED;
}

bool lb_job_remedy_is_what_failed(struct lb_recovery *r, const struct lb_state *s)
{
	uint8_t digest[LB_SHA256_BYTES];
	struct lb_release remedy;

	if (s->name != LB_STATE_TRIAL || !choose_remedy(r, s, &remedy))
		return false;
	lb_sha256(remedy.manifest, remedy.manifest_len, digest);
	lb_release_free(&remedy);
	return !memcmp(digest, s->manifest, sizeof(digest));
}

/* "; @text", as far as it fits. */
static void append(char *to, size_t size, const char *text)
{
	size_t len = strlen(to);

	snprintf(to + len, size - len, "; %s", text);
}

/* Why nobody vouches for main, which was not seen to fail. */
static const char *why_unknown(struct lb_recovery *r, struct lb_job_order *job)
{
	struct lb_state s;

	if (job->unsure && !r->state_lost)
		return "cannot be trusted: newer records may be lost";
	if (!lb_state_load(r->dev.log, &s, NULL))
		return "cannot be trusted: the boot flag was lost";
	job->blame_code = LB_E_STATE;
	return "cannot be trusted: the state region was lost";
}

static void describe_failure(struct lb_recovery *r, const struct lb_state *s, struct lb_job_order *job)
{
	struct lb_result said;
	const char *how;

	job->blame_code = s->name == LB_STATE_UPDATING ? LB_E_FIT : LB_E_TRIAL;
	/* the others name a release that never was written, or is not at fault */
	if (s->name == LB_STATE_TRIAL || s->name == LB_STATE_UPDATING)
		job->blame_release = s->release;
	how = r->reason == LB_REASON_BOOT_LIMIT ? "did not report healthy"
	      : r->reason == LB_REASON_MAIN_INVALID ? "has no valid boot image"
						    : why_unknown(r, job);
	if (s->name == LB_STATE_UPDATING)
		snprintf(job->blame, sizeof(job->blame),
			 "release %llu has a boot image that the bootloader would not accept",
			 (unsigned long long)s->release);
	else if (s->name == LB_STATE_TRIAL)
		snprintf(job->blame, sizeof(job->blame), "release %llu on trial %s",
			 (unsigned long long)s->release, how);
	else
		snprintf(job->blame, sizeof(job->blame), "main %s", how);
	if (s->name == LB_STATE_TRIAL && !lb_result_load(r->dev.log, &said, NULL) &&
	    said.release == s->release && lb_error_by_name(said.code) == LB_E_HEALTH)
		append(job->blame, sizeof(job->blame), said.text); /* the agent knew why */
}

/* If the confirmed release cannot be had, the one before it will do. */
static void add_previous(struct lb_recovery *r, const struct lb_state *s, struct lb_job_order *job)
{
	uint8_t digest[LB_SHA256_BYTES];
	struct lb_release previous;

	if (digest_of(r->dev.log, LB_REC_PREVIOUS, &previous, digest))
		return;
	if (s->name != LB_STATE_TRIAL || memcmp(digest, s->manifest, sizeof(digest)))
		lb_job_add_urls(job, (const char (*)[LB_URL_MAX + 1])previous.urls, previous.url_count);
	lb_release_free(&previous);
}

/*
 * Nothing that is confirmed is on record (the state region was lost), or it cannot be had:
 * the servers that were built in, and before them what was asked for last.
 */
static void add_last_resort(struct lb_recovery *r, bool remedy_known, struct lb_job_order *job)
{
	if (!job->url_count)
		lb_job_add_urls(job, (const char (*)[LB_URL_MAX + 1])job->request.urls,
				job->request.url_count);
	lb_job_add_urls(job, (const char (*)[LB_URL_MAX + 1])r->urls, r->url_count);
	if (!remedy_known)
		lb_say(r->report, LB_LEVEL_WARN, "rescue", "no earlier release is known: %s",
		       job->url_count ? "any that a server or a medium has will do"
				      : "waiting for a medium with a bundle");
}

/* Enters or continues rescue; afterwards the job knows what to fetch. */
int lb_job_prepare_rescue(struct lb_recovery *r, const struct lb_state *s,
			  struct lb_job_order *job, struct lb_error *err)
{
	struct lb_release remedy = { 0 };
	uint16_t type = choose_remedy(r, s, &remedy);
	struct lb_result result;
	int code = 0;

	job->kind = LB_JOB_RESCUE;
	job->any_bundle = true;
	job->blame_code = LB_E_TRIAL;
	if (s->name == LB_STATE_RESCUE) {
		if (!lb_result_load(r->dev.log, &result, NULL)) {
			snprintf(job->blame, sizeof(job->blame), "%.*s",
				 (int)sizeof(job->blame) - 1, result.text);
			job->blame_release = result.release;
			if (lb_error_by_name(result.code))
				job->blame_code = lb_error_by_name(result.code);
		}
	} else {
		describe_failure(r, s, job);
		lb_job_result(r, job, NULL, job->blame_code, job->blame, &result);
		result.release = job->blame_release; /* what the next start reads: not the request's */
		result.main_changed = true;
		lb_say(r->report, LB_LEVEL_ERROR, lb_error_name(job->blame_code), "%s", job->blame);
		code = lb_handover_begin_rescue(&r->dev, type ? &remedy : NULL, &result, err);
	}
	if (type) {
		lb_job_add_urls(job, (const char (*)[LB_URL_MAX + 1])remedy.urls, remedy.url_count);
		lb_say(r->report, LB_LEVEL_INFO, "rescue", "release %llu is fetched again",
		       (unsigned long long)remedy.release);
	}
	if (remedy.release != job->blame_release)
		job->failed_release = job->blame_release;
	if (type == LB_REC_CONFIRMED)
		add_previous(r, s, job);
	add_last_resort(r, type != 0, job);
	lb_release_free(&remedy);
	return code;
}

bool lb_job_can_rescue(struct lb_recovery *r, const struct lb_job_order *job,
		       const struct lb_install *in)
{
	static const uint16_t types[] = { LB_REC_CONFIRMED, LB_REC_PREVIOUS };
	bool other = false;

	for (size_t i = 0; i < LB_ARRAY_LEN(types); i++) {
		uint8_t digest[LB_SHA256_BYTES];
		struct lb_release rel;

		if (digest_of(r->dev.log, types[i], &rel, digest))
			continue;
		other = other || memcmp(digest, in->head.manifest_sha256, sizeof(digest));
		lb_release_free(&rel);
	}
	return other && in->writing &&
	       (job->kind == LB_JOB_INSTALL || job->kind == LB_JOB_RESUME);
}
