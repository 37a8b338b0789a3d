// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* syscall */
#include "linux/aio.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

bool lb_aio_read(struct lb_aio *a, int fd, uint64_t offset, void *buf, size_t len)
{
	struct iocb *list[] = { &a->cb };

	if (a->refused || a->reading)
		return false;
	if (!a->ctx && syscall(SYS_io_setup, 1, &a->ctx)) {
		a->refused = true;
		return false;
	}
	a->cb = (struct iocb){
		.aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = (uint32_t)fd,
		.aio_buf = (uintptr_t)buf, .aio_nbytes = len, .aio_offset = (int64_t)offset,
	};
	a->reading = syscall(SYS_io_submit, a->ctx, 1L, list) == 1;
	a->refused = !a->reading;
	return a->reading;
}

bool lb_aio_is(const struct lb_aio *a, uint64_t offset, const void *buf, size_t len)
{
	return a->reading && a->cb.aio_offset == (int64_t)offset &&
	       a->cb.aio_buf == (uintptr_t)buf && a->cb.aio_nbytes == len;
}

int64_t lb_aio_wait(struct lb_aio *a)
{
	struct io_event event = { 0 };
	long n;

	if (!a->reading)
		return 0;
	do {
		n = syscall(SYS_io_getevents, a->ctx, 1L, 1L, &event, NULL);
	} while (n < 0 && errno == EINTR);
	a->reading = false;
	if (n == 1)
		return event.res;
	(void)syscall(SYS_io_destroy, a->ctx); /* which waits for what is under way */
	a->ctx = 0;
	a->refused = true;
	return -EIO;
}

void lb_aio_close(struct lb_aio *a)
{
	(void)lb_aio_wait(a);
	if (a->ctx)
		(void)syscall(SYS_io_destroy, a->ctx);
	a->ctx = 0;
}
