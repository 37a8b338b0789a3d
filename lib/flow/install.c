// SPDX-License-Identifier: GPL-2.0-or-later
#include "flow/install.h"

#include <string.h>

#include "base/bytes.h"
#include "bundle/fit.h"
#include "flow/self_update.h"

#define READBACK_ROUNDS 3
/* the progress record is for people: some 32 of them per update are enough */
#define PROGRESS_SHARE 32u
#define PROGRESS_MIN_BYTES (4u * LB_MIB)

static int admit(struct lb_install *in, struct lb_source *src, struct lb_error *err)
{
	int r = lb_install_admit(in, src, err);

	if (r)
		return r;
	lb_say(in->report, LB_LEVEL_INFO, "bundle-accepted",
	       "bundle of %s %s (release %llu), signed by key %s", in->manifest.product,
	       in->manifest.version, (unsigned long long)in->manifest.release, in->keyid);
	return 0;
}

int lb_install_open_slots(struct lb_install *in, struct lb_blk *slots[LB_IMAGES_MAX],
			  struct lb_error *err)
{
	for (uint32_t i = 0; i < in->manifest.image_count; i++) {
		const char *name = in->manifest.images[i].target;
		int r;

		if (in->manifest.images[i].kind == LB_KIND_RECOVERY)
			continue;
		r = in->slots->open(in->slots->ctx, name, true, &slots[i], err);

		if (r)
			return r;
	}
	return 0;
}

void lb_install_close_slots(struct lb_blk *slots[LB_IMAGES_MAX])
{
	for (uint32_t i = 0; i < LB_IMAGES_MAX; i++)
		lb_blk_close(slots[i]);
}

/* Adds up over power cycles as far as it was saved: for people, never believed. */
static void save_progress(struct lb_install *in, const struct lb_update_counters *c)
{
	struct lb_progress p = in->progress;

	memcpy(p.manifest, in->head.manifest_sha256, sizeof(p.manifest));
	p.total_bytes = c->total_bytes;
	p.done_bytes = c->durable_bytes;
	p.fetched_bytes += c->fetched_bytes;
	p.written_bytes += c->written_bytes;
	p.copied_bytes += c->copied_bytes;
	p.ranges += c->ranges;
	if (!lb_progress_save(in->dev->log, &p, NULL))
		in->saved_durable = c->durable_bytes;
}

static uint64_t time_left(struct lb_install *in, const char *step, const struct lb_update_counters *c)
{
	const struct lb_patient *p = in->patient;
	const struct lb_fetched f = { p->read_bytes, p->busy_ms, p->total_ms };
	uint64_t ms = lb_estimate_ms(&in->estimate, step, lb_clock_ms(in->clock), c, &f);

	if (!strcmp(step, "planned"))
		in->expected_ms = ms;
	return ms;
}

static void on_progress(void *ctx, const char *step, const char *image,
			const struct lb_update_counters *c)
{
	struct lb_install *in = ctx;
	struct lb_update_counters told = *c;
	uint64_t step_bytes = c->total_bytes / PROGRESS_SHARE;

	if (step_bytes < PROGRESS_MIN_BYTES)
		step_bytes = PROGRESS_MIN_BYTES;
	if (in->writing && !strcmp(step, "write") &&
	    c->durable_bytes >= in->saved_durable + step_bytes)
		save_progress(in, c);
	told.left_ms = time_left(in, step, c);
	if (in->report && in->report->progress)
		in->report->progress(in->report->ctx, step, image, &told);
}

/* The record could not be written, or only in part: what does the next start read? */
static bool says_writing(struct lb_log *log)
{
	struct lb_state s;
	int r = lb_state_load(log, &s, NULL);

	if (r == -LB_E_NOT_FOUND)
		return false;
	return r || s.name == LB_STATE_UPDATING || s.name == LB_STATE_RESCUE;
}

