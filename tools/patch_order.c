// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A depth-first walk: in front of each node those that read what it overwrites. Where
 * nodes wait for each other in a circle, the one that closes it is made at once and
 * kept in memory until its turn to be written; nobody has to wait for it then. When
 * too much is kept already, the cheapest of the last nodes on the way is left out.
 * (In-place reconstruction of deltas: Burns, Stockmeyer, Long, 2002; there without
 * memory.)
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "patch.h"

#define CHOICE 32u
#define STARTS 32u

enum { FOUND, WALKED, ORDERED, LEFT_OUT };

struct reading {
	uint64_t from, end;
	uint32_t node;
};

struct frame {
	uint32_t node, next; /* edge */
};

struct graph {
	const struct patch_node *nodes; /* borrowed */
	uint32_t count;
	struct reading *readings; /* owned: by from */
	uint32_t reading_count;
	uint64_t longest; /* reading */
	uint32_t *edges;  /* owned: nodes that one waits for */
	uint32_t *first;  /* owned: its first edge; @count + 1 */
	size_t edge_room;
	uint8_t *state; /* owned, with held */
	bool *held;	/* owned: is in memory, and not written yet */
	struct frame *stack; /* owned */
	uint32_t hold_limit, held_now;
	struct patch_order *o;
};

static int by_from(const void *a, const void *b)
{
	const struct reading *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return x->node < y->node ? -1 : x->node > y->node;
}

static void add_reading(struct graph *g, uint32_t node, uint64_t from, uint64_t length)
{
	g->readings[g->reading_count++] = (struct reading){ from, from + length, node };
	if (length > g->longest)
		g->longest = length;
}

static bool collect_readings(struct graph *g)
{
	size_t room = 1;

	for (uint32_t i = 0; i < g->count; i++)
		room += g->nodes[i].copy ? 1 : g->nodes[i].region_count;
	g->readings = malloc(room * sizeof(*g->readings));
	if (!g->readings)
		return false;
	for (uint32_t i = 0; i < g->count; i++) {
		const struct patch_node *n = &g->nodes[i];

		if (n->copy)
			add_reading(g, i, n->from, n->length);
		for (uint32_t k = 0; !n->copy && k < n->region_count; k++)
			add_reading(g, i, (uint64_t)n->regions[k].block * LB_PATCH_BLOCK_BYTES,
				    (uint64_t)n->regions[k].count * LB_PATCH_BLOCK_BYTES);
	}
	qsort(g->readings, g->reading_count, sizeof(*g->readings), by_from);
	return true;
}

static bool add_edge(struct graph *g, uint32_t begin, uint32_t *count, uint32_t node)
{
	uint32_t *more;

	for (uint32_t k = begin; k < *count; k++)
		if (g->edges[k] == node)
			return true;
	if (*count == g->edge_room) {
		more = realloc(g->edges, (g->edge_room * 2 + 1024) * sizeof(*more));
		if (!more)
			return false;
		g->edges = more;
		g->edge_room = g->edge_room * 2 + 1024;
	}
	g->edges[(*count)++] = node;
	return true;
}

/* Whoever reads what node @i overwrites. */
static bool connect(struct graph *g, uint32_t i, uint32_t *count)
{
	uint64_t from = g->nodes[i].offset, end = from + g->nodes[i].length;
	uint32_t low = 0, high = g->reading_count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (g->readings[mid].from + g->longest <= from)
			low = mid + 1;
		else
			high = mid;
	}
	g->first[i] = *count;
	for (; low < g->reading_count && g->readings[low].from < end; low++)
		if (g->readings[low].end > from && g->readings[low].node != i &&
		    !add_edge(g, g->first[i], count, g->readings[low].node))
			return false;
	return true;
}

static bool make_graph(struct graph *g)
{
	uint32_t edges = 0;

	g->first = malloc(((size_t)g->count + 1) * sizeof(*g->first));
	g->state = calloc((size_t)g->count + 1, sizeof(*g->state));
	g->held = calloc((size_t)g->count + 1, sizeof(*g->held));
	g->stack = malloc(((size_t)g->count + 1) * sizeof(*g->stack));
	if (!g->first || !g->state || !g->held || !g->stack || !collect_readings(g))
		return false;
	for (uint32_t i = 0; i < g->count; i++)
		if (!connect(g, i, &edges))
			return false;
	g->first[g->count] = edges;
	return true;
}

static void free_graph(struct graph *g)
{
	free(g->readings);
	free(g->edges);
	free(g->first);
	free(g->state);
	free(g->held);
	free(g->stack);
}

static void emit(struct graph *g, enum patch_event_type type, uint32_t node)
{
	g->o->events[g->o->event_count++] = (struct patch_event){ type, node };
}

