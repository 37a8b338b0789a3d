/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recovery updates itself: a bundle may carry a newer recovery. There are two
 * copies, and the one that runs lies in RAM, so the rule is short:
 *
 *   newer than the one that runs   -> write the OTHER copy, read it back, note it,
 *                                     select it, count the try, reboot; it goes on
 *                                     with the rest
 *   the one that runs              -> the other copy is the older one: this one is
 *                                     copied over it
 *   older                          -> left alone
 *
 * A copy that does not start is given up by U-Boot: at once when its signature is
 * bad, after 3 boots when it panics, hangs, or crashes before it reached its bundle:
 * until then it does not report alive. The one that runs then finds its note,
 * and after LB_SELF_UPDATE_TRIES it goes on without the new one and copies itself
 * over it (flow/copies.h). The tries are those of one request: when main is given back
 * they are forgotten, because cuts and a lost environment count as tries too.
 *
 * At any cut the copy that runs now is whole and bootable. The try is counted after
 * the flag: a cut between the two costs one more try, never one that was not made.
 */
#ifndef LB_FLOW_SELF_UPDATE_H
#define LB_FLOW_SELF_UPDATE_H

#include "flow/install.h"

#define LB_SELF_UPDATE_TRIES 2

/* The recovery release that this bundle can count on: that of the recovery it
 * carries, unless that was tried and did not start. */
uint32_t lb_self_update_promise(struct lb_install *in);

/**
 * lb_self_update() - bring the recovery copies to what the bundle carries
 *
 * Main stays untouched. What is wrong with the device's copies (no such slots, worn,
 * read-only) is said, and main's images go on if the recovery that runs may install
 * them; what is wrong with the bundle's recovery refuses the bundle, unless main was
 * already being written and cannot wait for a better one.
 *
 * Return: 0: nothing (more) to do; LB_INSTALL_REBOOT; or a failure: -LB_E_FIT,
 * -LB_E_NO_SLOT, -LB_E_READ_ONLY, -LB_E_TOO_BIG, -LB_E_IO, -LB_E_MEDIUM, what the source
 * returned; -LB_E_BUDGET: this and main together would fetch more than is allowed.
 */
int lb_self_update(struct lb_install *in, const struct lb_bundle_layout *layout,
		   struct lb_error *err) LB_MUST_CHECK;

#endif
