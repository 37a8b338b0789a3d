// SPDX-License-Identifier: GPL-2.0-or-later
/* One tar header. Mode 1: with its checksum put right, so that changes get past it. */
#include "bundle/tar.h"
#include "fuzz.h"

#define CHECKSUM 148

static void put_checksum(uint8_t block[LB_TAR_BLOCK])
{
	unsigned int sum = 0;

	memset(block + CHECKSUM, ' ', 8);
	for (unsigned int i = 0; i < LB_TAR_BLOCK; i++)
		sum += block[i];
	snprintf((char *)block + CHECKSUM, 7, "%06o", sum & 0777777);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t mode = fuzz_take_mode(data, &size), block[LB_TAR_BLOCK] = { 0 }, again[LB_TAR_BLOCK];
	struct lb_tar_member m = { "untouched", 1, 2 };
	struct lb_error err = { 0 };
	int rc;

	if (size)
		memcpy(block, data, size < sizeof(block) ? size : sizeof(block));
	if (mode & 1)
		put_checksum(block);
	rc = lb_tar_parse(block, &m, &err);
	if (rc) {
		CHECK(rc == -LB_E_FORMAT || rc == -LB_E_NOT_FOUND);
		CHECK(!strcmp(m.name, "untouched") && m.size_bytes == 1 && m.mtime_s == 2);
		return 0;
	}
	/* only the one prescribed form, and no name that could leave a folder */
	CHECK(m.name[0] && memchr(m.name, '\0', sizeof(m.name)) && !strchr(m.name, '/'));
	CHECK(m.size_bytes <= LB_TAR_SIZE_MAX && m.mtime_s <= LB_TAR_SIZE_MAX);
	CHECK(lb_tar_padded(m.size_bytes) >= m.size_bytes &&
	      lb_tar_padded(m.size_bytes) % LB_TAR_BLOCK == 0);
	lb_tar_format(again, &m);
	CHECK(!memcmp(again, block, sizeof(block)));
	return 0;
}
