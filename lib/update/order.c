// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The order of the copies. Copy B has to wait for copy A when B's place overlaps the
 * bytes that A reads; nobody has to wait for one that reads what is never written.
 * Sources lie side by side in u->copies, so the copies that one
 * has to wait for are a run of it. A depth-first walk emits each copy behind those
 * that it waits for; where copies wait for each other in a circle, one of them is
 * left out and fetched. What is fetched is written last, so nobody waits for it.
 */
#include <stdlib.h>

#include "update/internal.h"

/* A circle is broken at its cheapest member among so many: bounds the work to a multiple of them. */
#define CHOICE 32u

enum { FOUND, WALKED, ORDERED, LEFT_OUT };

struct frame {
	uint32_t copy;
	uint32_t next, end; /* of the copies that it waits for, not looked at yet */
};

static uint32_t length_of(const struct lb_update *u, const struct lb_copy *copy)
{
	struct lb_chunk c;

	lb_index_entry(&u->images[copy->image].index, copy->number, &c);
	return c.length;
}

static uint32_t cost_of(const struct lb_update *u, uint32_t number)
{
	const struct lb_copy *copy = &u->copies[number];
	struct lb_chunk c;

	lb_index_entry(&u->images[copy->image].index, copy->number, &c);
	return c.stored_length;
}

/* The first copy that reads slot @slot at @from or behind it. */
static uint32_t first_from(const struct lb_update *u, uint8_t slot, uint64_t from)
{
	uint32_t low = 0, high = u->copy_count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		const struct lb_copy *c = &u->copies[mid];

		if (c->slot < slot || (c->slot == slot && c->from < from))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct frame enter(struct lb_update *u, uint32_t number)
{
	struct lb_copy *copy = &u->copies[number];
	struct lb_chunk c;
	uint32_t first;

	lb_chunk_at(&u->images[copy->image], copy->number, &c);
	first = first_from(u, copy->image, c.offset);
	while (first && u->copies[first - 1].slot == copy->image &&
	       u->copies[first - 1].from + length_of(u, &u->copies[first - 1]) > c.offset)
		first--;
	copy->state = WALKED;
	return (struct frame){ number, first, first_from(u, copy->image, c.offset + c.length) };
}

/*
 * The top of the stack waits for copy @again, which lies below. Leaves one out, and takes
 * back what was only walked because of it. Returns the new depth.
 */
static uint32_t break_circle(struct lb_update *u, const struct frame *stack, uint32_t depth,
			     uint32_t again)
{
	uint32_t best = depth - 1;

	for (uint32_t i = depth; i-- > 0 && depth - i <= CHOICE;) {
		if (cost_of(u, stack[i].copy) < cost_of(u, stack[best].copy))
			best = i;
		if (stack[i].copy == again)
			break;
	}
	for (uint32_t i = best + 1; i < depth; i++)
		u->copies[stack[i].copy].state = FOUND;
	u->copies[stack[best].copy].state = LEFT_OUT;
	return best;
}

static void walk(struct lb_update *u, struct frame *stack, uint32_t root)
{
	uint32_t depth = 0;

	stack[depth++] = enter(u, root);
	while (depth) {
		struct frame *top = &stack[depth - 1];
		uint32_t wait;

		if (top->next == top->end) {
			u->copies[top->copy].state = ORDERED;
			u->order[u->order_count++] = top->copy;
			depth--;
			continue;
		}
		wait = top->next++;
		if (wait == top->copy) /* read as a whole before it is written */
			continue;
		if (u->copies[wait].state == FOUND)
			stack[depth++] = enter(u, wait);
		else if (u->copies[wait].state == WALKED)
			depth = break_circle(u, stack, depth, wait);
	}
}

void lb_copies_order(struct lb_update *u)
{
	struct frame *stack;

	if (!u->copy_count)
		return;
	stack = malloc((size_t)u->copy_count * sizeof(*stack));
	u->order = malloc((size_t)u->copy_count * sizeof(*u->order));
	u->order_count = 0;
	/* what a broken circle took back is walked again from here: each round leaves one out */
	for (uint32_t i = 0; stack && u->order && i < u->copy_count; i++)
		while (u->copies[i].state == FOUND)
			walk(u, stack, i);
	free(stack);
}
