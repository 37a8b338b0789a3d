/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the compressed blocks of an old image have symbols like those of a chunk of the new one. */
#ifndef LIFEBOAT_PATCH_SYMBOLS_H
#define LIFEBOAT_PATCH_SYMBOLS_H

#include "patch.h"

struct patch_symbols;

/* Of all of @old. NULL: it has hardly a block, or there is no memory for it. Free with patch_symbols_free(). */
struct patch_symbols *patch_symbols_make(const uint8_t *old, uint64_t old_bytes);
void patch_symbols_free(struct patch_symbols *s);

/*
 * The regions of the old image whose symbols repeat most of the @len symbols at @data, and have
 * @room bytes of symbols at most. As patch_regions().
 */
int patch_symbols_regions(const struct patch_symbols *s, const uint8_t *data, size_t len,
			  size_t room, struct patch_region ret[PATCH_REGIONS_MAX]);

#endif
