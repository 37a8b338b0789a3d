/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one form of tar header that bundles and channel files use: what GNU tar
 * writes with --format=ustar --numeric-owner for a file of mode 0644, owner 0.
 * Every other form is refused, so no two readers can disagree about a member.
 * Spec: docs/SPEC.md, "Archive".
 */
#ifndef LB_BUNDLE_TAR_H
#define LB_BUNDLE_TAR_H

#include <stdint.h>

#include "base/error.h"

#define LB_TAR_BLOCK 512u
#define LB_TAR_NAME_MAX 99
#define LB_TAR_SIZE_MAX 077777777777ull /* 8 GiB - 1: eleven octal digits */
#define LB_TAR_END_BYTES (2 * LB_TAR_BLOCK)

struct lb_tar_member {
	char name[LB_TAR_NAME_MAX + 1];
	uint64_t size_bytes;
	uint64_t mtime_s;
};

/* Rounded up to whole blocks. */
static inline uint64_t lb_tar_padded(uint64_t size_bytes)
{
	return (size_bytes + LB_TAR_BLOCK - 1) & ~(uint64_t)(LB_TAR_BLOCK - 1);
}

/* @m->name, size and mtime must be in bounds. Cannot fail. */
void lb_tar_format(uint8_t ret_block[LB_TAR_BLOCK], const struct lb_tar_member *m);

/**
 * lb_tar_parse() - one header block
 *
 * Return: 0; -LB_E_NOT_FOUND for a block of zeros, which ends an archive (@err
 * untouched); -LB_E_FORMAT for every block that lb_tar_format() would not write.
 */
int lb_tar_parse(const uint8_t block[LB_TAR_BLOCK], struct lb_tar_member *ret,
		 struct lb_error *err) LB_MUST_CHECK;

#endif
