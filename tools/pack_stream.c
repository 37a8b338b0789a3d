// SPDX-License-Identifier: GPL-2.0-or-later
#include "pack_stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define MATCH_MIN 3u

/* A match, or the first part of one. */
struct found {
	size_t from; /* in the stream */
	uint32_t len;
	uint32_t offset; /* as pack_stream_resolve() says; 0: neither */
	bool far;
};

int pack_stream_open(struct pack_stream *s, size_t room, uint32_t piece_room)
{
	*s = (struct pack_stream){ .room = room, .piece_room = piece_room };
	s->buf = malloc(room);
	s->pieces = malloc(piece_room * sizeof(*s->pieces));
	return s->buf && s->pieces ? 0 : -LB_E_NOMEM;
}

void pack_stream_close(struct pack_stream *s)
{
	free(s->buf);
	free(s->pieces);
	*s = (struct pack_stream){ 0 };
}

void pack_stream_add(struct pack_stream *s, const uint8_t *data, uint64_t offset, size_t len,
		     bool far)
{
	struct pack_piece *last = s->count ? &s->pieces[s->count - 1] : NULL;

	memcpy(s->buf + s->len, data, len);
	if (last && !far && !last->far && last->offset + last->len == offset)
		last->len += len;
	else
		s->pieces[s->count++] = (struct pack_piece){ s->len, offset, len, far };
	s->len += len;
}

static const struct pack_piece *piece_at(const struct pack_stream *s, size_t at)
{
	uint32_t first = 0, end = s->count;

	while (end - first > 1) {
		uint32_t middle = first + (end - first) / 2;

		if (s->pieces[middle].at <= at)
			first = middle;
		else
			end = middle;
	}
	return &s->pieces[first];
}

static uint32_t lesser(uint64_t a, uint32_t b)
{
	return a < b ? (uint32_t)a : b;
}

/* What of the image the bytes at @m->from are, for a match that ends up at @at of the chunk. */
static void find(const struct pack_place *p, uint32_t at, struct found *m)
{
	const struct pack_piece *piece;
	uint64_t offset, far_end = p->far.offset + p->far.bytes;

	if (m->from >= p->at) {
		m->offset = (uint32_t)(p->at + at - m->from);
		return;
	}
	piece = piece_at(p->stream, m->from);
	m->len = lesser(piece->at + piece->len - m->from, m->len);
	m->len = lesser(p->at - m->from, m->len);
	offset = piece->offset + (m->from - piece->at);
	m->far = offset >= p->far.offset && offset < far_end;
	if (m->far) {
		m->len = lesser(far_end - offset, m->len);
		m->offset = (uint32_t)(far_end - offset);
	} else if (!piece->far) {
		m->offset = (uint32_t)(p->offset + at - offset);
	}
}

void pack_stream_resolve(const struct pack_place *place, const struct pack_run *run, uint32_t at,
			 struct pack_run *ret)
{
	uint32_t literals = 0;

	ret->count = 0;
	for (size_t i = 0; i < run->count; i++) {
		const ZSTD_Sequence *s = &run->seqs[i];
		uint32_t left = s->matchLength;

		literals += s->litLength;
		at += s->litLength;
		while (left) {
			struct found m = { .from = place->at + at - s->offset, .len = left };

			find(place, at, &m);
			left -= m.len;
			at += m.len;
			if (!m.offset || m.len < MATCH_MIN) {
				literals += m.len;
				continue;
			}
			ret->seqs[ret->count++] = (ZSTD_Sequence){
				.offset = m.offset,
				.litLength = literals,
				.matchLength = m.len,
				.rep = m.far,
			};
			literals = 0;
		}
	}
	ret->literals = literals + run->literals;
}
