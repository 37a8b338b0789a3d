/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside recovery's flow: one job (which release, where it may be had), carried
 * from recovery.c, which chooses it, through rescue.c to attempts.c, and to its end in ending.c.
 */
#ifndef LB_FLOW_JOB_H
#define LB_FLOW_JOB_H

#include "flow/recovery.h"

#define LB_JOB_URLS_MAX (3 * LB_URLS_MAX) /* of two releases on record, and those of last resort */

struct lb_job_order {
	enum lb_job kind;
	bool may_give_up;		 /* main is untouched so far */
	struct lb_recovery *owner;
	bool unsure;			 /* newer records may be lost: what they say proves nothing */
	bool network_down;		 /* and said so */
	bool person;			 /* somebody stands in front of it: what is refused ends nothing */
	bool any_bundle;		 /* not only the one with the expected digest */
	uint8_t expected[LB_SHA256_BYTES];
	struct lb_request request;	 /* zeros without one */
	struct lb_network network;
	char urls[LB_JOB_URLS_MAX][LB_URL_MAX + 1];
	uint32_t url_count;
	char used_url[LB_URL_MAX + 1];	 /* the place that was tried last */
	char blame[160];		 /* rescue: what failed */
	int blame_code;
	uint64_t blame_release;
	uint64_t failed_release;	 /* rescue: no URL's word is taken for this one again */
	uint64_t started_ms;
	bool erased;			 /* the user's data: what the visit was for is done */
};

bool lb_job_stopped(struct lb_recovery *r);
/* A person wants main back, and that is still possible. */
bool lb_job_cancelled(struct lb_recovery *r, const struct lb_job_order *job);

/* Keeps what was said where main can read it; not while that could hide that a newer state was lost. */
void lb_job_persist(struct lb_recovery *r);

/* Those that are not among the job's yet, as far as there is room. */
void lb_job_add_urls(struct lb_job_order *job, const char (*urls)[LB_URL_MAX + 1], uint32_t count);

/**
 * lb_job_return() - lb_handover_return(), good enough once the flag says main
 *
 * A record that could not be written is reported here: it is no reason to stay in recovery.
 */
int lb_job_return(struct lb_recovery *r, const struct lb_result *result,
		  struct lb_error *err) LB_MUST_CHECK;

/*
 * Main was not changed (@code, and @why if there is more to say): result, state and flag, as
 * lb_job_return(). @in: the last attempt.
 */
int lb_job_give_back(struct lb_recovery *r, const struct lb_job_order *job, const struct lb_install *in,
		     int code, const struct lb_error *why, enum lb_recovery_end *end,
		     struct lb_error *err) LB_MUST_CHECK;

/* Everything matches on the medium: notes where it came from, then lb_handover_finish(). */
int lb_job_hand_over(struct lb_recovery *r, const struct lb_job_order *job, const struct lb_install *in,
		     enum lb_recovery_end *end, struct lb_error *err) LB_MUST_CHECK;

/* Before the flag says main: lb_copies_mend(). @worked: the copy that runs has installed main. */
void lb_job_mend_copies(struct lb_recovery *r, bool worked);

/* The @n-th place to try: the job's URLs first, then what lies on inserted media. False: no more. */
bool lb_job_place(struct lb_recovery *r, const struct lb_job_order *job, uint32_t n, char *ret, size_t size);
uint32_t lb_job_places(struct lb_recovery *r, const struct lb_job_order *job);

/*
 * What the release at place @n, which is job->used_url, has to be above while main is good: on a medium that of main, so that
 * nobody is set back because a stick was left in. 0: no matter.
 */
uint64_t lb_job_release_to_beat(struct lb_recovery *r, const struct lb_job_order *job, uint32_t n);

/* A number for what lies on inserted media and waits at the page; 0: nothing. */
uint32_t lb_job_offers(struct lb_recovery *r);

/* lb_job_run() for a person: nothing that was offered can be installed, main is as it was */
#define LB_JOB_REFUSED 1

struct lb_patience lb_job_patience(struct lb_recovery *r, struct lb_job_order *job);

/* The result record as @job stands; @in may be NULL. */
void lb_job_result(struct lb_recovery *r, const struct lb_job_order *job,
		   const struct lb_install *in, int code, const char *text,
		   struct lb_result *ret);

/**
 * lb_job_run() - try every place in turn until it is installed
 *
 * While main is untouched a refusal or the time limit ends it; afterwards only
 * success does, or -LB_E_FIT: everything is as it was signed, and yet the
 * bootloader would not take it. An error too when the state record can no longer be
 * read: its device is gone, and what is in the slots could not be put on record.
 */
int lb_job_run(struct lb_recovery *r, struct lb_job_order *job, enum lb_recovery_end *end,
	       struct lb_error *err) LB_MUST_CHECK;

/* Records that name places for the very manifest that was begun: it may have come from a stick. */
void lb_job_add_known(struct lb_recovery *r, const uint8_t manifest[LB_SHA256_BYTES],
		      struct lb_job_order *job);

/**
 * lb_job_erase() - carry out the reset that is on record, until it is done
 *
 * A region that fails is tried again for as long as it takes: what was to be erased is not left
 * behind. Return: 0; 1: stopped; otherwise the log cannot be written.
 */
int lb_job_erase(struct lb_recovery *r, struct lb_job_order *job, struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_job_visit() - wait for what a person brings, and try it
 * @main_is_good: nobody came, or it was cancelled: main is started again (on trial if the job
 * is to examine it); false: waits for as long as it takes
 *
 * What is refused leaves main as it was and the person here. The idle limit counts from the
 * last thing that happened. Return: as lb_job_run().
 */
int lb_job_visit(struct lb_recovery *r, struct lb_job_order *job, bool main_is_good,
		 enum lb_recovery_end *end, struct lb_error *err) LB_MUST_CHECK;

/* Is what failed its trial the only release that a rescue could fetch? */
bool lb_job_remedy_is_what_failed(struct lb_recovery *r, const struct lb_state *s);

/* Enters or continues rescue; afterwards the job knows what to fetch. */
int lb_job_prepare_rescue(struct lb_recovery *r, const struct lb_state *s,
			  struct lb_job_order *job, struct lb_error *err) LB_MUST_CHECK;

/* Main was written with something that never can be booted: is another release known? */
bool lb_job_can_rescue(struct lb_recovery *r, const struct lb_job_order *job,
		       const struct lb_install *in);

/* The network as the records say: before anything is fetched, and again while nothing answers. */
void lb_job_network_up(struct lb_recovery *r, struct lb_job_order *job);

#endif
