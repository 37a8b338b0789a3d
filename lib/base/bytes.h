/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Little-endian fields, hexadecimal and CRC-32: everything on disk goes through here. */
#ifndef LB_BASE_BYTES_H
#define LB_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LB_KIB 1024u
#define LB_MIB (1024u * 1024u)
#define LB_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static inline uint16_t lb_get_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t lb_get_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t lb_get_le64(const uint8_t *p)
{
	return lb_get_le32(p) | (uint64_t)lb_get_le32(p + 4) << 32;
}

static inline void lb_put_le16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void lb_put_le32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static inline void lb_put_le64(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

/* True when all @len bytes of @p are zero. */
bool lb_bytes_all_zero(const uint8_t *p, size_t len);

/* CRC-32 of IEEE 802.3, as zlib's crc32(): start with @crc 0, chain calls. */
uint32_t lb_crc32(uint32_t crc, const void *data, size_t len);

/* Lower-case hexadecimal of @len bytes into @out (2 * @len + 1 characters). */
void lb_hex_encode(char *out, const uint8_t *p, size_t len);

/* Exactly 2 * @len hexadecimal characters followed by a NUL; false for anything else. */
bool lb_hex_decode(uint8_t *out, size_t len, const char *hex);

#endif
