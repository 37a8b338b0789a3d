// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "written.h"

#include <linux/ptrace.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* In glibc's header, too, but without the structure on older systems. */
long ptrace(int request, ...);

/* Which argument of a call is the file that is written to; -1: it writes none. */
static int file_argument(uint64_t number)
{
	switch (number) {
	case SYS_write:
	case SYS_pwrite64:
	case SYS_writev:
	case SYS_pwritev:
	case SYS_pwritev2:
	case SYS_sendfile:
		return 0;
	case SYS_copy_file_range:
	case SYS_splice:
		return 2;
	default:
		return -1;
	}
}

static bool is_below(const struct written *w, pid_t tid, int fd)
{
	char link[64], path[4096];
	size_t len = strlen(w->folder);
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)tid, fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0 || (size_t)n <= len)
		return false;
	path[n] = '\0';
	return !strncmp(path, w->folder, len) && path[len] == '/';
}

/* The slot of @tid, or of nobody when @tid is 0. */
static pid_t *calling(struct written *w, pid_t tid)
{
	for (unsigned int i = 0; i < WRITTEN_THREADS_MAX; i++)
		if (w->calling[i] == tid)
			return &w->calling[i];
	return NULL;
}

void written_stop(struct written *w, pid_t tid)
{
	struct ptrace_syscall_info info;
	pid_t *slot;
	int arg;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) <= 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
		slot = calling(w, tid);
		if (!slot)
			return;
		*slot = 0;
		if (!info.exit.is_error && info.exit.rval > 0)
			w->bytes += (uint64_t)info.exit.rval;
	} else if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		arg = file_argument(info.entry.nr);
		if (arg < 0 || !is_below(w, tid, (int)info.entry.args[arg]))
			return;
		slot = calling(w, 0);
		if (slot)
			*slot = tid;
	}
}
