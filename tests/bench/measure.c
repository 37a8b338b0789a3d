// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * measure: runs a command and tells what it and all its descendants cost.
 *
 *   measure [--sync FILE]... [--count FOLDER [--kill-at BYTES]] [--limit SECONDS]
 *           --out FILE -- COMMAND...
 *
 * FILE gets one JSON object: status, wall_s (to the end of the command, with the flush
 * of each --sync FILE), cpu_s (user and system, of everything that was started),
 * rss_kib (largest VmHWM of one process), tree_rss_kib (largest sum of VmHWM of
 * processes that lived at the same time), processes.
 *
 * Processes are followed with ptrace, which stops them only when one begins or ends: at
 * its end the peak of its memory can still be read. getrusage() would not do, since
 * ru_maxrss also remembers the program that called exec().
 *
 * With --count each system call stops, so times mean nothing: written_bytes is what was
 * written to files below FOLDER, and --kill-at sends SIGKILL to all as soon as it is that
 * much.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "written.h"

#define PROCESSES_MAX 4096
#define SYNC_MAX 8
#define WATCH_US 200000
#define LINGER_S 10.0 /* for what outlives the command */

struct process {
	pid_t pid;
	bool alive;
	unsigned long hwm_kib;
};

struct measurement {
	struct process all[PROCESSES_MAX];
	unsigned int count;
	unsigned long rss_kib, tree_rss_kib;
	const char *sync[SYNC_MAX];
	unsigned int sync_count;
	struct written written;
	uint64_t kill_at;
	double limit_s;
	const char *out;
	pid_t child;
	int status;
	bool killed, late, lingered;
	double begin_s, command_end_s, end_s;
};

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "measure: %s: %s\n", what, strerror(errno));
	exit(125);
}

/* The number behind @name in /proc/PID/FILE; 0 when there is none. */
static unsigned long long proc_number(pid_t pid, const char *file, const char *name)
{
	unsigned long long value = 0;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			value = strtoull(line + strlen(name), NULL, 10);
	fclose(f);
	return value;
}

static struct process *process_of(struct measurement *m, pid_t pid, bool make)
{
	for (unsigned int i = m->count; i-- > 0;)
		if (m->all[i].pid == pid && m->all[i].alive)
			return &m->all[i];
	if (!make)
		return NULL;
	if (m->count == PROCESSES_MAX) {
		errno = E2BIG;
		die("processes");
	}
	m->all[m->count] = (struct process){ .pid = pid, .alive = true };
	return &m->all[m->count++];
}

/* Peaks of all that live now; called when one of them is about to end. */
static void note_memory(struct measurement *m)
{
	unsigned long sum = 0;

	for (unsigned int i = 0; i < m->count; i++) {
		struct process *p = &m->all[i];
		unsigned long hwm;

		if (!p->alive)
			continue;
		hwm = (unsigned long)proc_number(p->pid, "status", "VmHWM:");
		if (hwm > p->hwm_kib)
			p->hwm_kib = hwm;
		if (p->hwm_kib > m->rss_kib)
			m->rss_kib = p->hwm_kib;
		sum += p->hwm_kib;
	}
	if (sum > m->tree_rss_kib)
		m->tree_rss_kib = sum;
}

static void kill_all(struct measurement *m)
{
	for (unsigned int i = 0; i < m->count; i++)
		if (m->all[i].alive)
			kill(m->all[i].pid, SIGKILL);
}

static void watch(struct measurement *m)
{
	double now = now_s();

	if (m->kill_at && !m->killed && m->written.bytes >= m->kill_at) {
		m->killed = true;
		kill_all(m);
	}
	if (m->limit_s > 0 && !m->late && now - m->begin_s > m->limit_s) {
		m->late = true;
		kill_all(m);
	}
	if (m->command_end_s > 0 && !m->lingered && now - m->command_end_s > LINGER_S) {
		m->lingered = true;
		kill_all(m);
	}
}

/* Lets the stopped @pid go on: with its signal, or past an event of ours. */
static void go_on(struct measurement *m, pid_t pid, int status)
{
	int event = status >> 16, sig = WSTOPSIG(status);

	if (event == PTRACE_EVENT_EXIT)
		note_memory(m);
	if (event == PTRACE_EVENT_STOP && sig != SIGTRAP) {
		ptrace(PTRACE_LISTEN, pid, 0, 0);
		return;
	}
	if (sig == (SIGTRAP | 0x80)) {
		written_stop(&m->written, pid);
		sig = 0;
	} else if (event) {
		sig = 0;
		/* memory is asked for under the number of the leader of its threads */
		if (proc_number(pid, "status", "Tgid:") == (unsigned long long)pid)
			process_of(m, pid, true);
	}
	ptrace(m->written.folder ? PTRACE_SYSCALL : PTRACE_CONT, pid, 0, sig);
}

static void ended(struct measurement *m, pid_t pid, int status)
{
	struct process *p = process_of(m, pid, false);

	if (p)
		p->alive = false;
	if (pid != m->child)
		return;
	m->status = status;
	m->command_end_s = now_s();
}

