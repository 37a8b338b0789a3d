// SPDX-License-Identifier: GPL-2.0-or-later
#include "bundle/patch.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/* Offsets in the header, in a step and in a region: docs/SPEC.md, "Patches". */
enum { H_STEPS = 8, H_REGIONS = 12, H_HELD = 16, H_SYMBOLS = 20, H_OLD = 24, H_PAYLOAD = 32 };
enum { S_TYPE = 0, S_FLAGS = 1, S_NUMBER = 2, S_COUNT = 4, S_FROM = 8, S_CRC = 8, S_ZERO = 12 };
enum { R_BLOCK = 0, R_COUNT = 4 };

static const uint8_t magic[8] = "LBPATCH1";

struct check {
	struct lb_patches *p;
	const struct lb_index *idx;
	uint8_t *made, *held; /* owned: a bit per chunk */
	uint32_t kept_bytes;  /* by steps so far */
	bool recoded;	      /* one of them was */
};

static int bad_step(uint32_t number, const char *what, struct lb_error *err)
{
	return lb_error_set(err, LB_E_FORMAT, "patch step %u %s", number, what);
}

bool lb_patches_next(const struct lb_patches *p, struct lb_patch_cursor *cursor,
		     struct lb_patch_step *ret)
{
	const uint8_t *s;
	uint32_t count;

	if (cursor->next_step >= p->step_count)
		return false;
	s = p->bytes + LB_PATCH_HEADER_BYTES + (size_t)cursor->next_step * LB_PATCH_STEP_BYTES;
	count = lb_get_le32(s + S_COUNT);
	*ret = (struct lb_patch_step){
		.type = (enum lb_patch_type)s[S_TYPE],
		.hold = s[S_FLAGS] & LB_PATCH_HOLD,
		.down = s[S_FLAGS] & LB_PATCH_DOWN,
		.recoded = s[S_FLAGS] & LB_PATCH_RECODED,
		.number = lb_get_le16(s + S_NUMBER),
		.stored_offset = cursor->stored_offset,
		.region = cursor->next_region,
	};
	if (ret->type == LB_PATCH_COPY) {
		ret->count = count;
		ret->from = lb_get_le64(s + S_FROM);
	} else if (ret->type == LB_PATCH_PATCH) {
		ret->stored_length = count & 0xffffff;
		ret->region_count = count >> 24;
		ret->crc = lb_get_le32(s + S_CRC);
	}
	cursor->next_step++;
	cursor->next_region += ret->region_count;
	cursor->stored_offset += ret->stored_length;
	return true;
}

void lb_patches_region(const struct lb_patches *p, uint32_t number, uint64_t *ret_offset,
		       uint32_t *ret_length)
{
	const uint8_t *r = p->bytes + LB_PATCH_HEADER_BYTES +
			   (size_t)p->step_count * LB_PATCH_STEP_BYTES +
			   (size_t)number * LB_PATCH_REGION_BYTES;
	uint64_t at = (uint64_t)lb_get_le32(r + R_BLOCK) * LB_PATCH_BLOCK_BYTES;
	uint64_t length = (uint64_t)lb_get_le16(r + R_COUNT) * LB_PATCH_BLOCK_BYTES;
	uint64_t left = at < p->old_bytes ? p->old_bytes - at : 0;

	*ret_offset = at;
	*ret_length = (uint32_t)(length < left ? length : left);
}

uint32_t lb_patch_copy(const struct lb_patch_step *s, uint32_t k, const struct lb_index *idx,
		       uint64_t *from)
{
	uint32_t number = s->down ? s->number - k : s->number + k;
	struct lb_chunk c;

	if (!k)
		return number;
	lb_index_entry(idx, s->down ? number : number - 1, &c);
	*from = s->down ? *from - c.length : *from + c.length;
	return number;
}

static bool take_bit(uint8_t *bits, uint32_t n)
{
	bool was = bits[n / 8] >> n % 8 & 1;

	bits[n / 8] |= (uint8_t)(1u << n % 8);
	return was;
}

