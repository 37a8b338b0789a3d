// SPDX-License-Identifier: GPL-2.0-or-later
#include "situation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/self_update.h"
#include "lb_boot_names.h"

static void must(bool ok)
{
	if (!ok) {
		fputs("order-trace: setting up failed\n", stderr);
		abort();
	}
}

struct lb_release situation_release(uint32_t number)
{
	const struct watch_world *w = watch_world();
	struct lb_release r = {
		.release = number, .manifest = w->head[number].manifest,
		.manifest_len = w->head[number].manifest_len,
		.signature = w->head[number].signatures[0], .url_count = 1,
	};

	snprintf(r.urls[0], sizeof(r.urls[0]), "sim:%u", number);
	return r;
}

static const struct lb_bundle_head *offered(const struct scene *s)
{
	const struct watch_world *w = watch_world();

	if (s && s->alone)
		return &w->alone_head;
	return s && s->carrier ? &w->carrier_head : &w->head[2];
}

struct lb_request situation_request(const struct scene *s, enum asked asked, bool other)
{
	struct lb_request q = { .recovery_only = asked == ASKED_VISIT };

	if (q.recovery_only)
		return q;
	q.url_count = 1;
	q.release = 2;
	snprintf(q.urls[0], sizeof(q.urls[0]), "sim:2");
	memcpy(q.manifest, offered(s)->manifest_sha256, sizeof(q.manifest));
	q.manifest[0] ^= other;
	return q;
}

static void save_release(struct device *dev, uint16_t type, uint32_t number)
{
	struct lb_release r;

	if (!number)
		return;
	r = situation_release(number);
	must(!lb_release_save(&dev->log, type, &r, NULL));
}

static void save_records(struct device *dev, const struct situation *at)
{
	struct lb_request q = situation_request(dev->scene, at->asked, at->other_request);
	struct lb_state s = { .name = at->state, .release = at->state_release };

	if (at->asked)
		must(!lb_request_save(&dev->log, &q, NULL));
	save_release(dev, LB_REC_CONFIRMED, at->confirmed);
	save_release(dev, LB_REC_PREVIOUS, at->previous);
	save_release(dev, LB_REC_INSTALLED, at->installed);
	if (at->floor)
		must(!lb_floor_save(&dev->log, at->floor, NULL) &&
		     !lb_clock_floor_save(&dev->log, 1800000000, NULL));
	if (at->state_release == 2) {
		memcpy(s.manifest, offered(dev->scene)->manifest_sha256, sizeof(s.manifest));
		s.manifest[0] ^= at->other_request;
	} else if (at->state_release) {
		memcpy(s.manifest, watch_world()->head[at->state_release].manifest_sha256,
		       sizeof(s.manifest));
	}
	if (!at->no_record)
		must(!lb_state_save(&dev->log, &s, NULL));
}

static void save_note(struct device *dev, const struct situation *at)
{
	struct lb_self_update n = { .tries = at->tries };

	if (!at->selected && !at->started && !at->tries)
		return;
	if (at->selected || at->started)
		n.copy = (dev->watch.running == 'a') == at->started ? 'a' : 'b';
	memcpy(n.image, watch_world()->carried.images[0].sha256, sizeof(n.image));
	must(!lb_self_update_save(&dev->log, &n, NULL));
}

static void save_flag(struct device *dev, const struct situation *at)
{
	struct lb_env *env = &dev->boot.env;

	must(!lb_boot_set_main(&dev->boot, at->trial, NULL));
	must(!lb_env_set(env, LB_VAR_LIFEBOAT_BOOT, at->flag ? at->flag : "lost") &&
	     !lb_env_set(env, LB_VAR_BOOTCOUNT, "2") && !lb_env_set(env, LB_VAR_LIFEBOAT_RTRIES, "1") &&
	     !lb_env_set(env, LB_VAR_LIFEBOAT_SLOT, "b") && !lb_env_commit(env, NULL));
}

static void fill_slot(struct device *dev, const char *name, uint32_t holds)
{
	const struct watch_world *w = watch_world();
	uint8_t *medium = sim_region(&dev->watch.sim, name)->medium;

	if (!strcmp(name, "root"))
		memcpy(medium, w->main_os[holds ? holds : 1], WATCH_MAIN_BYTES);
	else
		memcpy(medium, w->fit[holds ? holds : 1], w->fit_len[holds ? holds : 1]);
	if (!holds)
		medium[2000] ^= 0xff;
}

static void open_device(struct device *dev)
{
	struct watched *blk = dev->watch.blk;
	bool lost;

	must(!lb_handover_open_log(&dev->log, &blk[WATCH_STATE_BLK].blk, &lost, NULL));
	must(!lb_boot_open(&dev->boot, &blk[WATCH_ENV0].blk, &blk[WATCH_ENV1].blk, NULL));
	dev->d = (struct lb_device_state){ .log = &dev->log, .boot = &dev->boot };
}

void situation_begin(struct device *dev, const struct scene *s)
{
	const struct situation *at = &s->at;
	char copy = at->copy ? at->copy : 'a';

	dev->scene = s;
	watch_init(&dev->watch, copy);
	open_device(dev);
	save_records(dev, at);
	save_note(dev, at);
	save_flag(dev, at);
	fill_slot(dev, "root", at->main);
	fill_slot(dev, copy == 'a' ? "recovery_a" : "recovery_b", at->running ? at->running : 1);
	fill_slot(dev, copy == 'a' ? "recovery_b" : "recovery_a", at->other);
	printf("case %s\nexpect %s\nparam running=%c there=%c mine=R%u bundle=R2 content=R2 %s\n",
	       s->name, s->expect, copy, copy == 'a' ? 'b' : 'a', at->running ? at->running : 1,
	       s->param ? s->param : "");
	watch_begin(&dev->watch);
}

void situation_end(struct device *dev)
{
	watch_end(&dev->watch);
	puts("end");
	lb_boot_close(&dev->boot);
	watch_free(&dev->watch);
}
