/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine: bring every slot to what a trusted manifest says, in place, from
 * any source, with the slot as its own journal.
 *
 *   lb_update_load()      indexes and buffers
 *   lb_update_plan()      hash what is on the device: skip what is right, find what
 *                         lies elsewhere, and in which order it can be copied
 *   lb_update_apply()     copy, fetch, verify, write, flush
 *   lb_update_readback()  read back from the medium what was written, and what lies near it
 *
 * A power cut at any moment is answered by doing all of it again: what is right
 * by then is skipped. Nothing that an earlier run wrote down is believed.
 * The manifest must have been verified and checked against the policy before.
 */
#ifndef LB_UPDATE_UPDATE_H
#define LB_UPDATE_UPDATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "bundle/bundle.h"
#include "bundle/recoder.h"
#include "config.h"
#include "port/blk.h"
#include "port/clock.h"
#include "port/source.h"
#include "update/window.h"

/*
 * What was decoded and is not flushed never exceeds this, but for half of a chunk of 256 KiB, or a longer
 * chunk: with the buffers of a connection it is what a cut may cost.
 */
#define LB_FLUSH_BYTES ((uint64_t)CONFIG_FLUSH_BYTES)
#define LB_FLUSH_MS ((uint64_t)CONFIG_FLUSH_MS)
/* A chunk may refer to so many bytes in front of it. */
#define LB_WINDOW_BYTES (CONFIG_WINDOW_KIB * 1024u)
/* Most that steps of patches keep in memory, decoded: what a cut may cost beside that. */
#define LB_HOLD_BYTES ((uint64_t)CONFIG_HOLD_BYTES)
/* Most that the symbols of a recoded patch and its regions may have. */
#define LB_SYMBOLS_BYTES ((uint64_t)CONFIG_SYMBOLS_BYTES)
/* What lies so near to a write is read back again, even if it was right before. */
#define LB_NEAR_BYTES (64u * 1024u)
#define LB_INDEX_MARK 256u /* a cursor is kept for every 256th chunk */
#define LB_UPDATE_SOURCES_MAX 8u

/* How long a phase took, waiting included, and the processor time in it; rounds add up. */
struct lb_update_time {
	uint32_t ms, cpu_ms;
};

struct lb_update_counters {
	uint64_t total_bytes;	/* of all images */
	uint64_t skip_bytes;	/* were right already when planned */
	uint64_t done_bytes;	/* right now, as far as written; skipped ones included */
	uint64_t durable_bytes; /* of done_bytes: flushed */
	uint64_t write_bytes;	/* planned: image bytes to write */
	uint64_t written_bytes; /* so far, rewrites after a bad read-back included */
	uint64_t copy_bytes;	/* planned, of write_bytes: are on the device already, at another place */
	uint64_t copied_bytes;	/* so far, of written_bytes: were read at another place of the device */
	uint64_t patch_bytes;	/* planned, of write_bytes: are made of what is on the device and a patch */
	uint64_t zero_bytes;	/* planned, of write_bytes: zeros */
	uint64_t zeroed_bytes;	/* of these, so far: made by the device, or there already; not in written_bytes */
	uint64_t fetch_bytes;	/* planned: payload bytes to fetch, patches included */
	uint64_t fetch_end;	/* planned: where in the bundle the last of it ends; 0: nothing to fetch */
	uint64_t fetched_bytes; /* payload bytes that were read from the source so far */
	uint32_t chunks, chunks_skipped, ranges;
	uint32_t plan_ranges;	/* planned: runs of payload to fetch */
	struct lb_update_time plan, install, readback; /* the caller's: the engine keeps no time */
	uint64_t left_ms;	/* the caller's: until all of it is read back; 0: not known */
};

typedef void lb_update_progress(void *ctx, const char *step, const char *image,
				const struct lb_update_counters *c);

/* Told while it works, in the caller's thread; every pointer may be NULL. */
struct lb_update_observer {
	void *ctx;
	/*
	 * Called once before the first write, after the first payload byte was
	 * fetched and verified; a failure ends the update with nothing written.
	 */
	int (*before_first_write)(void *ctx, struct lb_error *err);
	/* what is durable has grown */
	lb_update_progress *progress;
};

struct lb_update_image {
	const struct lb_image *image; /* borrowed */
	struct lb_blk *blk;	      /* borrowed */
	struct lb_index index;	      /* owned */
	uint64_t payload_offset;      /* in the bundle */
	uint8_t *right;		      /* owned: a bit per chunk that is in place */
	uint8_t *copied;	      /* owned: a bit per chunk that is going to be copied */
	uint8_t *proven;	      /* owned: a bit per chunk that was read from the medium, right and not written since */
	struct lb_chunk_cursor *marks;/* owned: a cursor for every LB_INDEX_MARKth chunk */
	bool dirty;		      /* written and not flushed */
	struct lb_patches patches;    /* owned; no steps: nothing is patched */
	uint64_t patch_offset;	      /* of their payload, in the bundle */
	bool patches_miss;	      /* planned: something that they need is not there */
};

