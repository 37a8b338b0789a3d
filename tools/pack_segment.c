// SPDX-License-Identifier: GPL-2.0-or-later
#include "pack_segment.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "bundle/bundle.h"
#include "pack_frame.h"

/* Longer ones are searched with less repetition, shorter ones keep more processors busy. */
#define SEGMENT_BYTES (16u * LB_MIB)
#define SEGMENT_CHUNKS 8192u
#define FRAME_OVERHEAD 16u /* of a chunk of a few bytes */

const size_t PACK_SEGMENT_OUT_BYTES =
	ZSTD_COMPRESSBOUND(SEGMENT_BYTES) + SEGMENT_CHUNKS * FRAME_OVERHEAD;

struct pack_encoder {
	const struct pack_image *p; /* borrowed */
	struct pack_options options;
	uint32_t window_bytes;	    /* 0: chunks are encoded by themselves */
	struct pack_search search;
	struct pack_frame frame;
	ZSTD_CCtx *cctx;
	ZSTD_DCtx *dctx;
	uint8_t *in;	   /* what precedes the segment, then the segment */
	uint8_t *encoded;  /* one chunk */
	uint8_t *decoded;  /* and again */
};

bool pack_segment_next(const struct pack_image *p, uint32_t *next, uint64_t *offset,
		       struct pack_segment *ret)
{
	struct pack_entry e = { 0 };
	bool found = false;

	for (; *next < p->chunk_count; ++*next, *offset += e.length) {
		pack_entry_get(p->index, *next, &e);
		if (!found && e.type != LB_CHUNK_DATA)
			continue;
		if (!found) {
			found = true;
			ret->first = *next;
			ret->offset = *offset;
			ret->len = 0;
		} else if (e.length > SEGMENT_BYTES - ret->len || *next - ret->first == SEGMENT_CHUNKS) {
			break;
		}
		ret->len += e.length;
	}
	ret->end = *next;
	return found;
}

struct pack_encoder *pack_encoder_new(const struct pack_image *p, const struct pack_options *options)
{
	struct pack_encoder *e = calloc(1, sizeof(*e));
	bool ok;

	if (!e)
		return NULL;
	e->p = p;
	e->options = *options;
	if (p->image->encoding == LB_ENC_ZSTD_FRAMES)
		e->window_bytes = options->window_bytes;
	e->cctx = ZSTD_createCCtx();
	e->dctx = ZSTD_createDCtx();
	e->in = malloc(e->window_bytes + LB_CHUNK_MAX_BYTES + SEGMENT_BYTES);
	e->encoded = malloc(ZSTD_COMPRESSBOUND(LB_CHUNK_MAX_BYTES));
	e->decoded = malloc(LB_CHUNK_MAX_BYTES);
	ok = e->cctx && e->dctx && e->in && e->encoded && e->decoded;
	if (ok && e->window_bytes)
		ok = !pack_search_open(&e->search, e->window_bytes + SEGMENT_BYTES, options->level,
				       e->window_bytes) && !pack_frame_open(&e->frame);
	if (ok)
		return e;
	pack_encoder_free(e);
	return NULL;
}

void pack_encoder_free(struct pack_encoder *e)
{
	if (!e)
		return;
	pack_search_close(&e->search);
	pack_frame_close(&e->frame);
	ZSTD_freeCCtx(e->cctx);
	ZSTD_freeDCtx(e->dctx);
	free(e->in);
	free(e->encoded);
	free(e->decoded);
	free(e);
}

/* ---- reading --------------------------------------------------------------- */

/* The last @len bytes of chunk @c: all of it, unless it is of zeros. */
static bool unchanged(const struct pack_entry *c, const uint8_t *data, uint32_t len)
{
	uint8_t digest[LB_SHA256_BYTES];

	if (c->type == LB_CHUNK_ZERO)
		return lb_bytes_all_zero(data, len);
	lb_sha256(data, c->length, digest);
	return !memcmp(digest, c->sha256, sizeof(digest));
}

