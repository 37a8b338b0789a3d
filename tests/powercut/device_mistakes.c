// SPDX-License-Identifier: GPL-2.0-or-later
/* Known-bad recoveries: the real one with one wrong step before it or around its slots. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "device.h"

static bool updating(struct device *dev)
{
	struct lb_state st;

	return !device_load_state(dev, &st) && st.name == LB_STATE_UPDATING;
}

/* ---- before the job ---- */

static int set_flag(struct device *dev)
{
	return lb_boot_set_main(&dev->boot, true, NULL);
}

const struct device_mistake mistake_flag_before_writing = { .before = set_flag };

const struct device_mistake mistake_count_stays = { .count_stays = true };

/* A log that had to be made anew is taken for that of a device at rest. */
static int believe_empty_log(struct device *dev)
{
	if (!dev->lost)
		return 0;
	dev->lost = false;
	return lb_state_save(&dev->log, &(struct lb_state){ .name = LB_STATE_CONFIRMED }, NULL);
}

const struct device_mistake mistake_empty_log_believed = { .before = believe_empty_log };

/* ---- around a slot ---- */

struct slot {
	struct lb_blk blk;
	struct lb_blk *real; /* borrowed */
	struct device *dev;  /* borrowed */
	int number;	     /* of the image */
};

static struct slot *slot_of(struct lb_blk *b)
{
	return (struct slot *)b;
}

static int slot_read(struct lb_blk *b, uint64_t offset, void *buf, size_t len)
{
	return lb_blk_read(slot_of(b)->real, offset, buf, len);
}

static int slot_read_medium(struct lb_blk *b, uint64_t offset, void *buf, size_t len)
{
	return lb_blk_read_medium(slot_of(b)->real, offset, buf, len);
}

static int slot_write(struct lb_blk *b, uint64_t offset, const void *buf, size_t len)
{
	return lb_blk_write(slot_of(b)->real, offset, buf, len);
}

static int slot_flush(struct lb_blk *b)
{
	return lb_blk_flush(slot_of(b)->real);
}

static void slot_close(struct lb_blk *b)
{
	free(b);
}

static struct lb_blk *wrap(struct device *dev, struct lb_blk *real, const struct lb_blk_ops *ops)
{
	struct slot *slot = calloc(1, sizeof(*slot));

	if (!slot)
		abort();
	slot->blk = *real;
	slot->blk.ops = ops;
	slot->real = real;
	slot->dev = dev;
	slot->number = strcmp(real->name, "boot") != 0;
	return &slot->blk;
}

#define SLOT_OPS(r, m, w)                                                                 \
	{ .read = r, .read_medium = m, .write = w, .flush = slot_flush, .close = slot_close }

/* ---- the flag is returned when everything is written, then it is read back ---- */

static int flag_then_read(struct lb_blk *b, uint64_t offset, void *buf, size_t len)
{
	struct device *dev = slot_of(b)->dev;
	int err = updating(dev) ? set_flag(dev) : 0;

	return err ? err : slot_read_medium(b, offset, buf, len);
}

static struct lb_blk *slot_flag_early(struct device *dev, struct lb_blk *blk)
{
	static const struct lb_blk_ops ops = SLOT_OPS(slot_read, flag_then_read, slot_write);

	return wrap(dev, blk, &ops);
}

const struct device_mistake mistake_flag_before_read_back = { .slot = slot_flag_early };

/*
 * ---- a progress record that is believed ----
 *
 * A bit per chunk, put into the state log with each chunk. A recovery that finds
 * an update begun takes what the bits say for right, when it plans and when it
 * reads back, and hashes only the rest.
 */

static int load_hint(struct device *dev)
{
	memset(dev->hint, 0, sizeof(dev->hint));
	if (updating(dev) &&
	    lb_log_get(&dev->log, LB_REC_LOG, dev->hint, sizeof(dev->hint)) < 0)
		memset(dev->hint, 0, sizeof(dev->hint));
	memcpy(dev->believed, dev->hint, sizeof(dev->hint));
	return 0;
}

