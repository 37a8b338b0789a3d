// SPDX-License-Identifier: GPL-2.0-or-later
/* Decoding an image out of a bundle, for verify and extract. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "base/bytes.h"
#include "bundle_file.h"
#include "cli.h"

#define WINDOW_ROOM (4u * LB_MIB) /* the window is moved once in so many bytes */

struct walk {
	struct bundle_file *bundle;
	const struct lb_image *image;
	uint64_t payload_offset;
	struct lb_index index;
	struct image_sink *sink; /* borrowed; may be NULL */
	ZSTD_DCtx *dctx;	 /* owned, as are the buffers */
	uint8_t *stored;
	uint8_t *window; /* the image's last bytes before @window_end, and room for one more chunk */
	size_t window_end, window_room;
	uint8_t *prefix;	 /* of a chunk with a far region */
	int kept;		 /* owned: a file with what is needed again, at its place in the image; or -1 */
	uint64_t *again;	 /* of each chunk: 0, or its offset and 1 if it is repeated */
	uint8_t *far_blocks;	 /* a bit for each block of the image: it is in a far region */
	struct lb_sha256 image_hash, payload_hash;
	struct cli_progress progress;
};

/*
 * A duplicate cannot be decoded again: what its original was decoded with is gone by then.
 * Nor can what a far region consists of.
 */
static void find_needed_again(struct walk *w)
{
	struct lb_chunk_cursor cursor = { 0 };
	struct lb_chunk chunk;

	while (lb_index_next(&w->index, &cursor, &chunk)) {
		uint64_t block = chunk.far_offset / LB_FAR_BLOCK_BYTES;

		if (chunk.type == LB_CHUNK_DUPLICATE)
			w->again[chunk.original] = 1;
		for (uint32_t i = 0; i < chunk.far_bytes / LB_FAR_BLOCK_BYTES; i++, block++)
			w->far_blocks[block / 8] |= (uint8_t)(1u << block % 8);
	}
	for (cursor = (struct lb_chunk_cursor){ 0 }; lb_index_next(&w->index, &cursor, &chunk);)
		if (w->again[chunk.number])
			w->again[chunk.number] += chunk.offset;
}

static bool is_needed_again(const struct walk *w, const struct lb_chunk *chunk)
{
	uint64_t block = chunk->offset / LB_FAR_BLOCK_BYTES;
	bool needed = w->again[chunk->number];

	for (; !needed && block * LB_FAR_BLOCK_BYTES < chunk->offset + chunk->length; block++)
		needed = w->far_blocks[block / 8] >> block % 8 & 1;
	return needed;
}

