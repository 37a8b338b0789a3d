// SPDX-License-Identifier: GPL-2.0-or-later
#include "media.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "flow/report.h"
#include "linux/source_file.h"

#define FILE_SCHEME "file://"

/* What a look at the folders finds, before any file is opened. */
struct look {
	struct media_folder folders[MEDIA_MAX];
	struct media_file files[MEDIA_FILES];
	uint32_t count, passed, print;
};

/* For a console and a report: what is not plain becomes '?'. */
static bool plain_text(const char *name, char *ret, size_t size)
{
	bool plain = true;
	size_t i;

	for (i = 0; name[i] && i + 1 < size; i++) {
		bool good = name[i] >= ' ' && name[i] <= '~';

		ret[i] = good ? name[i] : '?';
		plain = plain && good;
	}
	ret[i] = '\0';
	return plain && !name[i];
}

static void note_print(struct look *l, const char *name, const struct stat *st)
{
	const uint64_t facts[] = {
		(uint64_t)st->st_dev, (uint64_t)st->st_ino, (uint64_t)st->st_size,
		(uint64_t)st->st_mtime, st->st_mode,
	};

	l->print = lb_crc32(l->print + 1, name, strlen(name));
	l->print = lb_crc32(l->print, facts, sizeof(facts));
}

static void note_file(struct look *l, uint32_t folder, const char *below, const char *name,
		      const struct stat *st)
{
	struct media_file *f = &l->files[l->count];
	char shown[MEDIA_NAME_MAX + 1];
	bool plain;

	l->folders[folder].ours = true;
	if (l->count == MEDIA_FILES) {
		l->passed++;
		return;
	}
	l->count++;
	plain = plain_text(name, shown, sizeof(shown));
	*f = (struct media_file){ .folder = folder };
	snprintf(f->name, sizeof(f->name), "%s%s", below, shown);
	if (!plain) {
		f->code = LB_E_INVALID;
		snprintf(f->text, sizeof(f->text), "its name has other characters than those of ASCII");
	} else if (!S_ISREG(st->st_mode)) {
		f->code = LB_E_IO;
		snprintf(f->text, sizeof(f->text), "it is no regular file");
	}
}

