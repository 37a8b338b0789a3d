// SPDX-License-Identifier: GPL-2.0-or-later
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *p)
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

static size_t page_count(const struct sim_region *r)
{
	return (r->blk.size_bytes + PAGE - 1) / PAGE;
}

static void touch(struct sim_region *r, uint64_t offset, size_t len)
{
	r->digest = 0;
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
		j->bytes = must(realloc(j->bytes, j->room));
	}
	if (j->count == j->undo_room) {
		j->undo_room = j->undo_room ? 2 * j->undo_room : 256;
		j->undo = must(realloc(j->undo, j->undo_room * sizeof(*j->undo)));
	}
	memcpy(j->bytes + j->len, r->medium + offset, len);
	j->len += len;
	j->undo[j->count++] = (struct undo){ r, offset, len };
}

/* The only way in which the medium changes once the power may fail. */
static void put(struct sim_region *r, uint64_t offset, const void *data, size_t len)
{
	if (!len)
		return;
	remember(r, offset, len);
	memcpy(r->medium + offset, data, len);
	touch(r, offset, len);
}

static void undo_to(struct sim *s, size_t count)
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
	uint64_t word, tail = 0;

	seed = mix(seed, len);
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
	for (size_t p = 0; p < page_count(r); p++) {
		uint64_t left = r->blk.size_bytes - p * PAGE;

		if (!r->page[p])
			r->page[p] = sim_hash(p + 1, r->medium + p * PAGE,
					      left < PAGE ? left : PAGE) | 1;
		sum = mix(sum, r->page[p]);
	}
	r->digest = sum | 1;
	return r->digest;
}

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

static void drain(struct sim *s, struct sim_region *r);

static void record(struct sim *s, enum sim_op_kind kind, struct sim_region *r, uint64_t offset,
		   const void *data, size_t len)
{
	struct sim_ops *ops = s->ops;
	struct sim_op *op;

	if (!ops)
		return;
	if (ops->count == ops->room) {
		ops->room = ops->room ? 2 * ops->room : 128;
		ops->op = must(realloc(ops->op, ops->room * sizeof(*ops->op)));
	}
	op = &ops->op[ops->count++];
	*op = (struct sim_op){ .kind = kind, .region = r, .offset = offset, .len = len,
			       .payload_read = s->payload_read };
	memcpy(op->memo, s->memo, sizeof(op->memo));
	if (data)
		op->data = memcpy(must(malloc(len + 1)), data, len);
}

static int region_read(struct lb_blk *b, uint64_t offset, void *buf, size_t len)
{
	struct sim_region *r = region_of(b);

	if (r->sim->off)
		return -LB_E_POWER;
	memcpy(buf, r->medium + offset, len);
	for (uint32_t i = 0; i < r->sim->pending_count; i++)
		if (r->sim->pending[i].region == r)
			overlay(&r->sim->pending[i], offset, buf, len);
	return 0;
}

static int region_read_medium(struct lb_blk *b, uint64_t offset, void *buf, size_t len)
{
	struct sim_region *r = region_of(b);

	if (r->lazy && !r->sim->off) {
		record(r->sim, SIM_OP_DRAIN, r, 0, NULL, 0);
		drain(r->sim, r);
	}
	if (r->cached_medium)
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

static void push(struct sim *s, struct sim_region *r, uint64_t offset, const void *buf, size_t len)
{
	struct sim_write *w;

	if (s->pending_count == s->pending_room) {
		s->pending_room = s->pending_room ? 2 * s->pending_room : 64;
		s->pending = must(realloc(s->pending, s->pending_room * sizeof(*s->pending)));
	}
	w = &s->pending[s->pending_count++];
	w->region = r;
	w->offset = offset;
	w->len = len;
	w->data = must(malloc(len ? len : 1));
	memcpy(w->data, buf, len);
}

static int region_write(struct lb_blk *b, uint64_t offset, const void *buf, size_t len)
{
	struct sim_region *r = region_of(b);
	bool worn;

	if (r->sim->off)
		return -LB_E_POWER;
	worn = r->worn_at > r->written && r->worn_at <= r->written + len;
	record(r->sim, SIM_OP_WRITE, r, offset, worn ? NULL : buf, len);
	if (!worn)
		push(r->sim, r, offset, buf, len);
	r->written += len;
	return call(r->sim, "write", r, offset, len) ? -LB_E_POWER : 0;
}

/* Makes @r's pending writes durable, or everybody's when @r is NULL. */
static void drain(struct sim *s, struct sim_region *r)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->pending_count; i++) {
		struct sim_write *w = &s->pending[i];

		if (r && w->region != r) {
			s->pending[kept++] = *w;
			continue;
		}
		put(w->region, w->offset, w->data, w->len);
		free(w->data);
	}
	s->pending_count = kept;
}

