/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is searched for a segment: its bytes and the window in front of it, with the far
 * region of each chunk copied in front of the chunk. So one search finds everything; what
 * it found is then put in terms of the image.
 */
#ifndef LIFEBOAT_PACK_STREAM_H
#define LIFEBOAT_PACK_STREAM_H

#include "pack_far.h"
#include "pack_search.h"

/* Bytes that follow each other in the image and in the stream. */
struct pack_piece {
	size_t at;	 /* in the stream */
	uint64_t offset; /* in the image */
	size_t len;
	bool far; /* a copy, or else the image's own */
};

struct pack_stream {
	uint8_t *buf; /* owned; @len of @room bytes */
	size_t len, room;
	struct pack_piece *pieces; /* owned; @count of @piece_room */
	uint32_t count, piece_room;
};

/* A chunk in the stream; its far region, if it has one, lies right in front of it. */
struct pack_place {
	const struct pack_stream *stream; /* borrowed */
	size_t at;
	uint64_t offset; /* in the image */
	struct pack_region far;
};

/* Free with pack_stream_close(), also after a failure. -LB_E_NOMEM. */
int pack_stream_open(struct pack_stream *s, size_t room, uint32_t piece_room) LB_MUST_CHECK;
void pack_stream_close(struct pack_stream *s);

static inline void pack_stream_start(struct pack_stream *s)
{
	s->len = s->count = 0;
}

/* Appends bytes of the image at @offset; there is room. */
void pack_stream_add(struct pack_stream *s, const uint8_t *data, uint64_t offset, size_t len,
		     bool far);

/**
 * pack_stream_resolve() - put the matches of a run in terms of the image
 * @run: of the chunk at @place, from its byte @at on; as pack_search_take() gave it
 * @ret: in seqs of its own, for as many as there may be in the run's bytes
 *
 * Afterwards an offset is the distance in the image; with rep 1 it is the distance from
 * the end of the chunk's far region. What is in neither becomes literals.
 */
void pack_stream_resolve(const struct pack_place *place, const struct pack_run *run, uint32_t at,
			 struct pack_run *ret);

#endif
