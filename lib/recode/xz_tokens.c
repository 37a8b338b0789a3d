// SPDX-License-Identifier: GPL-2.0-or-later
/* Tokens of packets, and packets of tokens. */
#include "recode/xz_tokens.h"

#include <string.h>

#define SHORT 240u
#define PLAIN 241u
#define LONGEST 242u
#define REP_LONGEST 243u /* and the three after */
#define TOKENS 247u

/* A token with a length: the first of @span values. */
struct span {
	uint8_t first, count;
};
static const struct span run_span = { 0, 32 }, nearest_span = { 32, 96 };
static const struct span rep_span[4] = { { 128, 64 }, { 192, 16 }, { 208, 16 }, { 224, 16 } };

void lb_xz_put(struct lb_xz_bytes *b, const uint8_t *p, size_t len)
{
	if (len > b->end - b->at) {
		b->failed = true;
		return;
	}
	if (len)
		memcpy(b->out + b->at, p, len);
	b->at += len;
}

void lb_xz_put_byte(struct lb_xz_bytes *b, uint8_t byte)
{
	lb_xz_put(b, &byte, 1);
}

const uint8_t *lb_xz_get(struct lb_xz_bytes *b, size_t len)
{
	const uint8_t *p = b->in + b->at;

	if (len > b->end - b->at) {
		b->failed = true;
		return NULL;
	}
	b->at += len;
	return p;
}

uint8_t lb_xz_get_byte(struct lb_xz_bytes *b)
{
	const uint8_t *p = lb_xz_get(b, 1);

	return p ? *p : 0;
}

static void put_rest(struct lb_xz_bytes *b, size_t rest)
{
	for (; rest >= 255; rest -= 255)
		lb_xz_put_byte(b, 255);
	lb_xz_put_byte(b, (uint8_t)rest);
}

static void put_length(struct lb_xz_bytes *b, const struct span *span, size_t len)
{
	size_t last = span->count - 1u, place = len < last ? len : last;

	lb_xz_put_byte(b, (uint8_t)(span->first + place));
	if (place == last)
		put_rest(b, len - last);
}

/* At most @max, or failed. */
static uint32_t get_rest(struct lb_xz_bytes *b, uint32_t len, size_t max)
{
	uint8_t more;

	do {
		more = lb_xz_get_byte(b);
		len += more;
	} while (more == 255 && len <= max);
	if (len > max)
		b->failed = true;
	return b->failed ? 0 : len;
}

static uint32_t get_length(struct lb_xz_bytes *b, const struct span *span, uint8_t token, size_t max)
{
	uint32_t len = (uint32_t)(token - span->first);

	if (len + 1u == span->count)
		return get_rest(b, len, max);
	if (len > max)
		b->failed = true;
	return len;
}

static bool in_span(const struct span *span, uint8_t token)
{
	return token >= span->first && token < span->first + span->count;
}

void lb_xz_tokens_begin(struct lb_xz_tokens *t, const uint8_t *content, uint32_t *chain)
{
	t->content = content;
	lb_xz_guess_begin(&t->guess, chain);
	memset(t->rep, 0, sizeof(t->rep));
}

void lb_xz_tokens_chunk(struct lb_xz_tokens *t, size_t pos, size_t limit, bool reset)
{
	t->pos = pos;
	t->limit = limit;
	t->run = 0;
	t->held = 0;
	if (reset)
		memset(t->rep, 0, sizeof(t->rep));
}

/* The distances after @packet. */
static void remember(struct lb_xz_tokens *t, const struct lb_xz_packet *packet)
{
	unsigned n = packet->op == LB_XZ_MATCH ? 3 : packet->op;
	uint32_t latest;

	if (packet->op == LB_XZ_SHORT || packet->op == LB_XZ_BYTE)
		return;
	latest = packet->op == LB_XZ_MATCH ? packet->distance : t->rep[n];
	for (; n; n--)
		t->rep[n] = t->rep[n - 1];
	t->rep[0] = latest;
}

static bool same(const struct lb_xz_packet *a, const struct lb_xz_packet *b)
{
	return a->len == b->len && a->distance == b->distance;
}

static void put_match(struct lb_xz_tokens *t, struct lb_xz_bytes *b, const struct lb_xz_packet *packet)
{
	struct lb_xz_packet guess = lb_xz_guess_longest(&t->guess, t->content, t->pos, t->limit);

	if (same(&guess, packet)) {
		lb_xz_put_byte(b, LONGEST);
		return;
	}
	guess = lb_xz_guess_nearest(&t->guess, t->content, t->pos, t->limit, packet->len);
	if (same(&guess, packet)) {
		put_length(b, &nearest_span, packet->len - LB_XZ_MATCH_MIN);
		return;
	}
	if (packet->distance >> 24)
		b->failed = true;
	lb_xz_put_byte(b, PLAIN);
	for (unsigned shift = 24; shift; shift -= 8)
		lb_xz_put_byte(b, (uint8_t)(packet->distance >> (shift - 8)));
	put_rest(b, packet->len - LB_XZ_MATCH_MIN);
}

