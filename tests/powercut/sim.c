// SPDX-License-Identifier: GPL-2.0-or-later
/* Regions, the block port over them, and what nobody may write. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sim_internal.h"

#define NEIGHBOUR 0xa5 /* each of its bytes */

/* ---- regions ---- */

static struct sim_region *region_of(struct lb_blk *b)
{
	return (struct sim_region *)b;
}

static void overlay(const struct sim_write *w, uint64_t offset, uint8_t *buf, size_t len)
{
	uint64_t from = w->offset > offset ? w->offset : offset;
	uint64_t end = w->offset + w->len, buf_end = offset + len;

	if (buf_end < end)
		end = buf_end;
	if (from < end)
		memcpy(buf + (from - offset), w->data + (from - w->offset), end - from);
}

void sim_record(struct sim *s, enum sim_op_kind kind, struct sim_region *r, uint64_t offset,
		const void *data, size_t len)
{
	struct sim_ops *ops = s->ops;
	struct sim_op *op;

	if (!ops)
		return;
	if (ops->count == ops->room) {
		ops->room = ops->room ? 2 * ops->room : 128;
		ops->op = sim_must(realloc(ops->op, ops->room * sizeof(*ops->op)));
	}
	op = &ops->op[ops->count++];
	*op = (struct sim_op){ .kind = kind, .region = r, .offset = offset, .len = len,
			       .payload_read = s->payload_read };
	memcpy(op->memo, s->memo, sizeof(op->memo));
	if (data)
		op->data = memcpy(sim_must(malloc(len + 1)), data, len);
}

static int region_read(struct lb_blk *b, uint64_t offset, void *buf, size_t len)
{
	struct sim_region *r = region_of(b);

	if (r->sim->off)
		return -LB_E_POWER;
	memcpy(buf, (r->cache ? r->cache : r->medium) + offset, len);
	for (uint32_t i = 0; i < r->sim->pending_count; i++)
		if (r->sim->pending[i].region == r && !r->cache)
			overlay(&r->sim->pending[i], offset, buf, len);
	return 0;
}

static int region_read_medium(struct lb_blk *b, uint64_t offset, void *buf, size_t len)
{
	struct sim_region *r = region_of(b);

	if (r->lazy && !r->sim->off) {
		sim_record(r->sim, SIM_OP_DRAIN, r, 0, NULL, 0);
		sim_drain(r->sim, r);
	}
	if (r->cache)
		return region_read(b, offset, buf, len);
	if (r->sim->off)
		return -LB_E_POWER;
	memcpy(buf, r->medium + offset, len);
	return 0;
}

/* One more mutating call: true when the power fails in it. */
static bool call(struct sim *s, const char *what, struct sim_region *r, uint64_t offset, size_t len)
{
	s->calls++;
	s->now_ms += s->ms_per_call;
	s->off = s->calls == s->cut_at;
	if (s->trace)
		printf("  %5u %s %s %llu+%zu%s\n", s->calls, what, r->blk.name,
		       (unsigned long long)offset, len, s->off ? "  <- power fails" : "");
	return s->off;
}

void sim_push(struct sim *s, struct sim_region *r, uint64_t offset, const void *buf, size_t len)
{
	struct sim_write *w;

	if (s->pending_count == s->pending_room) {
		s->pending_room = s->pending_room ? 2 * s->pending_room : 64;
		s->pending = sim_must(realloc(s->pending, s->pending_room * sizeof(*s->pending)));
	}
	w = &s->pending[s->pending_count++];
	w->region = r;
	w->offset = offset;
	w->len = len;
	w->data = sim_must(malloc(len ? len : 1));
	memcpy(w->data, buf, len);
}

/* What is written must be what one of the releases has there. */
static void verify(struct sim_region *r, uint64_t offset, const void *buf, size_t len)
{
	bool known = !r->releases[0];

	if (r->any_tail && offset + len > r->release_bytes)
		len = offset < r->release_bytes ? r->release_bytes - offset : 0;
	for (size_t i = 0; i < LB_ARRAY_LEN(r->releases); i++)
		if (r->releases[i] && (!len || offset + len <= r->release_bytes))
			known = known || !len || !memcmp(r->releases[i] + offset, buf, len);
	r->sim->memo[SIM_MEMO_UNVERIFIED] += !known;
}

static int region_write(struct lb_blk *b, uint64_t offset, const void *buf, size_t len)
{
	struct sim_region *r = region_of(b);
	bool worn;

	if (r->sim->off)
		return -LB_E_POWER;
	verify(r, offset, buf, len);
	worn = r->worn_at > r->written && r->worn_at <= r->written + len;
	sim_record(r->sim, SIM_OP_WRITE, r, offset, worn ? NULL : buf, len);
	if (!worn)
		sim_push(r->sim, r, offset, buf, len);
	if (r->cache)
		memcpy(r->cache + offset, buf, len);
	r->written += len;
	return call(r->sim, "write", r, offset, len) ? -LB_E_POWER : 0;
}

/* What the device makes itself is no write of ours, but has the same fates. */
static int region_zero(struct lb_blk *b, uint64_t offset, uint64_t len)
{
	struct sim_region *r = region_of(b);
	uint8_t *zeros;

	if (r->sim->off)
		return -LB_E_POWER;
	if (r->no_zero)
		return 0;
	zeros = sim_must(calloc(1, len + 1));
	verify(r, offset, zeros, len);
	sim_record(r->sim, SIM_OP_WRITE, r, offset, zeros, len);
	sim_push(r->sim, r, offset, zeros, len);
	if (r->cache)
		memset(r->cache + offset, 0, len);
	free(zeros);
	return call(r->sim, "zero", r, offset, len) ? -LB_E_POWER : 1;
}

