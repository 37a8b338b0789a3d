// SPDX-License-Identifier: GPL-2.0-or-later
#include "other_tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOT_FOUND 127
#define MORE_FOLDERS ":/usr/sbin:/sbin"

static void search_more_folders(void)
{
	const char *path = getenv("PATH");
	char more[4096];

	if ((size_t)snprintf(more, sizeof(more), "%s" MORE_FOLDERS, path ? path : "/usr/bin:/bin") <
	    sizeof(more))
		setenv("PATH", more, 1);
}

static void become(const char *const words[], int input, int output)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	search_more_folders();
	if (dup2(input < 0 ? null : input, STDIN_FILENO) >= 0 &&
	    dup2(output < 0 ? null : output, STDOUT_FILENO) >= 0)
		execvp(words[0], (char *const *)words);
	_exit(errno == ENOENT ? NOT_FOUND : 126);
}

int other_tool_start(struct other_tool *t, const char *const words[], const char *package, int input,
		     int output, struct lb_error *err)
{
	pid_t pid = fork();

	if (pid < 0)
		return lb_error_set(err, LB_E_IO, "%s cannot be started: %s", words[0], strerror(errno));
	if (!pid)
		become(words, input, output);
	*t = (struct other_tool){ .name = words[0], .package = package, .pid = pid };
	return 0;
}

int other_tool_wait(struct other_tool *t, struct lb_error *err)
{
	int status;

	while (waitpid(t->pid, &status, 0) < 0)
		if (errno != EINTR)
			return lb_error_set(err, LB_E_IO, "%s is lost: %s", t->name, strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_FOUND)
		return lb_error_set(err, LB_E_NOT_FOUND, "%s is not installed; it comes with %s", t->name,
				    t->package);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return lb_error_set(err, LB_E_IO, "%s failed", t->name);
	return 0;
}

int other_tool_run(const char *const words[], const char *package, int input, int output,
		   struct lb_error *err)
{
	struct other_tool t;
	int rc = other_tool_start(&t, words, package, input, output, err);

	return rc ? rc : other_tool_wait(&t, err);
}
