/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The records of the state log as structs. Texts are JSON on the medium, so
 * that a person can read them with strings(1). Spec: docs/SPEC.md, "Records".
 */
#ifndef LB_STATE_RECORDS_H
#define LB_STATE_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/sha256.h"
#include "bundle/bundle.h"
#include "state/log.h"

#define LB_URL_MAX 511
#define LB_URLS_MAX 4
#define LB_ID_MAX 63
#define LB_CA_MAX 8192
#define LB_HEADER_MAX 1023

/* The authority on where the device is; the boot environment only selects. */
enum lb_state_name {
	LB_STATE_CONFIRMED,
	LB_STATE_REQUESTED,
	LB_STATE_UPDATING,
	LB_STATE_TRIAL,
	LB_STATE_RESCUE,
	LB_STATE_COUNT
};

struct lb_state {
	enum lb_state_name name;
	uint64_t release;		       /* what is (being) installed; 0 unknown */
	uint8_t manifest[LB_SHA256_BYTES];     /* its manifest; zeros: unknown */
};

/* What the agent (or a person) asks recovery to do. */
struct lb_request {
	bool recovery_only;		       /* just stay in recovery for a person */
	char urls[LB_URLS_MAX][LB_URL_MAX + 1]; /* https://, http:// or file:// */
	uint32_t url_count;
	uint8_t manifest[LB_SHA256_BYTES];     /* expected digest; zeros: any */
	uint64_t release;
	uint64_t budget_bytes;		       /* most to fetch; 0: no limit */
	int64_t time_s;			       /* the agent's clock when it staged */
	char deployment[LB_ID_MAX + 1];
	char header[LB_HEADER_MAX + 1];	       /* one HTTP header line with a token; "" none */
};

/* For people and for the budget; never believed without hashing. */
struct lb_progress {
	uint8_t manifest[LB_SHA256_BYTES];
	uint64_t total_bytes;	/* of all images */
	uint64_t done_bytes;	/* in place and durable */
	uint64_t fetched_bytes; /* over all power cycles */
	uint64_t written_bytes;
	uint64_t copied_bytes;	/* of written_bytes */
	uint32_t ranges;	/* of payload that were asked for */
	uint32_t power_cycles;	/* resumes so far */
};

struct lb_result {
	char code[32];	   /* lb_error_name() or "ok" */
	char text[232];	   /* sentence */
	char deployment[LB_ID_MAX + 1];
	uint64_t release;  /* the one that was asked for */
	bool main_changed; /* false: main is as it was before the request */
	uint64_t fetched_bytes, written_bytes, skipped_bytes;
	uint64_t copied_bytes; /* of written_bytes: were on the device, at another place */
	uint32_t ranges, seconds, power_cycles;
	uint64_t fetch_rate, write_rate; /* bytes a second, as last measured; 0: never */
	/* of the last attempt alone: how long its phases took, and their processor time */
	uint32_t plan_ms, plan_cpu_ms, install_ms, install_cpu_ms, readback_ms, readback_cpu_ms;
	int64_t time_s;
};

/* A recovery copy was written with this image, and booted so often on trial. */
struct lb_self_update {
	uint8_t image[LB_SHA256_BYTES];
	uint32_t tries;
	char copy; /* 'a' or 'b': it lies there, and was selected or is about to be; 0: no more */
};

/* A release as a remedy: what it was and where it can be had. */
struct lb_release {
	uint64_t release;
	uint8_t *manifest; /* owned; exact bytes */
	size_t manifest_len;
	struct lb_signature signature;
	char urls[LB_URLS_MAX][LB_URL_MAX + 1];
	uint32_t url_count;
};

/* Long-lived: rescue needs it without a request. */
struct lb_network {
	char ca_pem[LB_CA_MAX + 1];	/* "" : the one built in */
	char address[64];		/* CIDR, "" : DHCP */
	char gateway[64];
	char dns[64];
};

