// SPDX-License-Identifier: GPL-2.0-or-later
#include "extent.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define SECTOR 512u /* of sysfs, whatever the disk's are */

/* Bytes of a disk or of a file. */
struct extent {
	dev_t device; /* of the whole disk; of a file: of its file system */
	ino_t file;   /* 0: a disk */
	uint64_t from, to;
};

static bool number_in_sysfs(dev_t device, const char *name, uint64_t *ret)
{
	char path[80];
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major(device), minor(device), name);
	f = fopen(path, "re");
	ok = f && fscanf(f, "%" SCNu64, ret) == 1;
	if (f)
		fclose(f);
	return ok;
}

/* The disk that a partition is of, and where it begins there; a whole disk stays what it is. */
static void find_disk(struct extent *e)
{
	char path[80];
	unsigned int whole[2];
	uint64_t start;
	FILE *f;

	if (!number_in_sysfs(e->device, "start", &start))
		return;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../dev", major(e->device), minor(e->device));
	f = fopen(path, "re");
	if (f && fscanf(f, "%u:%u", &whole[0], &whole[1]) == 2) {
		e->device = makedev(whole[0], whole[1]);
		e->from += start * SECTOR;
		if (e->to != UINT64_MAX)
			e->to += start * SECTOR;
	}
	if (f)
		fclose(f);
}

static bool extent_of(const struct lb_config_region *r, struct extent *ret)
{
	uint64_t sectors;
	struct stat st;

	if (stat(r->path, &st))
		return false;
	*ret = (struct extent){ .device = st.st_dev, .file = st.st_ino, .from = r->offset,
				.to = r->size_bytes ? r->offset + r->size_bytes : UINT64_MAX };
	if (!S_ISBLK(st.st_mode))
		return true;
	ret->device = st.st_rdev;
	ret->file = 0;
	if (!r->size_bytes && number_in_sysfs(st.st_rdev, "size", &sectors))
		ret->to = sectors * SECTOR;
	find_disk(ret);
	return true;
}

bool regions_overlap(const struct lb_config_region *a, const struct lb_config_region *b)
{
	struct extent x, y;

	if (extent_of(a, &x) && extent_of(b, &y))
		return x.device == y.device && x.file == y.file && x.from < y.to && y.from < x.to;
	return !strcmp(a->path, b->path) &&
	       (!a->size_bytes || b->offset < a->offset + a->size_bytes) &&
	       (!b->size_bytes || a->offset < b->offset + b->size_bytes);
}
