// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Second pass. Threads take data chunks in order and compress them into a ring
 * of slots; the caller's thread stores the slots in order. No slot is reused
 * before it was stored, so memory is bounded, and the order is always the same.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/bytes.h"
#include "pack_image.h"

#define SLOTS_PER_THREAD 4

struct slot {
	uint8_t *out; /* owned */
	uint32_t number, stored_length;
	bool done;
	int rc;
};

struct job {
	struct pack_image *p;
	int level;
	size_t out_bytes;
	struct slot *slots; /* owned; @slot_count */
	unsigned int slot_count;
	pthread_mutex_t lock; /* everything below, and slots' done */
	pthread_cond_t changed;
	uint32_t next_number;	      /* index entry to look at next */
	uint64_t next_offset;	      /* its place in the image */
	uint64_t handed_out, stored; /* data chunks so far */
	bool stop;
};

struct task {
	struct slot *slot;
	uint64_t offset;
	struct pack_entry entry;
};

/* The next data chunk and a free slot for it; false when there is none or work stops. */
static bool take(struct job *j, struct task *ret)
{
	bool found = false;

	pthread_mutex_lock(&j->lock);
	while (!j->stop && j->handed_out - j->stored == j->slot_count)
		pthread_cond_wait(&j->changed, &j->lock);
	while (!j->stop && !found && j->next_number < j->p->chunk_count) {
		pack_entry_get(j->p->index, j->next_number, &ret->entry);
		ret->offset = j->next_offset;
		found = ret->entry.type == LB_CHUNK_DATA;
		if (found) {
			ret->slot = &j->slots[j->handed_out++ % j->slot_count];
			ret->slot->number = j->next_number;
		}
		j->next_number++;
		j->next_offset += ret->entry.length;
	}
	pthread_mutex_unlock(&j->lock);
	return found;
}

/* 0, or why: the image is read a second time, and must not have changed. */
static int encode(struct job *j, ZSTD_CCtx *cctx, const struct task *t, uint8_t *in)
{
	enum lb_encoding encoding = j->p->image->encoding;
	uint8_t digest[LB_SHA256_BYTES];
	uint8_t *dst = encoding == LB_ENC_NONE ? t->slot->out : in;
	size_t n = t->entry.length;

	if (cli_pread_full(j->p->fd, dst, n, t->offset))
		return -LB_E_IO;
	lb_sha256(dst, n, digest);
	if (memcmp(digest, t->entry.sha256, sizeof(digest)))
		return -LB_E_CHANGED;
	if (encoding == LB_ENC_ZSTD_FRAMES) {
		n = ZSTD_compressCCtx(cctx, t->slot->out, j->out_bytes, in, n, j->level);
		if (ZSTD_isError(n))
			return -LB_E_NOMEM;
	}
	t->slot->stored_length = (uint32_t)n;
	return 0;
}

static void *work(void *arg)
{
	struct job *j = arg;
	ZSTD_CCtx *cctx = ZSTD_createCCtx();
	uint8_t *in = malloc(LB_CHUNK_MAX_BYTES);
	struct task t;

	while (take(j, &t)) {
		int rc = cctx && in ? encode(j, cctx, &t, in) : -LB_E_NOMEM;

		pthread_mutex_lock(&j->lock);
		t.slot->rc = rc;
		t.slot->done = true;
		pthread_cond_broadcast(&j->changed);
		pthread_mutex_unlock(&j->lock);
	}
	ZSTD_freeCCtx(cctx);
	free(in);
	return NULL;
}