static int on_first_write(void *ctx, struct lb_error *err)
{
	struct lb_install *in = ctx;
	int r;

	if (!in->writing && in->cancelled && in->cancelled(in->cancelled_ctx))
		return lb_error_set(err, LB_E_CANCELLED, "%s", lb_error_meaning(LB_E_CANCELLED));
	r = lb_handover_begin_writing(in->dev, in->manifest.release, in->head.manifest_sha256,
				      err);
	in->writing = in->writing || !r || says_writing(in->dev->log);
	if (in->committed)
		*in->committed = in->writing;
	if (r)
		return r;
	lb_patient_commit(in->patient);
	save_progress(in, &in->counters); /* so that this start is counted */
	return 0;
}

/* What an interrupted run of the same bundle left behind, for the counters. */
static void recall_progress(struct lb_install *in)
{
	bool first = !in->counted;
	struct lb_progress p;

	in->counted = true;
	memset(&in->progress, 0, sizeof(in->progress));
	if (!in->writing || lb_progress_load(in->dev->log, &p, NULL) ||
	    memcmp(p.manifest, in->head.manifest_sha256, sizeof(p.manifest)))
		return;
	in->progress = p;
	if (first)
		in->progress.power_cycles++;
}

struct stopwatch {
	uint64_t ms, cpu_ms;
};

static struct stopwatch start_watch(struct lb_clock *clock)
{
	return (struct stopwatch){ lb_clock_ms(clock), lb_clock_cpu_ms(clock) };
}

static void add_time(struct lb_clock *clock, struct stopwatch since, struct lb_update_time *t)
{
	t->ms += (uint32_t)(lb_clock_ms(clock) - since.ms);
	t->cpu_ms += (uint32_t)(lb_clock_cpu_ms(clock) - since.cpu_ms);
}

static int plan(struct lb_install *in, struct lb_update *u, struct lb_error *err)
{
	struct stopwatch watch = start_watch(in->clock);
	struct lb_rates last = { 0 };
	struct lb_result result;
	int r;

	if (!lb_result_load(in->dev->log, &result, NULL))
		last = (struct lb_rates){ .write = result.write_rate, .fetch = result.fetch_rate };
	lb_estimate_begin(&in->estimate, watch.ms, &last);
	r = lb_update_plan(u, err);
	add_time(in->clock, watch, &u->counters.plan);
	return r;
}

static int apply(struct lb_install *in, struct lb_update *u, struct lb_error *err)
{
	struct stopwatch watch = start_watch(in->clock);
	int r = lb_update_apply(u, err);

	add_time(in->clock, watch, &u->counters.install);
	return r;
}

static int readback(struct lb_install *in, struct lb_update *u, uint32_t *ret_bad,
		    struct lb_error *err)
{
	struct stopwatch watch = start_watch(in->clock);
	int r = lb_update_readback(u, ret_bad, err);

	add_time(in->clock, watch, &u->counters.readback);
	return r;
}

static void say_times(const struct lb_install *in, const struct lb_update_counters *c)
{
	lb_say(in->report, LB_LEVEL_INFO, "times",
	       "planned in %u ms (%u of processor time), installed in %u (%u), read back in %u (%u)",
	       c->plan.ms, c->plan.cpu_ms, c->install.ms, c->install.cpu_ms, c->readback.ms,
	       c->readback.cpu_ms);
	if (in->report && in->report->progress)
		in->report->progress(in->report->ctx, "done", "", c);
}

int lb_install_write(struct lb_install *in, struct lb_update *u, struct lb_error *err)
{
	uint32_t bad = 0;

	for (int round = 0; round <= READBACK_ROUNDS; round++) {
		int r = apply(in, u, err);

		if (!r)
			r = readback(in, u, &bad, err);
		if (r || !bad)
			return r;
		lb_say(in->report, LB_LEVEL_WARN, "medium-worn",
		       "%u chunks were not on the medium as written, round %d of %d", bad,
		       round + 1, READBACK_ROUNDS + 1);
	}
	return lb_error_set(err, LB_E_MEDIUM, "%u chunks differ after they were written %d times",
			    bad, READBACK_ROUNDS + 1);
}

