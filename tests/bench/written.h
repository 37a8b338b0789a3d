/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes that programs under ptrace write to files below a folder, as their system calls
 * say. (The kernel's own account, write_bytes in /proc/PID/io, counts whole folios for a
 * few dirty bytes.) What is written through mmap() is not seen.
 */
#ifndef BENCH_WRITTEN_H
#define BENCH_WRITTEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define WRITTEN_THREADS_MAX 1024

struct written {
	const char *folder; /* borrowed; NULL: nothing is counted */
	uint64_t bytes;
	/* threads inside a call that writes there; 0: free */
	pid_t calling[WRITTEN_THREADS_MAX];
};

/* @tid stopped before or after a system call. */
void written_stop(struct written *w, pid_t tid);

#endif