/* What a slot held when it was right: a release on record said so. */
struct lb_update_old {
	char target[LB_NAME_MAX + 1];
	uint8_t sha256[LB_SHA256_BYTES]; /* of the whole image */
};

/* A chunk in memory on its way to its place. */
struct lb_made {
	uint8_t *bytes; /* owned */
	uint32_t number, length;
	bool due; /* is written with the next batch */
	bool copied; /* not patched */
};

/* How far the steps of patches were done: patches.c. */
struct lb_patching {
	bool active, in_step;
	bool trying;		   /* the first patch, before all else */
	uint32_t image;		   /* number */
	struct lb_patch_cursor at; /* behind @step */
	struct lb_patch_step step;
	uint32_t copied;	   /* of @step's chunks */
	uint64_t from;		   /* of the last one */
	struct lb_made *made;	   /* owned */
	uint32_t made_count, made_room;
	uint32_t due_bytes;
	uint8_t *work;	 /* owned: a prefix, or one chunk */
	uint8_t *stored; /* owned: a stored patch */
	struct lb_recoder recoder;
	const struct lb_update_image *fetched_from; /* what @stored holds */
	uint32_t fetched_number;
	uint64_t looked_bytes; /* since somebody was told */
};

/* A data chunk of an image that lies on the device, but not where it has to be. */
struct lb_copy {
	uint64_t from;	 /* offset in the slot of image @slot */
	uint32_t number; /* of the chunk */
	uint8_t image;	 /* that it belongs to */
	uint8_t slot;	 /* number of the image whose slot it was found in, or LB_IMAGES_MAX + that of a source */
	uint8_t state;	 /* order.c */
};

/* Chunks that follow one another, on their way to the slot. */
struct lb_batch {
	struct lb_update_image *im;
	struct lb_chunk_cursor first; /* of the first of them */
	uint32_t count, length;
	const uint8_t *bytes; /* in the window */
	bool flush;	      /* what was written before, first of all */
	struct lb_chunk_cursor end; /* of the first chunk that is not what was signed, or behind all of them: ... */
	uint32_t right_length; /* ... what is in front of it is written */
	int result;	      /* of the slot */
};

/* stream.c */
struct lb_stream {
	struct lb_batch filling;   /* decoded, the end of the window */
	struct lb_batch under_way; /* the worker's while @count is not 0 */
	struct lb_chunk_cursor again; /* after LB_ALONE */
	uint32_t alone_below;	   /* number of a chunk */
	bool holds;		   /* stored_buf is what arrived for the chunk at @again */
};

struct lb_update {
	struct lb_source *src;		     /* borrowed */
	struct lb_clock *clock;		     /* borrowed */
	const struct lb_update_observer *obs;/* borrowed */
	struct lb_update_image images[LB_IMAGES_MAX];
	uint32_t image_count;
	struct lb_blk *sources[LB_UPDATE_SOURCES_MAX]; /* borrowed */
	uint32_t source_count;
	struct lb_update_counters counters;
	void *dctx;	    /* owned: ZSTD_DCtx */
	struct lb_window window; /* decoded chunks; in between also scratch memory */
	uint8_t *stored_buf;/* owned: one stored chunk */
	struct lb_stream stream;
	struct lb_copy *copies;	 /* owned: by slot and from */
	uint32_t *order;	 /* owned: their numbers, as they have to be done */
	uint8_t *batch_owned;	 /* owned; NULL: a batch has room in the window */
	uint32_t copy_count, order_count, copies_done;
	size_t batch_len;
	struct lb_patching patching;
	uint64_t src_pos, src_end; /* the range that is being read */
	uint64_t unflushed_bytes, flushed_at_ms;
	bool writing; /* before_first_write() was called and agreed */
	bool zeros_spoilt; /* a read-back found no zeros where the device should have made them */
};

/**
 * lb_update_load() - read and check the indexes, allocate the buffers
 * @u: any content; initialised here, and to be freed even after a failure
 * @slots: one open slot per image, in the manifest's order; borrowed; NULL leaves an image out
 *
 * Memory: the indexes, three bits and 1/256 cursor a chunk, one decoded and one stored
 * chunk, the longest prefix and half of it or a chunk more; nothing grows with the image beyond the index.
 * Return: 0 or what lb_bundle_read_index() returned, -LB_E_UNSUPPORTED (a prefix longer
 * than LB_WINDOW_BYTES), -LB_E_NOMEM.
 */
int lb_update_load(struct lb_update *u, const struct lb_manifest *m,
		   const struct lb_bundle_layout *layout, struct lb_blk *const *slots,
		   struct lb_source *src, struct lb_clock *clock,
		   const struct lb_update_observer *obs, struct lb_error *err) LB_MUST_CHECK;
void lb_update_free(struct lb_update *u);

