/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From what a configuration file says to open regions, a keyring and a device. */
#ifndef LB_LINUX_CONFIG_OPEN_H
#define LB_LINUX_CONFIG_OPEN_H

#include "boot/select.h"
#include "linux/config.h"
#include "port/blk.h"
#include "trust/keyring.h"
#include "trust/policy.h"

/**
 * lb_config_open_region() - one region of the configuration
 * @name: for messages
 *
 * Return: 0 and a region that lb_blk_close() closes, or as lb_blk_file_open().
 */
int lb_config_open_region(const struct lb_config_region *region, bool writable, const char *name,
			  struct lb_blk **ret, struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_config_load_keys() - every key that the configuration names
 * @ring: zeroed; filled; lb_keyring_free() also after a failure
 *
 * An entry that is a folder stands for its *.pem files in order of their names.
 *
 * Return: 0; -LB_E_NOT_FOUND (not a single key), -LB_E_IO, or as lb_keyring_add().
 */
int lb_config_load_keys(const struct lb_config *c, struct lb_keyring *ring,
			struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_config_device() - product and hardware for lb_policy_check()
 * @ret: recovery_release is left 0, floor_release is the configured one
 *
 * Without "hardware" in the file the names are the device tree's compatibles.
 *
 * Return: 0, -LB_E_NOT_FOUND when neither says what this hardware is.
 */
int lb_config_device(const struct lb_config *c, struct lb_device *ret,
		     struct lb_error *err) LB_MUST_CHECK;

/* For lb_policy_check(): sizes of the configured slots, found without writing. */
struct lb_config_slots {
	struct lb_slot_lookup lookup; /* pass &x.lookup */
	const struct lb_config *config; /* borrowed */
};

void lb_config_slots_init(struct lb_config_slots *s, const struct lb_config *c);

#endif
