/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the engine's files only. */
#ifndef LB_UPDATE_INTERNAL_H
#define LB_UPDATE_INTERNAL_H

#include <string.h>

#include "update/update.h"

typedef int lb_blk_reader(struct lb_blk *b, uint64_t offset, void *buf, size_t len);

static inline bool lb_bit(const uint8_t *bits, uint32_t number)
{
	return bits[number / 8] >> number % 8 & 1;
}

static inline void lb_bit_set(uint8_t *bits, uint32_t number, bool on)
{
	uint8_t bit = (uint8_t)(1u << number % 8);

	bits[number / 8] = (uint8_t)(on ? bits[number / 8] | bit : bits[number / 8] & ~bit);
}

static inline bool lb_chunk_is_right(const struct lb_update_image *im, uint32_t number)
{
	return lb_bit(im->right, number);
}

static inline void lb_chunk_mark(struct lb_update_image *im, uint32_t number, bool right)
{
	lb_bit_set(im->right, number, right);
}

/* The slot gave other bytes than it gave the plan: nothing that was read there proves anything. */
static inline void lb_doubt(struct lb_update_image *im)
{
	memset(im->proven, 0, im->index.chunk_count / 8 + 1);
}

/* A data chunk that only the source has. */
static inline bool lb_chunk_is_wanted(const struct lb_update_image *im, const struct lb_chunk *c)
{
	return c->type == LB_CHUNK_DATA && !lb_chunk_is_right(im, c->number) &&
	       !lb_bit(im->copied, c->number);
}

/*
 * 1 when the slot holds @c at its place; 0 when not, or when it cannot be read; a
 * failure of another kind (a simulated power cut). The window is used for it, and forgotten.
 */
int lb_chunk_matches(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c,
		     lb_blk_reader *reader);

/* The same for a data or duplicate chunk that may be at @at, into @buf. */
int lb_chunk_read(struct lb_blk *blk, uint64_t at, const struct lb_chunk *c, uint8_t *buf,
		  lb_blk_reader *reader);

/* @right: the medium holds chunk @c at its place. */
typedef void lb_scan_found(void *ctx, struct lb_update_image *im, const struct lb_chunk *c, bool right);

/*
 * Reads what lies at the places of all chunks that are not proven; those that are right are proven
 * then, so what @reader gives has to come from the medium. @found is told of each of them, in order. The window is
 * used for it, and forgotten. 0, or a failure that is not the medium's.
 */
int lb_scan(struct lb_update *u, struct lb_update_image *im, lb_blk_reader *reader,
	    lb_scan_found *found, void *ctx);

/* Chunk @number with its running sums, at most LB_INDEX_MARK steps away. */
void lb_chunk_at(const struct lb_update_image *im, uint32_t number, struct lb_chunk *ret);

/* ---- copies: find.c, order.c, copy.c ---- */

/* Where copies numbered @slot come from. */
static inline struct lb_blk *lb_copy_blk(const struct lb_update *u, uint32_t slot)
{
	return slot < LB_IMAGES_MAX ? u->images[slot].blk : u->sources[slot - LB_IMAGES_MAX];
}

/*
 * Looks for missing data chunks everywhere in the slots, then in the sources: u->copies. Running out of
 * memory finds nothing. 0, or a failure that is not the medium's.
 */
int lb_copies_find(struct lb_update *u, struct lb_error *err);

/*
 * Puts u->copies, which is sorted by slot and from, into an order in which no source is
 * overwritten before it was read: u->order. What cannot be ordered is left out.
 */
void lb_copies_order(struct lb_update *u);

/* Allocates the buffer and marks the ordered chunks; without memory there are no copies. */
void lb_copies_ready(struct lb_update *u);

static inline bool lb_copies_left(const struct lb_update *u)
{
	return u->copies_done < u->order_count;
}

/*
 * Makes the copies that are left; what it finds spoilt is wanted from then on. Of the window the
 * @keep_len bytes at *@keep, at most one chunk, are kept, perhaps at another place.
 */
int lb_copies_run(struct lb_update *u, uint8_t **keep, size_t keep_len, struct lb_error *err);
void lb_copies_free(struct lb_update *u);

/* ---- prefixes: prefix.c ---- */

/* Not an error: chunks in front of this one were marked as not right; they have to be fetched before. */
#define LB_WANTED_FIRST 1

/*
 * Room in the window for @c, right behind its prefix. What is in front of @c has to be
 * there: in the slot, or, before the first write, where the plan has found it.
 * 0, LB_WANTED_FIRST, or a failure that is not the medium's.
 */
int lb_prefix_get(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c,
		  uint8_t **ret_out, struct lb_error *err);

/* The same once writing has begun, of a slot that can be read and is believed; else what lb_blk_read() returned. */
int lb_prefix_take(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c,
		   uint8_t **ret_out);

/* The same; nothing but the digests of the chunks in front of @c is believed. */
int lb_prefix_prove(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c,
		    uint8_t **ret_out, struct lb_error *err);

/* ---- patches: patches.c ---- */

/*
 * Marks the chunks whose sources are where the patches say, as it does for copies. Running
 * out of memory finds none. 0, or a failure that is not the medium's.
 */
