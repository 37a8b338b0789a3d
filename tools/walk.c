// SPDX-License-Identifier: GPL-2.0-or-later
/* Decoding an image out of a bundle, for verify and extract. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "base/bytes.h"
#include "bundle_file.h"
#include "cli.h"

struct walk {
	struct bundle_file *bundle;
	const struct lb_image *image;
	uint64_t payload_offset;
	struct lb_index index;
	struct image_sink *sink; /* borrowed; may be NULL */
	ZSTD_DCtx *dctx;	 /* owned, as are the buffers */
	uint8_t *stored, *out;
	uint64_t *stored_offsets; /* of data chunks, for duplicates */
	struct lb_sha256 image_hash, payload_hash;
	struct cli_progress progress;
};

static int walk_open(struct walk *w, struct bundle_file *b, uint32_t number, struct lb_error *err)
{
	int rc = lb_bundle_read_index(b->src, &b->manifest, &b->layout, number, &w->index, err);

	if (!rc && w->index.longest_prefix)
		rc = lb_error_set(err, LB_E_UNSUPPORTED, "image %s: its chunks need the bytes in front of them",
				  w->image->name);
	if (rc)
		return rc;
	w->dctx = ZSTD_createDCtx();
	w->stored = malloc(w->index.longest_stored + 1);
	w->out = malloc(w->index.longest_chunk + 1);
	w->stored_offsets = calloc(w->index.chunk_count, sizeof(*w->stored_offsets));
	if (!w->dctx || !w->stored || !w->out || !w->stored_offsets)
		return lb_error_set(err, LB_E_NOMEM, "no memory for decoding");
	lb_sha256_start(&w->image_hash);
	lb_sha256_start(&w->payload_hash);
	cli_progress_start(&w->progress, w->image->name, w->image->size_bytes);
	return 0;
}

static void walk_close(struct walk *w)
{
	cli_progress_end(&w->progress);
	ZSTD_freeDCtx(w->dctx);
	free(w->stored);
	free(w->out);
	free(w->stored_offsets);
	lb_index_free(&w->index);
}

int file_sink_put(struct image_sink *sink, uint64_t offset, const uint8_t *data, size_t len)
{
	struct file_sink *f = (struct file_sink *)sink;

	if (!data)
		return 0;
	if (lseek(f->fd, (off_t)offset, SEEK_SET) < 0)
		return -LB_E_IO;
	return cli_write_full(f->fd, data, len);
}

/* Fetches and decodes a data chunk into @w->out. */
static int decode(struct walk *w, const struct lb_chunk *chunk, struct lb_error *err)
{
	struct lb_source *src = w->bundle->src;
	int rc = lb_source_seek(src, w->payload_offset + chunk->stored_offset, chunk->stored_length,
				err);

	if (!rc)
		rc = lb_source_read_full(src, w->stored, chunk->stored_length, err);
	if (rc)
		return rc;
	rc = lb_chunk_decode(w->dctx, w->image->encoding, chunk, NULL, 0, w->stored, w->out);
	if (rc)
		return lb_error_set(err, -rc, "chunk %u of image %s at byte %llu is not what was signed",
				    chunk->number, w->image->name, (unsigned long long)chunk->offset);
	return 0;
}

/* A duplicate is its original once more; walking to that would be quadratic. */
static int decode_duplicate(struct walk *w, const struct lb_chunk *chunk, struct lb_error *err)
{
	struct lb_chunk_cursor at = { .next = chunk->original,
				      .stored_offset = w->stored_offsets[chunk->original] };
	struct lb_chunk original;

	if (!lb_index_next(&w->index, &at, &original))
		return lb_error_set(err, LB_E_FORMAT, "chunk %u repeats nothing", chunk->number);
	return decode(w, &original, err);
}

static void hash_zeros(struct lb_sha256 *h, size_t len)
{
	static const uint8_t zeros[64 * LB_KIB];

	for (size_t n; len; len -= n) {
		n = len < sizeof(zeros) ? len : sizeof(zeros);
		lb_sha256_update(h, zeros, n);
	}
}

static int walk_chunk(struct walk *w, const struct lb_chunk *chunk, struct lb_error *err)
{
	const uint8_t *data = w->out;
	int rc = 0;

	switch (chunk->type) {
	case LB_CHUNK_DATA:
		w->stored_offsets[chunk->number] = chunk->stored_offset;
		rc = decode(w, chunk, err);
		if (!rc)
			lb_sha256_update(&w->payload_hash, w->stored, chunk->stored_length);
		break;
	case LB_CHUNK_DUPLICATE:
		rc = decode_duplicate(w, chunk, err);
		break;
	case LB_CHUNK_ZERO:
		data = NULL;
		hash_zeros(&w->image_hash, chunk->length);
		break;
	}
	if (rc)
		return rc;
	if (data)
		lb_sha256_update(&w->image_hash, data, chunk->length);
	if (w->sink && w->sink->put(w->sink, chunk->offset, data, chunk->length))
		return lb_error_set(err, LB_E_IO, "image %s cannot be written at byte %llu",
				    w->image->name, (unsigned long long)chunk->offset);
	cli_progress_add(&w->progress, chunk->length);
	return 0;
}

static int check_digests(struct walk *w, struct lb_error *err)
{
	uint8_t image[LB_SHA256_BYTES], payload[LB_SHA256_BYTES];

	lb_sha256_finish(&w->image_hash, image);
	lb_sha256_finish(&w->payload_hash, payload);
	if (memcmp(payload, w->image->payload.sha256, sizeof(payload)))
		return lb_error_set(err, LB_E_DIGEST, "%s is not what was signed",
				    w->image->payload.name);
	if (memcmp(image, w->image->sha256, sizeof(image)))
		return lb_error_set(err, LB_E_DIGEST, "image %s is not what was signed",
				    w->image->name);
	return 0;
}

int bundle_file_walk(struct bundle_file *b, uint32_t number, struct image_sink *sink,
		     struct lb_error *err)
{
	struct walk w = {
		.bundle = b,
		.image = &b->manifest.images[number],
		.payload_offset = b->layout.payload_offset[number],
		.sink = sink,
	};
	struct lb_chunk_cursor cursor = { 0 };
	struct lb_chunk chunk;
	int rc = walk_open(&w, b, number, err);

	while (!rc && lb_index_next(&w.index, &cursor, &chunk))
		rc = walk_chunk(&w, &chunk, err);
	if (!rc)
		rc = check_digests(&w, err);
	walk_close(&w);
	return cli_prefix(err, b->path, rc);
}
