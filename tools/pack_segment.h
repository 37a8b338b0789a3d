/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A segment: neighbouring chunks of an image that one thread encodes, from a search
 * over all of them and the window in front. Where segments end depends on the index
 * alone, and what becomes of one on nothing but the image.
 */
#ifndef LIFEBOAT_PACK_SEGMENT_H
#define LIFEBOAT_PACK_SEGMENT_H

#include "pack_far.h"
#include "pack_image.h"

struct pack_segment {
	uint32_t first, end; /* numbers of chunks; the first one is stored */
	uint64_t offset;     /* of the first, in the image */
	uint32_t len;	     /* bytes of the image */
	uint8_t *out;	     /* owned: PACK_SEGMENT_OUT_BYTES, the stored chunks back to back */
	size_t out_len;
};

extern const size_t PACK_SEGMENT_OUT_BYTES;

/* What is known of a stored chunk only after it was encoded. */
struct pack_stored {
	uint32_t length;
	uint8_t reach;
	struct pack_region far;
};

/*
 * The segment that begins with the first data chunk from number *@next on, which lies at
 * *@offset; moves both behind it. False: there is none. @ret->out is left alone.
 */
bool pack_segment_next(const struct pack_image *p, uint32_t *next, uint64_t *offset,
		       struct pack_segment *ret);

/* What a thread needs: about 250 MiB at level 19, whatever the image's size. */
struct pack_encoder;

/*
 * @p: borrowed, with a scanned index; @far: borrowed, all of its windows, or NULL for no far regions.
 * NULL: no memory. Free with pack_encoder_free().
 */
struct pack_encoder *pack_encoder_new(const struct pack_image *p, const struct pack_far *far,
				      const uint8_t *image, const struct pack_options *options);
void pack_encoder_free(struct pack_encoder *e);

/**
 * pack_encoder_run() - read a segment and encode its data chunks
 * @stored: of all chunks of the image; those of the segment's data chunks are set
 *
 * All that is read is compared with the digests in the index, and each frame is decoded
 * as a device will do it.
 * Return: 0; -LB_E_CHANGED: the file is not what was scanned; -LB_E_IO, -LB_E_NOMEM;
 * -LB_E_DIGEST: a frame does not give its chunk back.
 */
int pack_encoder_run(struct pack_encoder *e, struct pack_segment *seg,
		     struct pack_stored *stored) LB_MUST_CHECK;

#endif