/* Chunk @number is made by step @step; 0 when that may be. */
static int check_made(struct check *c, uint32_t step, uint32_t number, bool hold, struct lb_chunk *ret,
		      struct lb_error *err)
{
	if (number >= c->idx->chunk_count)
		return bad_step(step, "makes a chunk that the index does not have", err);
	lb_index_entry(c->idx, number, ret);
	if (ret->type != LB_CHUNK_DATA)
		return bad_step(step, "makes a chunk without data", err);
	if (take_bit(c->made, number))
		return bad_step(step, "makes a chunk that was made before", err);
	if (hold) {
		if (ret->length > c->p->held_bytes - c->kept_bytes)
			return bad_step(step, "keeps more than the header says", err);
		take_bit(c->held, number);
		c->kept_bytes += ret->length;
	}
	return 0;
}

static int check_copies(struct check *c, uint32_t n, const struct lb_patch_step *s,
			struct lb_error *err)
{
	uint64_t from = s->from, old = c->p->old_bytes;

	if (!s->count || s->count > c->idx->chunk_count)
		return bad_step(n, "copies no possible number of chunks", err);
	for (uint32_t k = 0; k < s->count; k++) {
		struct lb_chunk chunk;
		uint32_t number;
		int rc;

		if (s->down && k > s->number)
			return bad_step(n, "makes a chunk that the index does not have", err);
		number = lb_patch_copy(s, k, c->idx, &from);
		rc = check_made(c, n, number, s->hold, &chunk, err);
		if (rc)
			return rc;
		/* below zero it wraps round, and is beyond the end */
		if (from > old || chunk.length > old - from)
			return bad_step(n, "copies what lies outside of the old image", err);
	}
	return 0;
}

static int check_patch(struct check *c, uint32_t n, const struct lb_patch_step *s,
		       struct lb_error *err)
{
	struct lb_patches *p = c->p;
	struct lb_chunk chunk;
	uint32_t prefix = 0;
	int rc = check_made(c, n, s->number, s->hold, &chunk, err);

	if (rc)
		return rc;
	if (!s->stored_length || s->stored_length > LB_STORED_MAX_BYTES)
		return bad_step(n, "has a stored length out of bounds", err);
	c->recoded = c->recoded || s->recoded;
	if (s->recoded && !p->symbols_bytes)
		return bad_step(n, "is recoded, and the header has no room for symbols", err);
	if (!s->region_count || s->region_count > p->region_count - s->region)
		return bad_step(n, "has regions that are not there", err);
	for (uint32_t r = 0; r < s->region_count; r++) {
		uint64_t at;
		uint32_t length;

		lb_patches_region(p, s->region + r, &at, &length);
		if (!length)
			return bad_step(n, "has a region outside of the old image", err);
		if (length > LB_PATCH_PREFIX_MAX - prefix)
			return bad_step(n, "has regions of more than 1 MiB", err);
		prefix += length;
	}
	if (prefix > p->longest_prefix)
		p->longest_prefix = prefix;
	if (s->stored_length > p->longest_stored)
		p->longest_stored = s->stored_length;
	return 0;
}

static int check_write(struct check *c, uint32_t n, const struct lb_patch_step *s,
		       struct lb_error *err)
{
	struct lb_chunk chunk;

	if (s->number >= c->idx->chunk_count || !(c->held[s->number / 8] >> s->number % 8 & 1))
		return bad_step(n, "writes what is not kept", err);
	c->held[s->number / 8] &= (uint8_t)~(1u << s->number % 8);
	lb_index_entry(c->idx, s->number, &chunk);
	c->kept_bytes -= chunk.length;
	return 0;
}

/* What a step does not use is 0. */
static bool is_canonical(const uint8_t *s)
{
	switch (s[S_TYPE]) {
	case LB_PATCH_COPY:
		return !(s[S_FLAGS] & ~(LB_PATCH_HOLD | LB_PATCH_DOWN));
	case LB_PATCH_PATCH:
		return !(s[S_FLAGS] & ~(LB_PATCH_HOLD | LB_PATCH_RECODED)) &&
		       lb_bytes_all_zero(s + S_ZERO, 4);
	case LB_PATCH_WRITE:
		return !s[S_FLAGS] && lb_bytes_all_zero(s + S_COUNT, 12);
	}
	return false;
}

