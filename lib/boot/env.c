// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Everything read here was written by somebody else, perhaps with a valid CRC
 * over garbage: entries are walked within data_len only. The live copy is not
 * written, so that there is a whole one at any moment, unless the other one cannot be.
 */
#include "boot/env.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

void lb_env_free(struct lb_env *env)
{
	if (!env)
		return;
	free(env->image);
	memset(env, 0, sizeof(*env));
}

/* ---- which copy ---- */

static bool copy_valid(const uint8_t *image, size_t size)
{
	return lb_crc32(0, image + LB_ENV_HEADER_BYTES, size - LB_ENV_HEADER_BYTES) ==
	       lb_get_le32(image);
}

/* U-Boot's rule (env/common.c, env_check_redund): is copy 1 newer than copy 0? */
static bool second_is_newer(uint8_t serial0, uint8_t serial1)
{
	if (serial0 == 0xff && serial1 == 0)
		return true;
	if (serial1 == 0xff && serial0 == 0)
		return false;
	return serial1 > serial0;
}

/* Reads both copies; @valid says which may be used. */
static int read_copies(struct lb_env *env, uint8_t *image[LB_ENV_COPIES], size_t size,
		       bool valid[LB_ENV_COPIES])
{
	int unreadable = 0, ret = 0;

	for (int i = 0; i < LB_ENV_COPIES; i++) {
		int r = lb_blk_read(env->copy[i], 0, image[i], size);

		if (r) {
			unreadable++;
			ret = r;
		}
		valid[i] = !r && copy_valid(image[i], size);
	}
	return unreadable == LB_ENV_COPIES ? ret : 0;
}

static void adopt(struct lb_env *env, uint8_t *image[LB_ENV_COPIES],
		  const bool valid[LB_ENV_COPIES], size_t size)
{
	env->lost = !valid[0] && !valid[1];
	if (env->lost || !valid[0])
		env->live = 1; /* lost: the first commit writes copy 0 */
	else
		env->live = valid[1] && second_is_newer(image[0][4], image[1][4]);
	env->image = image[env->live];
	image[env->live] = NULL;
	if (env->lost)
		memset(env->image, 0, size);
	env->image[size] = '\0';
	env->serial = env->image[4];
	env->data = env->image + LB_ENV_HEADER_BYTES;
	env->data_len = size - LB_ENV_HEADER_BYTES;
}

int lb_env_load(struct lb_env *env, struct lb_blk *copy0, struct lb_blk *copy1,
		struct lb_error *err)
{
	uint64_t size = copy0->size_bytes;
	uint8_t *image[LB_ENV_COPIES];
	bool valid[LB_ENV_COPIES];
	int ret;

	memset(env, 0, sizeof(*env));
	if (size != copy1->size_bytes || size < LB_ENV_MIN_BYTES || size > LB_ENV_MAX_BYTES)
		return lb_error_set(err, LB_E_INVALID,
				    "environment copies have %llu and %llu bytes, they must be "
				    "equal and from %u to %u",
				    (unsigned long long)size,
				    (unsigned long long)copy1->size_bytes, LB_ENV_MIN_BYTES,
				    LB_ENV_MAX_BYTES);
	env->copy[0] = copy0;
	env->copy[1] = copy1;
	image[0] = malloc(size + 1);
	image[1] = malloc(size + 1);
	if (!image[0] || !image[1]) {
		ret = lb_error_set(err, LB_E_NOMEM, "no memory for the boot environment");
		goto out;
	}
	ret = read_copies(env, image, size, valid);
	if (ret)
		lb_error_set(err, -ret, "no copy of the boot environment could be read");
	else
		adopt(env, image, valid, size);
out:
	free(image[0]);
	free(image[1]);
	return ret;
}

/* ---- variables ---- */

/* Entry at @at, its length without NUL; 0 at the end of the list. */
static size_t entry_len(const struct lb_env *env, size_t at)
{
	return at < env->data_len ? strnlen((const char *)env->data + at, env->data_len - at) : 0;
}

/* The value if the entry at @at is @name's. */
static const char *entry_value(const struct lb_env *env, size_t at, const char *name)
{
	const char *entry = (const char *)env->data + at;
	size_t n = strlen(name);

	return !strncmp(entry, name, n) && entry[n] == '=' ? entry + n + 1 : NULL;
}