static void follow(struct measurement *m)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0 && errno == ECHILD)
			return;
		if (pid < 0 && errno != EINTR)
			die("waitpid");
		if (pid > 0 && WIFSTOPPED(status))
			go_on(m, pid, status);
		else if (pid > 0)
			ended(m, pid, status);
		watch(m);
	}
}

static void start(struct measurement *m, char **command)
{
	const long options = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
			     PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD;
	int go[2];
	char byte;

	if (pipe2(go, O_CLOEXEC) || prctl(PR_SET_CHILD_SUBREAPER, 1))
		die("start");
	m->child = fork();
	if (m->child < 0)
		die("fork");
	if (!m->child) {
		if (read(go[0], &byte, 1) == 1)
			execvp(command[0], command);
		fprintf(stderr, "measure: %s: %s\n", command[0], strerror(errno));
		_exit(127);
	}
	if (ptrace(PTRACE_SEIZE, m->child, 0, options))
		die("ptrace");
	/* so that it stops once, and is told to stop at system calls from then on */
	if (m->written.folder && ptrace(PTRACE_INTERRUPT, m->child, 0, 0))
		die("ptrace");
	process_of(m, m->child, true);
	m->begin_s = now_s();
	if (write(go[1], "", 1) != 1)
		die("start");
}

static void nothing(int sig)
{
	(void)sig;
}

/* waitpid() is interrupted every @us microseconds, so that watch() gets its turn; 0: never. */
static void tick(long us)
{
	const struct sigaction act = { .sa_handler = nothing };
	const struct itimerval every = { { 0, us }, { 0, us } };

	if (sigaction(SIGALRM, &act, NULL) || setitimer(ITIMER_REAL, &every, NULL))
		die("timer");
}

static void sync_all(const struct measurement *m)
{
	for (unsigned int i = 0; i < m->sync_count; i++) {
		int fd = open(m->sync[i], O_RDONLY | O_CLOEXEC);

		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0 || fsync(fd) || close(fd))
			die(m->sync[i]);
	}
}

static double seconds(const struct rusage *u)
{
	return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) +
	       (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e6;
}

static void tell(const struct measurement *m, double sync_cpu_s, double lasted_s)
{
	struct rusage children;
	FILE *f = fopen(m->out, "we");

	if (!f || getrusage(RUSAGE_CHILDREN, &children))
		die(m->out);
	fprintf(f, "{\"status\": %d, \"signal\": %d, \"killed\": %s, \"late\": %s, \"lingered\": %s, ",
		WIFEXITED(m->status) ? WEXITSTATUS(m->status) : -1,
		WIFSIGNALED(m->status) ? WTERMSIG(m->status) : 0, m->killed ? "true" : "false",
		m->late ? "true" : "false", m->lingered ? "true" : "false");
	fprintf(f, "\"wall_s\": %.6f, \"cpu_s\": %.6f, \"written_bytes\": %llu, ", lasted_s,
		seconds(&children) + sync_cpu_s, (unsigned long long)m->written.bytes);
	fprintf(f, "\"rss_kib\": %lu, \"tree_rss_kib\": %lu, \"processes\": %u}\n", m->rss_kib,
		m->tree_rss_kib, m->count);
	if (fclose(f))
		die(m->out);
}

static char **parse(struct measurement *m, char **argv)
{
	for (argv++; *argv && strcmp(*argv, "--"); argv += 2) {
		if (!argv[1])
			break;
		if (!strcmp(*argv, "--out"))
			m->out = argv[1];
		else if (!strcmp(*argv, "--count"))
			m->written.folder = argv[1];
		else if (!strcmp(*argv, "--kill-at"))
			m->kill_at = strtoull(argv[1], NULL, 10);
		else if (!strcmp(*argv, "--limit"))
			m->limit_s = strtod(argv[1], NULL);
		else if (!strcmp(*argv, "--sync") && m->sync_count < SYNC_MAX)
			m->sync[m->sync_count++] = argv[1];
		else
			break;
	}
	if (m->out && *argv && !strcmp(*argv, "--") && argv[1])
		return argv + 1;
	fputs("usage: measure [--sync FILE]... [--count FOLDER [--kill-at BYTES]] [--limit SECONDS] "
	      "--out FILE -- COMMAND...\n", stderr);
	exit(125);
}

int main(int argc, char **argv)
{
	static struct measurement m;
	char **command = parse(&m, argv);
	struct rusage before, after;
	double sync_begin_s, command_s;

	start(&m, command);
	tick(WATCH_US);
	follow(&m);
	tick(0);
	command_s = m.command_end_s - m.begin_s;
	getrusage(RUSAGE_SELF, &before);
	sync_begin_s = now_s();
	sync_all(&m);
	getrusage(RUSAGE_SELF, &after);
	tell(&m, seconds(&after) - seconds(&before), command_s + now_s() - sync_begin_s);
	return 0;
}
