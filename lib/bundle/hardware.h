/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "hardware": the list of names that a manifest and a channel's release are for. */
#ifndef LB_BUNDLE_HARDWARE_H
#define LB_BUNDLE_HARDWARE_H

#include <cJSON.h>

#include "base/error.h"
#include "bundle/manifest.h"

/**
 * lb_hardware_parse() - the names that member "hardware" of @obj lists
 * @names: room for @max names, of which the first *@ret_count are filled
 * @ret_count: may be 0; counts the valid names also on failure
 *
 * Return: 0; -LB_E_FORMAT (missing, no list, an invalid name), -LB_E_TOO_BIG (more than @max).
 */
int lb_hardware_parse(const cJSON *obj, char names[][LB_COMPATIBLE_MAX + 1], uint32_t max,
		      uint32_t *ret_count, struct lb_error *err) LB_MUST_CHECK;

#endif
