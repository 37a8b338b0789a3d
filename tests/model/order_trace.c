// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs the code of lib/flow from every situation that matters and prints what it
 * wrote, in order; order.py compares that with order.table. A case is
 *
 *   case NAME
 *   expect STEP[,STEP...]       steps of the table, in this order
 *   param NAME=VALUE ...
 *   start NAME=VALUE ...
 *   event NAME=VALUE ...        one for each durable write
 *   end
 *
 * Before the cases come the transitions: next STATE EVENT STATE.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "situation.h"

static void must(bool ok)
{
	if (!ok) {
		fputs("order-trace: setting up failed\n", stderr);
		abort();
	}
}

/* ---- one function of handover.h at a time, from every situation ---- */

static int do_reconcile(struct device *dev)
{
	return lb_handover_reconcile_main(&dev->d, NULL, 0, NULL);
}

static int do_stage(struct device *dev)
{
	const struct lb_network network = { .address = "192.0.2.7/24" };
	struct lb_request q = situation_request(NULL, ASKED_R2, false);

	return lb_handover_stage(&dev->d, &q, &network, NULL);
}

static int do_visit(struct device *dev)
{
	return lb_handover_reboot_recovery(&dev->d, NULL);
}

static int do_confirm(struct device *dev)
{
	return lb_handover_confirm(&dev->d, NULL);
}

static int do_begin_writing(struct device *dev)
{
	return lb_handover_begin_writing(&dev->d, 2, watch_world()->head[2].manifest_sha256, NULL);
}

static int do_return(struct device *dev)
{
	struct lb_result v = { .code = "below-floor", .release = 2 };

	return lb_handover_return(&dev->d, &v, NULL);
}

static int do_return_silently(struct device *dev)
{
	return lb_handover_return(&dev->d, NULL, NULL);
}

static int do_finish(struct device *dev)
{
	struct lb_result v = { .code = "ok", .release = 2 };
	struct lb_release two = situation_release(2);

	return lb_handover_finish(&dev->d, &two, &v, NULL);
}

static int do_begin_rescue(struct device *dev)
{
	struct lb_result v = { .code = "trial-failed", .release = 2 };
	struct lb_release one = situation_release(1);

	return lb_handover_begin_rescue(&dev->d, &one, &v, NULL);
}

static const struct {
	const char *step, *param;
	int (*run)(struct device *dev);
} functions[] = {
	{ "reconcile", "", do_reconcile },
	{ "may-stage", "settings=192.0.2.7/24 asked=R2", do_stage },
	{ "may-visit", "", do_visit },
	{ "may-confirm", "floor-of=1 time-of=1700000000", do_confirm },
	{ "begin-writing", "", do_begin_writing },
	{ "may-return", "told=1 verdict=R2", do_return },
	{ "may-return", "told=0 verdict=R2", do_return_silently },
	{ "finish", "verdict=R2", do_finish },
	{ "begin-rescue", "blamed=R2 remedy=R1", do_begin_rescue },
};

static void run_function(size_t f, const struct situation *at)
{
	static const char *const asked[ASKED_COUNT] = { "nothing", "R2", "visit" };
	struct scene s = { .expect = functions[f].step, .at = *at, .param = functions[f].param };
	struct device dev;
	char name[160];
	int r;

	snprintf(name, sizeof(name), "%s in state %s%s, asked %s, flag %s%s, installed R%u, confirmed R%u",
		 functions[f].step, lb_state_text(at->state), at->no_record ? " (no record)" : "",
		 asked[at->asked], at->flag, at->trial ? " on trial" : "", at->installed,
		 at->confirmed);
	s.name = name;
	situation_begin(&dev, &s);
	r = functions[f].run(&dev);
	must(r != -LB_E_IO);
	situation_end(&dev);
}

/* The number is taken apart, one digit for each thing that may differ. */
static uint32_t digit(uint32_t *n, uint32_t base)
{
	uint32_t d = *n % base;

	*n /= base;
	return d;
}

static void every_situation(size_t f)
{
	static const char *const flags[] = { "main", "recovery", "manual" };

	for (uint32_t count = 0;; count++) {
		uint32_t n = count;
		struct situation at = { .main = 1, .other = 1 };

		at.state = (enum lb_state_name)digit(&n, LB_STATE_COUNT);
		at.asked = (enum asked)digit(&n, ASKED_COUNT);
		at.flag = flags[digit(&n, LB_ARRAY_LEN(flags))];
		at.trial = digit(&n, 2);
		at.confirmed = digit(&n, 3);
		at.installed = digit(&n, 2) ? 2 : 0;
		at.floor = digit(&n, 2) ? 5 : 0;
		at.previous = at.floor ? 3 : 0;
		at.tries = at.floor ? 2 : 0; /* of a recovery that did not start */
		if (n)
			return;
		at.no_record = at.state == LB_STATE_CONFIRMED && at.floor; /* may as well go together */
		at.state_release = at.state == LB_STATE_CONFIRMED ? 0 : 2;
		run_function(f, &at);
	}
}

