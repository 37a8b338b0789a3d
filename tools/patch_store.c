// SPDX-License-Identifier: GPL-2.0-or-later
/* Ordered nodes to steps, regions and payload: docs/SPEC.md, "Patches". */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "patch.h"

struct writer {
	uint8_t *steps, *regions; /* owned */
	uint32_t step_count, region_count;
	uint32_t symbols_bytes; /* most of a recoded patch */
	uint64_t payload_bytes;
	struct lb_sha256 hash;
	int spool;
};

/* One more of a run of copies? */
static bool continues(const struct patch_node *last, const struct patch_node *n, bool *ret_down)
{
	*ret_down = n->number + 1 == last->number;
	if (*ret_down)
		return n->from + n->length == last->from;
	return n->number == last->number + 1 && n->from == last->from + last->length;
}

/* Adds copy @n to the step before it, which ended with @last. */
static bool prolong(struct writer *w, const struct patch_node *last, const struct patch_node *n)
{
	uint8_t *s = w->steps + (size_t)(w->step_count - 1) * LB_PATCH_STEP_BYTES;
	uint32_t count;
	bool down;

	if (!last || !last->copy || s[0] != LB_PATCH_COPY || s[1] & LB_PATCH_HOLD ||
	    !continues(last, n, &down))
		return false;
	count = lb_get_le32(s + 4);
	if (count > 1 && down != !!(s[1] & LB_PATCH_DOWN))
		return false;
	s[1] = down ? LB_PATCH_DOWN : 0;
	lb_put_le32(s + 4, count + 1);
	return true;
}

static uint8_t *new_step(struct writer *w, enum lb_patch_type type, bool held, uint32_t number)
{
	uint8_t *s = w->steps + (size_t)w->step_count++ * LB_PATCH_STEP_BYTES;

	memset(s, 0, LB_PATCH_STEP_BYTES);
	s[0] = (uint8_t)type;
	s[1] = held ? LB_PATCH_HOLD : 0;
	lb_put_le16(s + 2, (uint16_t)number);
	return s;
}

static int add_patch(struct writer *w, const struct patch_node *n, bool held)
{
	uint8_t *s = new_step(w, LB_PATCH_PATCH, held, n->number);

	s[1] |= n->recoded ? LB_PATCH_RECODED : 0;
	if (n->symbols_bytes > w->symbols_bytes)
		w->symbols_bytes = n->symbols_bytes;
	lb_put_le32(s + 4, n->frame_bytes | n->region_count << 24);
	lb_put_le32(s + 8, n->crc);
	for (uint32_t r = 0; r < n->region_count; r++) {
		uint8_t *out = w->regions + (size_t)w->region_count++ * LB_PATCH_REGION_BYTES;

		lb_put_le32(out, n->regions[r].block);
		lb_put_le16(out + 4, (uint16_t)n->regions[r].count);
	}
	w->payload_bytes += n->frame_bytes;
	lb_sha256_update(&w->hash, n->frame, n->frame_bytes);
	return cli_write_full(w->spool, n->frame, n->frame_bytes);
}

static int add_event(struct patch_pack *p, struct writer *w, enum patch_event_type type,
		     const struct patch_node *n, const struct patch_node *last)
{
	uint8_t *s;

	if (type == PATCH_WRITE) {
		new_step(w, LB_PATCH_WRITE, false, n->number);
		return 0;
	}
	p->copy_count += n->copy;
	p->patch_count += !n->copy;
	p->recoded_count += n->recoded;
	*(n->copy ? &p->copy_bytes : &p->patched_bytes) += n->length;
	if (!n->copy)
		return add_patch(w, n, type == PATCH_HOLD);
	if (type == PATCH_MAKE && w->step_count && prolong(w, last, n))
		return 0;
	s = new_step(w, LB_PATCH_COPY, type == PATCH_HOLD, n->number);
	lb_put_le32(s + 4, 1);
	lb_put_le64(s + 8, n->from);
	return 0;
}

static int finish_index(struct patch_pack *p, const struct writer *w, uint32_t held_bytes)
{
	struct lb_member *m = &p->set->index;
	size_t steps = (size_t)w->step_count * LB_PATCH_STEP_BYTES;
	size_t regions = (size_t)w->region_count * LB_PATCH_REGION_BYTES;
	uint8_t *h;

	m->size_bytes = LB_PATCH_HEADER_BYTES + steps + regions;
	h = p->index = calloc(1, (size_t)m->size_bytes);
	if (!h)
		return -LB_E_NOMEM;
	memcpy(h, "LBPATCH1", 8);
	lb_put_le32(h + 8, w->step_count);
	lb_put_le32(h + 12, w->region_count);
	lb_put_le32(h + 16, held_bytes);
	lb_put_le32(h + 20, w->symbols_bytes);
	lb_put_le64(h + 24, p->old_bytes);
	lb_put_le64(h + 32, w->payload_bytes);
	memcpy(h + LB_PATCH_HEADER_BYTES, w->steps, steps);
	memcpy(h + LB_PATCH_HEADER_BYTES + steps, w->regions, regions);
	lb_sha256(h, (size_t)m->size_bytes, m->sha256);
	return 0;
}

int patch_pack_store(struct patch_pack *p, const struct patch_node *nodes, uint32_t node_count,
		     const struct patch_order *o, int spool)
{
	struct writer w = { .spool = spool };
	const struct patch_node *last = NULL;
	int rc = 0;

	w.steps = malloc(((size_t)o->event_count + 1) * LB_PATCH_STEP_BYTES);
	w.regions = malloc(((size_t)node_count + 1) * PATCH_REGIONS_MAX * LB_PATCH_REGION_BYTES);
	if (!w.steps || !w.regions)
		rc = -LB_E_NOMEM;
	lb_sha256_start(&w.hash);
	for (uint32_t i = 0; !rc && i < o->event_count; i++) {
		const struct patch_node *n = &nodes[o->events[i].node];

		rc = add_event(p, &w, o->events[i].type, n, last);
		last = o->events[i].type == PATCH_MAKE ? n : NULL;
	}
	lb_sha256_finish(&w.hash, p->set->payload.sha256);
	p->set->payload.size_bytes = w.payload_bytes;
	if (!rc)
		rc = finish_index(p, &w, o->held_bytes);
	free(w.steps);
	free(w.regions);
	return rc;
}
