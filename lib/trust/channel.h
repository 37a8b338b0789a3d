/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LB_TRUST_CHANNEL_H
#define LB_TRUST_CHANNEL_H

#include "bundle/channel.h"
#include "trust/keyring.h"

/**
 * lb_channel_open() - verify and parse a whole channel file
 * @bytes: channel.lbc as it was fetched; borrowed during the call
 * @ret: free with lb_channel_free(); untouched on failure
 *
 * Return: 0; -LB_E_FORMAT, -LB_E_TOO_BIG, -LB_E_TRUNCATED, -LB_E_SIGNATURE,
 * -LB_E_CRITICAL (format is newer, unknown critical field), -LB_E_NOMEM.
 */
int lb_channel_open(const void *bytes, size_t len, const struct lb_keyring *ring,
		    struct lb_channel *ret, struct lb_error *err) LB_MUST_CHECK;

#endif
