// SPDX-License-Identifier: GPL-2.0-or-later
#include "patch_encode.h"

#include <stdlib.h>
#include <string.h>
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#include "base/bytes.h"
#include "bundle/bundle.h"
#include "bundle/recoder.h"

struct patch_encoder {
	const struct patch_images *im;
	ZSTD_CCtx *cctx;
	ZSTD_DCtx *dctx;
	uint8_t *prefix, *out, *decoded; /* owned */
	uint8_t *symbols;		 /* owned: a chunk's, behind them those of regions */
	struct lb_recoder recoder;
	size_t out_room;
};

struct patch_encoder *patch_encoder_make(const struct patch_images *images)
{
	struct patch_encoder *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->im = images;
	e->cctx = ZSTD_createCCtx();
	e->dctx = ZSTD_createDCtx();
	e->prefix = malloc(LB_PATCH_PREFIX_MAX);
	e->decoded = malloc(LB_CHUNK_MAX_BYTES);
	e->out_room = ZSTD_compressBound(LB_PATCH_SYMBOLS_MAX);
	e->out = malloc(e->out_room);
	e->symbols = malloc(LB_PATCH_SYMBOLS_MAX);
	if (!e->cctx || !e->dctx || !e->prefix || !e->decoded || !e->out || !e->symbols ||
	    lb_recoder_init(&e->recoder, LB_PATCH_SYMBOLS_MAX)) {
		patch_encoder_free(e);
		return NULL;
	}
	return e;
}

void patch_encoder_free(struct patch_encoder *e)
{
	if (!e)
		return;
	ZSTD_freeCCtx(e->cctx);
	ZSTD_freeDCtx(e->dctx);
	lb_recoder_free(&e->recoder);
	free(e->prefix);
	free(e->decoded);
	free(e->out);
	free(e->symbols);
	free(e);
}

/* The bytes of @n's regions, one behind the other. */
static size_t gather(const struct patch_images *im, const struct patch_node *n, uint8_t *out)
{
	size_t used = 0;

	for (uint32_t r = 0; r < n->region_count; r++) {
		size_t at = (size_t)n->regions[r].block * LB_PATCH_BLOCK_BYTES;
		size_t len = (size_t)n->regions[r].count * LB_PATCH_BLOCK_BYTES;

		if (len > im->old_len - at)
			len = im->old_len - at;
		memcpy(out + used, im->old + at, len);
		used += len;
	}
	return used;
}

static size_t compress(struct patch_encoder *e, const uint8_t *data, size_t len,
		       const uint8_t *prefix, size_t prefix_len)
{
	static const struct {
		ZSTD_cParameter name;
		int value;
	} settings[] = {
		{ ZSTD_c_compressionLevel, 19 },  { ZSTD_c_contentSizeFlag, 0 },
		{ ZSTD_c_strategy, ZSTD_btultra2 }, { ZSTD_c_minMatch, 3 },
		{ ZSTD_c_targetLength, 999 },	  { ZSTD_c_searchLog, 10 },
		{ ZSTD_c_hashLog, 20 },		  { ZSTD_c_chainLog, 21 },
	};
	int window = 17;

	while (((size_t)1 << window) < prefix_len + len)
		window++;
	ZSTD_CCtx_reset(e->cctx, ZSTD_reset_session_and_parameters);
	for (size_t i = 0; i < LB_ARRAY_LEN(settings); i++)
		ZSTD_CCtx_setParameter(e->cctx, settings[i].name, settings[i].value);
	ZSTD_CCtx_setParameter(e->cctx, ZSTD_c_windowLog, window);
	ZSTD_CCtx_refPrefix(e->cctx, prefix, prefix_len);
	return ZSTD_compress2(e->cctx, e->out, e->out_room, data, len);
}

static uint64_t cost(const struct patch_node *n)
{
	return (uint64_t)n->frame_bytes + LB_PATCH_STEP_BYTES + n->region_count * LB_PATCH_REGION_BYTES;
}

