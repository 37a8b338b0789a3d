// SPDX-License-Identifier: GPL-2.0-or-later
/* First pass: chunks, their digests, zeros and duplicates. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "bundle/chunker.h"
#include "pack_image.h"

#define BUFFER_BYTES (8u * LB_MIB)
#define TABLE_SLOTS (2 * LB_INDEX_CHUNKS_MAX) /* a power of two, at most half full */

struct scan {
	struct pack_image *p;
	struct lb_chunker chunker;
	struct lb_sha256 hash;
	uint8_t *buf;	 /* owned: the image from @at on */
	size_t len;	 /* bytes in @buf that are still ahead */
	size_t start;	 /* ... and where they begin */
	uint64_t at, read_to;
	uint32_t *table; /* owned: data chunks by digest, number + 1 */
};

void pack_entry_put(uint8_t *index, uint32_t number, const struct pack_entry *e)
{
	uint8_t *out = index + LB_INDEX_HEADER_BYTES + (size_t)number * LB_INDEX_ENTRY_BYTES;

	lb_put_le32(out, (e->far ? LB_CHUNK_FAR : e->type) | e->length << 8);
	lb_put_le32(out + 4, e->reference | (uint32_t)e->reach << 24);
	memcpy(out + 8, e->sha256, sizeof(e->sha256));
}

void pack_entry_get(const uint8_t *index, uint32_t number, struct pack_entry *ret)
{
	const uint8_t *in = index + LB_INDEX_HEADER_BYTES + (size_t)number * LB_INDEX_ENTRY_BYTES;

	ret->far = in[0] == LB_CHUNK_FAR;
	ret->type = ret->far ? LB_CHUNK_DATA : in[0];
	ret->length = lb_get_le32(in) >> 8;
	ret->reference = lb_get_le32(in + 4);
	ret->reach = 0;
	if (ret->type == LB_CHUNK_DATA) {
		ret->reach = in[7];
		ret->reference &= 0xffffff;
	}
	memcpy(ret->sha256, in + 8, sizeof(ret->sha256));
}

/* Keeps a whole window ahead, or the rest of the image. */
static int fill(struct scan *s)
{
	uint64_t rest = s->p->image->size_bytes - s->read_to;
	size_t n;
	int rc;

	if (s->len >= s->chunker.window_bytes || !rest)
		return 0;
	memmove(s->buf, s->buf + s->start, s->len);
	s->start = 0;
	n = BUFFER_BYTES - s->len < rest ? BUFFER_BYTES - s->len : (size_t)rest;
	rc = cli_pread_full(s->p->fd, s->buf + s->len, n, s->read_to);
	if (rc)
		return rc;
	lb_sha256_update(&s->hash, s->buf + s->len, n);
	s->len += n;
	s->read_to += n;
	return 0;
}

/* Number of the data chunk with @e's digest, or -1; then @number is remembered for it. */
static int64_t find_or_add(struct scan *s, const struct pack_entry *e, uint32_t number)
{
	uint32_t slot = lb_get_le32(e->sha256) & (TABLE_SLOTS - 1);
	struct pack_entry other;

	for (; s->table[slot]; slot = (slot + 1) & (TABLE_SLOTS - 1)) {
		pack_entry_get(s->p->index, s->table[slot] - 1, &other);
		if (!memcmp(other.sha256, e->sha256, sizeof(e->sha256)) && other.length == e->length)
			return s->table[slot] - 1;
	}
	s->table[slot] = number + 1;
	return -1;
}

/* Lengthens a zero chunk that ends here. Returns how much of @len it took. */
static uint32_t extend_zero(struct scan *s, uint32_t len)
{
	uint32_t longest = LB_ZERO_MAX_BYTES & ~(s->chunker.zero_bytes - 1);
	struct pack_entry e;

	if (!s->p->chunk_count)
		return 0;
	pack_entry_get(s->p->index, s->p->chunk_count - 1, &e);
	if (e.type != LB_CHUNK_ZERO)
		return 0;
	if (len > longest - e.length)
		len = longest - e.length;
	e.length += len;
	pack_entry_put(s->p->index, s->p->chunk_count - 1, &e);
	return len;
}