/*
 * load: 0, -LB_E_NOT_FOUND, -LB_E_FORMAT (a record of a newer version or garbage
 * with a valid CRC), -LB_E_IO, -LB_E_NOMEM; @ret is untouched on failure. save: as
 * lb_log_put(); -LB_E_INVALID when load would refuse it. Texts of a result are
 * made printable instead: a server may have worded them.
 */
int lb_state_load(struct lb_log *log, struct lb_state *ret, struct lb_error *err) LB_MUST_CHECK;
int lb_state_save(struct lb_log *log, const struct lb_state *s,
		    struct lb_error *err) LB_MUST_CHECK;
int lb_request_load(struct lb_log *log, struct lb_request *ret,
		    struct lb_error *err) LB_MUST_CHECK;
int lb_request_save(struct lb_log *log, const struct lb_request *r,
		    struct lb_error *err) LB_MUST_CHECK;
int lb_progress_load(struct lb_log *log, struct lb_progress *ret,
		    struct lb_error *err) LB_MUST_CHECK;
int lb_progress_save(struct lb_log *log, const struct lb_progress *p,
		    struct lb_error *err) LB_MUST_CHECK;
int lb_result_load(struct lb_log *log, struct lb_result *ret,
		    struct lb_error *err) LB_MUST_CHECK;
int lb_result_save(struct lb_log *log, const struct lb_result *r,
		    struct lb_error *err) LB_MUST_CHECK;
int lb_network_load(struct lb_log *log, struct lb_network *ret,
		    struct lb_error *err) LB_MUST_CHECK;
int lb_network_save(struct lb_log *log, const struct lb_network *n,
		    struct lb_error *err) LB_MUST_CHECK;
int lb_self_update_load(struct lb_log *log, struct lb_self_update *ret,
			struct lb_error *err) LB_MUST_CHECK;
int lb_self_update_save(struct lb_log *log, const struct lb_self_update *v,
			struct lb_error *err) LB_MUST_CHECK;
/* @type: LB_REC_INSTALLED, LB_REC_CONFIRMED or LB_REC_PREVIOUS */
int lb_release_load(struct lb_log *log, uint16_t type, struct lb_release *ret,
		    struct lb_error *err) LB_MUST_CHECK;
int lb_release_save(struct lb_log *log, uint16_t type, const struct lb_release *r,
		    struct lb_error *err) LB_MUST_CHECK;
/* NULL and a zeroed struct are fine. */
void lb_release_free(struct lb_release *r);
/* Bytes of a release record on the medium; docs/SPEC.md, "Release record". */
int lb_release_encode(const struct lb_release *r, uint8_t **ret_bytes, size_t *ret_len,
		      struct lb_error *err) LB_MUST_CHECK;
int lb_release_decode(const uint8_t *bytes, size_t len, struct lb_release *ret,
		      struct lb_error *err) LB_MUST_CHECK;
/* floor: lowest installable release; clock: no earlier than this second. 0 when absent. */
int lb_floor_load(struct lb_log *log, uint64_t *ret, struct lb_error *err) LB_MUST_CHECK;
int lb_floor_save(struct lb_log *log, uint64_t release, struct lb_error *err) LB_MUST_CHECK;
int lb_clock_floor_load(struct lb_log *log, int64_t *ret, struct lb_error *err) LB_MUST_CHECK;
int lb_clock_floor_save(struct lb_log *log, int64_t seconds, struct lb_error *err) LB_MUST_CHECK;
/* reset: was begun and has not come to its end. false when absent. */
int lb_reset_load(struct lb_log *log, bool *ret_pending, struct lb_error *err) LB_MUST_CHECK;
int lb_reset_save(struct lb_log *log, bool pending, struct lb_error *err) LB_MUST_CHECK;

/*
 * Deletes the request and leaves no copy of its token in the region: the log is
 * compacted and what is not live is overwritten, also when there was no request
 * (a cut may have come between). As lb_log_put(); blocks that cannot be
 * overwritten are no failure.
 */
int lb_request_drop(struct lb_log *log, struct lb_error *err) LB_MUST_CHECK;

const char *lb_state_text(enum lb_state_name name); /* "confirmed", ... */

#endif
