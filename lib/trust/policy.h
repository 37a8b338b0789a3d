/* SPDX-License-Identifier: GPL-2.0-or-later */
/* May this bundle be installed here? Asked by the agent before staging and by recovery before the first write. */
#ifndef LB_TRUST_POLICY_H
#define LB_TRUST_POLICY_H

#include <stdint.h>

#include "base/error.h"
#include "bundle/manifest.h"

/* What this device is. */
struct lb_device {
	char product[LB_NAME_MAX + 1];
	char hardware[4][LB_COMPATIBLE_MAX + 1]; /* the board's compatibles, most specific first */
	uint32_t hardware_count;
	uint32_t recovery_release;
	uint64_t floor_release; /* lowest release that may be installed */
};

struct lb_slot_lookup {
	/* size of the slot @name in bytes, or -LB_E_NO_SLOT, -LB_E_READ_ONLY */
	int (*size)(struct lb_slot_lookup *l, const char *name, uint64_t *ret_bytes);
	/* name of the @n-th slot of this device, NULL behind the last; may be NULL: not known */
	const char *(*name)(struct lb_slot_lookup *l, uint32_t n);
};

/**
 * lb_policy_check() - product, hardware, floor, recovery release, slots and sizes
 * @slots: NULL leaves the slots unchecked
 *
 * Return: 0, or -LB_E_PRODUCT, -LB_E_HARDWARE, -LB_E_FLOOR, -LB_E_CRITICAL (needs a
 * newer recovery), -LB_E_UNSUPPORTED (an image kind this build cannot write),
 * -LB_E_NO_SLOT, -LB_E_READ_ONLY, -LB_E_TOO_BIG, -LB_E_PARTIAL (a slot of main would
 * keep what it holds: a release is all of main); always with a sentence.
 */
int lb_policy_check(const struct lb_manifest *m, const struct lb_device *dev,
		    struct lb_slot_lookup *slots, struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_policy_covers() - does @m hold an image for every slot of main?
 *
 * The slots recovery_a and recovery_b are recovery's own. A bundle with nothing but
 * a recovery changes no main: it does not cover it, but lb_policy_check() takes it.
 * Return: 0 or -LB_E_PARTIAL with a sentence.
 */
int lb_policy_covers(const struct lb_manifest *m, struct lb_slot_lookup *slots,
		     struct lb_error *err) LB_MUST_CHECK;

/* Images that are not a recovery. */
uint32_t lb_policy_main_images(const struct lb_manifest *m);

#endif