/* More bytes to fetch without it. */
static uint32_t worth(const struct patch_node *n)
{
	return n->plain_length > n->frame_bytes ? n->plain_length - n->frame_bytes : 0;
}

static void hold(struct graph *g, uint32_t node)
{
	emit(g, PATCH_HOLD, node);
	g->held[node] = true;
	g->held_now += g->nodes[node].length;
	if (g->held_now > g->o->held_bytes)
		g->o->held_bytes = g->held_now;
}

/*
 * Leaves one of the circle out that is not kept already, and takes back what was walked
 * only for it. What is kept stays: others have overwritten its source since. Returns the new depth.
 */
static uint32_t break_circle(struct graph *g, uint32_t depth, uint32_t again)
{
	uint32_t best = UINT32_MAX;

	for (uint32_t i = depth; i-- > 0;) {
		uint32_t node = g->stack[i].node;

		if (!g->held[node] && (best == UINT32_MAX || (depth - i <= CHOICE &&
		    worth(&g->nodes[node]) < worth(&g->nodes[g->stack[best].node]))))
			best = i;
		if (node == again)
			break;
	}
	for (uint32_t i = best + 1; i < depth; i++)
		g->state[g->stack[i].node] = FOUND;
	g->state[g->stack[best].node] = LEFT_OUT;
	g->o->lost_bytes += worth(&g->nodes[g->stack[best].node]);
	return best;
}

static void leave(struct graph *g, uint32_t node)
{
	g->state[node] = ORDERED;
	if (!g->held[node]) {
		emit(g, PATCH_MAKE, node);
		return;
	}
	emit(g, PATCH_WRITE, node);
	g->held[node] = false;
	g->held_now -= g->nodes[node].length;
}

static void walk(struct graph *g, uint32_t root)
{
	uint32_t depth = 0;

	g->state[root] = WALKED;
	g->stack[depth++] = (struct frame){ root, g->first[root] };
	while (depth) {
		struct frame *top = &g->stack[depth - 1];
		uint32_t wait;

		if (top->next == g->first[top->node + 1]) {
			leave(g, top->node);
			depth--;
			continue;
		}
		wait = g->edges[top->next++];
		if (g->held[wait])
			continue; /* was read before */
		if (g->state[wait] == FOUND) {
			g->state[wait] = WALKED;
			g->stack[depth++] = (struct frame){ wait, g->first[wait] };
		} else if (g->state[wait] == WALKED) {
			if (g->nodes[wait].length <= g->hold_limit - g->held_now)
				hold(g, wait);
			else
				depth = break_circle(g, depth, wait);
		}
	}
}

/* The walk begins in part @start of STARTS, upwards or downwards from there, and goes round. */
static void order_once(struct graph *g, uint32_t start, bool down)
{
	uint32_t first = (uint32_t)((uint64_t)g->count * start / STARTS);

	memset(g->state, 0, g->count);
	memset(g->held, 0, g->count * sizeof(*g->held));
	g->held_now = 0;
	g->o->event_count = g->o->held_bytes = 0;
	g->o->lost_bytes = 0;
	for (uint32_t i = 0; i < g->count; i++) {
		uint32_t root = (first + (down ? g->count - 1 - i : i)) % g->count;

		/* what a broken circle took back is walked again: each round leaves one out */
		while (g->state[root] == FOUND)
			walk(g, root);
	}
}

static bool is_better(const struct patch_order *a, const struct patch_order *b)
{
	return a->lost_bytes < b->lost_bytes ||
	       (a->lost_bytes == b->lost_bytes && a->held_bytes < b->held_bytes);
}

/* Several walks cost little, and differ much in what they leave out. */
static void try_all(struct graph *g, struct patch_order *best)
{
	for (uint32_t n = 0; n < 2 * STARTS; n++) {
		order_once(g, n / 2, n % 2);
		if (!n || is_better(g->o, best)) {
			struct patch_order keep = *best;

			*best = *g->o;
			*g->o = keep;
		}
	}
}

int patch_order_make(const struct patch_node *nodes, uint32_t count, uint32_t hold_limit,
		     struct patch_order *ret)
{
	size_t bytes = (2 * (size_t)count + 1) * sizeof(*ret->events);
	struct patch_order best = { .events = malloc(bytes) }, now = { .events = malloc(bytes) };
	struct graph g = { .nodes = nodes, .count = count, .hold_limit = hold_limit, .o = &now };
	bool ok = best.events && now.events && make_graph(&g);

	if (ok)
		try_all(&g, &best);
	free_graph(&g);
	patch_order_free(&now);
	if (!ok) {
		patch_order_free(&best);
		return -LB_E_NOMEM;
	}
	*ret = best;
	return 0;
}

void patch_order_free(struct patch_order *o)
{
	free(o->events);
	memset(o, 0, sizeof(*o));
}
