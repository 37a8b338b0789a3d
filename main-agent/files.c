// SPDX-License-Identifier: GPL-2.0-or-later
#include "files.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "linux/fs.h"
#include "linux/lock.h"

#define LOCK_STEP_MS 100

void agent_path(char *ret, const char *dir, const char *name)
{
	snprintf(ret, AGENT_PATH_MAX, "%s/%s", dir, name);
}

ptrdiff_t agent_file_read(const char *path, char *buf, size_t size, struct lb_error *err)
{
	ptrdiff_t len = lb_fs_read(path, buf, size - 1, err);

	if (len >= 0)
		buf[len] = '\0';
	return len;
}

/* The parent of @path, one level: a whole missing tree is a wrong setting. */
static void make_folder(const char *path)
{
	char dir[AGENT_PATH_MAX];
	char *slash;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (!slash || slash == dir)
		return;
	*slash = '\0';
	(void)!mkdir(dir, 0755); /* whoever opens the file tells when that did not help */
}

int agent_file_write(const char *path, const void *data, size_t len, struct lb_error *err)
{
	make_folder(path);
	return lb_fs_write(path, data, len, 0600, err);
}

int agent_lock(const struct agent *a, const char *name, uint32_t wait_ms, struct lb_error *err)
{
	char path[AGENT_PATH_MAX];
	uint32_t waited = 0;
	int fd;

	agent_path(path, a->set.run_dir, name);
	make_folder(path);
	while ((fd = lb_lock_take(path, err)) == -LB_E_BUSY && waited < wait_ms) {
		lb_clock_sleep(a->clock, LOCK_STEP_MS);
		waited += LOCK_STEP_MS;
	}
	return fd;
}
