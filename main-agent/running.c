// SPDX-License-Identifier: GPL-2.0-or-later
#include "running.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "files.h"

#define RELEASE_FILE_MAX 4096

/* The value of "KEY=value" with one pair of quotes taken off, NULL for other lines. */
static char *value_of(char *line, const char *key)
{
	size_t len = strlen(key);
	char *v, *end;

	if (strncasecmp(line, key, len) || line[len] != '=')
		return NULL;
	v = line + len + 1;
	end = v + strcspn(v, "\r\n");
	while (end > v && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = '\0';
	if ((*v == '"' || *v == '\'') && end - v >= 2 && end[-1] == *v) {
		end[-1] = '\0';
		v++;
	}
	return v;
}

static int read_release(const char *path, const char *v, uint64_t *ret, struct lb_error *err)
{
	char *end;

	errno = 0;
	*ret = strtoull(v, &end, 10);
	if (errno || *end || *v < '0' || *v > '9' || !*ret || *ret >> 53)
		return lb_error_set(err, LB_E_FORMAT, "%.120s: release \"%.40s\" is no number from 1",
				    path, v);
	return 0;
}

int agent_running_read(const char *path, struct agent_running *ret, struct lb_error *err)
{
	struct agent_running r = { 0 };
	char text[RELEASE_FILE_MAX], *save, *v;
	ptrdiff_t len = agent_file_read(path, text, sizeof(text), err);
	int rc;

	if (len < 0)
		return (int)len;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		v = value_of(line, "release");
		rc = v ? read_release(path, v, &r.release, err) : 0;
		if (rc)
			return rc;
		v = value_of(line, "version");
		if (v)
			snprintf(r.version, sizeof(r.version), "%.63s", v);
	}
	if (!r.release)
		return lb_error_set(err, LB_E_NOT_FOUND, "%.150s names no release", path);
	*ret = r;
	return 0;
}
