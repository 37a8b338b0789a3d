// SPDX-License-Identifier: GPL-2.0-or-later
/* The serving process: gives up every right that it can before it reads the first byte. */
#define _GNU_SOURCE /* setresuid() */
#include <grp.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "linux/clock.h"
#include "web.h"

#define NOBODY 65534
#define FOLDER "/run/lifeboat-page.XXXXXX"
#define MEMORY_MAX (16ul << 20)
#define FILES_MAX 32ul

static bool limit(int what, unsigned long most)
{
	struct rlimit l = { .rlim_cur = most, .rlim_max = most };

	return !setrlimit(what, &l);
}

/* An empty root folder that nobody can put anything into: it is removed while we are in it. */
static bool leave_files_behind(void)
{
	char folder[] = FOLDER;

	return mkdtemp(folder) && !chdir(folder) && !rmdir(folder) && !chroot(".");
}

static bool drop_rights(void)
{
	bool root = !geteuid();

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return false;
	if (!limit(RLIMIT_DATA, MEMORY_MAX) || !limit(RLIMIT_NOFILE, FILES_MAX) ||
	    !limit(RLIMIT_FSIZE, 0) || !limit(RLIMIT_CORE, 0))
		return false;
	if (!root)
		return true; /* a workstation: no more than its user may */
	if (!leave_files_behind())
		return false;
	/* a change of credentials takes the death signal away */
	return !setgroups(0, NULL) && !setresgid(NOBODY, NOBODY, NOBODY) &&
	       !setresuid(NOBODY, NOBODY, NOBODY) && limit(RLIMIT_NPROC, 0) &&
	       !prctl(PR_SET_DUMPABLE, 0) && !prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void mute(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd < 3; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			close(fd);
}

int web_serve(void)
{
	struct web_options opt;
	struct web_server *s;

	signal(SIGPIPE, SIG_IGN);
	mute();
	if (recv(WEB_LINK_FD, &opt, sizeof(opt), 0) != (ssize_t)sizeof(opt) || !drop_rights())
		return 1;
	s = calloc(1, sizeof(*s));
	if (!s)
		return 1;
	s->opt = &opt;
	s->clock = lb_clock_system();
	s->listen_fd = WEB_LISTEN_FD;
	s->link_fd = WEB_LINK_FD;
	web_server_run(s);
	free(s);
	return 0;
}
