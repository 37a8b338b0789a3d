// SPDX-License-Identifier: GPL-2.0-or-later
#include "bundle/fit.h"

#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/sha256.h"

#define PIECE_BYTES (64u * 1024u)

struct fit {
	struct lb_blk *blk;
	uint64_t size_bytes;
	uint8_t *fdt;	/* owned: the structure, fdt_check_full() passed */
	int fdt_len;
	uint8_t *piece; /* owned: PIECE_BYTES for streaming */
	mbedtls_pk_context *key; /* borrowed; NULL: whose signature it is does not matter */
};

static int read_structure(struct fit *f, struct lb_error *err)
{
	size_t len = f->size_bytes < LB_FIT_HEADER_MAX ? (size_t)f->size_bytes : LB_FIT_HEADER_MAX;
	uint32_t total;
	int r;

	if (len < sizeof(struct fdt_header))
		return lb_error_set(err, LB_E_FIT, "a boot image of %zu bytes is no FIT", len);
	r = lb_blk_read_medium(f->blk, 0, f->fdt, len);
	if (r)
		return lb_error_set(err, -r, "slot %s cannot be read back at byte 0", f->blk->name);
	if (fdt_magic(f->fdt) != FDT_MAGIC)
		return lb_error_set(err, LB_E_FIT, "slot %s does not begin with a FIT", f->blk->name);
	total = fdt_totalsize(f->fdt);
	if (total > len)
		return lb_error_set(err, LB_E_FIT,
				    "slot %s: the FIT's structure has %u bytes, %zu are allowed: make it with external data",
				    f->blk->name, total, len);
	if (fdt_check_full(f->fdt, total))
		return lb_error_set(err, LB_E_FIT, "slot %s: the FIT's structure is damaged",
				    f->blk->name);
	f->fdt_len = (int)total;
	return 0;
}

/* A property that is one big-endian number of 32 bits. */
static bool number(const struct fit *f, int node, const char *name, uint32_t *ret)
{
	int len;
	const uint8_t *p = fdt_getprop(f->fdt, node, name, &len);

	if (!p || len != 4)
		return false;
	*ret = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	return true;
}

/* A property that is one string. */
static const char *text(const struct fit *f, int node, const char *name)
{
	int len;
	const char *s = fdt_getprop(f->fdt, node, name, &len);

	return s && len > 0 && memchr(s, '\0', (size_t)len) ? s : NULL;
}

/* Where the image's data lies: behind the structure, or embedded in it. */
static int locate(const struct fit *f, int node, const char *name, uint64_t *ret_offset,
		  uint64_t *ret_len, struct lb_error *err)
{
	uint32_t at, size;
	const uint8_t *data;
	int len;

	if (number(f, node, "data-size", &size)) {
		if (number(f, node, "data-position", &at))
			*ret_offset = at;
		else if (number(f, node, "data-offset", &at))
			*ret_offset = ((uint64_t)f->fdt_len + 3) / 4 * 4 + at;
		else
			return lb_error_set(err, LB_E_FIT, "FIT image %.32s has no place", name);
		*ret_len = size;
	} else {
		data = fdt_getprop(f->fdt, node, "data", &len);
		if (!data)
			return lb_error_set(err, LB_E_FIT, "FIT image %.32s has no data", name);
		*ret_offset = (uint64_t)(data - f->fdt);
		*ret_len = (uint64_t)len;
	}
	if (*ret_offset > f->size_bytes || *ret_len > f->size_bytes - *ret_offset)
		return lb_error_set(err, LB_E_FIT,
				    "FIT image %.32s ends at byte %llu of %llu", name,
				    (unsigned long long)(*ret_offset + *ret_len),
				    (unsigned long long)f->size_bytes);
	return 0;
}

static int digest_data(const struct fit *f, uint64_t offset, uint64_t len,
		       uint8_t ret[LB_SHA256_BYTES], struct lb_error *err)
{
	struct lb_sha256 sha;
	int r = 0;

	lb_sha256_start(&sha);
	while (!r && len) {
		size_t n = len < PIECE_BYTES ? (size_t)len : PIECE_BYTES;

		r = lb_blk_read_medium(f->blk, offset, f->piece, n);
		lb_sha256_update(&sha, f->piece, n);
		offset += n;
		len -= n;
	}
	lb_sha256_finish(&sha, ret);
	return r ? lb_error_set(err, -r, "slot %s cannot be read back at byte %llu", f->blk->name,
				(unsigned long long)offset)
		 : 0;
}

/* The SHA-256 that the FIT states for an image. */
static const uint8_t *stated_digest(const struct fit *f, int image)
{
	int node, len;

	fdt_for_each_subnode(node, f->fdt, image) {
		const char *name = fdt_get_name(f->fdt, node, NULL);
		const char *algo = text(f, node, "algo");
		const uint8_t *value = fdt_getprop(f->fdt, node, "value", &len);

		if (name && !strncmp(name, "hash", 4) && algo && !strcmp(algo, "sha256") &&
		    value && len == LB_SHA256_BYTES)
			return value;
	}
	return NULL;
}

