/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What recovery does from start to reboot: reconcile, find out the job, do it,
 * hand back. The same code runs on the board, as an ordinary program on files,
 * and in the power-cut simulator.
 */
#ifndef LB_FLOW_RECOVERY_H
#define LB_FLOW_RECOVERY_H

#include "flow/install.h"
#include "flow/reset.h"

struct lb_recovery_limits {
	uint32_t give_up_ms;   /* before the first write: main again, untouched */
	uint32_t retry_min_ms, retry_max_ms; /* back-off between attempts */
	uint32_t url_ms;       /* silence of one of several URLs before the next is tried */
	uint32_t idle_ms;      /* a person was asked for and nothing happened: main again; 0 never */
};

/* Where bundles come from. */
struct lb_sources {
	void *ctx;
	/* @request: NULL or the request whose token belongs to these URLs */
	int (*open)(void *ctx, const char *url, const struct lb_request *request,
		    const struct lb_network *network, int64_t time_floor_s,
		    struct lb_source **ret, struct lb_error *err);
	/* brings the network up as @network says; called again after changes; may be NULL */
	int (*network_up)(void *ctx, const struct lb_network *network, struct lb_error *err);
	/* path of the @n-th bundle on an inserted medium as a URL; false: no more; may be NULL */
	bool (*medium)(void *ctx, unsigned int n, char *ret_url, size_t size);
	/* @url is of medium(): its release is wanted even if it is not newer than the installed one; may be NULL: none is */
	bool (*wanted)(void *ctx, const char *url);
	/* the attempt with @url has ended, 0 or -LB_E_* as in @why, and nothing is read from it now; may be NULL */
	void (*ended)(void *ctx, const char *url, int code, const struct lb_error *why);
	/* somebody stands there with medium 0 and waits for it to be read: it comes next; may be NULL */
	bool (*person_waits)(void *ctx);
};

struct lb_recovery {
	struct lb_device_state dev;
	struct lb_slots slots;
	struct lb_sources sources;
	struct lb_clock *clock;
	struct lb_worker *worker;    /* NULL: none */
	const struct lb_keyring *keys;
	mbedtls_pk_context *fit_key; /* NULL: FITs are checked without their signature */
	struct lb_device device;     /* floor_release is raised from the log */
	const struct lb_reporter *report;
	struct lb_recovery_limits limits;
	/* built in: asked in a rescue after those on record, of which there may be none */
	char urls[LB_URLS_MAX][LB_URL_MAX + 1];
	uint32_t url_count;
	enum lb_reason reason;	     /* from the bootloader */
	char copy;		     /* 'a' or 'b': the copy that runs; 0 not known */
	bool state_lost;	     /* the log had to be made anew */
	int64_t time_floor_s;	     /* build time; raised from the log */
	bool (*stop)(void *ctx);     /* asked while waiting; may be NULL */
	void *stop_ctx;
	bool (*cancelled)(void *ctx); /* a person wants main back; heeded until the first write; may be NULL */
	void *cancelled_ctx;
	struct lb_reset_regions reset;
	bool (*reset_asked)(void *ctx); /* a person wants the user's data erased; true once; may be NULL */
	void *reset_ctx;
	bool visiting;		     /* a person is waited for: only then it is asked */
	bool committed;		     /* main is being written: nothing is cancelled any more */
};

enum lb_recovery_end {
	LB_END_BOOT_MAIN,     /* the flag says main: it was written or found whole */
	LB_END_RETURNED,      /* the flag says main: it is as it was */
	LB_END_REBOOT,	      /* the flag says recovery: a newer one goes on */
	LB_END_STOPPED,	      /* stop() said so */
};

/**
 * lb_recovery_run() - until main may be booted or it is stopped
 * @ret_end: what to do now
 *
 * Blocks for as long as it takes. A cut at any moment: run it again.
 * Return: 0, or a failure of the state region or the environment that leaves
 * nothing to decide with (the caller reboots; the watchdog stays on).
 */
int lb_recovery_run(struct lb_recovery *r, enum lb_recovery_end *ret_end,
		    struct lb_error *err) LB_MUST_CHECK;

#endif
