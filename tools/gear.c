// SPDX-License-Identifier: GPL-2.0-or-later
#include "gear.h"

void gear_init(uint32_t gear[256])
{
	uint32_t state = 0x6c696665;

	for (int i = 0; i < 256; i++) {
		uint32_t z = state += 0x9e3779b9u;

		z = (z ^ z >> 16) * 0x85ebca6bu;
		z = (z ^ z >> 13) * 0xc2b2ae35u;
		gear[i] = z ^ z >> 16;
	}
}