/* Takes @fd over. */
static void look_into(struct look *l, uint32_t folder, const char *below, int fd)
{
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct stat st;

	if (!d && fd >= 0)
		close(fd);
	while (d && (e = readdir(d))) {
		if (!lb_medium_bundle_name(e->d_name) || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		note_print(l, e->d_name, &st);
		note_file(l, folder, below, e->d_name, &st);
	}
	if (d)
		closedir(d);
}

/* An editor may have added an ending that its folder view hides. */
static bool asks_to_reinstall(int fd)
{
	struct stat st;

	return !fstatat(fd, "reinstall", &st, AT_SYMLINK_NOFOLLOW) ||
	       !fstatat(fd, "reinstall.txt", &st, AT_SYMLINK_NOFOLLOW);
}

static void look_at(struct look *l, uint32_t folder, const char *path)
{
	struct media_folder *f = &l->folders[folder];
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int own;

	if (fd < 0)
		return;
	own = openat(fd, LB_MEDIUM_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (!fstat(fd, &st))
		f->device = st.st_dev;
	if (own >= 0) {
		f->ours = true;
		f->reinstall = asks_to_reinstall(own);
		l->print = lb_crc32(l->print + folder + 1, f, sizeof(*f));
	}
	look_into(l, folder, "", fd);
	look_into(l, folder, LB_MEDIUM_FOLDER "/", own);
}

static void path_of(const struct media *m, const struct media_file *f, char *ret, size_t size)
{
	snprintf(ret, size, "%s/%s", m->settings->media[f->folder], f->name);
}

/* Signature, product, hardware and all that is known before a byte of main is looked at. */
static void judge(struct media *m, struct media_file *f)
{
	const struct lb_recovery *r = m->recovery;
	struct lb_device_state dev = r->dev;
	struct lb_install in = {
		.dev = &dev, .slots = &r->slots, .keys = r->keys, .device = &r->device, .copy = r->copy,
	};
	char path[LB_CONFIG_PATH_MAX + sizeof(f->name) + 1];
	struct lb_source *source = NULL;
	struct lb_error why = { 0 };
	int code;

	path_of(m, f, path, sizeof(path));
	code = lb_source_medium_open(path, &source, &why);
	if (!code)
		code = lb_install_admit(&in, source, &why);
	lb_source_close(source);
	f->offered = !code || code == -LB_E_AGAIN || code == -LB_E_IO; /* read with patience, it may do */
	f->code = -code;
	if (code)
		snprintf(f->text, sizeof(f->text), "%s",
			 why.text[0] ? why.text : lb_error_meaning(code));
	if (!code || code == -LB_E_PRODUCT || code == -LB_E_HARDWARE || code == -LB_E_FLOOR) {
		f->release = in.manifest.release;
		snprintf(f->version, sizeof(f->version), "%s", in.manifest.version);
	}
	lb_install_free(&in);
}

static void tell(const struct media *m, const struct media_file *f)
{
	const struct lb_reporter *to = m->recovery->report;

	if (f->code)
		lb_say(to, LB_LEVEL_WARN, lb_error_name(f->code), "%.120s: %s", f->name, f->text);
	else
		lb_say(to, LB_LEVEL_INFO, "found", "%.120s holds version %s (release %llu)", f->name,
		       f->version, (unsigned long long)f->release);
}

/* The newest first; what lies first in the folders comes first among equals. */
static void sort(struct media *m)
{
	for (uint32_t i = 1; i < m->count; i++) {
		struct media_file one = m->files[i];
		uint32_t at = i;

		while (at && one.offered && (!m->files[at - 1].offered ||
					     m->files[at - 1].release < one.release)) {
			m->files[at] = m->files[at - 1];
			at--;
		}
		m->files[at] = one;
	}
}

void media_refresh(struct media *m)
{
	struct look *l = calloc(1, sizeof(*l));

	if (!l)
		return; /* what was seen last is good enough */
	for (uint32_t i = 0; i < m->settings->media_count; i++)
		look_at(l, i, m->settings->media[i]);
	if (l->print == m->print) {
		free(l);
		return;
	}
	m->print = l->print;
	m->changes++;
	memcpy(m->folders, l->folders, sizeof(m->folders));
	memcpy(m->files, l->files, sizeof(m->files));
	m->count = l->count;
	m->passed = l->passed;
	free(l);
	for (uint32_t i = 0; i < m->count; i++)
		if (!m->files[i].code)
			judge(m, &m->files[i]);
	sort(m);
	for (uint32_t i = 0; i < m->count; i++)
		tell(m, &m->files[i]);
	if (m->passed)
		lb_say(m->recovery->report, LB_LEVEL_WARN, "found",
		       "%u more bundles are passed over: %u are looked at", m->passed, MEDIA_FILES);
}

bool media_offer(struct media *m, unsigned int n, char *ret_url, size_t size)
{
	char path[LB_CONFIG_PATH_MAX + sizeof(m->files[0].name) + 1];

	media_refresh(m);
	if (n >= m->count || !m->files[n].offered)
		return false;
	path_of(m, &m->files[n], path, sizeof(path));
	return (size_t)snprintf(ret_url, size, FILE_SCHEME "%s", path) < size;
}

static const char *below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return !strncmp(path, folder, len) && path[len] == '/' ? path + len + 1 : NULL;
}

bool media_holds(const struct media *m, const char *path)
{
	for (uint32_t i = 0; i < m->settings->media_count; i++)
		if (below(path, m->settings->media[i]))
			return true;
	return false;
}

static struct media_file *find(struct media *m, const char *path)
{
	for (uint32_t i = 0; i < m->count; i++) {
		const char *name = below(path, m->settings->media[m->files[i].folder]);

		if (name && !strcmp(name, m->files[i].name))
			return &m->files[i];
	}
	return NULL;
}

bool media_reinstall(const struct media *m, const char *path)
{
	for (uint32_t i = 0; i < m->settings->media_count; i++)
		if (below(path, m->settings->media[i]))
			return m->folders[i].reinstall;
	return false;
}

void media_begin(struct media *m, const char *path)
{
	m->reading += media_holds(m, path);
}

void media_end(struct media *m, const char *path, int code, const struct lb_error *why)
{
	struct media_file *f = find(m, path);

	if (m->reading && media_holds(m, path))
		m->reading--;
	if (!f || (f->code == -code && f->installed == !code))
		return;
	m->changes++;
	f->code = code < 0 ? -code : 0;
	f->installed = !code;
	snprintf(f->text, sizeof(f->text), "%s",
		 code >= 0 ? "" : why->text[0] ? why->text : lb_error_meaning(code));
}
