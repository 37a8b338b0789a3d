// SPDX-License-Identifier: GPL-2.0-or-later
/* From two images to patches: what is missing, encoded on several threads, ordered, stored. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "bundle/bundle.h"
#include "bundle/chunker.h"
#include "patch.h"
#include "patch_encode.h"

#define HOLD_LIMIT (2u * LB_MIB) /* CONFIG_HOLD_BYTES of a device that has not changed it */
#define THREADS_MAX 64

struct map {
	const uint8_t *bytes; /* NULL: empty */
	size_t len;
};

struct old_chunk {
	uint64_t offset;
	uint32_t length, next; /* with the same hash; UINT32_MAX: none */
	uint8_t sha256[LB_SHA256_BYTES];
};

struct make {
	struct patch_pack *p;
	struct map old, new;
	struct old_chunk *chunks; /* owned: of the old image, if it were packed as the new one */
	uint32_t chunk_count, chunk_room;
	uint32_t *first; /* owned: by the digest's first bytes */
	struct patch_node *nodes; /* owned */
	uint32_t node_count;
	struct patch_table *table; /* owned */
	struct patch_symbols *symbols; /* owned */
	struct patch_images images; /* what encoders share */
	pthread_mutex_t lock;	   /* what is below */
	uint32_t next_node;
	int rc;
	struct cli_progress progress;
};

#define BUCKETS 65536u

/* ---- what the old image holds ---- */

static int map_file(struct map *m, int fd, uint64_t len)
{
	void *bytes = mmap(NULL, (size_t)len, PROT_READ, MAP_PRIVATE, fd, 0);

	if (bytes == MAP_FAILED)
		return -LB_E_NOMEM;
	m->bytes = bytes;
	m->len = (size_t)len;
	return 0;
}

static void unmap(struct map *m)
{
	if (m->bytes)
		munmap((void *)(uintptr_t)m->bytes, m->len);
}

static bool add_old_chunk(struct make *k, uint64_t offset, uint32_t length)
{
	struct old_chunk *c;
	uint32_t bucket;

	if (k->chunk_count == k->chunk_room) {
		c = realloc(k->chunks, (k->chunk_room * 2 + 1024) * sizeof(*c));
		if (!c)
			return false;
		k->chunks = c;
		k->chunk_room = k->chunk_room * 2 + 1024;
	}
	c = &k->chunks[k->chunk_count];
	*c = (struct old_chunk){ .offset = offset, .length = length };
	lb_sha256(k->old.bytes + offset, length, c->sha256);
	bucket = lb_get_le16(c->sha256);
	c->next = k->first[bucket];
	k->first[bucket] = k->chunk_count++;
	return true;
}

static bool cut_old(struct make *k)
{
	struct lb_chunker c;
	size_t at = 0;

	lb_chunker_init(&c, k->p->image->image->chunking);
	k->first = malloc(BUCKETS * sizeof(*k->first));
	if (!k->first)
		return false;
	memset(k->first, 0xff, BUCKETS * sizeof(*k->first));
	while (at < k->old.len) {
		size_t left = k->old.len - at;
		bool zero;
		size_t n = lb_chunker_next(&c, at, k->old.bytes + at,
					   left < c.window_bytes ? left : c.window_bytes, &zero);

		if (!zero && !add_old_chunk(k, at, (uint32_t)n))
			return false;
		at += n;
	}
	return true;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a < b ? b - a : a - b;
}

/* The nearest place: the shorter the way, the fewer the circles. */
static bool find_copy(const struct make *k, const struct pack_entry *e, struct patch_node *n)
{
	bool found = false;

	for (uint32_t i = k->first[lb_get_le16(e->sha256)]; i != UINT32_MAX; i = k->chunks[i].next) {
		const struct old_chunk *c = &k->chunks[i];

		if (c->length != e->length || memcmp(c->sha256, e->sha256, LB_SHA256_BYTES) ||
		    (found && distance(c->offset, n->offset) >= distance(n->from, n->offset)))
			continue;
		n->from = c->offset;
		found = true;
	}
	return found;
}

static bool is_in_place(const struct make *k, uint64_t offset, uint32_t length)
{
	return offset + length <= k->old.len &&
	       !memcmp(k->old.bytes + offset, k->new.bytes + offset, length);
}

/* All data chunks that have to come from elsewhere. */
static bool find_nodes(struct make *k)
{
	const struct pack_image *im = k->p->image;
	uint64_t offset = 0;

	k->nodes = calloc(im->data_count + 1, sizeof(*k->nodes));
	if (!k->nodes)
		return false;
	for (uint32_t i = 0; i < im->chunk_count; i++) {
		struct patch_node *n = &k->nodes[k->node_count];
		struct pack_entry e;

		pack_entry_get(im->index, i, &e);
		if (e.type == LB_CHUNK_DATA && !is_in_place(k, offset, e.length)) {
			*n = (struct patch_node){
				.offset = offset, .number = i, .length = e.length,
				.plain_length = e.reference & 0xffffff,
			};
			n->copy = find_copy(k, &e, n);
			k->node_count++;
		}
		offset += e.length;
	}
	return true;
}

