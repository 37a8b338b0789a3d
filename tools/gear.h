/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a rolling hash, `hash = (hash << 1) + gear[byte]`, knows its 32 bytes by. */
#ifndef TOOLS_GEAR_H
#define TOOLS_GEAR_H

#include <stdint.h>

/* The same each time: what is packed depends on it. */
void gear_init(uint32_t gear[256]);

#endif
