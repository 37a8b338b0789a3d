// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cli.h"
#include "stick.h"

/* As the kernel says; a partition is as removable as its disk. */
static bool is_removable(dev_t device)
{
	char path[96], answer = '0';
	int fd;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition", major(device), minor(device));
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%sremovable", major(device), minor(device),
		 access(path, F_OK) ? "" : "../");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, &answer, 1) != 1)
		answer = '0';
	close(fd);
	return answer == '1';
}

int stick_device_check(const char *path, bool force, uint64_t *ret_bytes, struct lb_error *err)
{
	struct stat st;
	off_t size;
	int fd;

	if (stat(path, &st))
		return cli_errno(err, path, "looked at");
	if (!force && !is_removable(st.st_rdev))
		return lb_error_set(err, LB_E_REFUSED,
				    "%s is not removable: if it is the right disk, all of it is erased with --force",
				    path);
	/* for a block device that means: nobody else, no mount of it or of a partition */
	fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
	if (fd < 0)
		return errno == EBUSY ? lb_error_set(err, LB_E_BUSY, "%s is mounted, or in use otherwise", path)
				      : cli_errno(err, path, "opened");
	size = lseek(fd, 0, SEEK_END);
	close(fd);
	if (size <= 0)
		return lb_error_set(err, LB_E_IO, "%s has no medium in it", path);
	*ret_bytes = (uint64_t)size;
	return 0;
}
