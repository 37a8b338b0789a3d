/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LB_LINUX_CLOCK_H
#define LB_LINUX_CLOCK_H

#include "port/clock.h"

/* The system's clocks; static, needs no closing. */
struct lb_clock *lb_clock_system(void);

#endif
