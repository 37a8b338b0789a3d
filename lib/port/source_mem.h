/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LB_PORT_SOURCE_MEM_H
#define LB_PORT_SOURCE_MEM_H

#include "port/source.h"

/* Bytes that are already in memory, as a source: no allocation, nothing to close. */
struct lb_source_mem {
	struct lb_source src;
	const uint8_t *bytes; /* borrowed */
	size_t len, offset;
	size_t end; /* of what seek() announced: nobody gets more */
};

/* Use &@m->src from here on, while @bytes lives. */
void lb_source_mem_init(struct lb_source_mem *m, const void *bytes, size_t len);

#endif
