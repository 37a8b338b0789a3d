// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An external signing command. Its words go to execvp() as they are: no shell
 * sees them. The data are a file of ours that is standard input as well, so that
 * no pipe can fill up.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "signer.h"

#define WORDS_MAX 64

/* Splits @text in place at spaces and tabs; a word {} becomes @path. False: too many. */
static bool split(char *text, char *path, char *ret_words[WORDS_MAX + 1])
{
	size_t n = 0;
	char *save;

	for (char *w = strtok_r(text, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
		if (n == WORDS_MAX)
			return false;
		ret_words[n++] = strcmp(w, "{}") ? w : path;
	}
	ret_words[n] = NULL;
	return n > 0;
}

static int make_input(char *path, const void *data, size_t len, struct lb_error *err)
{
	int fd = mkstemp(path);

	if (fd < 0)
		return cli_errno(err, path, "created");
	if (!cli_write_full(fd, data, len) && !lseek(fd, 0, SEEK_SET))
		return fd;
	close(fd);
	unlink(path);
	return lb_error_set(err, LB_E_IO, "%s cannot be written", path);
}

static void become(char **words, int input, int output)
{
	if (dup2(input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0)
		execvp(words[0], words);
	_exit(127);
}

/* One byte more than a signature may have, to notice that there is more. */
static size_t read_output(int fd, uint8_t buf[LB_SIGNATURE_MAX_BYTES + 1])
{
	size_t used = 0;

	while (used < LB_SIGNATURE_MAX_BYTES + 1) {
		ssize_t n = read(fd, buf + used, LB_SIGNATURE_MAX_BYTES + 1 - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	return used;
}

static int run_words(char **words, int input, struct lb_signature *ret, struct lb_error *err)
{
	uint8_t buf[LB_SIGNATURE_MAX_BYTES + 1];
	int ends[2], status;
	size_t len;
	pid_t pid;

	if (pipe(ends))
		return cli_errno(err, "a pipe", "made");
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		become(words, input, ends[1]);
	}
	close(ends[1]);
	len = pid > 0 ? read_output(ends[0], buf) : 0;
	close(ends[0]);
	if (pid < 0)
		return cli_errno(err, words[0], "started");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return lb_error_set(err, LB_E_SIGNATURE, "the signing command %s %s %d", words[0],
				    WIFEXITED(status) ? "ended with exit code" : "was ended by signal",
				    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	if (!len || len > LB_SIGNATURE_MAX_BYTES)
		return lb_error_set(err, LB_E_SIGNATURE,
				    "the signing command %s did not print 1 to %d bytes", words[0],
				    LB_SIGNATURE_MAX_BYTES);
	memcpy(ret->der, buf, len);
	ret->length = (uint16_t)len;
	return 0;
}

int signer_run(const char *command, const void *data, size_t len, struct lb_signature *ret,
	       struct lb_error *err)
{
	char path[] = "/tmp/lifeboat-sign.XXXXXX";
	char *words[WORDS_MAX + 1], *text = strdup(command);
	int input, rc;

	if (!text)
		return lb_error_set(err, LB_E_NOMEM, "no memory for the signing command");
	if (!split(text, path, words)) {
		free(text);
		return lb_error_set(err, LB_E_INVALID, "the signing command has no or too many words");
	}
	input = make_input(path, data, len, err);
	rc = input < 0 ? input : run_words(words, input, ret, err);
	if (input >= 0) {
		close(input);
		unlink(path);
	}
	free(text);
	return rc;
}
