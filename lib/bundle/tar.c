// SPDX-License-Identifier: GPL-2.0-or-later
#include "bundle/tar.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

/* POSIX ustar header: offset and width of the fields that vary */
enum {
	NAME = 0, NAME_LEN = 100,
	SIZE = 124, MTIME = 136, NUMBER_LEN = 12,
	CHECKSUM = 148, CHECKSUM_LEN = 8,
};

/* ... and what stands in those that do not */
static const struct {
	uint16_t offset, len;
	const char *text;
} constant[] = {
	{ 100, 8, "0000644" },	/* mode */
	{ 108, 8, "0000000" },	/* owner */
	{ 116, 8, "0000000" },	/* group */
	{ 156, 1, "0" },	/* a regular file */
	{ 257, 8, "ustar\00000" },
	{ 329, 8, "0000000" },	/* device numbers */
	{ 337, 8, "0000000" },
};

static unsigned int checksum(const uint8_t *block)
{
	unsigned int sum = 0;

	for (unsigned int i = 0; i < LB_TAR_BLOCK; i++)
		sum += i - CHECKSUM < CHECKSUM_LEN ? ' ' : block[i];
	return sum;
}

void lb_tar_format(uint8_t ret_block[LB_TAR_BLOCK], const struct lb_tar_member *m)
{
	char *field = (char *)ret_block;

	memset(ret_block, 0, LB_TAR_BLOCK);
	memcpy(field + NAME, m->name, strlen(m->name));
	for (size_t i = 0; i < LB_ARRAY_LEN(constant); i++)
		memcpy(field + constant[i].offset, constant[i].text, constant[i].len);
	snprintf(field + SIZE, NUMBER_LEN, "%011llo", (unsigned long long)m->size_bytes);
	snprintf(field + MTIME, NUMBER_LEN, "%011llo", (unsigned long long)m->mtime_s);
	snprintf(field + CHECKSUM, CHECKSUM_LEN - 1, "%06o", checksum(ret_block) & 0777777);
	field[CHECKSUM + CHECKSUM_LEN - 1] = ' ';
}

/* Eleven octal digits; anything else gives some number, and formatting it again differs. */
static uint64_t octal(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 0; i < NUMBER_LEN - 1; i++)
		v = v << 3 | (p[i] & 7);
	return v;
}

int lb_tar_parse(const uint8_t block[LB_TAR_BLOCK], struct lb_tar_member *ret,
		 struct lb_error *err)
{
	struct lb_tar_member m = { 0 };
	uint8_t again[LB_TAR_BLOCK];

	if (lb_bytes_all_zero(block, LB_TAR_BLOCK))
		return -LB_E_NOT_FOUND;
	memcpy(m.name, block + NAME, LB_TAR_NAME_MAX);
	m.size_bytes = octal(block + SIZE);
	m.mtime_s = octal(block + MTIME);
	for (const char *p = m.name; *p; p++)
		if (*p < '!' || *p > '~' || *p == '/')
			return lb_error_set(err, LB_E_FORMAT,
					    "a tar header has a name that is not allowed");
	lb_tar_format(again, &m);
	if (!m.name[0] || memcmp(again, block, LB_TAR_BLOCK))
		return lb_error_set(err, LB_E_FORMAT,
				    "a tar header is not in the form that is prescribed");
	*ret = m;
	return 0;
}
