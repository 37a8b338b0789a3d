// SPDX-License-Identifier: GPL-2.0-or-later
/* Opens what a configuration names. Slots are only ever looked at, see slot_size(). */
#include "linux/config_open.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux/blk_file.h"

#define KEY_MAX_BYTES 8192
#define COMPATIBLE_FILE "/proc/device-tree/compatible"

int lb_config_open_region(const struct lb_config_region *region, bool writable, const char *name,
			  struct lb_blk **ret, struct lb_error *err)
{
	return lb_blk_file_open(region->path, region->offset, region->size_bytes, writable, name,
				ret, err);
}

static ssize_t read_small(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, buf, size);
	close(fd);
	return n;
}

static int add_key(struct lb_keyring *ring, const char *path, struct lb_error *err)
{
	char pem[KEY_MAX_BYTES];
	ssize_t n = read_small(path, pem, sizeof(pem));
	int rc;

	if (n < 0)
		return lb_error_set(err, LB_E_IO, "key %.120s cannot be read: %s", path,
				    strerror(errno));
	if ((size_t)n == sizeof(pem))
		return lb_error_set(err, LB_E_TOO_BIG, "key %.120s is larger than %d bytes", path,
				    KEY_MAX_BYTES - 1);
	rc = lb_keyring_add(ring, pem, (size_t)n, err);
	if (rc)
		return lb_config_fail(path, NULL, rc, err);
	return 0;
}

static int is_pem(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return e->d_name[0] != '.' && len > 4 && !strcmp(e->d_name + len - 4, ".pem");
}

static int add_folder(struct lb_keyring *ring, const char *path, struct lb_error *err)
{
	struct dirent **names;
	char file[LB_CONFIG_PATH_MAX + 258];
	int count = scandir(path, &names, is_pem, alphasort);
	int rc = 0;

	if (count < 0)
		return lb_error_set(err, LB_E_IO, "key folder %.120s cannot be read: %s", path,
				    strerror(errno));
	for (int i = 0; i < count; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		if (!rc)
			rc = add_key(ring, file, err);
		free(names[i]);
	}
	free(names);
	return rc;
}

int lb_config_load_keys(const struct lb_config *c, struct lb_keyring *ring, struct lb_error *err)
{
	struct stat st;
	int rc;

	for (uint32_t i = 0; i < c->key_count; i++) {
		if (stat(c->keys[i], &st))
			return lb_error_set(err, LB_E_IO, "key %.120s cannot be found: %s",
					    c->keys[i], strerror(errno));
		rc = S_ISDIR(st.st_mode) ? add_folder(ring, c->keys[i], err)
					 : add_key(ring, c->keys[i], err);
		if (rc)
			return rc;
	}
	if (!ring->count)
		return lb_error_set(err, LB_E_NOT_FOUND, "no bundle key in %.120s", c->keys[0]);
	return 0;
}

/* "vendor,board" NUL "vendor,soc" NUL: as many as fit. */
static uint32_t hardware_from_tree(char names[][LB_COMPATIBLE_MAX + 1], uint32_t max)
{
	char text[512];
	ssize_t len = read_small(COMPATIBLE_FILE, text, sizeof(text) - 1);
	uint32_t count = 0;

	if (len <= 0)
		return 0;
	text[len] = '\0';
	for (char *p = text; p < text + len && count < max; p += strlen(p) + 1)
		if (lb_compatible_valid(p))
			memcpy(names[count++], p, strlen(p) + 1); /* valid: fits */
	return count;
}

int lb_config_device(const struct lb_config *c, struct lb_device *ret, struct lb_error *err)
{
	struct lb_device d = { .floor_release = c->floor_release };

	snprintf(d.product, sizeof(d.product), "%s", c->product);
	memcpy(d.hardware, c->hardware, sizeof(d.hardware));
	d.hardware_count = c->hardware_count;
	if (!d.hardware_count)
		d.hardware_count = hardware_from_tree(d.hardware, LB_CONFIG_HARDWARE_MAX);
	if (!d.hardware_count)
		return lb_error_set(err, LB_E_NOT_FOUND,
				    "neither the configuration's \"hardware\" nor " COMPATIBLE_FILE
				    " says what this hardware is");
	*ret = d;
	return 0;
}

/* Whether a write could succeed, found without opening for writing. */
static bool is_read_only(int fd, const struct stat *st, const char *path)
{
	int flag = 0;

	if (S_ISBLK(st->st_mode))
		return !ioctl(fd, BLKROGET, &flag) && flag;
	return !(st->st_mode & 0222) || faccessat(AT_FDCWD, path, W_OK, AT_EACCESS);
}

static int slot_size(struct lb_slot_lookup *l, const char *name, uint64_t *ret_bytes)
{
	const struct lb_config_slots *s = (const struct lb_config_slots *)l;
	const struct lb_config_slot *slot = lb_config_slot(s->config, name);
	struct stat st;
	off_t end;
	bool read_only;
	int fd;

	if (!slot)
		return -LB_E_NO_SLOT;
	fd = open(slot->region.path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -LB_E_NO_SLOT;
	end = fstat(fd, &st) ? -1 : lseek(fd, 0, SEEK_END);
	read_only = end >= 0 && is_read_only(fd, &st, slot->region.path);
	close(fd);
	if (end < 0 || (uint64_t)end < slot->region.offset)
		return -LB_E_NO_SLOT;
	if (read_only)
		return -LB_E_READ_ONLY;
	*ret_bytes = (uint64_t)end - slot->region.offset;
	if (slot->region.size_bytes && slot->region.size_bytes < *ret_bytes)
		*ret_bytes = slot->region.size_bytes;
	return 0;
}

static const char *slot_name(struct lb_slot_lookup *l, uint32_t n)
{
	const struct lb_config *c = ((const struct lb_config_slots *)l)->config;

	return n < c->slot_count ? c->slots[n].name : NULL;
}

void lb_config_slots_init(struct lb_config_slots *s, const struct lb_config *c)
{
	s->lookup.size = slot_size;
	s->lookup.name = slot_name;
	s->config = c;
}
