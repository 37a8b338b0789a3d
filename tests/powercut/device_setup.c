// SPDX-License-Identifier: GPL-2.0-or-later
/* What exists before the first power-on: releases, bundles, and the device as the factory made it. */
#include "device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define ENV_BYTES 1024u
#define DATA_BYTES 6000u
#define REACH 2 /* two of the small chunks and more, a part of a large one */

/* ---- images and bundles ---- */

static uint8_t *noise(size_t len, uint32_t seed)
{
	uint8_t *p = malloc(len);

	if (!p)
		abort();
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525u + 1013904223u;
		p[i] = (uint8_t)(seed >> 24);
	}
	return p;
}

/*
 * Root of release 2 against that of release 1: every third chunk is as it was, one
 * became zeros, one repeats another, one moved to where another was.
 */
static void make_root(const struct world *w, struct mini_image *one, struct mini_image *two)
{
	size_t c = w->chunk_bytes, chunks = w->root_bytes / c;

	one->bytes = noise(w->root_bytes, 11);
	two->bytes = noise(w->root_bytes, 12);
	memset(one->bytes + 2 * c, 0, c);
	for (size_t i = 0; i < chunks; i += 3)
		memcpy(two->bytes + i * c, one->bytes + i * c, c);
	memset(two->bytes + 4 * c, 0, c);
	memcpy(two->bytes + 7 * c, two->bytes + 5 * c, c);
	memcpy(two->bytes + 8 * c, one->bytes + 10 * c, c);
	/* what has to be fetched begins like the chunk in front of it ends: no frame without its prefix */
	for (size_t i = 1; i < chunks; i++)
		if (i % 3 && i != 4 && i != 7 && i != 8)
			memcpy(two->bytes + i * c, two->bytes + i * c - c / 2, c / 2);
}

static void make_world(struct world *w)
{
	if (w->bundle[1].bytes)
		return;
	for (int r = 1; r < DEVICE_RELEASES; r++) {
		w->image[r][0] = (struct mini_image){
			.name = "boot", .encoding = LB_ENC_NONE,
			.bytes = noise(w->boot_bytes, (uint32_t)r), .len = w->boot_bytes,
		};
		w->image[r][1] = (struct mini_image){
			.name = "root", .encoding = LB_ENC_ZSTD_FRAMES, .len = w->root_bytes,
			.reach = REACH, .far_every = 2,
		};
	}
	make_root(w, &w->image[1][1], &w->image[2][1]);
	for (int r = 1; r < DEVICE_RELEASES; r++)
		mini_pack(&w->bundle[r], (uint64_t)r, w->image[r], MINI_IMAGES, w->chunk_bytes);
}

/* ---- the device ---- */

static void must(int err)
{
	if (err) {
		fprintf(stderr, "powercut: setting up failed: %s\n", lb_error_name(err));
		abort();
	}
}

int device_open_env(struct device *dev)
{
	return lb_boot_open(&dev->boot, sim_blk(dev->s, "env0"), sim_blk(dev->s, "env1"), NULL);
}

int device_open_state(struct device *dev)
{
	int err = lb_handover_open_log(&dev->log, sim_blk(dev->s, "state"), &dev->lost, NULL);

	dev->d = (struct lb_device_state){ .log = &dev->log, .boot = &dev->boot };
	return err;
}

int device_load_state(struct device *dev, struct lb_state *ret)
{
	int err = lb_state_load(&dev->log, ret, NULL);

	if (err != -LB_E_NOT_FOUND)
		return err;
	*ret = (struct lb_state){ .name = LB_STATE_CONFIRMED };
	return 0;
}

int device_whole_release(const struct device *dev)
{
	for (int r = 1; r < DEVICE_RELEASES; r++) {
		bool same = true;

		for (int i = 0; i < MINI_IMAGES; i++) {
			const struct mini_image *im = &dev->w->image[r][i];

			same = same && !memcmp(sim_region(dev->s, im->name)->medium, im->bytes,
					       im->len);
		}
		if (same)
			return r;
	}
	return 0;
}

static void fill_log(struct lb_log *log, uint32_t room)
{
	while (room && log->end + room * LB_LOG_ALIGN < DEVICE_STATE_BYTES / 2)
		must(lb_log_put(log, LB_REC_LOG, "filler", 6, NULL));
}

/* Slots as release 1 left them, and what nobody may write. */
static void make_slots(struct sim *s, const struct world *w)
{
	for (int i = 0; i < MINI_IMAGES; i++) {
		const struct mini_image *im = &w->image[1][i];
		struct sim_region *r;

		sim_add(s, im->name, im->len + 777);
		r = sim_region(s, im->name);
		memcpy(r->medium, im->bytes, im->len);
		for (int n = 0; n < 2; n++)
			r->releases[n] = w->image[n + 1][i].bytes;
		r->release_bytes = im->len;
	}
	sim_region(s, "root")->worn_at = w->worn_at;
	sim_add_untouchable(s, "data", DATA_BYTES);
}

/* What the factory records: release 1 is confirmed. */
static void make_records(struct device *dev)
{
	const struct mini_bundle *b = &dev->w->bundle[1];
	struct lb_source *src = sim_source_open(dev->s, b->bytes, b->len,
						&(struct sim_source_manners){ 0 });
	struct lb_bundle_head head;
	struct lb_release one;

	must(lb_bundle_read_head(src, &head, NULL));
	lb_source_close(src);
	one = (struct lb_release){ .release = 1, .manifest = head.manifest,
				   .manifest_len = head.manifest_len,
				   .signature = head.signatures[0],
				   .urls = { "sim:1" }, .url_count = 1 };
	must(device_open_state(dev));
	must(lb_release_save(&dev->log, LB_REC_CONFIRMED, &one, NULL));
	must(lb_state_save(&dev->log, &(struct lb_state){ .name = LB_STATE_CONFIRMED }, NULL));
	lb_bundle_head_free(&head);
}

static void lose(struct sim *s, unsigned int what)
{
	static const char *const names[] = { "env0", "env1", "state" };

	for (size_t i = 0; i < LB_ARRAY_LEN(names); i++)
		if (what & 1u << i)
			memset(sim_region(s, names[i])->medium, 0x5a,
			       sim_blk(s, names[i])->size_bytes);
	s->memo[SIM_MEMO_LOST] = what;
}

void device_setup(struct sim *s, struct world *w)
{
	struct device dev = { .s = s, .w = w };

	make_world(w);
	s->ms_per_call = w->ms_per_call;
	sim_add(s, "state", DEVICE_STATE_BYTES);
	sim_add(s, "env0", ENV_BYTES);
	sim_add(s, "env1", ENV_BYTES);
	make_slots(s, w);
	make_records(&dev);
	must(device_open_env(&dev));
	must(lb_boot_set_main(&dev.boot, false, NULL));
	lb_boot_close(&dev.boot);
	fill_log(&dev.log, w->log_room);
	s->payload_read = 0;
	sim_settle(s);
	lose(s, w->lost);
}