/**
 * lb_update_add_source() - another part of the device that may hold missing chunks
 * @u: loaded, not planned yet
 * @blk: only read, from its first to its last byte, after the slots and only if something
 *	 is still missing; borrowed until lb_update_free(). It should not overlap a slot that
 *	 is written: what is overwritten before it was read has to be fetched.
 *
 * More than LB_UPDATE_SOURCES_MAX are ignored.
 */
void lb_update_add_source(struct lb_update *u, struct lb_blk *blk);

/*
 * Adds the images of @m that go into slots to @list, of which @count are taken; room for
 * LB_IMAGES_MAX more. Returns how many it has then.
 */
uint32_t lb_update_old_of(const struct lb_manifest *m, struct lb_update_old *list, uint32_t count);

/**
 * lb_update_use_patches() - fetch the patches against what was on the device
 * @u: loaded, not planned yet
 * @old: what may lie in the slots; only a hint where to look, nothing is believed
 *
 * One set of patches for each image at most: of the first in @old that there is one for. A source
 * that cannot skip cheaply is not asked for any, nor is a set used that keeps
 * more than LB_HOLD_BYTES in memory, or has more than LB_SYMBOLS_BYTES of symbols in a patch.
 * Memory: the patch indexes until lb_update_free(); until all is applied what is kept, 512 KiB or
 * one chunk, the longest prefix (at most 1 MiB), and symbols with sizeof(union lb_recode_work).
 * Return: 0 or what lb_bundle_read_patches() returned.
 */
int lb_update_use_patches(struct lb_update *u, const struct lb_manifest *m,
			  const struct lb_bundle_layout *layout, const struct lb_update_old *old,
			  uint32_t old_count, struct lb_error *err) LB_MUST_CHECK;

/* Are there any, used or not? */
bool lb_update_has_patches(const struct lb_update *u);

/**
 * lb_update_plan() - find out what is on the device; fills the counters
 *
 * Hashes every slot as far as its image reaches, from the medium: what is right there is proven, and not
 * read back again unless something is written near it. Where chunks are missing, the rest of
 * the slots, then the sources, are read once more and cut by content: missing chunks that turn up there are
 * going to be copied, in an order in which none is overwritten before it was read.
 * What cannot be read is not right, and will be written. Memory: 24 to 32 bytes for each
 * missing chunk while looking, then 20 for each one found; buffers of up to 512 KiB, or a chunk
 * and 192 KiB, where the window has no room for them; if there are none, nothing is copied.
 * Return: 0, or a failure that is not the medium's.
 */
int lb_update_plan(struct lb_update *u, struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_update_count() - what is planned for one image
 * @number: of those that were loaded, below image_count
 * @t: write_bytes, copy_bytes, patch_bytes, zero_bytes, fetch_bytes and plan_ranges are added to, fetch_end is set; start with
 *     zeros and go through the images in order, since the first chunk of all is fetched alone
 */
void lb_update_count(const struct lb_update *u, uint32_t number, struct lb_update_counters *t);

/**
 * lb_update_apply() - copy or fetch, and write, what is not right yet
 *
 * The first chunk that has to be fetched is fetched and checked before anything is
 * written, and kept in memory while the copies are made. Every chunk's digest is
 * checked before it is written; a copy whose source is not what it was is fetched.
 * A chunk that cannot be decoded because those in front of it are not what they were is
 * fetched once more behind those.
 * Flushes before more than LB_FLUSH_BYTES are unflushed, after LB_FLUSH_MS, before
 * copies overwrite what other copies came from, and at the end: a power cut turns
 * copies of at most 512 KiB, or of one chunk, into fetches.
 * Return: 0, all slots flushed; -LB_E_DIGEST (the source's bytes are not what was
 * signed), -LB_E_IO (a slot, also one that gives other bytes again and again), or what the source or the observer returned. After
 * a failure it may be called again, also with another source in u->src.
 */
int lb_update_apply(struct lb_update *u, struct lb_error *err) LB_MUST_CHECK;

/* Between lb_update_load() and plan: @w, borrowed, digests what is read, and checks and writes what is decoded. */
static inline void lb_update_use_worker(struct lb_update *u, struct lb_worker *w)
{
	u->window.worker = w;
}

/**
 * lb_update_readback() - read back from the medium what is not proven
 * @ret_bad: chunks that differ or cannot be read; they are marked, so that apply
 *	     writes them again
 *
 * Return: 0 (look at @ret_bad), or a failure that is not the medium's.
 */
int lb_update_readback(struct lb_update *u, uint32_t *ret_bad, struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_update_image_whole() - does the medium hold exactly this image?
 * @image: the SHA-256 of the whole image is what counts; no index is needed
 * @progress: NULL, or as that of struct lb_update_observer: step "check", every 4 MiB;
 *	      total_bytes is the image's size, durable_bytes what was read so far
 *
 * Return: 1, 0, or -LB_E_TOO_BIG, -LB_E_IO, -LB_E_NOMEM.
 */
int lb_update_image_whole(struct lb_blk *blk, const struct lb_image *image,
			  lb_update_progress *progress, void *ctx,
			  struct lb_error *err) LB_MUST_CHECK;

#endif
