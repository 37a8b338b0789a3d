// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* pipe2 */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX (64 * 1024)
#define REBOOT_LIMIT_MS 60000
#define FD_LIMIT 1024
#define POLL_STEP_MS 50

static void close_others(void)
{
	if (!syscall(SYS_close_range, 3u, ~0u, 0u))
		return;
	for (int fd = 3; fd < FD_LIMIT; fd++)
		(void)close(fd);
}

/* In the child, between fork and exec: only system calls. */
static void __attribute__((noreturn)) become(const char *const *argv, const char *const *envp,
					     int output)
{
	struct sigaction plain = { .sa_handler = SIG_DFL };
	sigset_t none;
	int null = open("/dev/null", O_RDONLY);

	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int s = 1; s < 32; s++)
		(void)sigaction(s, &plain, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (null < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
		_exit(126);
	close_others();
	(void)!chdir("/");
	execve(argv[0], (char *const *)argv, (char *const *)envp);
	_exit(127);
}

/* The program's output as log lines. */
struct output {
	int fd;
	size_t used, total;
	char line[256];
};

static void flush_line(const struct agent *a, const char *name, struct output *o,
		       struct agent_process *p)
{
	if (!o->used)
		return;
	o->line[o->used] = '\0';
	for (char *c = o->line; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	if (o->total <= OUTPUT_MAX)
		agent_say(a, "%s: %s", name, o->line);
	snprintf(p->last_line, sizeof(p->last_line), "%.127s", o->line);
	o->used = 0;
}

/* False at the end of the output. */
static bool take_output(const struct agent *a, const char *name, struct output *o,
			struct agent_process *p)
{
	char buf[512];
	ssize_t n = read(o->fd, buf, sizeof(buf));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	for (ssize_t i = 0; i < n; i++) {
		if (buf[i] == '\n' || o->used == sizeof(o->line) - 1)
			flush_line(a, name, o, p);
		if (buf[i] != '\n')
			o->line[o->used++] = buf[i];
	}
	o->total += (size_t)n;
	return n > 0;
}

static bool reap(pid_t pid, struct agent_process *p)
{
	int status;
	pid_t got = waitpid(pid, &status, WNOHANG);

	if (!got || (got < 0 && errno == EINTR))
		return false;
	p->end = got == pid && WIFEXITED(status) ? AGENT_PROCESS_EXITED : AGENT_PROCESS_SIGNALLED;
	p->value = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
	return true;
}

/*
 * Until the program ends, its time is over or a signal asks to stop. A program
 * that leaves its output open to a grandchild ends all the same.
 */
static void follow(const struct agent *a, const char *name, pid_t pid, uint64_t timeout_ms,
		   int stop_fd, struct output *o, struct agent_process *p)
{
	uint64_t start = lb_clock_ms(a->clock);
	struct pollfd fds[2] = { { .fd = o->fd, .events = POLLIN },
				 { .fd = stop_fd, .events = POLLIN } };

	while (!reap(pid, p)) {
		if (lb_clock_ms(a->clock) - start >= timeout_ms) {
			p->end = AGENT_PROCESS_TIMEOUT;
		} else if (poll(fds, 2, POLL_STEP_MS) > 0 && fds[1].revents) {
			p->end = AGENT_PROCESS_INTERRUPTED;
		} else {
			if (fds[0].revents && !take_output(a, name, o, p))
				fds[0].fd = -1;
			continue;
		}
		(void)kill(-pid, SIGKILL);
		(void)kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		return;
	}
	fds[1].fd = -1;
	while (fds[0].fd >= 0 && poll(fds, 1, 0) > 0 && take_output(a, name, o, p))
		;
	(void)kill(-pid, SIGKILL);
}

void agent_process_run(const struct agent *a, const char *const *argv, const char *const *envp,
		       const char *name, uint64_t timeout_ms, int stop_fd,
		       struct agent_process *ret)
{
	struct output o = { .fd = -1 };
	int pipes[2];
	pid_t pid;

	memset(ret, 0, sizeof(*ret));
	ret->end = AGENT_PROCESS_UNSTARTED;
	if (pipe2(pipes, O_CLOEXEC)) {
		ret->value = errno;
		return;
	}
	pid = fork();
	if (!pid)
		become(argv, envp, pipes[1]);
	ret->value = errno;
	close(pipes[1]);
	if (pid > 0) {
		(void)setpgid(pid, pid);
		o.fd = pipes[0];
		follow(a, name, pid, timeout_ms, stop_fd, &o, ret);
		flush_line(a, name, &o, ret);
	}
	close(pipes[0]);
}

int agent_reboot(const struct agent *a, struct lb_error *err)
{
	static const char *const envp[] = { AGENT_PATH_ENV, NULL };
	const char *argv[AGENT_ARGV_MAX + 1] = { NULL };
	struct agent_process p;

	if (!a->set.reboot_count || a->opt.no_reboot) {
		agent_say(a, "no reboot is asked for: the device goes on with the next one");
		return 0;
	}
	for (uint32_t i = 0; i < a->set.reboot_count; i++)
		argv[i] = a->set.reboot[i];
	agent_say(a, "rebooting with %s", argv[0]);
	agent_process_run(a, argv, envp, "reboot", REBOOT_LIMIT_MS, -1, &p);
	if (p.end == AGENT_PROCESS_EXITED && !p.value)
		return 0;
	return lb_error_set(err, LB_E_IO, "%.80s ended with %d: %.100s", argv[0], p.value,
			    p.last_line);
}
