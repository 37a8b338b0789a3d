/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the build decides about every configuration file: a test stands in for it. */
#ifndef LB_LINUX_BUILT_IN_H
#define LB_LINUX_BUILT_IN_H

#include <config.h> /* the build's, not linux/config.h */

#define LB_BUILT_IN_FLOOR CONFIG_FLOOR

#endif