int lb_patches_plan(struct lb_update *u, struct lb_error *err);
/* Whatever is wanted, the packer knew that it is not on the device. */
bool lb_patches_know_all(const struct lb_update *u);
/* Leaves out copies of what will be overwritten by patches before. */
void lb_patches_spoil_copies(struct lb_update *u);
/* Adds to fetch_bytes, plan_ranges, patch_bytes. */
void lb_patches_count(const struct lb_update *u, const struct lb_update_image *im,
		      struct lb_update_counters *t);
bool lb_patches_planned(const struct lb_update *u);

/* 1: @buf holds chunk @c; 0: that is not there; a failure that is not the medium's. */
int lb_patch_read_copy(struct lb_update_image *im, const struct lb_chunk *c, uint64_t from,
		       uint8_t *buf);
/* The same for the regions of patch @s, to u->patching.work. */
int lb_patch_read_prefix(struct lb_update *u, struct lb_update_image *im,
			 const struct lb_patch_step *s, uint32_t *ret_length);

/* Where the patches copy chunk @number from; false: they do not. */
bool lb_patches_find_copy(const struct lb_update_image *im, uint32_t number, uint64_t *ret_from);

/* ---- and patching.c ---- */

/* Fetches and checks the first patch, for lb_patches_run(): 1; 0: there is none. */
int lb_patches_begin(struct lb_update *u, struct lb_error *err);
/* Does all steps; what cannot be made is wanted from then on. May be called again. */
int lb_patches_run(struct lb_update *u, struct lb_error *err);
void lb_patching_free(struct lb_update *u);

/* ---- fetching: fetch.c ---- */

/* Are @length bytes at @at of the bundle next in the range that is being read? */
static inline bool lb_fetch_goes_on(const struct lb_update *u, uint64_t at, uint64_t length)
{
	return u->src_pos == at && at + length <= u->src_end;
}

/* The source begins anew at @at of the bundle, for @run bytes; 0, or what it returned. */
int lb_fetch_seek(struct lb_update *u, uint64_t at, uint64_t run, struct lb_error *err);
/* The next @length bytes of that range; 0, or what the source returned. */
int lb_fetch_read(struct lb_update *u, uint32_t length, uint8_t *out, struct lb_error *err);

/* The stored bytes of @c into u->stored_buf: 0, or what the source returned. */
int lb_fetch_stored(struct lb_update *u, const struct lb_update_image *im, const struct lb_chunk *c,
		    struct lb_error *err);

/* ---- the stream: stream.c ---- */

/* Not an error: chunks from u->stream.again on, numbered below u->stream.alone_below, have to be done alone. */
#define LB_ALONE 2

void lb_stream_begin(struct lb_update *u);
/* Is @c for lb_stream_add()? */
bool lb_stream_takes(const struct lb_update *u, const struct lb_chunk *c);
/*
 * Fetches and decodes @c, whose cursor @at was; it is checked and written later. 0, LB_ALONE, or a
 * failure: then nothing is under way, and what came in front of @c is written unless the slot failed.
 */
int lb_stream_add(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c,
		  const struct lb_chunk_cursor *at, struct lb_error *err);
/* Was @c what made them be done alone? */
static inline bool lb_stream_blames(const struct lb_update *u, const struct lb_chunk *c)
{
	return c->number == u->stream.again.next && c->number < u->stream.alone_below;
}

/* It came out right: if its bytes are asked for again, as another chunk's original, it is for another reason. */
static inline void lb_stream_absolve(struct lb_update *u, const struct lb_chunk *c)
{
	if (lb_stream_blames(u, c))
		u->stream.again.next = UINT32_MAX;
}

/* And are its stored bytes in u->stored_buf? */
static inline bool lb_stream_holds(const struct lb_update *u, const struct lb_chunk *c)
{
	return u->stream.holds && lb_stream_blames(u, c);
}

/* All of it is written; 0, LB_ALONE, or a failure of slot or source. Before anything else is done with slots and window. */
int lb_stream_settle(struct lb_update *u, struct lb_error *err);

/* ---- writing: apply.c ---- */

/* @c is not what was signed, or (@code) there was no memory; returns -@code. */
int lb_update_not_decoded(struct lb_update *u, const struct lb_update_image *im, const struct lb_chunk *c,
			  int code, struct lb_error *err);

/* Calls before_first_write() once. */
int lb_update_begin_writing(struct lb_update *u, struct lb_error *err);
/* Flushes first if @length more bytes would be too many. */
int lb_update_write(struct lb_update *u, struct lb_update_image *im, uint64_t offset,
		    const uint8_t *data, uint32_t length, struct lb_error *err);
/* zero.c: as lb_update_write(), for a chunk of zeros. */
int lb_update_write_zeros(struct lb_update *u, struct lb_update_image *im, const struct lb_chunk *c,
			  struct lb_error *err);
int lb_update_flush(struct lb_update *u, struct lb_update_image *im, struct lb_error *err);
/* All that was written before has been flushed. */
void lb_update_note_flushed(struct lb_update *u, const struct lb_update_image *im);

void lb_update_tell(struct lb_update *u, const char *step, const struct lb_update_image *im);

#endif