/* ---- encoding ---- */

static struct patch_node *take(struct make *k)
{
	struct patch_node *n = NULL;

	pthread_mutex_lock(&k->lock);
	while (!k->rc && !n && k->next_node < k->node_count) {
		n = &k->nodes[k->next_node++];
		cli_progress_add(&k->progress, n->length);
		if (n->copy)
			n = NULL;
	}
	pthread_mutex_unlock(&k->lock);
	return n;
}

static void *work(void *arg)
{
	struct make *k = arg;
	struct patch_encoder *e = patch_encoder_make(&k->images);
	struct patch_node *n;

	while ((n = take(k))) {
		int rc = e ? patch_encode(e, n) : -LB_E_NOMEM;

		if (!rc)
			continue;
		pthread_mutex_lock(&k->lock);
		k->rc = rc;
		pthread_mutex_unlock(&k->lock);
	}
	patch_encoder_free(e);
	return NULL;
}

static int encode_all(struct make *k)
{
	pthread_t id[THREADS_MAX];
	unsigned int started = 0;
	uint64_t bytes = 0;

	k->table = patch_table_make(k->old.bytes, k->old.len);
	if (!k->table)
		return -LB_E_NOMEM;
	k->symbols = patch_symbols_make(k->old.bytes, k->old.len);
	k->images = (struct patch_images){
		.old = k->old.bytes, .old_len = k->old.len, .new = k->new.bytes,
		.index = k->p->image->index, .table = k->table, .symbols = k->symbols,
	};
	for (uint32_t i = 0; i < k->node_count; i++)
		bytes += k->nodes[i].length;
	cli_progress_start(&k->progress, "patch", bytes);
	while (started < k->p->threads && started < THREADS_MAX &&
	       !pthread_create(&id[started], NULL, work, k))
		started++;
	for (unsigned int i = 0; i < started; i++)
		pthread_join(id[i], NULL);
	cli_progress_end(&k->progress);
	return started ? k->rc : -LB_E_NOMEM;
}

/* Those that have to be fetched as they are go. */
static void drop_plain(struct make *k)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < k->node_count; i++)
		if (k->nodes[i].copy || k->nodes[i].frame)
			k->nodes[left++] = k->nodes[i];
	k->node_count = left;
}

/* ---- all of it ---- */

static uint64_t index_bytes(const struct make *k)
{
	uint64_t bytes = LB_PATCH_HEADER_BYTES;

	for (uint32_t i = 0; i < k->node_count; i++) /* each may be kept, and written later */
		bytes += 2 * LB_PATCH_STEP_BYTES +
			 (uint64_t)k->nodes[i].region_count * LB_PATCH_REGION_BYTES;
	return bytes;
}

/* The index may have no more bytes than an image's: patches that save least go first. */
static void fit_index(struct make *k)
{
	uint64_t room = LB_PATCH_INDEX_MAX - k->p->image->image->index.size_bytes;

	for (uint32_t least = 1024; index_bytes(k) > room && k->node_count; least *= 2) {
		uint32_t left = 0;

		for (uint32_t i = 0; i < k->node_count; i++)
			if (k->nodes[i].plain_length - k->nodes[i].frame_bytes >= least)
				k->nodes[left++] = k->nodes[i];
			else
				free(k->nodes[i].frame);
		k->node_count = left;
	}
}

static int order_and_store(struct make *k, int spool)
{
	struct patch_order o;
	int rc;

	fit_index(k);
	rc = patch_order_make(k->nodes, k->node_count, HOLD_LIMIT, &o);

	if (rc)
		return rc;
	k->p->lost_bytes = o.lost_bytes;
	rc = patch_pack_store(k->p, k->nodes, k->node_count, &o, spool);
	patch_order_free(&o);
	return rc;
}

static void free_make(struct make *k)
{
	for (uint32_t i = 0; k->nodes && i < k->node_count; i++)
		free(k->nodes[i].frame);
	free(k->nodes);
	free(k->chunks);
	free(k->first);
	patch_table_free(k->table);
	patch_symbols_free(k->symbols);
	unmap(&k->old);
	unmap(&k->new);
}

int patch_pack_make(struct patch_pack *p, int spool, uint64_t *spool_end, struct lb_error *err)
{
	struct make k = { .p = p, .lock = PTHREAD_MUTEX_INITIALIZER };
	int rc = map_file(&k.old, p->old_fd, p->old_bytes);

	if (!rc)
		rc = map_file(&k.new, p->image->fd, p->image->image->size_bytes);
	if (!rc)
		rc = cut_old(&k) && find_nodes(&k) ? encode_all(&k) : -LB_E_NOMEM;
	if (!rc) {
		drop_plain(&k);
		rc = order_and_store(&k, spool);
	}
	free_make(&k);
	if (rc)
		return lb_error_set(err, -rc, "patches of %s cannot be made: %s", p->image->image->name,
				    lb_error_meaning(rc));
	p->payload_offset = *spool_end;
	*spool_end += p->set->payload.size_bytes;
	return 0;
}

void patch_pack_free(struct patch_pack *p)
{
	free(p->index);
	memset(p, 0, sizeof(*p));
}
