// SPDX-License-Identifier: GPL-2.0-or-later
#include "bundle/index.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/* Offsets in the header and in an entry: docs/SPEC.md, "Index". */
enum { H_MAGIC = 0, H_ENTRY_BYTES = 8, H_COUNT = 12, H_IMAGE = 16, H_PAYLOAD = 24 };
enum { E_TYPE = 0, E_LENGTH = 1, E_REFERENCE = 4, E_REACH = 7, E_DIGEST = 8 };
enum { F_BLOCK = 0, F_COUNT = 3 };

static const uint8_t magic[8] = "LBINDEX1";

struct entry {
	uint8_t type;
	uint32_t length;
	uint32_t reference; /* stored length or number of the original */
	uint8_t reach;	    /* data only */
	bool far;	    /* data only: it has a far region */
	const uint8_t *sha256;
};

struct far {
	uint64_t offset;
	uint32_t bytes;
};

static struct entry entry_at(const uint8_t *bytes, uint32_t number)
{
	const uint8_t *p = bytes + LB_INDEX_HEADER_BYTES + (size_t)number * LB_INDEX_ENTRY_BYTES;
	bool far = p[E_TYPE] == LB_CHUNK_FAR;
	bool data = far || p[E_TYPE] == LB_CHUNK_DATA;

	return (struct entry){
		.type = far ? LB_CHUNK_DATA : p[E_TYPE],
		.length = lb_get_le32(p) >> 8,
		.reference = lb_get_le32(p + E_REFERENCE) & (data ? 0xffffff : 0xffffffff),
		.reach = data ? p[E_REACH] : 0,
		.far = far,
		.sha256 = p + E_DIGEST,
	};
}

/* @number: of the region, below the number of regions. */
static struct far far_at(const struct lb_index *idx, uint32_t number)
{
	const uint8_t *p = idx->bytes + LB_INDEX_HEADER_BYTES +
			   (size_t)idx->chunk_count * LB_INDEX_ENTRY_BYTES +
			   (size_t)number * LB_INDEX_FAR_BYTES;

	return (struct far){
		.offset = (uint64_t)(lb_get_le32(p + F_BLOCK) & 0xffffff) * LB_FAR_BLOCK_BYTES,
		.bytes = p[F_COUNT] * LB_FAR_BLOCK_BYTES,
	};
}

static size_t index_bytes(uint32_t chunk_count, uint32_t far_count)
{
	return LB_INDEX_HEADER_BYTES + (size_t)chunk_count * LB_INDEX_ENTRY_BYTES +
	       (size_t)far_count * LB_INDEX_FAR_BYTES;
}

static int bad_entry(uint32_t number, const char *what, struct lb_error *err)
{
	return lb_error_set(err, LB_E_FORMAT, "entry %u of the index %s", number, what);
}

static int check_duplicate(const struct lb_index *idx, uint32_t number, const struct entry *e,
			   struct lb_error *err)
{
	struct entry original;

	if (e->reference >= number)
		return bad_entry(number, "repeats an entry that does not precede it", err);
	original = entry_at(idx->bytes, e->reference);
	if (original.type != LB_CHUNK_DATA || original.length != e->length ||
	    memcmp(original.sha256, e->sha256, LB_SHA256_BYTES))
		return bad_entry(number, "differs from the entry that it repeats", err);
	return 0;
}

/* The next region belongs to entry @number, which begins where the sums end so far. */
static int check_far(struct lb_index *idx, uint32_t number, uint32_t *ret_bytes,
		     struct lb_error *err)
{
	struct far far;

	if (idx->bytes_len < index_bytes(idx->chunk_count, idx->far_count + 1))
		return bad_entry(number, "has a far region that is missing", err);
	far = far_at(idx, idx->far_count++);
	if (!far.bytes || far.bytes > LB_FAR_MAX_BYTES || far.offset + far.bytes > idx->image_bytes)
		return bad_entry(number, "has a far region that is out of bounds", err);
	if (far.bytes > idx->longest_far)
		idx->longest_far = far.bytes;
	*ret_bytes = far.bytes;
	return 0;
}

static int check_data(struct lb_index *idx, const struct lb_image *image, uint32_t number,
		      const struct entry *e, struct lb_error *err)
{
	uint32_t prefix = lb_reach_bytes(e->reach, idx->image_bytes), far = 0;

	if (!e->reference || e->reference > LB_STORED_MAX_BYTES ||
	    (image->encoding == LB_ENC_NONE && e->reference != e->length))
		return bad_entry(number, "has a stored length out of bounds", err);
	if (image->encoding == LB_ENC_NONE && (e->reach || e->far))
		return bad_entry(number, "is not encoded and has a prefix", err);
	if (e->far && check_far(idx, number, &far, err))
		return -LB_E_FORMAT;
	idx->payload_bytes += e->reference;
	if (e->reference > idx->longest_stored)
		idx->longest_stored = e->reference;
	if (prefix + far > idx->longest_prefix)
		idx->longest_prefix = prefix + far;
	return 0;
}

