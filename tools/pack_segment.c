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
#define FAR_SHARE 4u	   /* a region has at most 1/4 of the window, ... */
#define FAR_BYTES (SEGMENT_BYTES / 2) /* ... and those of a segment as much as this */

const size_t PACK_SEGMENT_OUT_BYTES =
	ZSTD_COMPRESSBOUND(SEGMENT_BYTES) + SEGMENT_CHUNKS * FRAME_OVERHEAD;

struct pack_encoder {
	const struct pack_image *p; /* borrowed */
	struct pack_options options;
	uint32_t window_bytes;	    /* 0: chunks are encoded by themselves */
	const struct pack_far *far; /* borrowed; NULL: no far regions */
	const uint8_t *image;	    /* borrowed; that they are read from */
	uint32_t far_blocks;	    /* longest region */
	struct pack_region *regions; /* owned; of a segment's chunks */
	struct pack_stream stream;
	struct pack_search search;
	struct pack_frame frame;
	ZSTD_CCtx *cctx;
	ZSTD_DCtx *dctx;
	uint8_t *in;	   /* what precedes the segment, then the segment */
	uint8_t *encoded;  /* one chunk */
	uint8_t *decoded;  /* and again */
	uint8_t *prefix;   /* of a chunk with a far region */
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

static int open_far(struct pack_encoder *e)
{
	uint32_t blocks = e->window_bytes / FAR_SHARE / LB_FAR_BLOCK_BYTES;

	e->far_blocks = blocks < PACK_FAR_BLOCKS_MAX ? blocks : PACK_FAR_BLOCKS_MAX;
	e->regions = malloc(SEGMENT_CHUNKS * sizeof(*e->regions));
	e->prefix = malloc(e->window_bytes);
	if (!e->regions || !e->prefix)
		return -LB_E_NOMEM;
	return pack_stream_open(&e->stream, e->window_bytes + SEGMENT_BYTES + FAR_BYTES,
				2 * SEGMENT_CHUNKS + 1);
}

struct pack_encoder *pack_encoder_new(const struct pack_image *p, const struct pack_far *far,
				      const uint8_t *image, const struct pack_options *options)
{
	struct pack_encoder *e = calloc(1, sizeof(*e));
	bool ok;

	if (!e)
		return NULL;
	e->p = p;
	e->options = *options;
	if (p->image->encoding == LB_ENC_ZSTD_FRAMES)
		e->window_bytes = options->window_bytes;
	if (e->window_bytes >= FAR_SHARE * LB_FAR_BLOCK_BYTES) {
		e->far = far;
		e->image = image;
	}
	e->cctx = ZSTD_createCCtx();
	e->dctx = ZSTD_createDCtx();
	e->in = malloc(e->window_bytes + LB_CHUNK_MAX_BYTES + SEGMENT_BYTES);
	e->encoded = malloc(ZSTD_COMPRESSBOUND(LB_CHUNK_MAX_BYTES));
	e->decoded = malloc(LB_CHUNK_MAX_BYTES);
	ok = e->cctx && e->dctx && e->in && e->encoded && e->decoded;
	if (ok && e->window_bytes)
		ok = !pack_search_open(&e->search,
				       e->window_bytes + SEGMENT_BYTES + (e->far ? FAR_BYTES : 0),
				       options->level, e->window_bytes) &&
		     !pack_frame_open(&e->frame);
	if (ok && e->far)
		ok = !open_far(e);
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
	pack_stream_close(&e->stream);
	free(e->regions);
	free(e->prefix);
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

/* ---- far regions ----------------------------------------------------------- */

/* Of all data chunks of the segment; false: none has one. */
static int find_regions(struct pack_encoder *e, const struct pack_segment *seg, bool *ret_any)
{
	uint64_t offset = seg->offset;
	uint32_t left = FAR_BYTES;
	struct pack_entry c;
	int rc = 0;

	*ret_any = false;
	for (uint32_t i = seg->first; !rc && i < seg->end; i++, offset += c.length) {
		struct pack_region *r = &e->regions[i - seg->first];

		*r = (struct pack_region){ 0 };
		pack_entry_get(e->p->index, i, &c);
		if (c.type != LB_CHUNK_DATA || offset <= e->window_bytes)
			continue;
		rc = pack_far_find(e->far, offset, c.length, e->window_bytes, e->far_blocks, r);
		if (r->bytes > left)
			*r = (struct pack_region){ 0 };
		left -= r->bytes;
		*ret_any = *ret_any || r->bytes;
	}
	return rc;
}

/* @data: the segment, and the @window bytes in front of it */
static void fill_stream(struct pack_encoder *e, const struct pack_segment *seg, const uint8_t *data,
			size_t window)
{
	uint64_t offset = seg->offset;
	struct pack_entry c;

	pack_stream_start(&e->stream);
	if (window)
		pack_stream_add(&e->stream, data - window, offset - window, window, false);
	for (uint32_t i = seg->first; i < seg->end; i++, offset += c.length, data += c.length) {
		const struct pack_region *r = &e->regions[i - seg->first];

		pack_entry_get(e->p->index, i, &c);
		if (r->bytes)
			pack_stream_add(&e->stream, e->image + r->offset, r->offset, r->bytes, true);
		pack_stream_add(&e->stream, data, offset, c.length, false);
	}
}

/* ---- encoding -------------------------------------------------------------- */

static int frame(struct pack_encoder *e, const struct pack_chunk *c, uint8_t *out,
		 struct pack_stored *ret)
{
	struct pack_framed framed;
	int rc = pack_frame_write(&e->frame, &e->search, c, out, &framed);

	if (rc)
		return rc;
	ret->length = (uint32_t)framed.len;
	ret->reach = framed.reach;
	if (framed.far)
		ret->far = c->place.far;
	return 0;
}

static int encode(struct pack_encoder *e, const struct pack_chunk *c, uint8_t *out,
		  struct pack_stored *ret)
{
	size_t n = c->len;

	*ret = (struct pack_stored){ 0 };
	if (e->p->image->encoding == LB_ENC_NONE)
		memcpy(out, c->data, c->len);
	else if (e->window_bytes)
		return frame(e, c, out, ret);
	else
		n = ZSTD_compressCCtx(e->cctx, out, ZSTD_COMPRESSBOUND(LB_CHUNK_MAX_BYTES), c->data,
				      c->len, e->options.level);
	if (ZSTD_isError(n))
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
		.far_bytes = stored->far.bytes,
		.offset = offset,
		.sha256 = c->sha256,
	};
	uint32_t near = lb_chunk_near_bytes(&chunk);
	const uint8_t *prefix = data - near;

	if (chunk.far_bytes) {
		memcpy(e->prefix, e->image + stored->far.offset, chunk.far_bytes);
		memcpy(e->prefix + chunk.far_bytes, prefix, near);
		prefix = e->prefix;
	}
	return lb_chunk_decode(e->dctx, e->p->image->encoding, &chunk, prefix,
			       lb_chunk_prefix_bytes(&chunk), e->encoded, e->decoded);
}

/* Data chunk @number, which is the next one in what was searched; @at: the place there. */
static int encode_chunk(struct pack_encoder *e, struct pack_segment *seg, uint32_t number,
			const struct pack_chunk *c, struct pack_stored *stored)
{
	struct pack_entry entry;
	int rc;

	pack_entry_get(e->p->index, number, &entry);
	if (c->place.far.bytes)
		pack_search_skip(&e->search, c->place.far.bytes);
	rc = encode(e, c, e->encoded, stored);
	if (!rc)
		rc = decode(e, &entry, c->place.offset, c->data, stored);
	if (rc)
		return rc;
	memcpy(seg->out + seg->out_len, e->encoded, stored->length);
	seg->out_len += stored->length;
	return 0;
}

/* @window: bytes in front of the segment that were searched; @far: in a stream with far regions */
static int encode_all(struct pack_encoder *e, struct pack_segment *seg, const uint8_t *data,
		      size_t window, bool far, struct pack_stored *stored)
{
	struct pack_chunk c = {
		.data = data,
		.window_bytes = e->window_bytes,
		.place = { .stream = far ? &e->stream : NULL, .at = window, .offset = seg->offset },
	};
	int rc = 0;

	seg->out_len = 0;
	for (uint32_t i = seg->first; !rc && i < seg->end; i++) {
		struct pack_entry entry;

		pack_entry_get(e->p->index, i, &entry);
		c.len = entry.length;
		if (far) {
			c.place.far = e->regions[i - seg->first];
			c.place.at += c.place.far.bytes;
		}
		if (entry.type == LB_CHUNK_DATA)
			rc = encode_chunk(e, seg, i, &c, &stored[i]);
		else if (e->window_bytes)
			pack_search_skip(&e->search, c.len);
		c.data += c.len;
		c.place.at += c.len;
		c.place.offset += c.len;
	}
	return rc;
}

int pack_encoder_run(struct pack_encoder *e, struct pack_segment *seg, struct pack_stored *stored)
{
	size_t before, window = 0;
	const uint8_t *data;
	bool far = false;
	int rc = read_segment(e, seg, &before);

	data = e->in + before;
	if (!rc && e->far)
		rc = find_regions(e, seg, &far);
	if (!rc && e->window_bytes) {
		window = before < e->window_bytes ? before : e->window_bytes;
		if (far) {
			fill_stream(e, seg, data, window);
			rc = pack_search_run(&e->search, e->stream.buf, e->stream.len);
		} else {
			rc = pack_search_run(&e->search, data - window, window + seg->len);
		}
		pack_search_skip(&e->search, (uint32_t)window);
	}
	return rc ? rc : encode_all(e, seg, data, window, far, stored);
}
