// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdbool.h>
#include <string.h>

#include "base/sha256.h"

/* the software and the CPU instruction implementations cannot fail: results are ignored */
void lb_sha256_start(struct lb_sha256 *h)
{
	mbedtls_sha256_init(&h->ctx);
	(void)mbedtls_sha256_starts(&h->ctx, 0);
	h->blocks = lb_sha256_hardware();
}

/* Whole blocks past mbedTLS, into its context; its buffer must be empty. */
static void update_blocks(struct lb_sha256 *h, const uint8_t *data, size_t blocks)
{
	uint32_t *words = h->ctx.MBEDTLS_PRIVATE(state);
	uint32_t *total = h->ctx.MBEDTLS_PRIVATE(total); /* bytes, the low word first */
	uint64_t bytes = (uint64_t)total[1] << 32 | total[0];

	h->blocks(&words, &data, 1, blocks);
	bytes += blocks * LB_SHA256_BLOCK;
	total[0] = (uint32_t)bytes;
	total[1] = (uint32_t)(bytes >> 32);
}

/* mbedTLS keeps what fills no block, and pads. */
void lb_sha256_update(struct lb_sha256 *h, const void *data, size_t len)
{
	size_t buffered = h->ctx.MBEDTLS_PRIVATE(total)[0] % LB_SHA256_BLOCK;
	size_t lead = buffered ? LB_SHA256_BLOCK - buffered : 0;
	const uint8_t *at = data;

	if (h->blocks && len >= lead + LB_SHA256_BLOCK) {
		size_t blocks = (len - lead) / LB_SHA256_BLOCK;

		(void)mbedtls_sha256_update(&h->ctx, at, lead);
		update_blocks(h, at + lead, blocks);
		at += lead + blocks * LB_SHA256_BLOCK;
		len -= lead + blocks * LB_SHA256_BLOCK;
	}
	(void)mbedtls_sha256_update(&h->ctx, at, len);
}

void lb_sha256_finish(struct lb_sha256 *h, uint8_t ret_digest[LB_SHA256_BYTES])
{
	(void)mbedtls_sha256_finish(&h->ctx, ret_digest);
	mbedtls_sha256_free(&h->ctx);
}

void lb_sha256(const void *data, size_t len, uint8_t ret_digest[LB_SHA256_BYTES])
{
	struct lb_sha256 h;

	lb_sha256_start(&h);
	lb_sha256_update(&h, data, len);
	lb_sha256_finish(&h, ret_digest);
}

/* ---- side by side ---- */

/* What hashes one message at a time: its whole blocks, then its end and the padding. */
struct lane {
	struct lb_sha256_message *message; /* NULL: none */
	uint32_t words[8];
	const uint8_t *data; /* these blocks come next */
	size_t blocks;
	uint8_t end[2 * LB_SHA256_BLOCK];
	size_t end_blocks; /* 0: they have come */
};

static void put_big_endian(uint8_t *p, uint64_t v, size_t bytes)
{
	for (; bytes; v >>= 8)
		p[--bytes] = (uint8_t)v;
}

static void begin(struct lane *l, struct lb_sha256_message *m)
{
	size_t rest = m->len % LB_SHA256_BLOCK;

	*l = (struct lane){
		.message = m,
		.words = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
			   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 },
		.data = m->data,
		.blocks = m->len / LB_SHA256_BLOCK,
		.end_blocks = rest + 1 + sizeof(uint64_t) <= LB_SHA256_BLOCK ? 1 : 2,
	};
	if (rest)
		memcpy(l->end, l->data + m->len - rest, rest);
	l->end[rest] = 0x80;
	put_big_endian(l->end + l->end_blocks * LB_SHA256_BLOCK - sizeof(uint64_t), (uint64_t)m->len * 8,
		       sizeof(uint64_t));
}

static void end(struct lane *l)
{
	for (unsigned int i = 0; l->message && i < 8; i++)
		put_big_endian(l->message->digest + 4 * i, l->words[i], 4);
	l->message = NULL;
}

/* Blocks for the lane, if need be of the message at *@next, which is below @behind. False: there are none. */
static bool feed(struct lane *l, struct lb_sha256_message **next, const struct lb_sha256_message *behind)
{
	while (!l->blocks && !l->end_blocks) {
		end(l);
		if (*next == behind)
			return false;
		begin(l, (*next)++);
	}
	if (!l->blocks) {
		l->data = l->end;
		l->blocks = l->end_blocks;
		l->end_blocks = 0;
	}
	return true;
}

static void side_by_side(lb_sha256_blocks *hash, struct lb_sha256_message *next,
			 const struct lb_sha256_message *behind)
{
	struct lane lanes[LB_SHA256_LANES] = { 0 }, *busy[LB_SHA256_LANES];
	unsigned int count;

	do {
		uint32_t *words[LB_SHA256_LANES];
		const uint8_t *data[LB_SHA256_LANES];
		size_t blocks = SIZE_MAX;

		count = 0;
		for (struct lane *l = lanes; l < lanes + LB_SHA256_LANES; l++) {
			if (!feed(l, &next, behind))
				continue;
			words[count] = l->words;
			data[count] = l->data;
			blocks = l->blocks < blocks ? l->blocks : blocks;
			busy[count++] = l;
		}
		if (count)
			hash(words, data, count, blocks);
		for (unsigned int i = 0; i < count; i++) {
			busy[i]->data += blocks * LB_SHA256_BLOCK;
			busy[i]->blocks -= blocks;
		}
	} while (count);
}

void lb_sha256_many(struct lb_sha256_message *messages, size_t count)
{
	lb_sha256_blocks *hash = lb_sha256_hardware();

	if (hash)
		side_by_side(hash, messages, messages + count);
	else
		for (size_t i = 0; i < count; i++)
			lb_sha256(messages[i].data, messages[i].len, messages[i].digest);
}