/* One entry's own bounds; adds it to the sums in @idx. */
static int check_entry(struct lb_index *idx, const struct lb_image *image, uint32_t number,
		       struct lb_error *err)
{
	struct entry e = entry_at(idx->bytes, number);
	int rc = 0;

	if (!e.length || (e.type != LB_CHUNK_ZERO && e.length > LB_CHUNK_MAX_BYTES))
		return bad_entry(number, "has a length out of bounds", err);
	switch (e.type) {
	case LB_CHUNK_DATA:
		rc = check_data(idx, image, number, &e, err);
		break;
	case LB_CHUNK_ZERO:
		if (e.reference || !lb_bytes_all_zero(e.sha256, LB_SHA256_BYTES))
			return bad_entry(number, "is a zero chunk with data", err);
		break;
	case LB_CHUNK_DUPLICATE:
		rc = check_duplicate(idx, number, &e, err);
		break;
	default:
		return bad_entry(number, "is of an unknown type", err);
	}
	idx->image_bytes += e.length;
	if (e.type != LB_CHUNK_ZERO && e.length > idx->longest_chunk)
		idx->longest_chunk = e.length;
	return rc;
}

static int check_header(const struct lb_index *idx, const struct lb_image *image,
			struct lb_error *err)
{
	const uint8_t *h = idx->bytes;

	if (idx->bytes_len < LB_INDEX_HEADER_BYTES || memcmp(h + H_MAGIC, magic, sizeof(magic)) ||
	    lb_get_le32(h + H_ENTRY_BYTES) != LB_INDEX_ENTRY_BYTES)
		return lb_error_set(err, LB_E_FORMAT, "%s is no index", image->index.name);
	if (idx->chunk_count > LB_INDEX_CHUNKS_MAX)
		return lb_error_set(err, LB_E_TOO_BIG, "%s has %u entries, at most %u are allowed",
				    image->index.name, idx->chunk_count, LB_INDEX_CHUNKS_MAX);
	if (idx->bytes_len < index_bytes(idx->chunk_count, 0))
		return lb_error_set(err, LB_E_FORMAT, "%s has %zu bytes, which are not %u entries",
				    image->index.name, idx->bytes_len, idx->chunk_count);
	if (lb_get_le64(h + H_IMAGE) != image->size_bytes ||
	    lb_get_le64(h + H_PAYLOAD) != image->payload.size_bytes)
		return lb_error_set(err, LB_E_FORMAT, "%s and the manifest differ in the sizes of %s",
				    image->index.name, image->name);
	return 0;
}

int lb_index_parse(uint8_t *bytes, size_t len, const struct lb_image *image,
		   struct lb_index *ret, struct lb_error *err)
{
	struct lb_index idx = { .bytes = bytes, .bytes_len = len };
	int rc;

	if (len >= LB_INDEX_HEADER_BYTES)
		idx.chunk_count = lb_get_le32(bytes + H_COUNT);
	rc = check_header(&idx, image, err);
	for (uint32_t i = 0; !rc && i < idx.chunk_count; i++)
		rc = check_entry(&idx, image, i, err);
	if (rc)
		return rc;
	if (idx.image_bytes != image->size_bytes || idx.payload_bytes != image->payload.size_bytes)
		return lb_error_set(err, LB_E_FORMAT,
				    "the chunks of %s add up to %llu bytes from %llu stored",
				    image->name, (unsigned long long)idx.image_bytes,
				    (unsigned long long)idx.payload_bytes);
	if (idx.bytes_len != index_bytes(idx.chunk_count, idx.far_count))
		return lb_error_set(err, LB_E_FORMAT,
				    "%s has %zu bytes, which are not %u entries and %u far regions",
				    image->index.name, idx.bytes_len, idx.chunk_count, idx.far_count);
	*ret = idx;
	return 0;
}

void lb_index_free(struct lb_index *idx)
{
	if (!idx)
		return;
	free(idx->bytes);
	memset(idx, 0, sizeof(*idx));
}

void lb_index_entry(const struct lb_index *idx, uint32_t number, struct lb_chunk *ret)
{
	struct entry e = entry_at(idx->bytes, number);

	*ret = (struct lb_chunk){
		.type = (enum lb_chunk_type)e.type,
		.number = number,
		.length = e.length,
		.stored_length = e.type == LB_CHUNK_DATA ? e.reference : 0,
		.original = e.type == LB_CHUNK_DUPLICATE ? e.reference : 0,
		.reach = e.reach,
		.sha256 = e.sha256,
	};
}

_Bool lb_index_next(const struct lb_index *idx, struct lb_chunk_cursor *cursor,
		    struct lb_chunk *ret)
{
	if (cursor->next >= idx->chunk_count)
		return 0;
	lb_index_entry(idx, cursor->next, ret);
	if (entry_at(idx->bytes, cursor->next).far) {
		struct far far = far_at(idx, cursor->far++);

		ret->far_offset = far.offset;
		ret->far_bytes = far.bytes;
	}
	ret->offset = cursor->offset;
	ret->stored_offset = cursor->stored_offset;
	cursor->next++;
	cursor->offset += ret->length;
	cursor->stored_offset += ret->stored_length;
	return 1;
}