static bool add(struct scan *s, const struct pack_entry *e)
{
	if (s->p->chunk_count == LB_INDEX_CHUNKS_MAX)
		return false;
	pack_entry_put(s->p->index, s->p->chunk_count++, e);
	return true;
}

static bool add_zero(struct scan *s, uint32_t len)
{
	struct pack_entry e = { .type = LB_CHUNK_ZERO };

	s->p->zero_bytes += len;
	e.length = len - extend_zero(s, len);
	if (!e.length)
		return true;
	s->p->zero_count++;
	return add(s, &e);
}

static bool add_data(struct scan *s, const uint8_t *data, uint32_t len)
{
	struct pack_entry e = { .type = LB_CHUNK_DATA, .length = len };
	int64_t original;

	lb_sha256(data, len, e.sha256);
	original = find_or_add(s, &e, s->p->chunk_count);
	if (original < 0) {
		s->p->data_count++;
		return add(s, &e);
	}
	e.type = LB_CHUNK_DUPLICATE;
	e.reference = (uint32_t)original;
	s->p->duplicate_count++;
	s->p->duplicate_bytes += len;
	return add(s, &e);
}

/* -LB_E_TOO_BIG: more chunks than an index holds. */
static int scan_chunks(struct scan *s, struct cli_progress *progress)
{
	while (s->at < s->p->image->size_bytes) {
		int rc = fill(s);
		bool zero, fits;
		size_t n;

		if (rc)
			return rc;
		n = lb_chunker_next(&s->chunker, s->at, s->buf + s->start, s->len, &zero);
		fits = zero ? add_zero(s, (uint32_t)n) : add_data(s, s->buf + s->start, (uint32_t)n);
		if (!fits)
			return -LB_E_TOO_BIG;
		s->start += n;
		s->len -= n;
		s->at += n;
		cli_progress_add(progress, n);
	}
	return 0;
}

static int scan_level(struct scan *s, unsigned int level)
{
	struct cli_progress progress;
	struct pack_image *p = s->p;
	int rc;

	p->chunk_count = p->data_count = p->zero_count = p->duplicate_count = 0;
	p->zero_bytes = p->duplicate_bytes = 0;
	s->len = s->start = 0;
	s->at = s->read_to = 0;
	memset(s->table, 0, TABLE_SLOTS * sizeof(*s->table));
	lb_chunker_init(&s->chunker, level);
	lb_sha256_start(&s->hash);
	cli_progress_start(&progress, "scan", p->image->size_bytes);
	rc = scan_chunks(s, &progress);
	cli_progress_end(&progress);
	lb_sha256_finish(&s->hash, p->image->sha256);
	return rc;
}

int pack_image_scan(struct pack_image *p, struct lb_error *err)
{
	struct scan s = { .p = p };
	unsigned int level = p->image->chunking;
	int rc = -LB_E_NOMEM;

	s.buf = malloc(BUFFER_BYTES);
	s.table = malloc(TABLE_SLOTS * sizeof(*s.table));
	if (s.buf && s.table)
		do
			rc = scan_level(&s, level);
		while (rc == -LB_E_TOO_BIG && ++level <= LB_CHUNKER_LEVELS);
	p->image->chunking = level;
	free(s.buf);
	free(s.table);
	switch (rc) {
	case 0:
		return 0;
	case -LB_E_TOO_BIG:
		return lb_error_set(err, LB_E_TOO_BIG, "%s has more than %u chunks", p->path,
				    LB_INDEX_CHUNKS_MAX);
	case -LB_E_NOMEM:
		return lb_error_set(err, LB_E_NOMEM, "no memory for scanning");
	default:
		return lb_error_set(err, -rc, "%s cannot be read to its end", p->path);
	}
}
