/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lowest release that may be installed: more than one witness, the highest counts. */
#ifndef LB_FLOW_FLOOR_H
#define LB_FLOW_FLOOR_H

#include <stdint.h>

#include "base/error.h"
#include "state/log.h"
#include "trust/keyring.h"

/**
 * lb_floor_effective() - the floor that holds now
 * @log: borrowed; only read
 * @built_in: the floor of the program's settings, which no record lowers
 * @ret: the highest of @built_in, the floor record, and the min_release of the confirmed
 *       release's manifest, if a key of @ring signed it; untouched on failure
 *
 * A record that is absent, malformed or not signed by a trusted key counts as
 * absent: deleting or spoiling the floor record alone lowers nothing. An erased
 * state region does: then @built_in is what is left (docs/THREATS.md).
 *
 * Return: 0, -LB_E_IO (a record could not be read) or -LB_E_NOMEM.
 */
int lb_floor_effective(struct lb_log *log, const struct lb_keyring *ring, uint64_t built_in,
		       uint64_t *ret, struct lb_error *err) LB_MUST_CHECK;

#endif