/* U-Boot would refuse it: better to know before it is booted. */
int lb_install_check_fit(struct lb_install *in, struct lb_blk *blk, uint64_t size_bytes,
			 struct lb_error *err)
{
	int r = in->fit_key ? lb_fit_check_signed(blk, size_bytes, in->fit_key, err)
			    : lb_fit_check(blk, size_bytes, err);

	if (r != -LB_E_SIGNATURE)
		return r;
	if (err)
		err->code = LB_E_FIT;
	return -LB_E_FIT;
}

static int check_fits(struct lb_install *in, struct lb_blk *const *slots, struct lb_error *err)
{
	for (uint32_t i = 0; i < in->manifest.image_count; i++) {
		int r;

		if (in->manifest.images[i].kind != LB_KIND_FIT)
			continue;
		r = lb_install_check_fit(in, slots[i], in->manifest.images[i].size_bytes, err);
		if (r)
			return r;
	}
	return 0;
}

static int install_into(struct lb_install *in, struct lb_blk *const *slots,
			const struct lb_bundle_layout *layout, struct lb_error *err)
{
	const struct lb_update_observer obs = {
		.ctx = in,
		.before_first_write = on_first_write,
		.progress = on_progress,
	};
	struct lb_blk *sources[LB_UPDATE_SOURCES_MAX] = { 0 };
	struct lb_update u;
	int r = lb_update_load(&u, &in->manifest, layout, slots, &in->patient->source, in->clock,
			       &obs, err);

	lb_update_use_worker(&u, in->worker);
	if (!r)
		r = lb_install_use_patches(in, &u, layout, err);
	if (!r) {
		lb_install_add_sources(in, &u, true, sources);
		r = plan(in, &u, err);
	}
	in->counters = u.counters;
	if (!r)
		r = lb_install_check_budget(in, &u, err);
	if (!r)
		r = lb_install_write(in, &u, err);
	if (r && in->writing && r != -LB_E_POWER && lb_update_has_patches(&u))
		in->patch_failures++;
	if (!r)
		r = check_fits(in, slots, err);
	in->counters = u.counters;
	if (!r)
		say_times(in, &u.counters);
	if (u.writing)
		save_progress(in, &u.counters); /* what another attempt adds to */
	lb_update_free(&u);
	lb_install_close_sources(sources);
	return r;
}

/* A bundle of nothing but a recovery ends here: as what it came for, or not. */
static int nothing_left(const struct lb_install *in, struct lb_error *err)
{
	if (in->copies_current)
		return LB_INSTALL_NO_MAIN;
	return lb_error_set(err, LB_E_SELF_UPDATE,
			    "the bundle holds only a recovery, and recovery release %u stays as it is",
			    in->device->recovery_release);
}

int lb_install_run(struct lb_install *in, struct lb_source *source,
		   const struct lb_patience *how, struct lb_error *err)
{
	struct lb_blk *slots[LB_IMAGES_MAX] = { 0 };
	struct lb_bundle_layout layout;
	struct lb_patient patient;
	int r;

	lb_patient_init(&patient, source, how);
	in->patient = &patient;
	r = admit(in, &patient.source, err);
	if (!r)
		r = lb_bundle_layout(&in->manifest, in->head.end_offset, &layout, err);
	if (!r)
		r = lb_self_update(in, &layout, err);
	if (!r && !lb_policy_main_images(&in->manifest))
		r = nothing_left(in, err);
	if (!r)
		r = lb_install_open_slots(in, slots, err);
	if (!r) {
		recall_progress(in);
		r = install_into(in, slots, &layout, err);
	}
	lb_install_close_slots(slots);
	lb_source_close(&patient.source);
	in->patient = NULL;
	return r;
}

void lb_install_free(struct lb_install *in)
{
	lb_bundle_head_free(&in->head);
	memset(&in->head, 0, sizeof(in->head));
}
