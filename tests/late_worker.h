/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A worker that does nothing until it is waited for: who changes what the work still
 * needs, or relies on it too early, is found out every time.
 */
#ifndef LB_TESTS_LATE_WORKER_H
#define LB_TESTS_LATE_WORKER_H

#include "port/worker.h"

struct late_worker {
	struct lb_worker worker;
	lb_work *work; /* NULL: nothing is under way */
	void *ctx;
};

static inline void late_worker_start(struct lb_worker *w, lb_work *work, void *ctx)
{
	struct late_worker *late = (struct late_worker *)w;

	late->work = work;
	late->ctx = ctx;
}

static inline void late_worker_wait(struct lb_worker *w)
{
	struct late_worker *late = (struct late_worker *)w;
	lb_work *work = late->work;

	late->work = NULL;
	if (work)
		work(late->ctx);
}

static inline struct lb_worker *late_worker_init(struct late_worker *late)
{
	static const struct lb_worker_ops ops = { .start = late_worker_start, .wait = late_worker_wait };

	*late = (struct late_worker){ .worker = { &ops } };
	return &late->worker;
}

#endif