/* The @bytes in e->out become the patch of @n, which has all else of @found. */
static int take(struct patch_encoder *e, struct patch_node *n, const struct patch_node *found)
{
	uint8_t *frame = malloc(found->frame_bytes);

	if (!frame)
		return -LB_E_NOMEM;
	memcpy(frame, e->out, found->frame_bytes);
	free(n->frame);
	*n = *found;
	n->frame = frame;
	return 0;
}

/* Nothing leaves the packer of which a device would not make what was signed. */
static int decode(struct patch_encoder *e, const struct patch_node *n, size_t prefix)
{
	struct lb_chunk chunk = {
		.type = LB_CHUNK_DATA,
		.length = n->length,
		.stored_length = n->frame_bytes,
		.offset = n->offset,
	};
	struct pack_entry c;

	pack_entry_get(e->im->index, n->number, &c);
	chunk.sha256 = c.sha256;
	if (n->recoded) {
		e->recoder.room = n->symbols_bytes; /* a device may have no more */
		return lb_recoder_decode(&e->recoder, e->dctx, &chunk, e->prefix, prefix, e->out,
					 e->decoded);
	}
	return lb_chunk_decode(e->dctx, LB_ENC_ZSTD_FRAMES, &chunk, e->prefix, prefix, e->out,
			       e->decoded);
}

static int try_bytes(struct patch_encoder *e, struct patch_node *n)
{
	const uint8_t *data = e->im->new + n->offset;
	struct patch_node found = *n;
	int regions = patch_regions(e->im->table, data, n->length, found.regions), r;
	size_t prefix, bytes;

	if (regions <= 0)
		return regions;
	found.region_count = (uint32_t)regions;
	prefix = gather(e->im, &found, e->prefix);
	found.crc = lb_crc32(0, e->prefix, prefix);
	bytes = compress(e, data, n->length, e->prefix, prefix);
	if (ZSTD_isError(bytes))
		return -LB_E_NOMEM;
	found.frame_bytes = (uint32_t)bytes;
	if (cost(&found) >= n->plain_length)
		return 0;
	r = decode(e, &found, prefix);
	return r ? r : take(e, n, &found);
}

/* The same between symbols. What does not become what it was, or grows too much, stays as it is. */
static int try_symbols(struct patch_encoder *e, struct patch_node *n)
{
	struct lb_recoder *rec = &e->recoder;
	struct patch_node found = *n;
	size_t len, raw, prefix, bytes;
	int regions, r;

	if (lb_recode_unpack(e->im->new + n->offset, n->length, e->symbols, LB_PATCH_SYMBOLS_MAX / 2, &len,
			     rec->work))
		return 0;
	regions = patch_symbols_regions(e->im->symbols, e->symbols, len,
					LB_PATCH_SYMBOLS_MAX / 2, found.regions);
	if (regions <= 0)
		return regions;
	found.recoded = true;
	found.region_count = (uint32_t)regions;
	raw = gather(e->im, &found, e->prefix);
	found.crc = lb_crc32(0, e->prefix, raw);
	if (lb_recode_unpack(e->prefix, raw, e->symbols + len, LB_PATCH_SYMBOLS_MAX - len, &prefix,
			     rec->work))
		return 0;
	found.symbols_bytes = (uint32_t)(len + prefix);
	bytes = compress(e, e->symbols, len, e->symbols + len, prefix);
	if (ZSTD_isError(bytes))
		return -LB_E_NOMEM;
	found.frame_bytes = (uint32_t)bytes;
	if (cost(&found) >= (n->frame ? cost(n) : n->plain_length))
		return 0;
	r = decode(e, &found, raw);
	if (r)
		return r == -LB_E_DIGEST ? 0 : r;
	return take(e, n, &found);
}

int patch_encode(struct patch_encoder *e, struct patch_node *n)
{
	int r = try_bytes(e, n);

	return r || !e->im->symbols ? r : try_symbols(e, n);
}
