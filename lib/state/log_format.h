/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state log's bytes, and nothing else. Spec: docs/SPEC.md, "State log". */
#ifndef LB_STATE_LOG_FORMAT_H
#define LB_STATE_LOG_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#define LB_LOG_HALF_HEADER 32u
#define LB_LOG_RECORD_HEADER 32u
#define LB_LOG_GENERATION_MAX 0xfffffffeu

struct lb_log_record {
	uint16_t type;
	uint16_t version;
	uint32_t length; /* of the payload; 0 deletes the type */
	uint32_t generation;
	uint64_t sequence;
	uint32_t crc; /* of everything else in the header, then the payload */
};

/* Bytes that a record with @length payload bytes takes: whole 4 KiB blocks. */
uint64_t lb_log_record_span(uint32_t length);

/* False when these bytes cannot begin a record. The payload is not looked at. */
bool lb_log_record_decode(struct lb_log_record *ret, const uint8_t raw[LB_LOG_RECORD_HEADER]);
void lb_log_record_encode(uint8_t raw[LB_LOG_RECORD_HEADER], const struct lb_log_record *rec);

/* Checksum of the header's fields; continue with lb_crc32() over the payload. */
uint32_t lb_log_record_crc(const struct lb_log_record *rec);

/* Generation of a half's header, 0 when it is not valid for a half of @half_bytes. */
uint32_t lb_log_half_decode(const uint8_t raw[LB_LOG_HALF_HEADER], uint64_t half_bytes);
void lb_log_half_encode(uint8_t raw[LB_LOG_HALF_HEADER], uint32_t generation, uint64_t half_bytes);

#endif
