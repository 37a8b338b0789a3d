/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a configured region lies, whatever it is called. */
#ifndef RECOVERY_EXTENT_H
#define RECOVERY_EXTENT_H

#include <stdbool.h>

#include "linux/config.h"

/*
 * Do they share a byte? Links, other names of the same device, and a partition and its whole
 * disk (sysfs, Documentation/ABI/stable/sysfs-block) are seen through. What does not exist
 * is compared by its path.
 */
bool regions_overlap(const struct lb_config_region *a, const struct lb_config_region *b);

#endif
