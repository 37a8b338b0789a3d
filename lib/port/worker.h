/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does one piece of work beside its caller. What a piece of work uses is its own until lb_worker_wait()
 * has returned. Without a worker, NULL, it is done at once, by the caller.
 */
#ifndef LB_PORT_WORKER_H
#define LB_PORT_WORKER_H

typedef void lb_work(void *ctx);

struct lb_worker;

struct lb_worker_ops {
	/* May begin at any time from now on; nothing else is under way. */
	void (*start)(struct lb_worker *w, lb_work *work, void *ctx);
	/* Returns when it is done; at once if nothing is under way. */
	void (*wait)(struct lb_worker *w);
};

struct lb_worker {
	const struct lb_worker_ops *ops; /* borrowed, static */
};

static inline void lb_worker_start(struct lb_worker *w, lb_work *work, void *ctx)
{
	if (w)
		w->ops->start(w, work, ctx);
	else
		work(ctx);
}

static inline void lb_worker_wait(struct lb_worker *w)
{
	if (w)
		w->ops->wait(w);
}

#endif
