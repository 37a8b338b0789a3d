// SPDX-License-Identifier: GPL-2.0-or-later
#include "health.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process.h"

/* What a check may ask about the release it judges. */
struct surroundings {
	char release[48], version[LB_VERSION_MAX + 32], trial[24];
	const char *envp[5];
};

static void describe(const struct agent *a, bool trial, struct surroundings *s)
{
	snprintf(s->release, sizeof(s->release), "LIFEBOAT_RELEASE=%" PRIu64, a->running.release);
	snprintf(s->version, sizeof(s->version), "LIFEBOAT_VERSION=%s", a->running.version);
	snprintf(s->trial, sizeof(s->trial), "LIFEBOAT_TRIAL=%d", trial);
	s->envp[0] = AGENT_PATH_ENV;
	s->envp[1] = s->release;
	s->envp[2] = s->version;
	s->envp[3] = s->trial;
	s->envp[4] = NULL;
}

static int judge(const char *name, const struct agent_process *p, uint64_t limit_ms,
		 struct lb_error *err)
{
	switch (p->end) {
	case AGENT_PROCESS_EXITED:
		if (!p->value)
			return 0;
		return lb_error_set(err, LB_E_HEALTH, "health check %.60s failed with status %d%s%.100s",
				    name, p->value, *p->last_line ? ": " : "", p->last_line);
	case AGENT_PROCESS_SIGNALLED:
		return lb_error_set(err, LB_E_HEALTH, "health check %.60s died of signal %d", name,
				    p->value);
	case AGENT_PROCESS_TIMEOUT:
		return lb_error_set(err, LB_E_HEALTH,
				    "health check %.60s did not end within %" PRIu64 " s", name,
				    limit_ms / 1000);
	case AGENT_PROCESS_INTERRUPTED:
		return lb_error_set(err, LB_E_AGAIN, "health check %.60s was interrupted", name);
	default:
		return lb_error_set(err, LB_E_HEALTH, "health check %.60s cannot be started: %s",
				    name, strerror(p->value));
	}
}

/* One program; editors' leftovers and files that are not executable are passed over. */
static int run_one(const struct agent *a, const char *name, const struct surroundings *s,
		   uint64_t limit_ms, int stop_fd, struct lb_error *err)
{
	char path[LB_CONFIG_PATH_MAX + 258];
	const char *argv[2] = { path, NULL };
	struct agent_process p;
	struct stat st;
	int rc;

	snprintf(path, sizeof(path), "%s/%s", a->set.health_dir, name);
	if (stat(path, &st) || !S_ISREG(st.st_mode) || access(path, X_OK)) {
		agent_detail(a, "health check %s is no executable file: passed over", name);
		return 0;
	}
	agent_process_run(a, argv, s->envp, name, limit_ms, stop_fd, &p);
	rc = judge(name, &p, limit_ms, err);
	if (!rc)
		agent_detail(a, "health check %s passed", name);
	return rc;
}

static int is_check(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return e->d_name[0] != '.' && e->d_name[len - 1] != '~';
}

static int run_all(const struct agent *a, struct dirent **names, int count,
		   const struct surroundings *s, int stop_fd, struct lb_error *err)
{
	uint64_t start = lb_clock_ms(a->clock), total_ms = a->set.health_total_s * 1000;
	int rc = 0;

	for (int i = 0; !rc && i < count; i++) {
		uint64_t spent = lb_clock_ms(a->clock) - start;
		uint64_t limit_ms = a->set.health_timeout_s * 1000;

		if (spent >= total_ms)
			return lb_error_set(err, LB_E_HEALTH,
					    "health checks did not end within %" PRIu64
					    " s together; %.60s was not run",
					    a->set.health_total_s, names[i]->d_name);
		if (limit_ms > total_ms - spent)
			limit_ms = total_ms - spent;
		rc = run_one(a, names[i]->d_name, s, limit_ms, stop_fd, err);
	}
	return rc;
}

int agent_health_check(const struct agent *a, bool trial, int stop_fd, struct lb_error *err)
{
	struct surroundings s;
	struct dirent **names;
	int count, rc;

	count = scandir(a->set.health_dir, &names, is_check, alphasort);
	if (count < 0 && errno == ENOENT) {
		agent_detail(a, "no health checks: %s does not exist", a->set.health_dir);
		return 0;
	}
	if (count < 0)
		return lb_error_set(err, LB_E_IO, "health checks in %.120s cannot be read: %s",
				    a->set.health_dir, strerror(errno));
	describe(a, trial, &s);
	rc = run_all(a, names, count, &s, stop_fd, err);
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
	return rc;
}
