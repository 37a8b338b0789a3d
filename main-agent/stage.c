// SPDX-License-Identifier: GPL-2.0-or-later
#include "stage.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "files.h"
#include "linux/http_session.h"
#include "remedy.h"

static int check_state(const struct agent_device *d, struct lb_error *err)
{
	bool trial = d->state.name == LB_STATE_TRIAL;

	if (lb_machine_next(d->state.name, LB_EV_STAGED) >= 0)
		return 0;
	return lb_error_set(err, LB_E_BUSY, "nothing can be installed in state \"%s\"%s",
			    lb_state_text(d->state.name),
			    trial ? ": the running release is not confirmed yet" : "");
}

static int check_first(const struct agent *a, const struct agent_device *d,
		       const struct agent_order *order, const struct agent_bundle *b, int64_t now_s,
		       struct lb_error *err)
{
	int rc;

	if (order->manifest && memcmp(order->manifest, b->head.manifest_sha256, LB_SHA256_BYTES))
		return lb_error_set(err, LB_E_CHANGED, "%.120s is not the bundle that the channel names",
				    b->place.shown);
	rc = agent_bundle_check(a, d, b, now_s, err);
	if (rc)
		return rc;
	if (b->manifest.release <= a->running.release && !a->opt.allow_older)
		return lb_error_set(err, LB_E_NOT_NEWER,
				    "release %" PRIu64 " is not newer than %" PRIu64
				    ", which is running", b->manifest.release, a->running.release);
	return 0;
}

/* Further sources may be silent just now; they may not hold something else. */
static int check_others(const struct agent *a, const struct agent_order *order,
			const struct agent_bundle *first, int64_t now_s, struct lb_error *err)
{
	struct lb_error why = { 0 };
	struct agent_bundle b;
	int rc, differs;

	for (uint32_t i = 1; i < order->count; i++) {
		rc = agent_bundle_open(a, &order->places[i], now_s, &b, &why);
		differs = !rc && memcmp(b.head.manifest_sha256, first->head.manifest_sha256,
					LB_SHA256_BYTES);
		agent_bundle_close(&b);
		if (differs)
			return lb_error_set(err, LB_E_CHANGED, "%.90s and %.90s are different bundles",
					    order->places[0].shown, order->places[i].shown);
		if (rc)
			agent_say(a, "%s is no source just now: %s", order->places[i].shown, why.text);
	}
	return 0;
}

/* The token goes to recovery only if every server may see it. */
static bool token_fits(const struct agent *a, const struct lb_request *r)
{
	for (uint32_t i = 0; *a->set.channel && i < r->url_count; i++)
		if (!lb_http_same_origin(r->urls[i], a->set.channel))
			return false;
	return true;
}

static void fill_request(const struct agent *a, const struct agent_order *order,
			 const struct agent_bundle *b, int64_t now_s, struct lb_request *r)
{
	memset(r, 0, sizeof(*r));
	r->url_count = order->count;
	for (uint32_t i = 0; i < order->count; i++)
		snprintf(r->urls[i], sizeof(r->urls[i]), "%s", order->places[i].there);
	memcpy(r->manifest, b->head.manifest_sha256, LB_SHA256_BYTES);
	r->release = b->manifest.release;
	r->budget_bytes = a->opt.has_budget ? a->opt.budget_bytes : a->set.budget_bytes;
	r->time_s = now_s;
	if (a->opt.deployment)
		snprintf(r->deployment, sizeof(r->deployment), "%s", a->opt.deployment);
	else
		snprintf(r->deployment, sizeof(r->deployment), "%" PRIu64 "-%" PRId64, r->release,
			 now_s);
	if (token_fits(a, r))
		snprintf(r->header, sizeof(r->header), "%s", a->header);
}

/* What rescue needs without a request. @ret_changed: false when it is stored already. */
static int network_of(const struct agent *a, struct agent_device *d, struct lb_network *ret,
		      bool *ret_changed, struct lb_error *err)
{
	struct lb_network stored;
	ptrdiff_t len;
	int rc;

	*ret = a->set.network;
	if (*a->set.config.ca_file) {
		len = agent_file_read(a->set.config.ca_file, ret->ca_pem, sizeof(ret->ca_pem), err);
		if (len < 0)
			return (int)len;
	}
	rc = lb_network_load(&d->log, &stored, err);
	if (rc && rc != -LB_E_NOT_FOUND && rc != -LB_E_FORMAT)
		return rc;
	*ret_changed = rc || strcmp(stored.ca_pem, ret->ca_pem) ||
		       strcmp(stored.address, ret->address) ||
		       strcmp(stored.gateway, ret->gateway) || strcmp(stored.dns, ret->dns);
	return 0;
}

/* After the records: a note too few costs one repetition, a note too many a delay. */
static void note_attempt(const struct agent *a, struct agent_memory *m, const struct lb_request *r)
{
	struct agent_attempt *t = &m->attempt;
	struct lb_error err = { 0 };

	if (memcmp(t->manifest, r->manifest, LB_SHA256_BYTES))
		memset(t, 0, sizeof(*t));
	memcpy(t->manifest, r->manifest, LB_SHA256_BYTES);
	t->release = r->release;
	t->pending = true;
	t->reboot_wanted = !a->opt.no_reboot;
	t->reboots = 0;
	snprintf(t->deployment, sizeof(t->deployment), "%s", r->deployment);
	if (agent_memory_save(a, m, &err))
		agent_error(a, "%s; back-off after a failure will not work", err.text);
}

static int hand_over(const struct agent *a, struct agent_device *d, const struct agent_order *order,
		     const struct agent_bundle *b, struct agent_memory *m, int64_t now_s,
		     struct lb_error *err)
{
	struct lb_request request;
	struct lb_network network;
	bool changed = false;
	int rc = network_of(a, d, &network, &changed, err);

	if (rc)
		return rc;
	fill_request(a, order, b, now_s, &request);
	rc = lb_handover_stage(&d->handover, &request, changed ? &network : NULL, err);
	if (rc)
		return rc;
	note_attempt(a, m, &request);
	agent_say(a, "release %" PRIu64 " is staged as deployment %s", request.release,
		  request.deployment);
	return 0;
}

int agent_stage(const struct agent *a, struct agent_device *d, const struct agent_order *order,
		const struct lb_channel *ch, struct agent_memory *m, uint64_t *ret_release,
		struct lb_error *err)
{
	int64_t now_s = agent_device_now(a, d, m->channel_created_s);
	struct agent_bundle b;
	int rc;

	*ret_release = 0;
	rc = check_state(d, err);
	if (rc)
		return rc;
	rc = agent_bundle_open(a, &order->places[0], now_s, &b, err);
	if (!rc) {
		*ret_release = b.manifest.release;
		rc = check_first(a, d, order, &b, now_s, err);
	}
	if (!rc)
		rc = check_others(a, order, &b, now_s, err);
	if (!rc && a->set.require_remedy && !a->opt.without_remedy)
		rc = agent_remedy_check(a, d, ch, now_s, err);
	if (!rc)
		rc = hand_over(a, d, order, &b, m, now_s, err);
	agent_bundle_close(&b);
	return rc;
}
