/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One attempt to install one bundle from one source: check everything, plan,
 * write, read back. Trying again, and what a failure means, is recovery.h's.
 */
#ifndef LB_FLOW_INSTALL_H
#define LB_FLOW_INSTALL_H

#include "flow/estimate.h"
#include "flow/handover.h"
#include "flow/patient.h"
#include "flow/report.h"
#include "trust/keyring.h"
#include "trust/policy.h"
#include "update/update.h"

/* How a program opens slots; errors -LB_E_NO_SLOT, -LB_E_READ_ONLY, -LB_E_IO. */
struct lb_slots {
	void *ctx;
	int (*open)(void *ctx, const char *name, bool writable, struct lb_blk **ret,
		    struct lb_error *err);
	/* name of the @n-th slot, NULL behind the last; may be NULL: not known */
	const char *(*name)(void *ctx, uint32_t n);
	/*
	 * Opens, read-only, the @n-th part of the device that may hold what an update is
	 * missing; -LB_E_NOT_FOUND behind the last. Named as its slot if it is one. May be NULL.
	 */
	int (*source)(void *ctx, uint32_t n, struct lb_blk **ret, struct lb_error *err);
};

/* lb_install_run(): the flag says recovery, and the other copy comes next */
#define LB_INSTALL_REBOOT 1
/* ... or: the bundle held nothing but a recovery, which both copies hold now */
#define LB_INSTALL_NO_MAIN 2

/* For lb_policy_check() and lb_policy_covers(): what struct lb_slots knows. */
struct lb_install_lookup {
	struct lb_slot_lookup lookup; /* pass &x.lookup */
	const struct lb_slots *slots; /* borrowed */
};

struct lb_install_lookup lb_install_lookup(const struct lb_slots *slots);

struct lb_install {
	/* what the caller sets; all borrowed */
	struct lb_device_state *dev;
	const struct lb_slots *slots;
	const struct lb_keyring *keys;
	const struct lb_device *device;
	mbedtls_pk_context *fit_key; /* the bootloader's; NULL: signatures of FITs are left to it */
	const struct lb_reporter *report;
	struct lb_clock *clock;
	struct lb_worker *worker;  /* NULL: none */
	const uint8_t *expected;   /* digest of the manifest; NULL: any trusted one */
	uint64_t failed_release;   /* failed its trial: not again from here; 0 none */
	uint64_t above_release;	   /* what is installed: only a newer main is taken; 0 no matter */
	char copy;		   /* 'a' or 'b': the recovery copy that runs; 0 not known */
	bool (*cancelled)(void *ctx); /* asked before the first write; may be NULL */
	void *cancelled_ctx;
	bool *committed;	   /* set before the first write; may be NULL */
	uint64_t budget_bytes;	   /* most to fetch; 0 none; looked at before the first write only */

	/* what it finds out */
	bool writing;		   /* main was changed, or is about to be */
	struct lb_manifest manifest;
	struct lb_bundle_head head;
	char keyid[LB_KEYID_HEX];
	struct lb_update_counters counters;
	struct lb_patient *patient;
	struct lb_progress progress; /* of earlier starts and attempts */
	bool counted;		   /* the caller carries it from attempt to attempt: this start
				    * is in progress.power_cycles if it counts */
	uint32_t patch_failures;   /* attempts that failed with patches, once main was begun; carried as well */
	bool copies_current;	   /* both recovery copies were found or made to be the bundle's */
	uint64_t saved_durable;
	struct lb_estimate estimate;
	uint64_t expected_ms;	   /* from the plan on; 0: not known */
};

/**
 * lb_install_admit() - may the bundle in @src be installed here? Nothing is written
 *
 * Head, signature, manifest, expected digest, policy, then what @in forbids. Reads at most the head.
 * Afterwards @in->manifest is trusted. Free with lb_install_free(), also after a failure.
 * Return: 0, what lb_bundle_read_head(), lb_keyring_verify(), lb_manifest_parse() or lb_policy_check()
 * return, -LB_E_CHANGED, -LB_E_TRIAL, -LB_E_PARTIAL, -LB_E_NOT_NEWER; always with a sentence.
 */
int lb_install_admit(struct lb_install *in, struct lb_source *src, struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_install_run() - everything up to "whole on the medium"
 * @source: an inner source; taken over and closed
 * @how: patience towards it
 *
 * Order: head, signature, manifest, expected digest, policy, indexes, slots,
 * plan, budget; then the state record, the writes and the read-back, which
 * repeats bad chunks at most 3 times. Calls lb_handover_begin_writing(), but not
 * lb_handover_finish().
 * Return: 0: every image was read back from the medium and matched.
 * LB_INSTALL_REBOOT: a newer recovery was written; it goes on with the rest.
 * LB_INSTALL_NO_MAIN: there is no rest. Otherwise
 * any code; @in->writing tells whether main is still untouched.
 */
int lb_install_run(struct lb_install *in, struct lb_source *source,
		   const struct lb_patience *how, struct lb_error *err) LB_MUST_CHECK;

/* The slots of main's images by their numbers, NULL for others; close them also after a failure. */
int lb_install_open_slots(struct lb_install *in, struct lb_blk *slots[LB_IMAGES_MAX],
			  struct lb_error *err) LB_MUST_CHECK;
void lb_install_close_slots(struct lb_blk *slots[LB_IMAGES_MAX]);

/*
 * The sources of the device, except slots that @u writes, become sources of @u. One that cannot be
 * opened is left out, and said when @tell. Close them with lb_install_close_sources() after @u is freed.
 */
void lb_install_add_sources(struct lb_install *in, struct lb_update *u, bool tell,
			    struct lb_blk *ret[LB_UPDATE_SOURCES_MAX]);
/* A patch that cannot be read must not keep plain chunks out for ever: then it goes on without patches. */
#define LB_INSTALL_PATCH_FAILURES 3u
/* Patches against what records say that the slots may hold: known.c. 0 or what lb_update_use_patches() returned. */
int lb_install_use_patches(struct lb_install *in, struct lb_update *u,
			   const struct lb_bundle_layout *layout, struct lb_error *err) LB_MUST_CHECK;
void lb_install_close_sources(struct lb_blk *sources[LB_UPDATE_SOURCES_MAX]);

/*
 * Says what was planned. 0 or -LB_E_BUDGET, which is none once main is being written. Head, indexes
 * and planned payload count; from a source without ranges everything up to the last of it.
 */
int lb_install_check_budget(struct lb_install *in, const struct lb_update *u,
			    struct lb_error *err) LB_MUST_CHECK;

/* Writes and reads back a planned update until the medium holds what was signed; at most 4 rounds. */
int lb_install_write(struct lb_install *in, struct lb_update *u, struct lb_error *err) LB_MUST_CHECK;

/* Would the bootloader take the FIT in @blk? 0, -LB_E_FIT with a sentence, -LB_E_IO, -LB_E_NOMEM. */
int lb_install_check_fit(struct lb_install *in, struct lb_blk *blk, uint64_t size_bytes,
			 struct lb_error *err) LB_MUST_CHECK;

/* Frees what lb_install_run() left in @in: call before another run and at the end. */
void lb_install_free(struct lb_install *in);

#endif
