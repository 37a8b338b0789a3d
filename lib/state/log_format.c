// SPDX-License-Identifier: GPL-2.0-or-later
#include "state/log_format.h"

#include <string.h>

#include "base/bytes.h"
#include "state/log.h"

static const uint8_t half_magic[8] = { 'L', 'B', 'S', 'T', 'A', 'T', 'E', '1' };
static const uint8_t record_magic[4] = { 'L', 'B', 'R', 'C' };

#define CRC_AT 28u /* the last field of both headers */

uint64_t lb_log_record_span(uint32_t length)
{
	return ((uint64_t)length + LB_LOG_RECORD_HEADER + LB_LOG_ALIGN - 1) / LB_LOG_ALIGN *
	       LB_LOG_ALIGN;
}

void lb_log_record_encode(uint8_t raw[LB_LOG_RECORD_HEADER], const struct lb_log_record *rec)
{
	memcpy(raw, record_magic, sizeof(record_magic));
	lb_put_le16(raw + 4, rec->type);
	lb_put_le16(raw + 6, rec->version);
	lb_put_le32(raw + 8, rec->length);
	lb_put_le32(raw + 12, rec->generation);
	lb_put_le64(raw + 16, rec->sequence);
	lb_put_le32(raw + 24, 0);
	lb_put_le32(raw + CRC_AT, rec->crc);
}

bool lb_log_record_decode(struct lb_log_record *ret, const uint8_t raw[LB_LOG_RECORD_HEADER])
{
	if (memcmp(raw, record_magic, sizeof(record_magic)) || lb_get_le32(raw + 24))
		return false;
	ret->type = lb_get_le16(raw + 4);
	ret->version = lb_get_le16(raw + 6);
	ret->length = lb_get_le32(raw + 8);
	ret->generation = lb_get_le32(raw + 12);
	ret->sequence = lb_get_le64(raw + 16);
	ret->crc = lb_get_le32(raw + CRC_AT);
	return ret->length <= LB_LOG_RECORD_MAX && ret->type && ret->sequence != UINT64_MAX &&
	       ret->generation && ret->generation <= LB_LOG_GENERATION_MAX;
}

uint32_t lb_log_record_crc(const struct lb_log_record *rec)
{
	uint8_t raw[LB_LOG_RECORD_HEADER];

	lb_log_record_encode(raw, rec);
	return lb_crc32(0, raw, CRC_AT);
}

void lb_log_half_encode(uint8_t raw[LB_LOG_HALF_HEADER], uint32_t generation, uint64_t half_bytes)
{
	memset(raw, 0, LB_LOG_HALF_HEADER);
	memcpy(raw, half_magic, sizeof(half_magic));
	lb_put_le32(raw + 8, generation);
	lb_put_le64(raw + 16, half_bytes);
	lb_put_le32(raw + CRC_AT, lb_crc32(0, raw, CRC_AT));
}

uint32_t lb_log_half_decode(const uint8_t raw[LB_LOG_HALF_HEADER], uint64_t half_bytes)
{
	uint32_t generation = lb_get_le32(raw + 8);

	if (memcmp(raw, half_magic, sizeof(half_magic)) || lb_get_le64(raw + 16) != half_bytes ||
	    lb_crc32(0, raw, CRC_AT) != lb_get_le32(raw + CRC_AT))
		return 0;
	return generation <= LB_LOG_GENERATION_MAX ? generation : 0;
}
