// SPDX-License-Identifier: GPL-2.0-or-later
#include "flow/self_update.h"

#include <string.h>

static uint32_t find_image(const struct lb_manifest *m)
{
	uint32_t i = 0;

	while (i < m->image_count && m->images[i].kind != LB_KIND_RECOVERY)
		i++;
	return i;
}

static char other_copy(char copy)
{
	return copy == 'a' ? 'b' : 'a';
}

/* How often this very image was selected without reporting alive afterwards. */
static uint32_t tries_of(struct lb_install *in, const struct lb_image *image)
{
	struct lb_self_update note;

	if (lb_self_update_load(in->dev->log, &note, NULL) ||
	    memcmp(note.image, image->sha256, sizeof(note.image)))
		return 0;
	return note.tries;
}

static bool is_wanted(struct lb_install *in, const struct lb_image *image)
{
	return in->copy && image->recovery_release > in->device->recovery_release &&
	       tries_of(in, image) < LB_SELF_UPDATE_TRIES;
}

uint32_t lb_self_update_promise(struct lb_install *in)
{
	uint32_t n = find_image(&in->manifest);

	if (n < in->manifest.image_count && is_wanted(in, &in->manifest.images[n]))
		return in->manifest.images[n].recovery_release;
	return in->device->recovery_release;
}

static int open_copy(struct lb_install *in, char copy, bool writable, const struct lb_image *image,
		     struct lb_blk **ret, struct lb_error *err)
{
	char name[] = "recovery_a";
	struct lb_blk *blk;
	int r;

	name[sizeof(name) - 2] = copy;
	r = in->slots->open(in->slots->ctx, name, writable, &blk, err);
	if (r)
		return r;
	if (image->size_bytes > blk->size_bytes) {
		r = lb_error_set(err, LB_E_TOO_BIG, "image %s has %llu bytes, %s holds %llu",
				 image->name, (unsigned long long)image->size_bytes, name,
				 (unsigned long long)blk->size_bytes);
		lb_blk_close(blk);
		return r;
	}
	*ret = blk;
	return 0;
}

static void show_progress(void *ctx, const char *step, const char *image,
			  const struct lb_update_counters *c)
{
	struct lb_install *in = ctx;

	if (in->report && in->report->progress)
		in->report->progress(in->report->ctx, step, image, c);
}

/* The engine for image @n and nothing else. */
static int bring_up_to_date(struct lb_install *in, const struct lb_bundle_layout *layout,
			    uint32_t n, struct lb_blk *blk, struct lb_error *err)
{
	const struct lb_update_observer obs = { .ctx = in, .progress = show_progress };
	struct lb_blk *slots[LB_IMAGES_MAX] = { 0 };
	struct lb_update u;
	int r;

	slots[n] = blk;
	r = lb_update_load(&u, &in->manifest, layout, slots, &in->patient->source, in->clock, &obs,
			   err);
	if (!r)
		r = lb_update_plan(&u, err);
	if (!r)
		r = lb_install_write(in, &u, err);
	if (!r)
		r = lb_install_check_fit(in, blk, in->manifest.images[n].size_bytes, err);
	lb_update_free(&u);
	return r;
}

static int write_copy(struct lb_install *in, const struct lb_bundle_layout *layout, uint32_t n,
		      char copy, struct lb_error *err)
{
	struct lb_blk *blk;
	int r = open_copy(in, copy, true, &in->manifest.images[n], &blk, err);

	if (r)
		return r;
	r = bring_up_to_date(in, layout, n, blk, err);
	lb_blk_close(blk);
	return r;
}

/* The note first: a copy that hangs must find itself counted. */
static int select_copy(struct lb_install *in, const struct lb_image *image, char copy,
		       struct lb_error *err)
{
	struct lb_self_update note = { .tries = tries_of(in, image) + 1 };
	int r;

	memcpy(note.image, image->sha256, sizeof(note.image));
	r = lb_self_update_save(in->dev->log, &note, err);
	if (!r)
		r = lb_boot_set_recovery(in->dev->boot, err);
	if (!r)
		r = lb_boot_set_copy(in->dev->boot, copy, err);
	if (r)
		return r;
	lb_say(in->report, LB_LEVEL_INFO, "recovery-written",
	       "recovery release %u is in copy %c and is started to go on (try %u of %d)",
	       image->recovery_release, copy, note.tries, LB_SELF_UPDATE_TRIES);
	return LB_INSTALL_REBOOT;
}

/* It is the one that runs: it has shown that it starts, so the other copy may go. */
static int refresh_other(struct lb_install *in, const struct lb_bundle_layout *layout, uint32_t n,
			 struct lb_error *err)
{
	const struct lb_image *image = &in->manifest.images[n];
	struct lb_blk *blk;
	int whole, r = open_copy(in, in->copy, false, image, &blk, err);

	if (r)
		return r;
	whole = lb_update_image_whole(blk, image, err);
	lb_blk_close(blk);
	if (whole < 0)
		return whole;
	if (!whole) {
		lb_say(in->report, LB_LEVEL_WARN, "recovery-differs",
		       "recovery release %u runs from copy %c, but is not the one in the bundle",
		       image->recovery_release, in->copy);
		return 0;
	}
	r = write_copy(in, layout, n, other_copy(in->copy), err);
	if (!r)
		r = lb_log_put(in->dev->log, LB_REC_SELF_UPDATE, NULL, 0, err);
	if (!r)
		lb_say(in->report, LB_LEVEL_INFO, "recovery-current",
		       "both copies hold recovery release %u", image->recovery_release);
	return r;
}

int lb_self_update(struct lb_install *in, const struct lb_bundle_layout *layout,
		   struct lb_error *err)
{
	uint32_t n = find_image(&in->manifest);
	const struct lb_image *image = &in->manifest.images[n];
	int r;

	if (n == in->manifest.image_count || !in->copy)
		return 0;
	if (image->recovery_release == in->device->recovery_release)
		return refresh_other(in, layout, n, err);
	if (is_wanted(in, image)) {
		r = write_copy(in, layout, n, other_copy(in->copy), err);
		if (r == -LB_E_FIT && in->writing) { /* main cannot wait for a better recovery */
			lb_say_error(in->report, LB_LEVEL_WARN, r, err);
			return 0;
		}
		return r ? r : select_copy(in, image, other_copy(in->copy), err);
	}
	if (image->recovery_release > in->device->recovery_release)
		lb_say(in->report, LB_LEVEL_WARN, lb_error_name(LB_E_SELF_UPDATE),
		       "recovery release %u was tried %d times and did not start: going on with release %u",
		       image->recovery_release, LB_SELF_UPDATE_TRIES,
		       in->device->recovery_release);
	return 0;
}
