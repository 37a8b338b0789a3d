// SPDX-License-Identifier: GPL-2.0-or-later
/* What the media hold, what they held before, and digests of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_internal.h"

void *sim_must(void *p)
{
	if (!p) {
		fputs("powercut: out of memory\n", stderr);
		abort();
	}
	return p;
}

#define PAGE 4096u

/* ---- the medium, and what it held before ---- */

struct undo {
	struct sim_region *region;
	uint64_t offset;
	size_t len;
};

/* Two stacks: old bytes, and where they belong. */
struct sim_journal {
	uint8_t *bytes;
	size_t len, room;
	struct undo *undo;
	size_t count, undo_room;
};

size_t sim_page_count(const struct sim_region *r)
{
	return (r->blk.size_bytes + PAGE - 1) / PAGE;
}

static void touch(struct sim_region *r, uint64_t offset, size_t len)
{
	r->digest = 0;
	if (offset + len > r->blk.size_bytes)
		return; /* a neighbour: no page of ours */
	for (uint64_t p = offset / PAGE; len && p <= (offset + len - 1) / PAGE; p++)
		r->page[p] = 0;
}

static void remember(struct sim_region *r, uint64_t offset, size_t len)
{
	struct sim_journal *j = r->sim->journal;

	if (!j)
		return;
	if (j->len + len > j->room) {
		j->room = 2 * (j->room + len);
		j->bytes = sim_must(realloc(j->bytes, j->room));
	}
	if (j->count == j->undo_room) {
		j->undo_room = j->undo_room ? 2 * j->undo_room : 256;
		j->undo = sim_must(realloc(j->undo, j->undo_room * sizeof(*j->undo)));
	}
	memcpy(j->bytes + j->len, r->medium + offset, len);
	j->len += len;
	j->undo[j->count++] = (struct undo){ r, offset, len };
}

void sim_forget_digests(struct sim_region *r)
{
	touch(r, 0, r->blk.size_bytes);
}

void sim_put(struct sim_region *r, uint64_t offset, const void *data, size_t len)
{
	if (!len)
		return;
	if (offset + len > r->blk.size_bytes + SIM_GUARD_BYTES)
		abort(); /* beyond what is simulated */
	r->strayed = r->strayed || offset + len > r->blk.size_bytes;
	remember(r, offset, len);
	memcpy(r->medium + offset, data, len);
	touch(r, offset, len);
}

struct sim_journal *sim_journal_new(void)
{
	return sim_must(calloc(1, sizeof(struct sim_journal)));
}

void sim_journal_free(struct sim_journal *j)
{
	if (!j)
		return;
	free(j->bytes);
	free(j->undo);
	free(j);
}

size_t sim_journal_count(const struct sim *s)
{
	return s->journal->count;
}

void sim_undo_to(struct sim *s, size_t count)
{
	struct sim_journal *j = s->journal;

	while (j->count > count) {
		const struct undo *u = &j->undo[--j->count];

		j->len -= u->len;
		memcpy(u->region->medium + u->offset, j->bytes + j->len, u->len);
		touch(u->region, u->offset, u->len);
	}
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	__uint128_t product = (__uint128_t)(a ^ 0x9e3779b97f4a7c15u) * (b ^ 0xd1b54a32d192ed03u);

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t sim_hash(uint64_t seed, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t lane[4], word, tail = 0;

	seed = mix(seed, len);
	for (int i = 0; i < 4; i++)
		lane[i] = seed + (uint64_t)i;
	for (; len >= sizeof(lane); len -= sizeof(lane)) { /* four at once: they do not wait for each other */
#pragma GCC unroll 4
		for (int i = 0; i < 4; i++, p += sizeof(word)) {
			memcpy(&word, p, sizeof(word));
			lane[i] = mix(lane[i] + 0x632be59bd9b4e019u, word);
		}
	}
	for (int i = 0; i < 4; i++)
		seed = mix(seed + 0x632be59bd9b4e019u, lane[i]);
	for (; len >= sizeof(word); len -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		seed = mix(seed + 0x632be59bd9b4e019u, word);
	}
	memcpy(&tail, p, len);
	return mix(seed, tail);
}

uint64_t sim_digest(struct sim_region *r)
{
	uint64_t sum = 1;

	if (r->digest)
		return r->digest;
	for (size_t p = 0; p < sim_page_count(r); p++) {
		uint64_t left = r->blk.size_bytes - p * PAGE;

		if (!r->page[p])
			r->page[p] = sim_hash(p + 1, r->medium + p * PAGE,
					      left < PAGE ? left : PAGE) | 1;
		sum = mix(sum, r->page[p]);
	}
	r->digest = sum | 1;
	return r->digest;
}

uint64_t sim_digest_all(struct sim *s)
{
	uint64_t h = sim_hash(s->power_cycles, s->memo, sizeof(s->memo));

	h = mix(h, s->payload_read);
	for (uint32_t i = 0; i < s->region_count; i++)
		h = mix(mix(h, sim_digest(&s->region[i])), s->region[i].written);
	return h | 1;
}
