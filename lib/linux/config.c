// SPDX-License-Identifier: GPL-2.0-or-later
/* The device part of a configuration file; see config.h for its form. */
#include "linux/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/json.h"
#include "linux/built_in.h"

#define PATH_SHOWN 90
#define NAME_RULE "is no name of a-z, 0-9, '.', '_', '-' (at most 31)"

static const char *const TOP_NAMES[] = {
	"product", "hardware", "floor", "state", "environment", "slots",
	"keys",	   "ca",       "agent", "recovery", NULL,
};
static const char *const REGION_NAMES[] = { "path", "offset", "size", NULL };

/* What is being read: for messages only. */
struct reader {
	const char *path;
	struct lb_error *err;
};

int lb_config_fail(const char *path, const char *field, int code, struct lb_error *err)
{
	char said[sizeof(((struct lb_error *)0)->text)];

	if (!err)
		return code;
	if (strlen(path) > PATH_SHOWN) /* its end tells more */
		path += strlen(path) - PATH_SHOWN;
	snprintf(said, sizeof(said), "%s", err->text[0] ? err->text : lb_error_meaning(code));
	if (field)
		return lb_error_set(err, -code, "%s%s%.60s: %s", path, *path ? ": " : "",
				    field, said);
	return lb_error_set(err, -code, "%s: %s", path, said);
}

static int refuse(const struct reader *r, const char *field, const char *why)
{
	if (r->err)
		snprintf(r->err->text, sizeof(r->err->text), "%s", why);
	return lb_config_fail(r->path, field, -LB_E_FORMAT, r->err);
}

bool lb_config_known(const cJSON *obj, const char *const *names, const char **ret_unknown)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, obj) {
		const char *const *n = names;

		if (!item->string || item->string[0] == '_')
			continue;
		while (*n && strcmp(*n, item->string))
			n++;
		if (!*n) {
			*ret_unknown = item->string;
			return false;
		}
	}
	return true;
}

/* A path in a JSON string; relative ones depend on who calls, so they are refused. */
static int read_path(const struct reader *r, const cJSON *item, const char *field, char *ret)
{
	if (!cJSON_IsString(item))
		return refuse(r, field, "is no text");
	if (item->valuestring[0] != '/')
		return refuse(r, field, "is no absolute path");
	if (strlen(item->valuestring) > LB_CONFIG_PATH_MAX)
		return refuse(r, field, "is longer than 255 characters");
	snprintf(ret, LB_CONFIG_PATH_MAX + 1, "%s", item->valuestring);
	return 0;
}

static int read_number(const struct reader *r, const cJSON *obj, const char *field,
		       const char *name, uint64_t *ret)
{
	char full[80];
	int err = lb_json_u64(obj, name, ret, r->err);

	if (!err || err == -LB_E_NOT_FOUND)
		return 0;
	snprintf(full, sizeof(full), "%s%s%s", field, *field ? "." : "", name);
	return lb_config_fail(r->path, full, err, r->err);
}

static int read_region(const struct reader *r, const cJSON *item, const char *field,
		       struct lb_config_region *ret)
{
	const char *unknown;
	const cJSON *path;
	char full[80];
	int err;

	if (cJSON_IsString(item))
		return read_path(r, item, field, ret->path);
	if (!cJSON_IsObject(item))
		return refuse(r, field, "is neither a path nor an object");
	if (!lb_config_known(item, REGION_NAMES, &unknown)) {
		snprintf(full, sizeof(full), "%.40s.%.30s", field, unknown);
		return refuse(r, full, "is not known");
	}
	snprintf(full, sizeof(full), "%.60s.path", field);
	path = cJSON_GetObjectItemCaseSensitive(item, "path");
	if (!path)
		return refuse(r, full, "is missing");
	err = read_path(r, path, full, ret->path);
	if (!err)
		err = read_number(r, item, field, "offset", &ret->offset);
	if (!err)
		err = read_number(r, item, field, "size", &ret->size_bytes);
	return err;
}

int lb_config_region(const cJSON *item, const char *field, struct lb_config_region *ret,
		     struct lb_error *err)
{
	const struct reader r = { .path = "", .err = err };
	struct lb_config_region region = { 0 };
	int code = read_region(&r, item, field, &region);

	if (!code)
		*ret = region;
	return code;
}

static int read_identity(const struct reader *r, const cJSON *root, struct lb_config *c)
{
	const cJSON *item, *list = cJSON_GetObjectItemCaseSensitive(root, "hardware");

	item = cJSON_GetObjectItemCaseSensitive(root, "product");
	if (!item)
		return refuse(r, "product", "is missing");
	if (!cJSON_IsString(item) || !lb_name_valid(item->valuestring))
		return refuse(r, "product", NAME_RULE);
	snprintf(c->product, sizeof(c->product), "%s", item->valuestring);
	if (list && !cJSON_IsArray(list))
		return refuse(r, "hardware", "is no list");
	cJSON_ArrayForEach(item, list) {
		if (c->hardware_count == LB_CONFIG_HARDWARE_MAX)
			return refuse(r, "hardware", "has more than 4 names");
		if (!cJSON_IsString(item) || !lb_compatible_valid(item->valuestring))
			return refuse(r, "hardware",
				      "holds something else than compatibles such as \"vendor,board\"");
		snprintf(c->hardware[c->hardware_count++], sizeof(c->hardware[0]), "%s",
			 item->valuestring);
	}
	c->floor_release = LB_BUILT_IN_FLOOR;
	return read_number(r, root, "", "floor", &c->floor_release);
}

