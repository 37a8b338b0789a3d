/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks at a bundle as recovery will, before anything is asked of it. */
#ifndef AGENT_BUNDLE_H
#define AGENT_BUNDLE_H

#include "bundle/bundle.h"
#include "bundle/manifest.h"
#include "device.h"
#include "linux/http.h"
#include "place.h"

/* A bundle whose manifest was signed by one of our keys. */
struct agent_bundle {
	struct agent_place place;
	struct lb_bundle_head head;   /* owned */
	struct lb_signature signature; /* the one that verified */
	struct lb_manifest manifest;
};

/* Limits, token, CA and dates for @url. */
struct lb_http_options agent_http_options(const struct agent *a, const char *url, int64_t now_s);

/**
 * agent_bundle_open() - fetch the head, check its signature, parse the manifest
 * @now_s: see agent_device_now()
 * @ret: for agent_bundle_close(), also after a failure
 *
 * Return: 0; -LB_E_UNREACHABLE and other codes of sources; -LB_E_SIGNATURE,
 * -LB_E_FORMAT, -LB_E_TRUNCATED, -LB_E_CRITICAL, ...
 */
int agent_bundle_open(const struct agent *a, const struct agent_place *place, int64_t now_s,
		      struct agent_bundle *ret, struct lb_error *err) LB_MUST_CHECK;
void agent_bundle_close(struct agent_bundle *b);

/**
 * agent_bundle_check() - everything that can be known before the first write
 *
 * Product, hardware, floor, image kinds, slots and sizes (nothing is opened for
 * writing), then one range request that proves that the payload is there and whole.
 *
 * Return: 0 or as lb_policy_check(); -LB_E_TRUNCATED, -LB_E_UNREACHABLE, ...
 */
int agent_bundle_check(const struct agent *a, const struct agent_device *d,
		       const struct agent_bundle *b, int64_t now_s,
		       struct lb_error *err) LB_MUST_CHECK;

#endif
