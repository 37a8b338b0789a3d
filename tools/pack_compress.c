// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Second pass. Threads take segments in order and encode them into a ring of slots;
 * the caller's thread stores the slots in order. No slot is reused before it was
 * stored, so memory is bounded, and the order is always the same.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "pack_segment.h"

#define SLOTS_PER_THREAD 2

struct slot {
	struct pack_segment seg;
	bool done;
	int rc;
};

struct job {
	struct pack_image *p;
	const struct pack_options *options;
	const uint8_t *map;   /* owned; the image, for what is far; NULL: nothing is */
	struct pack_far *far; /* owned */
	struct pack_stored *stored; /* owned; of all chunks */
	struct slot *slots;	    /* owned; @slot_count */
	unsigned int slot_count;
	pthread_mutex_t lock; /* everything below, and slots' done */
	pthread_cond_t changed;
	uint32_t next_number;	       /* index entry to look at next */
	uint64_t next_offset;	       /* its place in the image */
	uint64_t handed_out, stored_count; /* segments so far */
	bool all_handed_out, stop;
};

/* The next segment with a free slot; NULL when there is none or work stops. */
static struct slot *take(struct job *j)
{
	struct slot *slot = NULL;

	pthread_mutex_lock(&j->lock);
	while (!j->stop && j->handed_out - j->stored_count == j->slot_count)
		pthread_cond_wait(&j->changed, &j->lock);
	if (!j->stop && !j->all_handed_out) {
		slot = &j->slots[j->handed_out % j->slot_count];
		if (pack_segment_next(j->p, &j->next_number, &j->next_offset, &slot->seg)) {
			j->handed_out++;
		} else {
			j->all_handed_out = true;
			slot = NULL;
		}
		pthread_cond_broadcast(&j->changed);
	}
	pthread_mutex_unlock(&j->lock);
	return slot;
}

static void *work(void *arg)
{
	struct job *j = arg;
	struct pack_encoder *encoder = pack_encoder_new(j->p, j->far, j->map, j->options);
	struct slot *slot;

	while ((slot = take(j))) {
		int rc = encoder ? pack_encoder_run(encoder, &slot->seg, j->stored) : -LB_E_NOMEM;

		pthread_mutex_lock(&j->lock);
		slot->rc = rc;
		slot->done = true;
		pthread_cond_broadcast(&j->changed);
		pthread_mutex_unlock(&j->lock);
	}
	pack_encoder_free(encoder);
	return NULL;
}

/* Waits for the next segment in order; NULL when all are stored. */
static struct slot *wait_for_next(struct job *j)
{
	struct slot *slot = &j->slots[j->stored_count % j->slot_count];
	bool end;

	pthread_mutex_lock(&j->lock);
	while (j->handed_out == j->stored_count ? !j->all_handed_out : !slot->done)
		pthread_cond_wait(&j->changed, &j->lock);
	end = j->handed_out == j->stored_count;
	pthread_mutex_unlock(&j->lock);
	return end ? NULL : slot;
}

/* Appends the segment to @spool and frees its slot. */
static int store(struct job *j, struct slot *slot, int spool, struct lb_sha256 *hash)
{
	int rc = slot->rc;

	if (!rc)
		rc = cli_write_full(spool, slot->seg.out, slot->seg.out_len);
	if (rc)
		return rc;
	lb_sha256_update(hash, slot->seg.out, slot->seg.out_len);
	j->p->image->payload.size_bytes += slot->seg.out_len;

	pthread_mutex_lock(&j->lock);
	slot->done = false;
	j->stored_count++;
	pthread_cond_broadcast(&j->changed);
	pthread_mutex_unlock(&j->lock);
	return 0;
}

static int store_all(struct job *j, int spool)
{
	struct cli_progress progress;
	struct lb_sha256 hash;
	struct slot *slot;
	int rc = 0;

	lb_sha256_start(&hash);
	cli_progress_start(&progress, j->p->image->name, j->p->image->size_bytes);
	while (!rc && (slot = wait_for_next(j))) {
		cli_progress_add(&progress, slot->seg.offset + slot->seg.len - progress.done);
		rc = store(j, slot, spool, &hash);
	}
	cli_progress_end(&progress);
	lb_sha256_finish(&hash, j->p->image->payload.sha256);
	return rc;
}

/* Starts threads, stores what they make, ends them. */
static int run(struct job *j, int spool)
{
	pthread_t *id = calloc(j->options->threads, sizeof(*id));
	unsigned int started = 0;
	int rc;

	while (id && started < j->options->threads && !pthread_create(&id[started], NULL, work, j))
		started++;
	rc = started ? store_all(j, spool) : -LB_E_NOMEM;
	pthread_mutex_lock(&j->lock);
	j->stop = true;
	pthread_cond_broadcast(&j->changed);
	pthread_mutex_unlock(&j->lock);
	while (started)
		pthread_join(id[--started], NULL);
	free(id);
	return rc;
}

static bool make_slots(struct job *j)
{
	bool ok;

	j->slot_count = j->options->threads * SLOTS_PER_THREAD;
	j->stored = calloc(LB_INDEX_CHUNKS_MAX, sizeof(*j->stored));
	j->slots = calloc(j->slot_count, sizeof(*j->slots));
	ok = j->stored && j->slots;
	for (unsigned int i = 0; ok && i < j->slot_count; i++)
		ok = (j->slots[i].seg.out = malloc(PACK_SEGMENT_OUT_BYTES)) != NULL;
	return ok;
}

