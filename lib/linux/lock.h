/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One program at a time: an advisory lock that ends with the process that holds it. */
#ifndef LB_LINUX_LOCK_H
#define LB_LINUX_LOCK_H

#include "base/error.h"

/**
 * lb_lock_take() - take the lock at @path, without waiting
 * Return: a file descriptor to close() when done (or never), -LB_E_BUSY when
 * another process holds it, -LB_E_IO.
 */
int lb_lock_take(const char *path, struct lb_error *err) LB_MUST_CHECK;

#endif