static int check_steps(struct check *c, struct lb_error *err)
{
	struct lb_patches *p = c->p;
	struct lb_patch_cursor at = { 0 };
	struct lb_patch_step s;
	int rc = 0;

	for (uint32_t n = 0; !rc && n < p->step_count; n++) {
		if (!is_canonical(p->bytes + LB_PATCH_HEADER_BYTES + (size_t)n * LB_PATCH_STEP_BYTES))
			return bad_step(n, "is of an unknown form", err);
		lb_patches_next(p, &at, &s);
		if (s.type == LB_PATCH_COPY)
			rc = check_copies(c, n, &s, err);
		else if (s.type == LB_PATCH_PATCH)
			rc = check_patch(c, n, &s, err);
		else
			rc = check_write(c, n, &s, err);
	}
	if (rc)
		return rc;
	if (p->symbols_bytes && !c->recoded)
		return lb_error_set(err, LB_E_FORMAT, "room for %u bytes of symbols, and nothing is recoded",
				    p->symbols_bytes);
	if (c->kept_bytes)
		return lb_error_set(err, LB_E_FORMAT, "%u bytes are kept and never written",
				    c->kept_bytes);
	if (at.next_region != p->region_count || at.stored_offset != p->payload_bytes)
		return lb_error_set(err, LB_E_FORMAT, "the steps add up to %u regions and %llu bytes",
				    at.next_region, (unsigned long long)at.stored_offset);
	return 0;
}

static int check_header(struct lb_patches *p, const struct lb_patch_set *set, struct lb_error *err)
{
	const uint8_t *h = p->bytes;

	if (p->bytes_len < LB_PATCH_HEADER_BYTES || memcmp(h, magic, sizeof(magic)))
		return lb_error_set(err, LB_E_FORMAT, "%s is no patch index", set->index.name);
	p->step_count = lb_get_le32(h + H_STEPS);
	p->region_count = lb_get_le32(h + H_REGIONS);
	p->held_bytes = lb_get_le32(h + H_HELD);
	p->symbols_bytes = lb_get_le32(h + H_SYMBOLS);
	p->old_bytes = lb_get_le64(h + H_OLD);
	p->payload_bytes = lb_get_le64(h + H_PAYLOAD);
	if (p->step_count > LB_PATCH_STEPS_MAX || p->region_count > LB_PATCH_REGIONS_MAX ||
	    p->bytes_len != LB_PATCH_HEADER_BYTES + (size_t)p->step_count * LB_PATCH_STEP_BYTES +
				    (size_t)p->region_count * LB_PATCH_REGION_BYTES)
		return lb_error_set(err, LB_E_FORMAT, "%s has %zu bytes, which are not %u steps and %u regions",
				    set->index.name, p->bytes_len, p->step_count, p->region_count);
	if (p->symbols_bytes > LB_PATCH_SYMBOLS_MAX)
		return lb_error_set(err, LB_E_FORMAT, "%s wants room for %u bytes of symbols, at most %u are allowed",
				    set->index.name, p->symbols_bytes, LB_PATCH_SYMBOLS_MAX);
	if (!p->old_bytes || p->old_bytes > INT64_MAX || p->payload_bytes != set->payload.size_bytes)
		return lb_error_set(err, LB_E_FORMAT, "%s and the manifest differ in the sizes",
				    set->index.name);
	return 0;
}

int lb_patches_parse(uint8_t *bytes, size_t len, const struct lb_patch_set *set,
		     const struct lb_index *idx, struct lb_patches *ret, struct lb_error *err)
{
	struct lb_patches p = { .bytes = bytes, .bytes_len = len };
	struct check c = { .p = &p, .idx = idx };
	int rc = check_header(&p, set, err);

	if (rc)
		return rc;
	c.made = calloc(2, idx->chunk_count / 8 + 1);
	if (!c.made)
		return lb_error_set(err, LB_E_NOMEM, "no memory to check %s", set->index.name);
	c.held = c.made + idx->chunk_count / 8 + 1;
	rc = check_steps(&c, err);
	free(c.made);
	if (!rc)
		*ret = p;
	return rc;
}

void lb_patches_free(struct lb_patches *p)
{
	free(p->bytes);
	memset(p, 0, sizeof(*p));
}
