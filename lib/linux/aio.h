/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One read at a time that goes on while the program does something else: Linux's asynchronous
 * I/O, which for O_DIRECT needs no thread. io_submit(2), CONFIG_AIO.
 */
#ifndef LB_LINUX_AIO_H
#define LB_LINUX_AIO_H

#include <linux/aio_abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lb_aio {
	aio_context_t ctx; /* 0: not set up */
	bool refused;	   /* this kernel has none, or not for this file */
	bool reading;	   /* what is below is under way */
	struct iocb cb;
};

/* Begins to read; false: it does not. @buf is the kernel's until lb_aio_wait(). @a: begins as zeros. */
bool lb_aio_read(struct lb_aio *a, int fd, uint64_t offset, void *buf, size_t len);

/* Is that what is under way? */
bool lb_aio_is(const struct lb_aio *a, uint64_t offset, const void *buf, size_t len);

/* Blocks until what was begun is done: bytes that were read, or a negative errno; 0 if there is nothing. */
int64_t lb_aio_wait(struct lb_aio *a);

void lb_aio_close(struct lb_aio *a);

#endif