static int read_storage(const struct reader *r, const cJSON *root, struct lb_config *c)
{
	const cJSON *state = cJSON_GetObjectItemCaseSensitive(root, "state");
	const cJSON *env = cJSON_GetObjectItemCaseSensitive(root, "environment");
	int err;

	if (!state)
		return refuse(r, "state", "is missing");
	err = read_region(r, state, "state", &c->state);
	if (err)
		return err;
	if (!env)
		return refuse(r, "environment", "is missing");
	if (!cJSON_IsArray(env) || cJSON_GetArraySize(env) != 2)
		return refuse(r, "environment", "is no list of two copies");
	err = read_region(r, cJSON_GetArrayItem(env, 0), "environment[0]", &c->env[0]);
	if (err)
		return err;
	return read_region(r, cJSON_GetArrayItem(env, 1), "environment[1]", &c->env[1]);
}

static int read_slots(const struct reader *r, const cJSON *root, struct lb_config *c)
{
	const cJSON *item, *slots = cJSON_GetObjectItemCaseSensitive(root, "slots");
	char field[80];
	int err;

	if (!slots)
		return refuse(r, "slots", "is missing");
	if (!cJSON_IsObject(slots))
		return refuse(r, "slots", "is no object of names and paths");
	cJSON_ArrayForEach(item, slots) {
		struct lb_config_slot *s = &c->slots[c->slot_count];

		snprintf(field, sizeof(field), "slots.%.60s", item->string);
		if (c->slot_count == LB_CONFIG_SLOTS_MAX)
			return refuse(r, field, "is one slot too many, 16 are possible");
		if (!lb_name_valid(item->string))
			return refuse(r, field, NAME_RULE);
		err = read_region(r, item, field, &s->region);
		if (err)
			return err;
		snprintf(s->name, sizeof(s->name), "%s", item->string);
		c->slot_count++;
	}
	return 0;
}

static int read_trust(const struct reader *r, const cJSON *root, struct lb_config *c)
{
	const cJSON *item, *keys = cJSON_GetObjectItemCaseSensitive(root, "keys");
	const cJSON *ca = cJSON_GetObjectItemCaseSensitive(root, "ca");
	int err;

	if (!keys)
		return refuse(r, "keys", "is missing");
	if (cJSON_IsString(keys)) {
		err = read_path(r, keys, "keys", c->keys[c->key_count++]);
		if (err)
			return err;
	} else if (!cJSON_IsArray(keys) || !cJSON_GetArraySize(keys)) {
		return refuse(r, "keys", "is neither a path nor a list of paths");
	}
	for (item = cJSON_IsArray(keys) ? keys->child : NULL; item; item = item->next) {
		if (c->key_count == LB_CONFIG_KEYS_MAX)
			return refuse(r, "keys", "has more than 8 entries");
		err = read_path(r, item, "keys", c->keys[c->key_count++]);
		if (err)
			return err;
	}
	return ca ? read_path(r, ca, "ca", c->ca_file) : 0;
}

static int read_file(const char *path, char *buf, size_t size, size_t *ret_len,
		     struct lb_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return lb_error_set(err, errno == ENOENT ? LB_E_NOT_FOUND : LB_E_IO,
				    "%.120s: cannot be opened: %s", path, strerror(errno));
	while (len < size) {
		n = read(fd, buf + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	close(fd);
	if (n < 0)
		return lb_error_set(err, LB_E_IO, "%.120s: cannot be read: %s", path,
				    strerror(errno));
	if (len == size)
		return lb_error_set(err, LB_E_TOO_BIG, "%.120s: is larger than %d bytes", path,
				    LB_CONFIG_MAX_BYTES);
	*ret_len = len;
	return 0;
}

static int read_device(const struct reader *r, const cJSON *root, struct lb_config *c)
{
	const char *unknown;
	int err;

	if (!lb_config_known(root, TOP_NAMES, &unknown))
		return refuse(r, unknown, "is not known");
	err = read_identity(r, root, c);
	if (!err)
		err = read_storage(r, root, c);
	if (!err)
		err = read_slots(r, root, c);
	if (!err)
		err = read_trust(r, root, c);
	return err;
}

int lb_config_load(const char *path, struct lb_config *ret, cJSON **ret_root,
		   struct lb_error *err)
{
	struct reader r = { .path = path, .err = err };
	struct lb_config *c = calloc(1, sizeof(*c));
	char *text = malloc(LB_CONFIG_MAX_BYTES + 1);
	cJSON *root = NULL;
	size_t len = 0;
	int rc = -LB_E_NOMEM;

	if (!c || !text) {
		lb_error_set(err, LB_E_NOMEM, "%.120s: no memory to read it", path);
		goto out;
	}
	rc = read_file(path, text, LB_CONFIG_MAX_BYTES + 1, &len, err);
	if (rc)
		goto out;
	rc = lb_json_parse(text, len, LB_CONFIG_MAX_BYTES, "the file", &root, err);
	if (rc) {
		rc = lb_config_fail(path, NULL, rc, err);
		goto out;
	}
	rc = read_device(&r, root, c);
	if (rc)
		goto out;
	*ret = *c;
	if (ret_root) {
		*ret_root = root;
		root = NULL;
	}
out:
	cJSON_Delete(root);
	free(text);
	free(c);
	return rc;
}

const struct lb_config_slot *lb_config_slot(const struct lb_config *c, const char *name)
{
	for (uint32_t i = 0; i < c->slot_count; i++)
		if (!strcmp(c->slots[i].name, name))
			return &c->slots[i];
	return NULL;
}