static int check_image(const struct fit *f, int images, const char *name, struct lb_error *err)
{
	uint8_t digest[LB_SHA256_BYTES];
	const uint8_t *stated;
	uint64_t offset = 0, len = 0;
	int r, node = fdt_subnode_offset(f->fdt, images, name);

	if (node < 0)
		return lb_error_set(err, LB_E_FIT, "the FIT has no image %.32s", name);
	stated = stated_digest(f, node);
	if (!stated)
		return lb_error_set(err, LB_E_FIT, "FIT image %.32s states no SHA-256", name);
	r = locate(f, node, name, &offset, &len, err);
	if (!r)
		r = digest_data(f, offset, len, digest, err);
	if (!r && memcmp(digest, stated, sizeof(digest)))
		r = lb_error_set(err, LB_E_FIT, "FIT image %.32s differs from its SHA-256", name);
	return r;
}

/* Every name in a list of strings is an image. */
static int check_images(const struct fit *f, int images, int conf, const char *property,
			bool needed, struct lb_error *err)
{
	int len, count = 0, r = 0;
	const char *names = fdt_getprop(f->fdt, conf, property, &len);

	if (!names)
		return needed ? lb_error_set(err, LB_E_FIT, "the FIT's configuration names no %s",
					     property)
			      : 0;
	for (int at = 0; !r && at < len;) {
		const char *end = memchr(names + at, '\0', (size_t)(len - at));

		if (!end)
			return lb_error_set(err, LB_E_FIT, "the FIT's %s is no text", property);
		if (count++ == LB_FIT_NAMES_MAX)
			return lb_error_set(err, LB_E_FIT, "the FIT's %s names more than %d images",
					    property, LB_FIT_NAMES_MAX);
		r = check_image(f, images, names + at, err);
		at = (int)(end - names) + 1;
	}
	return r;
}

static bool is_signed(const struct fit *f, int conf)
{
	int node, len;

	fdt_for_each_subnode(node, f->fdt, conf) {
		const char *name = fdt_get_name(f->fdt, node, NULL);
		const char *algo = text(f, node, "algo");

		if (name && !strncmp(name, "signature", 9) && algo &&
		    !strncmp(algo, "sha256,rsa", 10) && text(f, node, "key-name-hint") &&
		    fdt_getprop(f->fdt, node, "value", &len) && len >= 256)
			return true;
	}
	return false;
}

static int check_configuration(const struct fit *f, struct lb_error *err)
{
	int configurations = fdt_path_offset(f->fdt, "/configurations");
	int images = fdt_path_offset(f->fdt, "/images");
	const char *name;
	int conf, r;

	if (configurations < 0 || images < 0)
		return lb_error_set(err, LB_E_FIT, "slot %s holds a device tree, but no FIT",
				    f->blk->name);
	name = text(f, configurations, "default");
	conf = name ? fdt_subnode_offset(f->fdt, configurations, name) : -1;
	if (conf < 0)
		return lb_error_set(err, LB_E_FIT, "the FIT has no default configuration");
	if (strchr(name, '@'))
		return lb_error_set(err, LB_E_FIT, "U-Boot refuses the configuration's name %.32s",
				    name);
	if (!is_signed(f, conf))
		return lb_error_set(err, LB_E_FIT, "the FIT's configuration %.32s is not signed",
				    name);
	r = f->key ? lb_fit_signature_check(f->fdt, conf, f->key, err) : 0;
	if (!r)
		r = check_images(f, images, conf, "kernel", true, err);
	if (!r)
		r = check_images(f, images, conf, "fdt", false, err);
	if (!r)
		r = check_images(f, images, conf, "ramdisk", false, err);
	return r;
}

int lb_fit_check_signed(struct lb_blk *blk, uint64_t size_bytes, mbedtls_pk_context *key,
			struct lb_error *err)
{
	struct fit f = { .blk = blk, .size_bytes = size_bytes, .key = key };
	int r;

	f.fdt = malloc(LB_FIT_HEADER_MAX);
	f.piece = malloc(PIECE_BYTES);
	if (f.fdt && f.piece)
		r = read_structure(&f, err);
	else
		r = lb_error_set(err, LB_E_NOMEM, "no memory to check a FIT");
	if (!r)
		r = check_configuration(&f, err);
	free(f.piece);
	free(f.fdt);
	return r;
}

int lb_fit_check(struct lb_blk *blk, uint64_t size_bytes, struct lb_error *err)
{
	return lb_fit_check_signed(blk, size_bytes, NULL, err);
}
