// SPDX-License-Identifier: GPL-2.0-or-later
/* Where a job looks: its URLs, then what lies on inserted media and waits at the page. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "flow/job.h"

#define PLACES_MAX (LB_JOB_URLS_MAX + 8)

bool lb_job_place(struct lb_recovery *r, const struct lb_job_order *job, uint32_t n, char *ret, size_t size)
{
	if (n < job->url_count) {
		snprintf(ret, size, "%s", job->urls[n]);
		return true;
	}
	return n < PLACES_MAX && r->sources.medium &&
	       r->sources.medium(r->sources.ctx, n - job->url_count, ret, size);
}

uint32_t lb_job_places(struct lb_recovery *r, const struct lb_job_order *job)
{
	char url[LB_URL_MAX + 1];
	uint32_t n = 0;

	while (lb_job_place(r, job, n, url, sizeof(url)))
		n++;
	return n;
}

uint32_t lb_job_offers(struct lb_recovery *r)
{
	char url[LB_URL_MAX + 1];
	uint32_t hash = 0;

	for (uint32_t n = 0; n < PLACES_MAX && r->sources.medium &&
			     r->sources.medium(r->sources.ctx, n, url, sizeof(url)); n++)
		hash = lb_crc32(hash + n + 1, url, strlen(url)) | 1;
	return hash;
}

/* Of main as the records know it; 0 not known. */
static uint64_t installed_release(struct lb_recovery *r)
{
	struct lb_release known;
	struct lb_state s;
	uint64_t release;

	if (lb_state_load(r->dev.log, &s, NULL) ||
	    lb_release_load(r->dev.log, s.name == LB_STATE_TRIAL ? LB_REC_INSTALLED : LB_REC_CONFIRMED,
			    &known, NULL))
		return 0;
	release = known.release;
	lb_release_free(&known);
	return release;
}

uint64_t lb_job_release_to_beat(struct lb_recovery *r, const struct lb_job_order *job, uint32_t n)
{
	if (n < job->url_count || !job->any_bundle ||
	    (r->sources.wanted && r->sources.wanted(r->sources.ctx, job->used_url)))
		return 0;
	return installed_release(r);
}