static void free_slots(struct job *j)
{
	for (unsigned int i = 0; j->slots && i < j->slot_count; i++)
		free(j->slots[i].seg.out);
	free(j->slots);
	free(j->stored);
}

/* ---- what is far ----------------------------------------------------------- */

/* Nothing is, where the window covers everything, or the index has no room for regions. */
static int open_far(struct job *j)
{
	uint64_t len = j->p->image->size_bytes;
	void *map;

	if (j->p->image->encoding != LB_ENC_ZSTD_FRAMES || len <= j->options->window_bytes ||
	    !j->options->window_bytes ||
	    LB_INDEX_HEADER_BYTES + (uint64_t)j->p->chunk_count *
			    (LB_INDEX_ENTRY_BYTES + LB_INDEX_FAR_BYTES) > LB_INDEX_MAX_BYTES)
		return 0;
	map = mmap(NULL, (size_t)len, PROT_READ, MAP_PRIVATE, j->p->fd, 0);
	if (map == MAP_FAILED)
		return -LB_E_NOMEM;
	j->map = map;
	j->far = pack_far_new(j->p, j->map);
	return j->far ? 0 : -LB_E_NOMEM;
}

/* Far regions were read without being compared with anything. */
static int check_far(const struct job *j)
{
	uint64_t size = j->p->image->size_bytes;
	uint8_t *buf = j->slots[0].seg.out, digest[LB_SHA256_BYTES];
	struct lb_sha256 hash;

	if (!j->far)
		return 0;
	lb_sha256_start(&hash);
	for (uint64_t at = 0; at < size;) {
		size_t n = size - at < LB_MIB ? (size_t)(size - at) : LB_MIB;

		if (cli_pread_full(j->p->fd, buf, n, at))
			return -LB_E_IO;
		lb_sha256_update(&hash, buf, n);
		at += n;
	}
	lb_sha256_finish(&hash, digest);
	return memcmp(digest, j->p->image->sha256, sizeof(digest)) ? -LB_E_CHANGED : 0;
}

static void close_far(struct job *j)
{
	pack_far_free(j->far);
	if (j->map)
		munmap((void *)(uintptr_t)j->map, (size_t)j->p->image->size_bytes);
}

/* ---- all of it ------------------------------------------------------------- */

static void add_far(struct pack_image *p, const struct pack_region *far)
{
	uint8_t *out = p->index + LB_INDEX_HEADER_BYTES +
		       (size_t)p->chunk_count * LB_INDEX_ENTRY_BYTES +
		       (size_t)p->far_count++ * LB_INDEX_FAR_BYTES;

	lb_put_le32(out, (uint32_t)(far->offset / LB_FAR_BLOCK_BYTES) |
				 far->bytes / LB_FAR_BLOCK_BYTES << 24);
}

static void finish_index(struct pack_image *p, const struct pack_stored *stored)
{
	struct lb_member *m = &p->image->index;
	struct pack_entry e;

	memcpy(p->index, "LBINDEX1", 8);
	lb_put_le32(p->index + 8, LB_INDEX_ENTRY_BYTES);
	lb_put_le32(p->index + 12, p->chunk_count);
	lb_put_le64(p->index + 16, p->image->size_bytes);
	lb_put_le64(p->index + 24, p->image->payload.size_bytes);
	for (uint32_t i = 0; i < p->chunk_count; i++) {
		pack_entry_get(p->index, i, &e);
		if (e.type != LB_CHUNK_DATA)
			continue;
		e.reference = stored[i].length;
		e.reach = stored[i].reach;
		e.far = stored[i].far.bytes;
		p->prefix_count += e.reach || e.far;
		if (e.far)
			add_far(p, &stored[i].far);
		pack_entry_put(p->index, i, &e);
	}
	m->size_bytes = LB_INDEX_HEADER_BYTES + (uint64_t)p->chunk_count * LB_INDEX_ENTRY_BYTES +
			(uint64_t)p->far_count * LB_INDEX_FAR_BYTES;
	lb_sha256(p->index, (size_t)m->size_bytes, m->sha256);
}

static const char *what_failed(int rc)
{
	switch (rc) {
	case -LB_E_CHANGED:
		return "changed while it was packed";
	case -LB_E_NOMEM:
		return "cannot be compressed: memory ran out";
	case -LB_E_DIGEST:
		return "cannot be compressed: a frame does not give its chunk back";
	default:
		return "or the output's folder cannot be read or written";
	}
}

int pack_image_compress(struct pack_image *p, int spool, uint64_t *spool_end,
			const struct pack_options *options, struct lb_error *err)
{
	struct job j = {
		.p = p,
		.options = options,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
	};
	int rc;

	p->image->payload.size_bytes = 0;
	rc = make_slots(&j) ? open_far(&j) : -LB_E_NOMEM;
	if (!rc)
		rc = run(&j, spool);
	if (!rc)
		rc = check_far(&j);
	if (!rc)
		finish_index(p, j.stored);
	free_slots(&j);
	close_far(&j);
	if (rc)
		return lb_error_set(err, -rc, "%s %s", p->path, what_failed(rc));
	p->payload_offset = *spool_end;
	*spool_end += p->image->payload.size_bytes;
	return 0;
}