/* Waits for the next chunk in order, appends it to @spool, frees its slot. */
static int store_next(struct job *j, int spool, struct lb_sha256 *hash, struct cli_progress *progress)
{
	struct slot *slot = &j->slots[j->stored % j->slot_count];
	struct pack_entry e;
	int rc;

	pthread_mutex_lock(&j->lock);
	while (!slot->done)
		pthread_cond_wait(&j->changed, &j->lock);
	pthread_mutex_unlock(&j->lock);
	rc = slot->rc;
	if (!rc)
		rc = cli_write_full(spool, slot->out, slot->stored_length);
	if (rc)
		return rc;
	lb_sha256_update(hash, slot->out, slot->stored_length);

	pthread_mutex_lock(&j->lock);
	pack_entry_get(j->p->index, slot->number, &e);
	e.reference = slot->stored_length;
	pack_entry_put(j->p->index, slot->number, &e);
	j->p->image->payload.size_bytes += slot->stored_length;
	slot->done = false;
	j->stored++;
	pthread_cond_broadcast(&j->changed);
	pthread_mutex_unlock(&j->lock);
	cli_progress_add(progress, e.length);
	return 0;
}

static int store_all(struct job *j, int spool, struct cli_progress *progress)
{
	struct lb_sha256 hash;
	int rc = 0;

	lb_sha256_start(&hash);
	while (!rc && j->stored < j->p->data_count)
		rc = store_next(j, spool, &hash, progress);
	lb_sha256_finish(&hash, j->p->image->payload.sha256);
	return rc;
}

/* Starts @threads, stores what they make, ends them. */
static int run(struct job *j, unsigned int threads, int spool)
{
	pthread_t *id = calloc(threads, sizeof(*id));
	struct cli_progress progress;
	unsigned int started = 0;
	int rc;

	while (id && started < threads && !pthread_create(&id[started], NULL, work, j))
		started++;
	cli_progress_start(&progress, j->p->image->name,
			   j->p->image->size_bytes - j->p->zero_bytes - j->p->duplicate_bytes);
	rc = started ? store_all(j, spool, &progress) : -LB_E_NOMEM;
	cli_progress_end(&progress);
	pthread_mutex_lock(&j->lock);
	j->stop = true;
	pthread_cond_broadcast(&j->changed);
	pthread_mutex_unlock(&j->lock);
	while (started)
		pthread_join(id[--started], NULL);
	free(id);
	return rc;
}

static bool make_slots(struct job *j, unsigned int threads)
{
	bool ok;

	j->slot_count = threads * SLOTS_PER_THREAD;
	j->out_bytes = ZSTD_compressBound(LB_CHUNK_MAX_BYTES);
	j->slots = calloc(j->slot_count, sizeof(*j->slots));
	ok = j->slots != NULL;
	for (unsigned int i = 0; ok && i < j->slot_count; i++)
		ok = (j->slots[i].out = malloc(j->out_bytes)) != NULL;
	return ok;
}

static void free_slots(struct job *j)
{
	for (unsigned int i = 0; j->slots && i < j->slot_count; i++)
		free(j->slots[i].out);
	free(j->slots);
}

static void finish_index(struct pack_image *p)
{
	struct lb_member *m = &p->image->index;

	memcpy(p->index, "LBINDEX1", 8);
	lb_put_le32(p->index + 8, LB_INDEX_ENTRY_BYTES);
	lb_put_le32(p->index + 12, p->chunk_count);
	lb_put_le64(p->index + 16, p->image->size_bytes);
	lb_put_le64(p->index + 24, p->image->payload.size_bytes);
	m->size_bytes = LB_INDEX_HEADER_BYTES + (uint64_t)p->chunk_count * LB_INDEX_ENTRY_BYTES;
	lb_sha256(p->index, (size_t)m->size_bytes, m->sha256);
}

int pack_image_compress(struct pack_image *p, int spool, uint64_t *spool_end,
			unsigned int threads, int level, struct lb_error *err)
{
	struct job j = {
		.p = p,
		.level = level,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
	};
	int rc;

	p->image->payload.size_bytes = 0;
	rc = make_slots(&j, threads) ? run(&j, threads, spool) : -LB_E_NOMEM;
	free_slots(&j);
	if (rc)
		return lb_error_set(err, -rc, "%s %s", p->path,
				    rc == -LB_E_CHANGED ? "changed while it was packed" :
				    rc == -LB_E_NOMEM	? "cannot be compressed: memory ran out" :
							  "or the output's folder cannot be read or written");
	p->payload_offset = *spool_end;
	*spool_end += p->image->payload.size_bytes;
	finish_index(p);
	return 0;
}
