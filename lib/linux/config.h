/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration file: which device this is and where its parts lie. Recovery
 * and agent read the same device part; each has a section of its own beside it.
 * Nothing here makes a bundle trusted: keys are only found here, see trust/keyring.h.
 *
 *	{
 *	  "product": "example",
 *	  "hardware": ["vendor,board-rev2", "vendor,board"],
 *	  "state": {"path": "/dev/mmcblk0p3"},
 *	  "environment": [
 *	    {"path": "/dev/mmcblk0", "offset": 1048576, "size": 16384},
 *	    {"path": "/dev/mmcblk0", "offset": 1310720, "size": 16384}
 *	  ],
 *	  "slots": {"boot": "/dev/mmcblk0p4", "root": {"path": "/dev/mmcblk0p5"}},
 *	  "keys": "/etc/lifeboat/keys",
 *	  "ca": "/etc/lifeboat/ca.pem"
 *	}
 *
 * A region is a path, or an object of path, offset (0) and size (to the end).
 * Spec: docs/AGENT.md, "Configuration".
 */
#ifndef LB_LINUX_CONFIG_H
#define LB_LINUX_CONFIG_H

#include <cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "bundle/manifest.h"

#define LB_CONFIG_MAX_BYTES (64 * 1024)
#define LB_CONFIG_PATH_MAX 255
#define LB_CONFIG_SLOTS_MAX 16
#define LB_CONFIG_HARDWARE_MAX 4 /* as in struct lb_device */
#define LB_CONFIG_KEYS_MAX 8	 /* entries: files or folders of *.pem */

/* A window of a block device or regular file. */
struct lb_config_region {
	char path[LB_CONFIG_PATH_MAX + 1];
	uint64_t offset;
	uint64_t size_bytes; /* 0: to the end of @path */
};

struct lb_config_slot {
	char name[LB_NAME_MAX + 1];
	struct lb_config_region region;
};

struct lb_config {
	char product[LB_NAME_MAX + 1];
	char hardware[LB_CONFIG_HARDWARE_MAX][LB_COMPATIBLE_MAX + 1];
	uint32_t hardware_count; /* 0: not said, ask the device tree */
	uint64_t floor_release;	 /* "floor": lower bound, default CONFIG_FLOOR */
	struct lb_config_region state;
	struct lb_config_region env[2];
	struct lb_config_slot slots[LB_CONFIG_SLOTS_MAX];
	uint32_t slot_count;
	char keys[LB_CONFIG_KEYS_MAX][LB_CONFIG_PATH_MAX + 1];
	uint32_t key_count;
	char ca_file[LB_CONFIG_PATH_MAX + 1]; /* "" none */
};

/**
 * lb_config_load() - read the file and its device part
 * @path: at most LB_CONFIG_MAX_BYTES
 * @ret: about 8 KiB, untouched on failure
 * @ret_root: NULL, or the whole file for a program's own section ("agent",
 *            "recovery"); owned by the caller, free with cJSON_Delete()
 *
 * A name that does not belong to the device part, to a section or to a remark
 * (leading '_') is refused: a misspelt setting must not be silently ignored.
 *
 * Return: 0; -LB_E_NOT_FOUND, -LB_E_IO, -LB_E_TOO_BIG, -LB_E_NOMEM, or -LB_E_FORMAT
 * with a sentence that names the file and the field, as in
 * "/etc/lifeboat/agent.json: state.size: is no whole number".
 */
int lb_config_load(const char *path, struct lb_config *ret, cJSON **ret_root,
		   struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_config_fail() - put file and field before the sentence in @err
 * @path: "": only the field
 * @field: dotted, such as "agent.interval"; NULL: only the file
 *
 * Return: @code (negative), so that a caller can write `return lb_config_fail(...)`.
 */
int lb_config_fail(const char *path, const char *field, int code, struct lb_error *err);

/**
 * lb_config_known() - every name in @obj is one of @names or starts with '_'
 * @names: ends with NULL
 * @ret_unknown: the first other name, borrowed from @obj
 */
bool lb_config_known(const cJSON *obj, const char *const *names, const char **ret_unknown);

/**
 * lb_config_region() - read a region of a program's own section
 * @item: a path, or an object of path, offset and size
 * @field: its dotted name, for the sentence in @err
 *
 * Return: 0 or -LB_E_FORMAT.
 */
int lb_config_region(const cJSON *item, const char *field, struct lb_config_region *ret,
		     struct lb_error *err) LB_MUST_CHECK;

/* The slot @name, NULL if the configuration has none. */
const struct lb_config_slot *lb_config_slot(const struct lb_config *c, const char *name);

#endif
