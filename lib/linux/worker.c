// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux/worker.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#define STACK_BYTES (128u * 1024u)

struct thread_worker {
	struct lb_worker worker;
	pthread_t thread;
	sem_t begun, done;
	lb_work *work; /* NULL: the thread ends */
	void *ctx;
	bool under_way; /* the caller's */
};

static struct thread_worker *to_thread(struct lb_worker *w)
{
	return (struct thread_worker *)w;
}

static void wait_for(sem_t *s)
{
	while (sem_wait(s) && errno == EINTR)
		;
}

static void *run(void *arg)
{
	struct thread_worker *t = arg;

	for (;;) {
		wait_for(&t->begun);
		if (!t->work)
			return NULL;
		t->work(t->ctx);
		sem_post(&t->done);
	}
}

static void thread_start(struct lb_worker *w, lb_work *work, void *ctx)
{
	struct thread_worker *t = to_thread(w);

	t->work = work;
	t->ctx = ctx;
	t->under_way = true;
	sem_post(&t->begun);
}

static void thread_wait(struct lb_worker *w)
{
	struct thread_worker *t = to_thread(w);

	if (t->under_way)
		wait_for(&t->done);
	t->under_way = false;
}

/* Signals are for the thread that was there before. 0, or an errno. */
static int start_thread(struct thread_worker *t)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int error = pthread_attr_init(&attr);

	if (error)
		return error;
	sigfillset(&all);
	error = pthread_attr_setstacksize(&attr, STACK_BYTES);
	if (!error)
		error = pthread_sigmask(SIG_SETMASK, &all, &before);
	if (!error) {
		error = pthread_create(&t->thread, &attr, run, t);
		(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	pthread_attr_destroy(&attr);
	return error;
}

struct lb_worker *lb_worker_open(void)
{
	static const struct lb_worker_ops ops = { .start = thread_start, .wait = thread_wait };
	struct thread_worker *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->worker.ops = &ops;
	sem_init(&t->begun, 0, 0);
	sem_init(&t->done, 0, 0);
	if (start_thread(t)) {
		sem_destroy(&t->begun);
		sem_destroy(&t->done);
		free(t);
		return NULL;
	}
	return &t->worker;
}

void lb_worker_close(struct lb_worker *w)
{
	struct thread_worker *t = to_thread(w);

	if (!t)
		return;
	thread_wait(w);
	t->work = NULL;
	sem_post(&t->begun);
	pthread_join(t->thread, NULL);
	sem_destroy(&t->begun);
	sem_destroy(&t->done);
	free(t);
}
