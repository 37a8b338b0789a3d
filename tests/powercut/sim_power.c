// SPDX-License-Identifier: GPL-2.0-or-later
/* The power fails and comes back, and what was not flushed meets its fate; going back in time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sim_internal.h"

#define CALLS_MAX 2000u	      /* since power-on */
#define WAIT_MAX_MS 2592000000u /* 30 days */

/* ---- power ---- */

static void switch_on(struct sim *s)
{
	sim_drop_caches(s);
	s->off = false;
	s->calls = 0;
	s->cut_at = 0;
	s->now_ms = 0;
}

void sim_settle(struct sim *s)
{
	sim_drain(s, NULL);
	switch_on(s);
}

void sim_reboot(struct sim *s)
{
	sim_record(s, SIM_OP_REBOOT, NULL, 0, NULL, 0);
	sim_drop_pending(s);
	sim_drop_caches(s);
}

bool sim_stops(const struct sim *s)
{
	return s->off || sim_stuck(s);
}

bool sim_stuck(const struct sim *s)
{
	return !s->off && (s->calls > CALLS_MAX || s->now_ms > WAIT_MAX_MS);
}

/* xorshift32: the same subsets on every machine */
static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

/* Bytes of write @i that reach the medium: > 0 first, < 0 last, 0 none. */
static int64_t share(const struct sim *s, const struct sim_fate *fate, uint32_t i, uint32_t *seed)
{
	int64_t len = (int64_t)s->pending[i].len;

	if (fate->tear && i + 1 + fate->number == s->pending_count)
		return fate->tear > len ? len : fate->tear < -len ? -len : fate->tear;
	switch (fate->pending) {
	case SIM_KEPT:
	case SIM_GARBLED:
		return len;
	case SIM_ONLY:
		return i == fate->number ? len : 0;
	case SIM_BUT:
		return i == fate->number ? 0 : len;
	case SIM_SEED:
		switch (next_random(seed) % 4) {
		case 0:
			return 0;
		case 1: /* some sectors */
			return (int64_t)(next_random(seed) % ((uint64_t)len / s->sector + 1)) *
			       s->sector;
		default:
			return len;
		}
	default:
		return 0;
	}
}

/* Whole sectors of the write that was under way, neighbours' bytes included. */
static void garble(const struct sim_write *w)
{
	struct sim_region *r = w->region;
	uint32_t sector = r->sim->sector, seed = 99;
	uint64_t from = w->offset / sector * sector, end = w->offset + w->len;
	uint8_t *noise;

	end = (end + sector - 1) / sector * sector;
	if (end > r->blk.size_bytes)
		end = r->blk.size_bytes;
	noise = sim_must(malloc(end - from + 1));
	for (uint64_t i = 0; i < end - from; i++)
		noise[i] = (uint8_t)next_random(&seed);
	sim_put(r, from, noise, end - from);
	free(noise);
}

/* Garbage, as a worn card or an overwritten region leaves it. */
static void lose(struct sim *s, const struct sim_loss *loss)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(loss->regions) && loss->regions[i]; i++) {
		struct sim_region *r = sim_region(s, loss->regions[i]);
		uint8_t *garbage = sim_must(malloc(r->blk.size_bytes));

		memset(garbage, 0x5a, r->blk.size_bytes);
		sim_put(r, 0, garbage, r->blk.size_bytes);
		free(garbage);
	}
	s->memo[SIM_MEMO_LOST] |= loss->bits;
}

static void meet_fate(struct sim *s, const struct sim_fate *fate)
{
	uint32_t seed = fate->number * 2654435761u + 1;

	for (uint32_t i = 0; i < s->pending_count; i++) {
		struct sim_write *w = &s->pending[i];
		int64_t n = share(s, fate, i, &seed);
		uint64_t skip = n < 0 ? w->len - (uint64_t)-n : 0;

		if (s->trace)
			printf("        pending %u: %s %llu+%zu, %lld bytes reach the medium\n", i,
			       w->region->blk.name, (unsigned long long)w->offset, w->len,
			       (long long)n);
		sim_put(w->region, w->offset + skip, w->data + skip, (size_t)(n < 0 ? -n : n));
		if (fate->pending == SIM_GARBLED && i + 1 == s->pending_count)
			garble(w);
	}
	if (fate->loss)
		lose(s, &s->losses[fate->loss - 1]);
	s->power_cycles++;
}

void sim_power_on(struct sim *s, const struct sim_fate *fate)
{
	meet_fate(s, fate);
	sim_drop_pending(s);
	switch_on(s);
}

/* ---- going back ---- */

void sim_begin(struct sim *s)
{
	for (uint32_t i = 0; i < s->region_count; i++) {
		sim_forget_digests(&s->region[i]);
		s->region[i].written = 0;
	}
	s->journal = sim_journal_new();
}

void sim_mark(struct sim *s, const struct sim_fate *fate, struct sim_mark *mark)
{
	mark->journal = sim_journal_count(s);
	memcpy(mark->memo, s->memo, sizeof(s->memo));
	mark->payload_read = s->payload_read;
	mark->power_cycles = s->power_cycles;
	mark->calls = s->calls;
	for (uint32_t i = 0; i < s->region_count; i++)
		mark->written[i] = s->region[i].written;
	if (fate)
		meet_fate(s, fate);
	mark->pending = s->pending;
	mark->pending_count = s->pending_count;
	mark->pending_room = s->pending_room;
	s->pending = NULL;
	s->pending_count = s->pending_room = 0;
	switch_on(s);
}

void sim_go_back(struct sim *s, struct sim_mark *mark)
{
	sim_drop_pending(s);
	free(s->pending);
	sim_undo_to(s, mark->journal);
	s->pending = mark->pending;
	s->pending_count = mark->pending_count;
	s->pending_room = mark->pending_room;
	memcpy(s->memo, mark->memo, sizeof(s->memo));
	s->payload_read = mark->payload_read;
	s->power_cycles = mark->power_cycles;
	for (uint32_t i = 0; i < s->region_count; i++)
		s->region[i].written = mark->written[i];
	switch_on(s);
	s->calls = mark->calls;
}

bool sim_is_call(const struct sim_op *op)
{
	return op->kind == SIM_OP_WRITE || op->kind == SIM_OP_FLUSH;
}

void sim_enter(struct sim *s, const struct sim_op *op)
{
	memcpy(s->memo, op->memo, sizeof(s->memo));
	s->payload_read = op->payload_read;
	s->calls += sim_is_call(op);
	if (op->kind != SIM_OP_WRITE)
		return;
	if (op->data)
		sim_push(s, op->region, op->offset, op->data, op->len);
	op->region->written += op->len;
}

void sim_leave(struct sim *s, const struct sim_op *op)
{
	if (op->kind == SIM_OP_REBOOT)
		sim_drop_pending(s);
	else if (op->kind == SIM_OP_DRAIN ||
		 (op->kind == SIM_OP_FLUSH && !op->region->deaf && !op->region->lazy))
		sim_drain(s, op->region);
}

void sim_ops_free(struct sim_ops *ops)
{
	for (uint32_t i = 0; i < ops->count; i++)
		free(ops->op[i].data);
	free(ops->op);
	memset(ops, 0, sizeof(*ops));
}