/*
 * Reads the segment and whole chunks in front of it, as many as the window touches;
 * of zeros only what is in the window. @ret_before: how many bytes precede the segment.
 */
static int read_segment(struct pack_encoder *e, const struct pack_segment *seg, size_t *ret_before)
{
	uint32_t number = seg->first, before = 0, first_len = 0;
	const uint8_t *data = e->in;
	struct pack_entry c;

	while (number && before < e->window_bytes) {
		pack_entry_get(e->p->index, --number, &c);
		first_len = c.length;
		if (c.type == LB_CHUNK_ZERO && first_len > e->window_bytes - before)
			first_len = e->window_bytes - before;
		before += first_len;
	}
	if (cli_pread_full(e->p->fd, e->in, before + seg->len, seg->offset - before))
		return -LB_E_IO;
	for (; number < seg->end; number++) {
		pack_entry_get(e->p->index, number, &c);
		if (!first_len)
			first_len = c.length;
		if (!unchanged(&c, data, first_len))
			return -LB_E_CHANGED;
		data += first_len;
		first_len = 0;
	}
	*ret_before = before;
	return 0;
}

/* ---- encoding -------------------------------------------------------------- */

static int encode(struct pack_encoder *e, const uint8_t *data, uint32_t len, uint8_t *out,
		  struct pack_stored *ret)
{
	size_t n = len;
	int rc = 0;

	ret->reach = 0;
	if (e->p->image->encoding == LB_ENC_NONE)
		memcpy(out, data, len);
	else if (e->window_bytes)
		rc = pack_frame_write(&e->frame, &e->search, data, len, e->window_bytes, out, &n,
				      &ret->reach);
	else
		n = ZSTD_compressCCtx(e->cctx, out, ZSTD_COMPRESSBOUND(LB_CHUNK_MAX_BYTES), data,
				      len, e->options.level);
	if (rc || ZSTD_isError(n))
		return -LB_E_NOMEM;
	ret->length = (uint32_t)n;
	return 0;
}

/* Nothing leaves the packer that a device would not decode. */
static int decode(struct pack_encoder *e, const struct pack_entry *c, uint64_t offset,
		  const uint8_t *data, const struct pack_stored *stored)
{
	struct lb_chunk chunk = {
		.type = LB_CHUNK_DATA,
		.length = c->length,
		.stored_length = stored->length,
		.reach = stored->reach,
		.offset = offset,
		.sha256 = c->sha256,
	};
	uint32_t prefix = lb_chunk_prefix_bytes(&chunk);

	return lb_chunk_decode(e->dctx, e->p->image->encoding, &chunk, data - prefix, prefix,
			       e->encoded, e->decoded);
}

static int encode_all(struct pack_encoder *e, struct pack_segment *seg, const uint8_t *data,
		      struct pack_stored *stored)
{
	uint64_t offset = seg->offset;
	struct pack_entry c;
	int rc = 0;

	seg->out_len = 0;
	for (uint32_t i = seg->first; !rc && i < seg->end; i++) {
		pack_entry_get(e->p->index, i, &c);
		if (c.type == LB_CHUNK_DATA) {
			rc = encode(e, data, c.length, e->encoded, &stored[i]);
			if (!rc)
				rc = decode(e, &c, offset, data, &stored[i]);
			if (rc)
				break;
			memcpy(seg->out + seg->out_len, e->encoded, stored[i].length);
			seg->out_len += stored[i].length;
		} else if (e->window_bytes) {
			pack_search_skip(&e->search, c.length);
		}
		data += c.length;
		offset += c.length;
	}
	return rc;
}

int pack_encoder_run(struct pack_encoder *e, struct pack_segment *seg, struct pack_stored *stored)
{
	size_t before, window;
	int rc = read_segment(e, seg, &before);

	if (!rc && e->window_bytes) {
		window = before < e->window_bytes ? before : e->window_bytes;
		rc = pack_search_run(&e->search, e->in + before - window, window + seg->len);
		pack_search_skip(&e->search, (uint32_t)window);
	}
	return rc ? rc : encode_all(e, seg, e->in + before, stored);
}
