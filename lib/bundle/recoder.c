// SPDX-License-Identifier: GPL-2.0-or-later
#include "bundle/recoder.h"

#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "bundle/frame.h"

int lb_recoder_init(struct lb_recoder *r, size_t room)
{
	*r = (struct lb_recoder){ .room = room };
	if (!room)
		return 0;
	r->symbols = malloc(room);
	r->work = malloc(sizeof(*r->work));
	return r->symbols && r->work ? 0 : -LB_E_NOMEM;
}

void lb_recoder_free(struct lb_recoder *r)
{
	free(r->symbols);
	free(r->work);
	*r = (struct lb_recoder){ 0 };
}

int lb_recoder_decode(struct lb_recoder *r, void *dctx, const struct lb_chunk *chunk,
		      const uint8_t *regions, size_t regions_len, const uint8_t *stored, uint8_t *out)
{
	uint8_t digest[LB_SHA256_BYTES];
	size_t prefix, len;
	int err;

	if (!r->room || lb_recode_unpack(regions, regions_len, r->symbols, r->room, &prefix, r->work))
		return -LB_E_DIGEST;
	err = lb_frame_decode(dctx, r->symbols, prefix, stored, chunk->stored_length,
			      r->symbols + prefix, r->room - prefix, &len);
	if (err)
		return err;
	if (lb_recode_pack(r->symbols + prefix, len, out, chunk->length, r->work))
		return -LB_E_DIGEST;
	lb_sha256(out, chunk->length, digest);
	return memcmp(digest, chunk->sha256, sizeof(digest)) ? -LB_E_DIGEST : 0;
}
