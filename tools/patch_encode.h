/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A chunk encoded against regions of the old image: their bytes, or their symbols, whichever is smaller. */
#ifndef LIFEBOAT_PATCH_ENCODE_H
#define LIFEBOAT_PATCH_ENCODE_H

#include "patch.h"
#include "patch_symbols.h"

/* What all encoders share; everything is borrowed. */
struct patch_images {
	const uint8_t *old, *new, *index;
	size_t old_len;
	const struct patch_table *table;
	const struct patch_symbols *symbols; /* NULL: not worth it */
};

struct patch_encoder;

/* One for each thread. NULL: no memory. */
struct patch_encoder *patch_encoder_make(const struct patch_images *images);
void patch_encoder_free(struct patch_encoder *e);

/* Fills in @n's patch if there is one that is smaller than the chunk itself. 0 or -LB_E_NOMEM, -LB_E_DIGEST. */
int patch_encode(struct patch_encoder *e, struct patch_node *n) LB_MUST_CHECK;

#endif
