/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/golden: a bundle that tar, openssl and zstd made, not our own packer. */
#ifndef TEST_GOLDEN_H
#define TEST_GOLDEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GOLDEN "tests/golden/"
#define GOLDEN_KEYID "0b25231bc0fbc636"

/* A whole file with a NUL behind it; free() it. */
static inline uint8_t *golden_read(const char *name, size_t *ret_len)
{
	char path[128];
	uint8_t *bytes = calloc(1, 65536);
	FILE *f;

	snprintf(path, sizeof(path), GOLDEN "%s", name);
	f = fopen(path, "rb");
	if (!f || !bytes)
		fail_msg("%s cannot be read: run this from the top folder", path);
	*ret_len = fread(bytes, 1, 65535, f);
	fclose(f);
	/* an exact allocation, so that a sanitizer sees one byte too many being read */
	return realloc(bytes, *ret_len + 1);
}

#endif
