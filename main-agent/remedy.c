// SPDX-License-Identifier: GPL-2.0-or-later
#include "remedy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bundle.h"

/* Does @place still hold the bundle with this manifest? */
static int still_there(const struct agent *a, const struct agent_place *place,
		       const uint8_t manifest[LB_SHA256_BYTES], int64_t now_s,
		       struct agent_bundle *ret, struct lb_error *err)
{
	int rc = agent_bundle_open(a, place, now_s, ret, err);

	if (!rc && memcmp(ret->head.manifest_sha256, manifest, LB_SHA256_BYTES))
		rc = lb_error_set(err, LB_E_CHANGED, "%.150s is another bundle now", place->shown);
	return rc;
}

static int by_record(const struct agent *a, const struct lb_release *r, int64_t now_s,
		     struct lb_error *err)
{
	uint8_t digest[LB_SHA256_BYTES];
	struct agent_place place;
	struct agent_bundle b;
	int rc = lb_error_set(err, LB_E_NOT_FOUND, "its source is not on record");

	lb_sha256(r->manifest, r->manifest_len, digest);
	for (uint32_t i = 0; rc && i < r->url_count; i++) {
		rc = agent_place_of_recovery(a, r->urls[i], &place, err);
		if (rc)
			continue;
		rc = still_there(a, &place, digest, now_s, &b, err);
		agent_bundle_close(&b);
	}
	return rc;
}

static int store(struct agent_device *d, const struct agent_bundle *b, struct lb_error *err)
{
	struct lb_release r = {
		.release = b->manifest.release,
		.manifest = b->head.manifest, /* borrowed for the call */
		.manifest_len = b->head.manifest_len,
		.signature = b->signature,
		.url_count = 1,
	};

	snprintf(r.urls[0], sizeof(r.urls[0]), "%s", b->place.there);
	return lb_release_save(&d->log, LB_REC_CONFIRMED, &r, err);
}

static int check_bundle(const struct agent *a, const struct agent_bundle *b, struct lb_error *err)
{
	struct lb_device dev = a->device;

	if (b->manifest.release != a->running.release)
		return lb_error_set(err, LB_E_CHANGED, "%.100s is release %" PRIu64 ", not %" PRIu64,
				    b->place.shown, b->manifest.release, a->running.release);
	dev.floor_release = 0;
	return lb_policy_check(&b->manifest, &dev, NULL, err);
}

static int by_channel(const struct agent *a, struct agent_device *d, const struct lb_channel *ch,
		      int64_t now_s, struct lb_error *err)
{
	const struct lb_channel_release *entry =
		lb_channel_find(ch, a->running.release, a->device.hardware, a->device.hardware_count);
	char url[LB_URL_MAX + 1];
	struct agent_place place;
	struct agent_bundle b;
	int rc;

	if (!entry)
		return lb_error_set(err, LB_E_NOT_FOUND, "the channel does not offer it");
	rc = agent_channel_url(a, entry, url, err);
	if (!rc)
		rc = agent_place_of(a, url, &place, err);
	if (rc)
		return rc;
	rc = still_there(a, &place, entry->manifest_sha256, now_s, &b, err);
	if (!rc)
		rc = check_bundle(a, &b, err);
	if (!rc)
		rc = store(d, &b, err);
	if (!rc)
		agent_say(a, "release %" PRIu64 " can be had again from %s", a->running.release,
			  place.shown);
	agent_bundle_close(&b);
	return rc;
}

int agent_remedy_check(const struct agent *a, struct agent_device *d, const struct lb_channel *ch,
		       int64_t now_s, struct lb_error *err)
{
	struct lb_release r = { 0 };
	struct lb_error why = { 0 };
	int rc = lb_release_load(&d->log, LB_REC_CONFIRMED, &r, err);

	if (rc && rc != -LB_E_NOT_FOUND && rc != -LB_E_FORMAT)
		return rc;
	if (!rc && r.release == a->running.release)
		rc = by_record(a, &r, now_s, &why);
	else
		rc = lb_error_set(&why, LB_E_NOT_FOUND, "it is not on record");
	lb_release_free(&r);
	if (rc && ch)
		rc = by_channel(a, d, ch, now_s, &why);
	if (rc)
		return lb_error_set(err, LB_E_NO_REMEDY,
				    "release %" PRIu64 ", which is running, could not be had again: %.140s",
				    a->running.release, why.text);
	return 0;
}

int agent_remedy_learn(const struct agent *a, struct agent_device *d, const struct lb_channel *ch,
		       int64_t now_s, struct lb_error *err)
{
	struct lb_release r = { 0 };
	int rc = lb_release_load(&d->log, LB_REC_CONFIRMED, &r, NULL);

	lb_release_free(&r);
	if ((rc != -LB_E_NOT_FOUND && rc != -LB_E_FORMAT) || d->state.name != LB_STATE_CONFIRMED)
		return 0;
	return by_channel(a, d, ch, now_s, err);
}
