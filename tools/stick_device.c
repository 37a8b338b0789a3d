// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cli.h"
#include "other_tool.h"
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

int stick_claim(struct stick_medium *m, struct lb_error *err)
{
	if (!m->is_device || m->claim >= 0)
		return 0;
	m->claim = open(m->path, O_RDWR | O_EXCL | O_CLOEXEC);
	if (m->claim >= 0)
		return 0;
	return errno == EBUSY ? lb_error_set(err, LB_E_BUSY, "%s is mounted, or in use otherwise", m->name)
			      : cli_errno(err, m->name, "opened");
}

/* @device: what was found removable before it was opened. */
static int examine(struct stick_medium *m, dev_t device, struct lb_error *err)
{
	struct stat st;
	off_t size;
	int rc;

	if (fstat(m->fd, &st) || !S_ISBLK(st.st_mode) || st.st_rdev != device)
		return lb_error_set(err, LB_E_CHANGED, "%s is another disk by now", m->name);
	rc = stick_claim(m, err);
	if (rc)
		return rc;
	size = lseek(m->fd, 0, SEEK_END);
	if (size <= 0)
		return lb_error_set(err, LB_E_IO, "%s has no medium in it", m->name);
	m->bytes = (uint64_t)size;
	return 0;
}

int stick_device_open(const char *name, bool force, struct stick_medium *ret, struct lb_error *err)
{
	struct stat st;
	int rc;

	if (stat(name, &st))
		return cli_errno(err, name, "looked at");
	if (!force && !is_removable(st.st_rdev))
		return lb_error_set(err, LB_E_REFUSED,
				    "%s is not removable: if it is the right disk, all of it is erased with --force",
				    name);
	*ret = (struct stick_medium){ .name = name, .claim = -1, .is_device = true };
	ret->fd = open(name, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (ret->fd < 0)
		return errno == EBUSY ? lb_error_set(err, LB_E_BUSY, "%s is mounted, or in use otherwise", name)
				      : cli_errno(err, name, "opened");
	cli_fd_path(ret->fd, ret->path);
	rc = examine(ret, st.st_rdev, err);
	if (rc)
		stick_close(ret);
	return rc;
}

void stick_image(const char *name, int fd, struct stick_medium *ret)
{
	*ret = (struct stick_medium){ .name = name, .fd = fd, .claim = -1 };
	cli_fd_path(fd, ret->path);
}

static void release(struct stick_medium *m)
{
	if (m->claim >= 0)
		close(m->claim);
	m->claim = -1;
}

void stick_close(struct stick_medium *m)
{
	release(m);
	if (m->is_device && m->fd >= 0)
		close(m->fd);
	m->fd = -1;
}

int stick_format(struct stick_medium *m, struct lb_error *err)
{
	const char *const format[] = { "mkfs.vfat", "-F", "32", "-I", "-n", "LIFEBOAT", m->path, NULL };
	const char *const folder[] = { "mmd", "-i", m->path, "::/" STICK_FOLDER, NULL };
	int rc;

	release(m);
	rc = other_tool_run(format, "dosfstools", -1, -1, err);
	if (!rc)
		rc = stick_claim(m, err);
	return rc ? rc : other_tool_run(folder, "mtools", -1, -1, err);
}