void sim_drain(struct sim *s, struct sim_region *r)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->pending_count; i++) {
		struct sim_write *w = &s->pending[i];

		if (r && w->region != r) {
			s->pending[kept++] = *w;
			continue;
		}
		sim_put(w->region, w->offset, w->data, w->len);
		free(w->data);
	}
	s->pending_count = kept;
}

static int region_flush(struct lb_blk *b)
{
	struct sim_region *r = region_of(b);

	if (r->sim->off)
		return -LB_E_POWER;
	sim_record(r->sim, SIM_OP_FLUSH, r, 0, NULL, 0);
	if (call(r->sim, "flush", r, 0, 0))
		return -LB_E_POWER;
	if (!r->deaf && !r->lazy)
		sim_drain(r->sim, r);
	return 0;
}

/* What is read afterwards is what is on the medium: everything is, unless the flush was a lie. */
static int region_forget(struct lb_blk *b)
{
	int err = region_flush(b);

	return err ? err : 1;
}

static void region_close(struct lb_blk *b)
{
	(void)b; /* the simulator's */
}

struct lb_blk *sim_add(struct sim *s, const char *name, size_t size_bytes)
{
	static const struct lb_blk_ops ops = {
		.read = region_read,
		.read_medium = region_read_medium,
		.write = region_write,
		.zero = region_zero,
		.flush = region_flush,
		.forget = region_forget,
		.close = region_close,
	};
	struct sim_region *r = &s->region[s->region_count];

	if (s->region_count == SIM_REGIONS_MAX)
		abort();
	s->region_count++;
	r->sim = s;
	r->blk.ops = &ops;
	r->blk.size_bytes = size_bytes;
	r->small_writes = !strcmp(name, "state") || !strncmp(name, "env", 3);
	snprintf(r->blk.name, sizeof(r->blk.name), "%s", name);
	r->room = sim_must(malloc(size_bytes + 2 * SIM_GUARD_BYTES));
	memset(r->room, NEIGHBOUR, size_bytes + 2 * SIM_GUARD_BYTES);
	r->medium = r->room + SIM_GUARD_BYTES;
	memset(r->medium, 0xff, size_bytes);
	r->page = sim_must(calloc(sim_page_count(r), sizeof(*r->page)));
	return &r->blk;
}

struct lb_blk *sim_add_untouchable(struct sim *s, const char *name, size_t size_bytes)
{
	struct lb_blk *blk = sim_add(s, name, size_bytes);
	struct sim_region *r = &s->region[s->region_count - 1];

	for (size_t i = 0; i < size_bytes; i++)
		r->medium[i] = (uint8_t)(i * 31 + i / 251);
	r->untouchable = true;
	r->pristine = sim_digest(r);
	return blk;
}

static bool neighbour_harmed(const struct sim_region *r)
{
	const uint8_t *before = r->room, *after = r->medium + r->blk.size_bytes;

	for (size_t i = 0; i < SIM_GUARD_BYTES; i++)
		if (before[i] != NEIGHBOUR || after[i] != NEIGHBOUR)
			return true;
	return false;
}

int sim_check_writes(struct sim *s)
{
	for (uint32_t i = 0; i < s->region_count; i++) {
		struct sim_region *r = &s->region[i];

		if (r->untouchable && (r->written || sim_digest(r) != r->pristine))
			return sim_fail(s, "%s was written, which nothing may touch", r->blk.name);
		if (r->strayed && neighbour_harmed(r))
			return sim_fail(s, "what lies behind %s was written", r->blk.name);
	}
	if (s->memo[SIM_MEMO_UNVERIFIED])
		return sim_fail(s, "something was written that is in no release");
	return 0;
}

struct sim_region *sim_region(struct sim *s, const char *name)
{
	for (uint32_t i = 0; i < s->region_count; i++)
		if (!strcmp(s->region[i].blk.name, name))
			return &s->region[i];
	fprintf(stderr, "powercut: no region %s\n", name);
	abort();
}

struct lb_blk *sim_blk(struct sim *s, const char *name)
{
	return &sim_region(s, name)->blk;
}

/* ---- all of it ---- */

void sim_drop_pending(struct sim *s)
{
	for (uint32_t i = 0; i < s->pending_count; i++)
		free(s->pending[i].data);
	s->pending_count = 0;
}

void sim_drop_caches(struct sim *s)
{
	for (uint32_t i = 0; i < s->region_count; i++)
		if (s->region[i].cache)
			memcpy(s->region[i].cache, s->region[i].medium,
			       s->region[i].blk.size_bytes);
}

void sim_init(struct sim *s)
{
	memset(s, 0, sizeof(*s));
	sim_clock_init(&s->clock);
	late_worker_init(&s->worker);
	s->ms_per_call = 1;
	s->sector = 512;
}

void sim_free(struct sim *s)
{
	sim_drop_pending(s);
	free(s->pending);
	for (uint32_t i = 0; i < s->region_count; i++) {
		free(s->region[i].room);
		free(s->region[i].page);
		free(s->region[i].cache);
	}
	sim_journal_free(s->journal);
	memset(s, 0, sizeof(*s));
}

void sim_keep_cache(struct sim *s, const char *name)
{
	struct sim_region *r = sim_region(s, name);

	r->cache = sim_must(malloc(r->blk.size_bytes));
	memcpy(r->cache, r->medium, r->blk.size_bytes);
}

int sim_fail(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->why, sizeof(s->why), fmt, ap);
	va_end(ap);
	return 1;
}
