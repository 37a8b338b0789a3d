// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

int lb_lock_take(const char *path, struct lb_error *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int busy;

	if (fd < 0)
		return lb_error_set(err, LB_E_IO, "%s: cannot be opened: %s", path,
				    strerror(errno));
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return fd;
	busy = errno == EWOULDBLOCK;
	close(fd);
	return lb_error_set(err, busy ? LB_E_BUSY : LB_E_IO,
			    "%s: another program holds the lock", path);
}
