// SPDX-License-Identifier: GPL-2.0-or-later
#include "report_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/bytes.h"
#include "linux/fs.h"

#define TEMPORARY "lifeboat-report.tmp"
#define SAFE_FLAGS (MS_NOSUID | MS_NODEV | MS_NOEXEC)

/* docs.kernel.org, "ext4: The Super Block": at byte 1024, s_feature_incompat at 0x60 of it */
#define EXT4_MAGIC 0xef53
#define EXT4_INCOMPAT_AT (1024 + 0x60)
#define EXT4_NEEDS_RECOVERY 0x4u

static int put_file(int dir, const struct report_file *f)
{
	int fd, bad, error;

	unlinkat(dir, TEMPORARY, 0); /* of a run that was cut */
	fd = openat(dir, TEMPORARY, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -1;
	bad = lb_fs_write_all(fd, f->data, f->len) || fsync(fd) ? -1 : 0;
	error = errno;
	if (close(fd) && !bad) {
		bad = -1;
		error = errno;
	}
	if (!bad) {
		bad = renameat(dir, TEMPORARY, dir, f->name);
		error = errno;
	}
	if (bad)
		unlinkat(dir, TEMPORARY, 0);
	errno = error;
	return bad;
}

/* The mount that @dir is on, whatever is mounted at its path by now. */
static int remount(int dir, unsigned long flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", dir);
	return mount(NULL, path, NULL, MS_REMOUNT | SAFE_FLAGS | flags, NULL);
}

static int open_device(dev_t device)
{
	char path[64], target[256], *name;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(device), minor(device));
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -1;
	target[n] = '\0';
	name = strrchr(target, '/');
	snprintf(path, sizeof(path), "/dev/%.40s", name ? name + 1 : target);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/*
 * An ext4 that was pulled while it was written to is read without replaying its journal. To write
 * there would take blocks that the journal has given to files already.
 */
static bool journal_is_done(int dir, dev_t device)
{
	uint8_t features[4];
	struct statfs fs;
	bool done;
	int fd;

	if (fstatfs(dir, &fs))
		return false;
	if (fs.f_type != EXT4_MAGIC)
		return true;
	fd = open_device(device);
	done = fd >= 0 && pread(fd, features, sizeof(features), EXT4_INCOMPAT_AT) == sizeof(features) &&
	       !(lb_get_le32(features) & EXT4_NEEDS_RECOVERY);
	if (fd >= 0)
		close(fd);
	return done;
}

static int put_files(int dir, const char *folder, const struct report_file *files, size_t count,
		     struct lb_error *err)
{
	for (size_t i = 0; i < count; i++)
		if (put_file(dir, &files[i]))
			return lb_error_set(err, LB_E_IO, "%s/%s cannot be written: %s", folder,
					    files[i].name, strerror(errno));
	fsync(dir); /* not every file system knows that of folders; the remount flushes too */
	return 0;
}

static int put_in(int dir, const char *folder, dev_t device, const struct report_file *files,
		  size_t count, struct lb_error *err)
{
	struct statvfs fs;
	bool read_only;
	int r;

	if (fstatvfs(dir, &fs))
		return lb_error_set(err, LB_E_IO, "%s: %s", folder, strerror(errno));
	read_only = fs.f_flag & ST_RDONLY;
	if (read_only && !journal_is_done(dir, device))
		return lb_error_set(err, LB_E_READ_ONLY, "%s takes no report: its journal was not replayed",
				    folder);
	if (read_only && remount(dir, 0))
		return lb_error_set(err, LB_E_READ_ONLY, "%s takes no report: %s", folder, strerror(errno));
	r = put_files(dir, folder, files, count, err);
	if (read_only && remount(dir, MS_RDONLY) && !r)
		r = lb_error_set(err, LB_E_IO, "%s stays writable: %s", folder, strerror(errno));
	return r;
}

int report_file_put(const char *folder, dev_t device, const struct report_file *files, size_t count,
		    struct lb_error *err)
{
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int r;

	if (dir < 0 || fstat(dir, &st) || st.st_dev != device)
		r = lb_error_set(err, LB_E_NOT_FOUND, "%s: the medium is gone", folder);
	else
		r = put_in(dir, folder, device, files, count, err);
	if (dir >= 0)
		close(dir);
	return r;
}