static int region_flush(struct lb_blk *b)
{
	struct sim_region *r = region_of(b);

	if (r->sim->off)
		return -LB_E_POWER;
	record(r->sim, SIM_OP_FLUSH, r, 0, NULL, 0);
	if (call(r->sim, "flush", r, 0, 0))
		return -LB_E_POWER;
	if (!r->deaf && !r->lazy)
		drain(r->sim, r);
	return 0;
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
		.flush = region_flush,
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
	r->medium = must(malloc(size_bytes));
	memset(r->medium, 0xff, size_bytes);
	r->page = must(calloc(page_count(r), sizeof(*r->page)));
	return &r->blk;
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

/* ---- clock ---- */

static struct sim *sim_of_clock(struct lb_clock *c)
{
	return (struct sim *)((char *)c - offsetof(struct sim, clock));
}

static uint64_t clock_ms(struct lb_clock *c)
{
	return sim_of_clock(c)->now_ms;
}

static int64_t clock_wall(struct lb_clock *c)
{
	return 1700000000 + (int64_t)(sim_of_clock(c)->now_ms / 1000);
}

static void clock_sleep(struct lb_clock *c, uint32_t ms)
{
	sim_of_clock(c)->now_ms += ms;
}

/* ---- source ---- */

struct sim_source {
	struct lb_source source;
	struct sim *sim;
	const uint8_t *bytes; /* borrowed */
	uint64_t len, pos;
	uint64_t since_seek;
	struct sim_source_manners manners;
};

static int source_seek(struct lb_source *b, uint64_t offset, uint64_t len, struct lb_error *err)
{
	struct sim_source *src = (struct sim_source *)b;

	if (src->sim->off)
		return lb_error_set(err, LB_E_POWER, "the power is off");
	if (src->manners.sequential && offset < src->pos)
		return lb_error_set(err, LB_E_UNSUPPORTED, "the source cannot go back");
	src->pos = offset;
	src->since_seek = 0;
	b->requests++;
	return 0;
}

static bool answers(const struct sim_source *src)
{
	const struct sim_source_manners *m = &src->manners;

	return !m->dead && !(m->silent_ms && src->sim->payload_read >= m->silent_from &&
			     src->sim->now_ms < m->silent_ms);
}

static ptrdiff_t source_read(struct lb_source *b, void *buf, size_t len, struct lb_error *err)
{
	struct sim_source *src = (struct sim_source *)b;
	uint64_t room = src->manners.lose_every ? src->manners.lose_every - src->since_seek : len;

	if (src->sim->off)
		return lb_error_set(err, LB_E_POWER, "the power is off");
	if (!answers(src) || !room)
		return lb_error_set(err, LB_E_AGAIN, "the connection was lost");
	if (src->pos >= src->len)
		return 0;
	if (len > src->len - src->pos)
		len = src->len - src->pos;
	if (len > room)
		len = room;
	memcpy(buf, src->bytes + src->pos, len);
	if (src->pos >= src->manners.payload_offset) {
		src->sim->payload_read += len;
		b->fetched_bytes += len;
	}
	src->pos += len;
	src->since_seek += len;
	return (ptrdiff_t)len;
}

static void source_close(struct lb_source *b)
{
	free(b);
}

struct lb_source *sim_source_open(struct sim *s, const uint8_t *bytes, size_t len,
				  const struct sim_source_manners *manners)
{
	static const struct lb_source_ops ops = {
		.seek = source_seek, .read = source_read, .close = source_close,
	};
	struct sim_source *src = must(calloc(1, sizeof(*src)));

	src->source.ops = &ops;
	src->sim = s;
	src->bytes = bytes;
	src->len = len;
	src->manners = *manners;
	src->source.sequential = manners->sequential;
	return &src->source;
}

/* ---- power ---- */

void sim_init(struct sim *s)
{
	static const struct lb_clock_ops ops = {
		.monotonic_ms = clock_ms, .wall_s = clock_wall, .sleep_ms = clock_sleep,
	};

	memset(s, 0, sizeof(*s));
	s->clock.ops = &ops;
	s->ms_per_call = 1;
	s->sector = 512;
}

static void drop_pending(struct sim *s)
{
	for (uint32_t i = 0; i < s->pending_count; i++)
		free(s->pending[i].data);
	s->pending_count = 0;
}

void sim_free(struct sim *s)
{
	drop_pending(s);
	free(s->pending);
	for (uint32_t i = 0; i < s->region_count; i++) {
		free(s->region[i].medium);
		free(s->region[i].page);
	}
	if (s->journal) {
		free(s->journal->bytes);
		free(s->journal->undo);
	}
	free(s->journal);
	memset(s, 0, sizeof(*s));
}

static void switch_on(struct sim *s)
{
	s->off = false;
	s->calls = 0;
	s->cut_at = 0;
	s->now_ms = 0;
}

void sim_settle(struct sim *s)
{
	drain(s, NULL);
	switch_on(s);
}

void sim_reboot(struct sim *s)
{
	record(s, SIM_OP_REBOOT, NULL, 0, NULL, 0);
	drop_pending(s);
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

	if (fate->tear && i + 1 == s->pending_count)
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
	noise = must(malloc(end - from + 1));
	for (uint64_t i = 0; i < end - from; i++)
		noise[i] = (uint8_t)next_random(&seed);
	put(r, from, noise, end - from);
	free(noise);
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
		put(w->region, w->offset + skip, w->data + skip, (size_t)(n < 0 ? -n : n));
		if (fate->pending == SIM_GARBLED && i + 1 == s->pending_count)
			garble(w);
	}
	s->power_cycles++;
}

