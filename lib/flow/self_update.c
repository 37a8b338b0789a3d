// SPDX-License-Identifier: GPL-2.0-or-later
#include "flow/self_update.h"

#include <string.h>

#include "flow/copies.h"

static uint32_t find_image(const struct lb_manifest *m)
{
	uint32_t i = 0;

	while (i < m->image_count && m->images[i].kind != LB_KIND_RECOVERY)
		i++;
	return i;
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

static void show_progress(void *ctx, const char *step, const char *image,
			  const struct lb_update_counters *c)
{
	struct lb_install *in = ctx;

	if (in->report && in->report->progress)
		in->report->progress(in->report->ctx, step, image, c);
}

/*
 * The budget is for all that the bundle costs: main is planned with it, as long as nothing
 * was written. Later starts have less to fetch, so that a cut never makes it refuse.
 */
static int check_budget(struct lb_install *in, const struct lb_bundle_layout *layout, uint32_t n,
			struct lb_blk *blk, struct lb_error *err)
{
	const struct lb_update_observer obs = { .ctx = in, .progress = show_progress };
	struct lb_blk *slots[LB_IMAGES_MAX] = { 0 }, *sources[LB_UPDATE_SOURCES_MAX] = { 0 };
	struct lb_update u = { 0 };
	int r;

	if (in->writing || !in->budget_bytes)
		return 0;
	r = lb_install_open_slots(in, slots, err);
	slots[n] = blk;
	if (!r)
		r = lb_update_load(&u, &in->manifest, layout, slots, &in->patient->source,
				   in->clock, &obs, err);
	if (!r)
		r = lb_install_use_patches(in, &u, layout, err);
	if (!r) {
		lb_install_add_sources(in, &u, false, sources);
		r = lb_update_plan(&u, err);
	}
	if (!r)
		r = lb_install_check_budget(in, &u, err);
	lb_update_free(&u);
	lb_install_close_sources(sources);
	slots[n] = NULL;
	lb_install_close_slots(slots);
	return r;
}

/* The engine for image @n and nothing else. */
static int bring_up_to_date(struct lb_install *in, const struct lb_bundle_layout *layout,
			    uint32_t n, struct lb_blk *blk, struct lb_error *err)
{
	const struct lb_update_observer obs = { .ctx = in, .progress = show_progress };
	struct lb_blk *slots[LB_IMAGES_MAX] = { 0 }, *sources[LB_UPDATE_SOURCES_MAX] = { 0 };
	struct lb_update u;
	int r;

	slots[n] = blk;
	r = lb_update_load(&u, &in->manifest, layout, slots, &in->patient->source, in->clock, &obs,
			   err);
	lb_update_use_worker(&u, in->worker);
	if (!r) {
		lb_install_add_sources(in, &u, true, sources);
		r = lb_update_plan(&u, err);
	}
	if (!r)
		r = lb_install_write(in, &u, err);
	if (!r)
		r = lb_install_check_fit(in, blk, in->manifest.images[n].size_bytes, err);
	lb_update_free(&u);
	lb_install_close_sources(sources);
	return r;
}

/* Only beside a copy that would start again is the other one given up. */
static int write_other(struct lb_install *in, const struct lb_bundle_layout *layout, uint32_t n,
		       struct lb_error *err)
{
	struct lb_blk *blk;
	int r = lb_copies_check_running(in, err);

	if (!r)
		r = lb_copies_open(in, lb_copies_other(in->copy), true,
				   in->manifest.images[n].size_bytes, &blk, err);
	if (r)
		return r;
	r = check_budget(in, layout, n, blk, err);
	if (!r)
		r = bring_up_to_date(in, layout, n, blk, err);
	lb_blk_close(blk);
	return r;
}

/* The flag says recovery, and keeps saying so for a person if one asked. */
static int point_at_recovery(struct lb_boot *boot, struct lb_error *err)
{
	struct lb_boot_status status;

	lb_boot_read(boot, &status);
	return status.target == LB_BOOT_RECOVERY ? 0 : lb_boot_set_recovery(boot, err);
}

/* Note, flag, count: in this order, see self_update.h. */
static int select_other(struct lb_install *in, const struct lb_image *image, struct lb_error *err)
{
	struct lb_self_update note = { .tries = tries_of(in, image),
				       .copy = lb_copies_other(in->copy) };
	int r;

	memcpy(note.image, image->sha256, sizeof(note.image));
	r = lb_self_update_save(in->dev->log, &note, err);
	if (!r)
		r = point_at_recovery(in->dev->boot, err);
	if (!r)
		r = lb_boot_set_copy(in->dev->boot, note.copy, err);
	note.tries++;
	if (!r)
		r = lb_self_update_save(in->dev->log, &note, err);
	if (r)
		return r;
	lb_say(in->report, LB_LEVEL_INFO, "recovery-written",
	       "recovery release %u is in copy %c and is started to go on (try %u of %d)",
	       image->recovery_release, note.copy, note.tries, LB_SELF_UPDATE_TRIES);
	return LB_INSTALL_REBOOT;
}

/* 1: the copy that runs is, byte for byte, @image; 0; or a failure. */
static int runs_this(struct lb_install *in, const struct lb_image *image, struct lb_error *err)
{
	struct lb_blk *blk;
	int r = lb_copies_open(in, in->copy, false, image->size_bytes, &blk, err);

	if (r)
		return r;
	r = lb_update_image_whole(blk, image, show_progress, in, err);
	lb_blk_close(blk);
	return r;
}

/* It is the one that runs: it has shown that it starts, so the other copy may go. */
static int refresh_other(struct lb_install *in, const struct lb_image *image, struct lb_error *err)
{
	int r = runs_this(in, image, err);

	if (!r)
		lb_say(in->report, LB_LEVEL_WARN, "recovery-differs",
		       "recovery release %u runs from copy %c, but is not the one in the bundle",
		       image->recovery_release, in->copy);
	if (r <= 0)
		return r;
	r = lb_copies_clone(in, image->size_bytes, err);
	if (!r)
		r = lb_log_put(in->dev->log, LB_REC_SELF_UPDATE, NULL, 0, err);
	in->copies_current = !r;
	if (!r)
		lb_say(in->report, LB_LEVEL_INFO, "recovery-current",
		       "both copies hold recovery release %u", image->recovery_release);
	return r;
}

/* The copies are at fault, or the image: may main's images go on without it? */
static bool may_go_on(struct lb_install *in, int code)
{
	if (in->manifest.min_recovery > in->device->recovery_release)
		return false;
	switch (code) {
	case -LB_E_NO_SLOT:
	case -LB_E_READ_ONLY:
	case -LB_E_IO:
	case -LB_E_MEDIUM:
		return true;
	case -LB_E_FIT:
	case -LB_E_TOO_BIG:
		return in->writing;
	default:
		return false;
	}
}

static int go_on_without(struct lb_install *in, const struct lb_image *image)
{
	lb_say(in->report, LB_LEVEL_WARN, lb_error_name(LB_E_SELF_UPDATE),
	       "recovery release %u was tried %d times and did not start: going on with release %u",
	       image->recovery_release, LB_SELF_UPDATE_TRIES, in->device->recovery_release);
	lb_copies_mend(in);
	return 0;
}

int lb_self_update(struct lb_install *in, const struct lb_bundle_layout *layout,
		   struct lb_error *err)
{
	uint32_t n = find_image(&in->manifest);
	const struct lb_image *image = &in->manifest.images[n];
	int r;

	if (n == in->manifest.image_count || !in->copy ||
	    image->recovery_release < in->device->recovery_release)
		return 0;
	if (image->recovery_release == in->device->recovery_release) {
		r = lb_copies_proved(in, err); /* it starts, and reaches its bundle */
		if (!r)
			r = refresh_other(in, image, err);
	} else if (is_wanted(in, image)) {
		r = write_other(in, layout, n, err);
		if (!r)
			return select_other(in, image, err);
	} else {
		return go_on_without(in, image);
	}
	if (!r || !may_go_on(in, r))
		return r;
	lb_say_error(in->report, LB_LEVEL_WARN, r, err);
	return 0;
}
