/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A worker that is a thread. */
#ifndef LB_LINUX_WORKER_H
#define LB_LINUX_WORKER_H

#include "port/worker.h"

/* NULL: the system gives no thread; whoever gets it works without. To be closed with lb_worker_close(). */
struct lb_worker *lb_worker_open(void);

/* Waits for what is under way. NULL is fine. */
void lb_worker_close(struct lb_worker *w);

#endif