const char *lb_env_get(const struct lb_env *env, const char *name)
{
	const char *found = NULL, *value;

	for (size_t at = 0, n; (n = entry_len(env, at)) != 0; at += n + 1) {
		value = entry_value(env, at, name);
		if (value)
			found = value;
	}
	return found;
}

static bool valid_name(const char *name)
{
	if (!*name)
		return false;
	for (; *name; name++)
		if (*name <= ' ' || *name > '~' || *name == '=')
			return false;
	return true;
}

static bool valid_value(const char *value)
{
	for (; *value; value++)
		if (*value < ' ' || *value > '~')
			return false;
	return true;
}

/* Where the list ends: offset of the empty entry, or data_len if there is none. */
static size_t list_end(const struct lb_env *env)
{
	size_t at = 0, n;

	while ((n = entry_len(env, at)) != 0)
		at += n + 1;
	return at < env->data_len ? at : env->data_len;
}

static size_t span_of(const struct lb_env *env, const char *name)
{
	size_t sum = 0;

	for (size_t at = 0, n; (n = entry_len(env, at)) != 0; at += n + 1)
		if (entry_value(env, at, name))
			sum += n + 1;
	return sum;
}

static void remove_all(struct lb_env *env, const char *name)
{
	size_t at = 0, n, end = list_end(env);

	while ((n = entry_len(env, at)) != 0) {
		size_t next = at + n + 1 < end ? at + n + 1 : end;

		if (!entry_value(env, at, name)) {
			at = next;
			continue;
		}
		memmove(env->data + at, env->data + next, end - next);
		memset(env->data + end - (next - at), 0, next - at);
		end -= next - at;
	}
}

int lb_env_set(struct lb_env *env, const char *name, const char *value)
{
	size_t name_len = strlen(name), value_len = value ? strlen(value) : 0, end;

	if (!valid_name(name) || (value && !valid_value(value)))
		return -LB_E_INVALID;
	/* name=value NUL, and the NUL that ends the list */
	if (value_len && list_end(env) - span_of(env, name) + name_len + value_len + 3 >
				 env->data_len)
		return -LB_E_TOO_BIG;
	remove_all(env, name);
	if (!value_len)
		return 0;
	end = list_end(env);
	memcpy(env->data + end, name, name_len);
	env->data[end + name_len] = '=';
	memcpy(env->data + end + name_len + 1, value, value_len + 1);
	env->data[end + name_len + 1 + value_len + 1] = '\0';
	return 0;
}

/* ---- storing ---- */

/* Makes @env what copy @n holds; memory follows only when storage agrees. */
static int write_copy(struct lb_env *env, uint32_t n, uint8_t serial)
{
	struct lb_blk *blk = env->copy[n];
	int ret;

	lb_put_le32(env->image, lb_crc32(0, env->data, env->data_len));
	env->image[4] = serial;
	ret = lb_blk_write(blk, 0, env->image, LB_ENV_HEADER_BYTES + env->data_len);
	if (!ret)
		ret = lb_blk_flush(blk);
	if (ret)
		return ret;
	env->live = n;
	env->serial = serial;
	env->lost = false;
	return 0;
}

/* One worn copy must not keep the device from ever changing its mind. */
static int write_beside_worn(struct lb_env *env, uint32_t worn)
{
	uint8_t header[LB_ENV_HEADER_BYTES];
	uint8_t serial = (uint8_t)(env->serial + 1);

	/* the worn one may be readable, and whole, for ever: be newer than that */
	if (!lb_blk_read(env->copy[worn], 0, header, sizeof(header)))
		serial = (uint8_t)(header[4] + 1);
	return write_copy(env, !worn, serial);
}

int lb_env_commit(struct lb_env *env, struct lb_error *err)
{
	uint32_t stale = !env->live;
	int ret = write_copy(env, stale, (uint8_t)(env->serial + 1));

	if (ret == -LB_E_IO && !write_beside_worn(env, stale))
		return 0;
	return ret ? lb_blk_error(env->copy[stale], ret, err) : 0;
}