static void put_run(struct lb_xz_tokens *t, struct lb_xz_bytes *b, size_t at)
{
	if (at > t->pos)
		put_length(b, &run_span, at - t->pos - 1);
	t->pos = at;
}

static void put_packet(struct lb_xz_tokens *t, struct lb_xz_bytes *b, const struct lb_xz_packet *packet)
{
	if (packet->op == LB_XZ_SHORT)
		lb_xz_put_byte(b, SHORT);
	else if (packet->op == LB_XZ_MATCH)
		put_match(t, b, packet);
	else if (packet->len == lb_xz_guess_extent(t->content, t->pos, t->limit, t->rep[packet->op]))
		lb_xz_put_byte(b, (uint8_t)(REP_LONGEST + packet->op));
	else
		put_length(b, &rep_span[packet->op], packet->len - LB_XZ_MATCH_MIN);
	t->pos += packet->len;
	remember(t, packet);
}

/* Those whose guesses can be made with content up to @known. */
static void release(struct lb_xz_tokens *t, struct lb_xz_bytes *b, size_t known)
{
	uint32_t n = 0;

	for (; n < t->held && (known == t->limit || known - t->held_at[n] >= LB_XZ_MATCH_MAX); n++) {
		put_run(t, b, t->held_at[n]);
		put_packet(t, b, &t->hold[n]);
	}
	t->held -= n;
	memmove(t->hold, t->hold + n, t->held * sizeof(t->hold[0]));
	memmove(t->held_at, t->held_at + n, t->held * sizeof(t->held_at[0]));
}

void lb_xz_tokens_write(struct lb_xz_tokens *t, struct lb_xz_bytes *b, const struct lb_xz_packet *packet, size_t at,
			size_t known)
{
	t->hold[t->held] = *packet;
	t->held_at[t->held++] = (uint32_t)at;
	if (t->held == LB_XZ_HELD)
		release(t, b, known);
}

void lb_xz_tokens_end(struct lb_xz_tokens *t, struct lb_xz_bytes *b)
{
	release(t, b, t->limit);
	put_run(t, b, t->limit);
}

static void get_plain(struct lb_xz_bytes *b, struct lb_xz_packet *packet)
{
	for (unsigned i = 0; i < 3; i++)
		packet->distance = packet->distance << 8 | lb_xz_get_byte(b);
	packet->len = (uint16_t)(LB_XZ_MATCH_MIN + get_rest(b, 0, LB_XZ_MATCH_MAX - LB_XZ_MATCH_MIN));
}

static void get_match(struct lb_xz_tokens *t, struct lb_xz_bytes *b, uint8_t token, struct lb_xz_packet *packet)
{
	uint32_t len;

	if (token == PLAIN) {
		get_plain(b, packet);
	} else if (token == LONGEST) {
		*packet = lb_xz_guess_longest(&t->guess, t->content, t->pos, t->limit);
	} else {
		len = LB_XZ_MATCH_MIN + get_length(b, &nearest_span, token, LB_XZ_MATCH_MAX - LB_XZ_MATCH_MIN);
		*packet = lb_xz_guess_nearest(&t->guess, t->content, t->pos, t->limit, len);
	}
}

static void get_rep(struct lb_xz_tokens *t, struct lb_xz_bytes *b, uint8_t token, struct lb_xz_packet *packet)
{
	uint32_t len;

	if (token >= REP_LONGEST) {
		packet->op = (uint8_t)(token - REP_LONGEST);
		len = lb_xz_guess_extent(t->content, t->pos, t->limit, t->rep[packet->op]);
	} else {
		packet->op = LB_XZ_REP0;
		while (!in_span(&rep_span[packet->op], token))
			packet->op++;
		len = LB_XZ_MATCH_MIN +
		      get_length(b, &rep_span[packet->op], token, LB_XZ_MATCH_MAX - LB_XZ_MATCH_MIN);
	}
	packet->len = (uint16_t)len;
}

bool lb_xz_tokens_read(struct lb_xz_tokens *t, struct lb_xz_bytes *b, struct lb_xz_packet *ret_packet)
{
	struct lb_xz_packet got = { .op = LB_XZ_BYTE, .len = 1 };
	uint8_t token = t->run ? 0 : lb_xz_get_byte(b);

	if (t->run) {
		t->run--;
	} else if (token >= TOKENS || b->failed) {
		b->failed = true;
	} else if (in_span(&run_span, token)) {
		t->run = get_length(b, &run_span, token, t->limit - t->pos - 1);
	} else if (token == SHORT) {
		got.op = LB_XZ_SHORT;
	} else if (in_span(&nearest_span, token) || token == PLAIN || token == LONGEST) {
		got.op = LB_XZ_MATCH;
		get_match(t, b, token, &got);
	} else {
		get_rep(t, b, token, &got);
	}
	if (got.len < LB_XZ_MATCH_MIN && got.op != LB_XZ_BYTE && got.op != LB_XZ_SHORT)
		b->failed = true;
	if (b->failed || got.len > t->limit - t->pos)
		return false;
	t->pos += got.len;
	remember(t, &got);
	*ret_packet = got;
	return true;
}
