/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bringing one interface up on a board: DHCP, or the addresses that main handed over. */
#ifndef LB_LINUX_NET_CONFIG_H
#define LB_LINUX_NET_CONFIG_H

#include "state/records.h"

/**
 * lb_net_up() - configure @interface
 * @n: address "" asks DHCP (busybox udhcpc in the background, which keeps asking for
 *     ever); otherwise address/prefix, gateway and dns are set
 * @wait_ms: longest wait for an address; what is not there by then may come later
 *
 * May be called again at any time, also when the interface was missing before: what is
 * up stays as it is, one udhcpc runs per interface (it holds /run/udhcpc-NAME.lock), and
 * the wait is only for one that this call has started. Leaves no process to be reaped.
 *
 * Needs root. Runs no shell. Return: 0; -LB_E_INVALID (an address makes no sense),
 * -LB_E_NOT_FOUND (no such interface), -LB_E_IO; -LB_E_AGAIN: no address so far.
 */
int lb_net_up(const char *interface, const struct lb_network *n, uint32_t wait_ms,
	      struct lb_error *err) LB_MUST_CHECK;

#endif
