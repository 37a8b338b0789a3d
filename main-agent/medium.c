// SPDX-License-Identifier: GPL-2.0-or-later
#include "medium.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux/source_file.h"
#include "memory.h"

/* One look at a medium. */
struct look {
	const struct agent *a;
	const struct agent_device *device;
	const char *folder;
	int64_t now_s;
	struct agent_medium_choice best; /* release 0: none so far */
	struct lb_error why;		 /* not the first one; code 0: all of them can be installed */
	uint32_t count, passed;
};

static int judge(const struct look *l, const char *path, struct agent_medium_choice *ret,
		 struct lb_error *why)
{
	struct agent_bundle b;
	int rc = agent_place_of(l->a, path, &ret->place, why);

	if (rc)
		return rc;
	rc = agent_bundle_open(l->a, &ret->place, l->now_s, &b, why);
	if (!rc)
		rc = agent_bundle_check(l->a, l->device, &b, l->now_s, why);
	ret->release = b.manifest.release;
	memcpy(ret->manifest, b.head.manifest_sha256, sizeof(ret->manifest));
	agent_bundle_close(&b);
	return rc;
}

/* @name: below the medium's folder. The first among equals stays. */
static void look_at(struct look *l, const char *name)
{
	struct agent_medium_choice one = { 0 };
	struct lb_error why = { 0 };
	char path[LB_URL_MAX + 1], shown[121];
	int rc;

	snprintf(shown, sizeof(shown), "%.120s", name);
	agent_plain(shown);
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", l->folder, name) >= sizeof(path))
		rc = lb_error_set(&why, LB_E_INVALID, "its path is longer than %d characters", LB_URL_MAX);
	else
		rc = judge(l, path, &one, &why);
	agent_plain(why.text);
	if (rc)
		agent_say(l->a, "%s: %s (%s)", shown, why.text, lb_error_name(rc));
	else
		agent_say(l->a, "%s holds release %" PRIu64, shown, one.release);
	if (rc && !l->why.code)
		l->why = why;
	if (!rc && one.release > l->best.release)
		l->best = one;
}

/* Takes @fd over. */
static void look_into(struct look *l, const char *below, int fd)
{
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	char name[sizeof(LB_MEDIUM_FOLDER) + 256];
	struct dirent *e;
	struct stat st;

	if (!dir && fd >= 0)
		close(fd);
	while (dir && (e = readdir(dir))) {
		if (!lb_medium_bundle_name(e->d_name) ||
		    fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
			continue;
		if (l->count == AGENT_MEDIUM_FILES) {
			l->passed++;
			continue;
		}
		l->count++;
		snprintf(name, sizeof(name), "%s%s", below, e->d_name);
		look_at(l, name);
	}
	if (dir)
		closedir(dir);
}

static int decide(const struct look *l, struct agent_medium_choice *ret, struct lb_error *err)
{
	if (l->passed)
		agent_say(l->a, "%u more bundles are passed over: %d are looked at", l->passed,
			  AGENT_MEDIUM_FILES);
	if (!l->count && l->a->opt.once) /* it is no stick of ours */
		return AGENT_NOTHING;
	if (!l->count)
		return lb_error_set(err, LB_E_NOT_FOUND, "%.150s holds no bundle", l->folder);
	if (!l->best.release) {
		if (err)
			*err = l->why;
		return -l->why.code;
	}
	if (l->best.release <= l->a->running.release && !l->a->opt.allow_older)
		return AGENT_NOTHING;
	*ret = l->best;
	return 0;
}

int agent_medium_choose(const struct agent *a, const struct agent_device *d, const char *folder,
			int64_t now_s, struct agent_medium_choice *ret, struct lb_error *err)
{
	struct look l = { .a = a, .device = d, .folder = folder, .now_s = now_s };
	int own, fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return lb_error_set(err, LB_E_NOT_FOUND, "%.150s: %s", folder, strerror(errno));
	own = openat(fd, LB_MEDIUM_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	look_into(&l, "", fd);
	look_into(&l, LB_MEDIUM_FOLDER "/", own);
	return decide(&l, ret, err);
}