static int walk_open(struct walk *w, struct bundle_file *b, uint32_t number, struct lb_error *err)
{
	int rc = lb_bundle_read_index(b->src, &b->manifest, &b->layout, number, &w->index, err);

	if (rc)
		return rc;
	w->window_room = (size_t)w->index.longest_prefix + w->index.longest_chunk + WINDOW_ROOM;
	w->dctx = ZSTD_createDCtx();
	w->stored = malloc(w->index.longest_stored + 1);
	w->window = malloc(w->window_room);
	w->prefix = malloc(w->index.longest_prefix + 1);
	w->again = calloc(w->index.chunk_count, sizeof(*w->again));
	w->far_blocks = calloc(1, w->image->size_bytes / LB_FAR_BLOCK_BYTES / 8 + 1);
	if (!w->dctx || !w->stored || !w->window || !w->prefix || !w->again || !w->far_blocks)
		return lb_error_set(err, LB_E_NOMEM, "no memory for decoding");
	find_needed_again(w);
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
	free(w->window);
	free(w->prefix);
	free(w->again);
	free(w->far_blocks);
	if (w->kept >= 0)
		close(w->kept);
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

/* ---- the window ------------------------------------------------------------ */

/* Where the next chunk belongs: @len bytes of room, and the longest prefix right in front. */
static uint8_t *window_next(struct walk *w, uint32_t len)
{
	size_t keep = w->index.longest_prefix;

	if (len > w->window_room - w->window_end) {
		memmove(w->window, w->window + w->window_end - keep, keep);
		w->window_end = keep;
	}
	return w->window + w->window_end;
}

static void window_add_zeros(struct walk *w, uint32_t len)
{
	if (len > w->index.longest_prefix)
		len = w->index.longest_prefix;
	memset(window_next(w, len), 0, len);
	w->window_end += len;
}

/* ---- chunks ---------------------------------------------------------------- */

static int keep_chunk(struct walk *w, const struct lb_chunk *chunk, const uint8_t *data,
		      struct lb_error *err)
{
	if (w->kept < 0) {
		w->kept = cli_file_temporary(err);
		if (w->kept < 0)
			return w->kept;
		if (ftruncate(w->kept, (off_t)w->image->size_bytes))
			return lb_error_set(err, LB_E_IO, "a temporary file cannot be written");
	}
	if (lseek(w->kept, (off_t)chunk->offset, SEEK_SET) < 0 ||
	    cli_write_full(w->kept, data, chunk->length))
		return lb_error_set(err, LB_E_IO, "a temporary file cannot be written");
	return 0;
}

static int read_kept(struct walk *w, uint64_t offset, uint8_t *out, size_t len,
		     struct lb_error *err)
{
	if (w->kept < 0) /* nothing but zeros was needed again */
		memset(out, 0, len);
	else if (cli_pread_full(w->kept, out, len, offset))
		return lb_error_set(err, LB_E_IO, "a temporary file cannot be read");
	return 0;
}

/* What the chunk that goes to @out is decoded with. */
static int find_prefix(struct walk *w, const struct lb_chunk *chunk, const uint8_t *out,
		       const uint8_t **ret_prefix, struct lb_error *err)
{
	uint32_t near = lb_chunk_near_bytes(chunk);

	*ret_prefix = out - near;
	if (!chunk->far_bytes)
		return 0;
	*ret_prefix = w->prefix;
	memcpy(w->prefix + chunk->far_bytes, out - near, near);
	return read_kept(w, chunk->far_offset, w->prefix, chunk->far_bytes, err);
}

/* Fetches and decodes a data chunk. */
static int decode(struct walk *w, const struct lb_chunk *chunk, uint8_t *out, struct lb_error *err)
{
	struct lb_source *src = w->bundle->src;
	const uint8_t *prefix;
	int rc = lb_source_seek(src, w->payload_offset + chunk->stored_offset, chunk->stored_length,
				err);

	if (!rc)
		rc = lb_source_read_full(src, w->stored, chunk->stored_length, err);
	if (!rc)
		rc = find_prefix(w, chunk, out, &prefix, err);
	if (rc)
		return rc;
	rc = lb_chunk_decode(w->dctx, w->image->encoding, chunk, prefix,
			     lb_chunk_prefix_bytes(chunk), w->stored, out);
	if (rc)
		return lb_error_set(err, -rc, "chunk %u of image %s at byte %llu is not what was signed",
				    chunk->number, w->image->name, (unsigned long long)chunk->offset);
	lb_sha256_update(&w->payload_hash, w->stored, chunk->stored_length);
	return 0;
}

static void hash_zeros(struct lb_sha256 *h, size_t len)
{
	static const uint8_t zeros[64 * LB_KIB];

	for (size_t n; len; len -= n) {
		n = len < sizeof(zeros) ? len : sizeof(zeros);
		lb_sha256_update(h, zeros, n);
	}
}

/* @ret_data: the chunk's bytes, in the window; NULL: zeros */
static int get_chunk(struct walk *w, const struct lb_chunk *chunk, const uint8_t **ret_data,
		     struct lb_error *err)
{
	uint8_t *out;
	int rc;

	*ret_data = NULL;
	if (chunk->type == LB_CHUNK_ZERO) {
		window_add_zeros(w, chunk->length);
		hash_zeros(&w->image_hash, chunk->length);
		return 0;
	}
	out = window_next(w, chunk->length);
	if (chunk->type == LB_CHUNK_DUPLICATE)
		rc = read_kept(w, w->again[chunk->original] - 1, out, chunk->length, err);
	else
		rc = decode(w, chunk, out, err);
	if (!rc && is_needed_again(w, chunk))
		rc = keep_chunk(w, chunk, out, err);
	if (rc)
		return rc;
	lb_sha256_update(&w->image_hash, out, chunk->length);
	w->window_end += chunk->length;
	*ret_data = out;
	return 0;
}

static int walk_chunk(struct walk *w, const struct lb_chunk *chunk, struct lb_error *err)
{
	const uint8_t *data;
	int rc = get_chunk(w, chunk, &data, err);

	if (rc)
		return rc;
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
		.kept = -1,
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