static void believe(const struct slot *slot, uint64_t offset, uint8_t *buf, size_t len)
{
	const struct world *w = slot->dev->w;
	const struct mini_image *im = &w->image[2][slot->number];
	const uint8_t *bits = slot->dev->believed[slot->number];

	for (size_t i = 0; i < len && offset + i < im->len; i++) {
		size_t chunk = (offset + i) / w->chunk_bytes;

		if (bits[chunk / 8] >> chunk % 8 & 1)
			buf[i] = im->bytes[offset + i];
	}
}

static int read_hinted(struct lb_blk *b, uint64_t offset, void *buf, size_t len)
{
	int err = slot_read(b, offset, buf, len);

	believe(slot_of(b), offset, buf, len);
	return err;
}

static int read_medium_hinted(struct lb_blk *b, uint64_t offset, void *buf, size_t len)
{
	int err = slot_read_medium(b, offset, buf, len);

	believe(slot_of(b), offset, buf, len);
	return err;
}

static int write_hinting(struct lb_blk *b, uint64_t offset, const void *buf, size_t len)
{
	struct slot *slot = slot_of(b);
	struct device *dev = slot->dev;
	size_t chunk = offset / dev->w->chunk_bytes;
	int err = slot_write(b, offset, buf, len);

	dev->hint[slot->number][chunk / 8] |= (uint8_t)(1u << chunk % 8);
	return err ? err : lb_log_put(&dev->log, LB_REC_LOG, dev->hint, sizeof(dev->hint), NULL);
}

static struct lb_blk *slot_hinted(struct device *dev, struct lb_blk *blk)
{
	static const struct lb_blk_ops ops =
		SLOT_OPS(read_hinted, read_medium_hinted, write_hinting);

	return wrap(dev, blk, &ops);
}

const struct device_mistake mistake_hint_believed = { .before = load_hint, .slot = slot_hinted };

/* ---- writes where, and of what, there must be none ---- */

/* What arrived is written at once, and again when its digest turned out right. */
static int write_twice(struct lb_blk *b, uint64_t offset, const void *buf, size_t len)
{
	uint8_t *fetched = malloc(len + 1);
	int err;

	if (!fetched)
		abort();
	memset(fetched, 0x77, len);
	err = slot_write(b, offset, fetched, len);
	free(fetched);
	return err ? err : slot_write(b, offset, buf, len);
}

static struct lb_blk *slot_unverified(struct device *dev, struct lb_blk *blk)
{
	static const struct lb_blk_ops ops = SLOT_OPS(slot_read, slot_read_medium, write_twice);

	return wrap(dev, blk, &ops);
}

const struct device_mistake mistake_unverified_write = { .slot = slot_unverified };

static int write_data_too(struct lb_blk *b, uint64_t offset, const void *buf, size_t len)
{
	struct lb_blk *data = sim_blk(slot_of(b)->dev->s, "data");
	int err = lb_blk_write(data, 100, "updated", 7);

	return err ? err : slot_write(b, offset, buf, len);
}

static struct lb_blk *slot_with_data(struct device *dev, struct lb_blk *blk)
{
	static const struct lb_blk_ops ops = SLOT_OPS(slot_read, slot_read_medium, write_data_too);

	return wrap(dev, blk, &ops);
}

const struct device_mistake mistake_data_written = { .slot = slot_with_data };

/* As if the chunk were longer than the room that is left; the check of the range is missing. */
static int write_behind(struct lb_blk *b, uint64_t offset, const void *buf, size_t len)
{
	struct lb_blk *real = slot_of(b)->real;
	int err = real->ops->write(real, real->size_bytes, "behind the slot", 15);

	return err ? err : slot_write(b, offset, buf, len);
}

static struct lb_blk *slot_behind(struct device *dev, struct lb_blk *blk)
{
	static const struct lb_blk_ops ops = SLOT_OPS(slot_read, slot_read_medium, write_behind);

	return wrap(dev, blk, &ops);
}

const struct device_mistake mistake_neighbour_written = { .slot = slot_behind };