/* ---- recovery from its start to its end ---- */

static int open_slot(void *ctx, const char *name, bool writable, struct lb_blk **ret,
		     struct lb_error *err)
{
	struct device *dev = ctx;

	*ret = watch_slot(&dev->watch, name);
	return *ret ? 0 : lb_error_set(err, LB_E_NO_SLOT, "no slot %s", name);
}

static int open_source(void *ctx, const char *url, const struct lb_request *request_of,
		       const struct lb_network *network, int64_t floor_s, struct lb_source **ret,
		       struct lb_error *err)
{
	struct device *dev = ctx;
	const struct watch_world *w = watch_world();
	const struct mini_bundle *b = &w->bundle[url[4] - '0'];
	struct sim_source_manners manners = { .dead = dev->scene->dead };

	if (url[4] == '2' && dev->scene->carrier)
		b = dev->scene->alone ? &w->alone : &w->carrier;
	*ret = sim_source_open(&dev->watch.sim, b->bytes, b->len, &manners);
	return 0;
}

/* Once main was begun recovery tries for ever; the cases here do not. */
static bool too_long(void *ctx)
{
	struct device *dev = ctx;

	return dev->watch.sim.calls > 2000;
}

static void run_recovery(const struct scene *scene)
{
	struct device dev;
	enum lb_recovery_end end;
	struct lb_recovery r = {
		.slots = { .ctx = &dev, .open = open_slot },
		.sources = { .ctx = &dev, .open = open_source },
		.clock = &dev.watch.sim.clock,
		.keys = mini_keyring(),
		.device = { .product = "sim", .hardware = { "sim,board" }, .hardware_count = 1,
			    .recovery_release = scene->at.running ? scene->at.running : 1 },
		.limits = { 600000, 1000, 60000, 30000, 30000 },
		.reason = scene->reason,
		.copy = scene->at.copy,
		.stop = too_long,
		.stop_ctx = &dev,
	};
	int err;

	situation_begin(&dev, scene);
	r.dev = dev.d;
	err = lb_recovery_run(&r, &end, NULL);
	if (err || end == LB_END_STOPPED)
		printf("event failed=%s\n", lb_error_name(err)); /* no line of the table says so */
	situation_end(&dev);
}

/* ---- a log that was lost ---- */

static void make_log_anew(void)
{
	const struct scene s = { .name = "a log that was lost", .expect = "open-log",
				 .at = { .flag = "main", .no_record = true, .main = 1, .other = 1 } };
	struct device dev;
	bool lost;

	situation_begin(&dev, &s);
	situation_end(&dev); /* told as a case in which nothing is done: the log was whole */
	watch_init(&dev.watch, 'a');
	must(!lb_boot_open(&dev.boot, &dev.watch.blk[WATCH_ENV0].blk,
			   &dev.watch.blk[WATCH_ENV1].blk, NULL));
	printf("case %s\nexpect open-log\nparam\n", s.name);
	watch_begin(&dev.watch);
	must(!lb_handover_open_log(&dev.log, &dev.watch.blk[WATCH_STATE_BLK].blk, &lost, NULL) && lost);
	situation_end(&dev);
}

static void print_transitions(void)
{
	for (int s = 0; s < LB_STATE_COUNT; s++)
		for (int e = 0; e < LB_EV_COUNT; e++) {
			int next = lb_machine_next((enum lb_state_name)s, (enum lb_event)e);

			if (next >= 0)
				printf("next %s %s %s\n", lb_state_text((enum lb_state_name)s),
				       lb_event_text((enum lb_event)e),
				       lb_state_text((enum lb_state_name)next));
		}
}

int main(void)
{
	print_transitions();
	make_log_anew();
	for (size_t f = 0; f < LB_ARRAY_LEN(functions); f++)
		every_situation(f);
	for (size_t i = 0; scenes[i].name; i++)
		for (char copy = 'a'; copy <= 'b'; copy++) {
			struct scene s = scenes[i];

			s.at.copy = copy;
			run_recovery(&s);
		}
	return 0;
}
