/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A state region that an input describes: headers and records with checksums that are right. */
#ifndef FUZZ_REGION_H
#define FUZZ_REGION_H

#include "base/bytes.h"
#include "fuzz.h"
#include "state/log.h"
#include "state/log_format.h"

#define REGION_BYTES LB_LOG_REGION_MIN
#define HALF_BYTES (REGION_BYTES / 2)
#define REGION_BLOCKS (REGION_BYTES / LB_LOG_ALIGN)

static inline void region_half(struct fuzz_blk *f, unsigned int half, uint32_t generation)
{
	lb_log_half_encode(f->bytes + half * HALF_BYTES, generation, HALF_BYTES);
}

/* At @block of the region, as far as it fits. */
static inline void region_record(struct fuzz_blk *f, unsigned int block,
				 const struct lb_log_record *head, const uint8_t *payload)
{
	uint8_t *at = f->bytes + (size_t)block * LB_LOG_ALIGN;
	size_t room = REGION_BYTES - (size_t)block * LB_LOG_ALIGN - LB_LOG_RECORD_HEADER;
	struct lb_log_record rec = *head;

	if (rec.length > room)
		rec.length = (uint32_t)room;
	rec.crc = lb_crc32(lb_log_record_crc(&rec), payload, rec.length);
	lb_log_record_encode(at, &rec);
	if (rec.length)
		memcpy(at + LB_LOG_RECORD_HEADER, payload, rec.length);
}

#endif