void sim_power_on(struct sim *s, const struct sim_fate *fate)
{
	meet_fate(s, fate);
	drop_pending(s);
	switch_on(s);
}

/* ---- going back ---- */

void sim_begin(struct sim *s)
{
	for (uint32_t i = 0; i < s->region_count; i++) {
		touch(&s->region[i], 0, s->region[i].blk.size_bytes);
		s->region[i].written = 0;
	}
	s->journal = must(calloc(1, sizeof(*s->journal)));
}

void sim_mark(struct sim *s, const struct sim_fate *fate, struct sim_mark *mark)
{
	mark->journal = s->journal->count;
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
	drop_pending(s);
	free(s->pending);
	undo_to(s, mark->journal);
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
		push(s, op->region, op->offset, op->data, op->len);
	op->region->written += op->len;
}

void sim_leave(struct sim *s, const struct sim_op *op)
{
	if (op->kind == SIM_OP_REBOOT)
		drop_pending(s);
	else if (op->kind == SIM_OP_DRAIN ||
		 (op->kind == SIM_OP_FLUSH && !op->region->deaf && !op->region->lazy))
		drain(s, op->region);
}

void sim_ops_free(struct sim_ops *ops)
{
	for (uint32_t i = 0; i < ops->count; i++)
		free(ops->op[i].data);
	free(ops->op);
	memset(ops, 0, sizeof(*ops));
}

int sim_fail(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->why, sizeof(s->why), fmt, ap);
	va_end(ap);
	return 1;
}
