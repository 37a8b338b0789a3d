// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Records first, boot environment last: every pair of old and new that a cut
 * may leave is listed in a check below, any other is a failure.
 * docs/DESIGN.md, "Order of writing".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/handover.h"
#include "digest.h"
#include "lb_boot_names.h"
#include "records_device.h"
#include "scenarios.h"

#define REGION (256u * 1024u)
#define ENV_BYTES 1024u

/* ---- the device ---- */

#define MANIFEST(release, floor)                                                          \
	"{\"format\":1,\"product\":\"p\",\"hardware\":[\"h\"],\"version\":\"v\",\"release\":" \
	#release ",\"min_release\":" #floor ",\"created\":1700000000,\"images\":[{\"name\":"   \
	"\"root\",\"target\":\"root\",\"kind\":\"raw\",\"size\":4096,\"sha256\":\"" ZEROS     \
	"\",\"encoding\":\"none\",\"index\":{\"name\":\"root.idx\",\"size\":72,\"sha256\":\""  \
	ZEROS "\"},\"payload\":{\"name\":\"root.raw\",\"size\":4096,\"sha256\":\"" ZEROS       \
	"\"}}]}"
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static const char *const manifests[] = { NULL, MANIFEST(1, 1), MANIFEST(2, 2), MANIFEST(3, 2) };

static struct lb_release release(uint64_t number)
{
	struct lb_release r = {
		.release = number,
		.manifest = (uint8_t *)manifests[number],
		.manifest_len = strlen(manifests[number]),
		.url_count = 1,
		.signature = { .keyid = "0123456789abcdef", .length = 8 },
	};

	snprintf(r.urls[0], sizeof(r.urls[0]), "https://updates.example/%llu.lbu",
		 (unsigned long long)number);
	return r;
}

/* Number of the release that record @type holds, 0 for none, 99 for something else. */
static uint64_t holds(struct records_device *dev, uint16_t type)
{
	struct lb_release r;
	int err = lb_release_load(&dev->log, type, &r, NULL);
	uint64_t number = 99;

	if (err)
		return err == -LB_E_NOT_FOUND ? 0 : 99;
	if (r.release < 4 && r.manifest_len == strlen(manifests[r.release]) &&
	    !memcmp(r.manifest, manifests[r.release], r.manifest_len))
		number = r.release;
	lb_release_free(&r);
	return number;
}

static struct lb_request request(void)
{
	return (struct lb_request){
		.urls = { "https://updates.example/3.lbu" },
		.url_count = 1,
		.release = 3,
		.manifest = { 3 },
		.deployment = "d-3",
		.header = "Authorization: Bearer sesame",
	};
}

static struct lb_result result(const char *code)
{
	struct lb_result v = { .release = 3, .deployment = "d-3" };

	snprintf(v.code, sizeof(v.code), "%s", code);
	return v;
}

/* Release 2 is confirmed, 1 the one before it; @state and the flag as told. */
static void setup(struct sim *s, enum lb_state_name state, bool flag_recovery)
{
	struct lb_release one = release(1), two = release(2);
	struct lb_request q = request();
	struct lb_state st = { .name = state, .release = 3, .manifest = { 3 } };
	struct records_device dev;

	sim_add(s, "state", REGION);
	sim_add(s, "env0", ENV_BYTES);
	sim_add(s, "env1", ENV_BYTES);
	records_must(records_power_on(s, &dev));
	records_must(lb_release_save(&dev.log, LB_REC_PREVIOUS, &one, NULL));
	records_must(lb_release_save(&dev.log, LB_REC_CONFIRMED, &two, NULL));
	records_must(lb_floor_save(&dev.log, 1, NULL));
	if (state != LB_STATE_CONFIRMED)
		records_must(lb_request_save(&dev.log, &q, NULL));
	records_must(lb_state_save(&dev.log, &st, NULL));
	records_must(lb_boot_set_main(&dev.boot, false, NULL));
	if (flag_recovery)
		records_must(lb_boot_set_recovery(&dev.boot, NULL));
	lb_boot_close(&dev.boot);
}

/* What a check looks at. */
struct found {
	struct records_device dev;
	struct lb_state state;
	bool request, flag_main, flag_recovery, flag_trial;
	char result[32];
};

static int look(struct sim *s, struct found *f)
{
	struct lb_request q;
	struct lb_result v;
	int err = records_power_on(s, &f->dev);

	memset(f->result, 0, sizeof(f->result));
	if (err)
		return sim_fail(s, "the device does not start: %s", lb_error_name(err));
	err = lb_state_load(&f->dev.log, &f->state, NULL);
	if (!err) {
		f->request = !lb_request_load(&f->dev.log, &q, NULL);
		if (!lb_result_load(&f->dev.log, &v, NULL))
			memcpy(f->result, v.code, sizeof(f->result));
		f->flag_main = f->dev.flag.target == LB_BOOT_MAIN;
		f->flag_recovery = f->dev.flag.target == LB_BOOT_RECOVERY;
		f->flag_trial = f->dev.flag.trial;
	}
	lb_boot_close(&f->dev.boot);
	return err ? sim_fail(s, "the state record cannot be read: %s", lb_error_name(err)) : 0;
}

static int wrong_pair(struct sim *s, const struct found *f)
{
	return sim_fail(s, "state %s%s with flag %s%s", lb_state_text(f->state.name),
			f->request ? " and a request" : "",
			f->flag_main ? "main" : f->flag_recovery ? "recovery" : "lost",
			f->flag_trial ? " on trial" : "");
}

/* The confirmed release and the one before can be had again at any moment. */
static int remedy_lost(struct sim *s, struct found *f)
{
	uint64_t confirmed = holds(&f->dev, LB_REC_CONFIRMED);
	uint64_t previous = holds(&f->dev, LB_REC_PREVIOUS);

	if ((confirmed == 2 && (previous == 1 || previous == 2)) ||
	    (confirmed == 3 && previous == 2))
		return 0;
	return sim_fail(s, "release %llu is confirmed and %llu the one before",
			(unsigned long long)confirmed, (unsigned long long)previous);
}

/* ---- stage: request, state, flag ---- */

static void setup_stage(struct sim *s)
{
	setup(s, LB_STATE_CONFIRMED, false);
}

/* The program of the side that the flag selects; the other side has nothing to do. */
static int run_on(struct sim *s, bool on_main, int (*step)(struct records_device *dev))
{
	struct records_device dev;
	int err = records_power_on(s, &dev);

	if (err)
		return err;
	if (on_main == (dev.flag.target == LB_BOOT_MAIN)) {
		if (on_main)
			err = lb_handover_reconcile_main(&dev.d, NULL, 0, NULL);
		if (!err)
			err = step(&dev);
	}
	lb_boot_close(&dev.boot);
	return err;
}

static int stage(struct records_device *dev)
{
	struct lb_request q = request();

	return lb_handover_stage(&dev->d, &q, NULL, NULL);
}

static int run_stage(struct sim *s)
{
	return run_on(s, true, stage);
}

static int check_stage(struct sim *s, enum sim_moment moment)
{
	struct found f;
	bool requested;

	if (look(s, &f) || remedy_lost(s, &f))
		return 1;
	requested = f.state.name == LB_STATE_REQUESTED && f.request && f.state.release == 3;
	if (requested && f.flag_recovery)
		return 0;
	if (moment == SIM_AFTER_CUT && f.flag_main && !f.flag_trial &&
	    (requested || f.state.name == LB_STATE_CONFIRMED))
		return 0;
	return wrong_pair(s, &f);
}

/* ---- begin writing: the flag must say recovery before main changes ---- */

static void setup_begin(struct sim *s)
{
	setup(s, LB_STATE_REQUESTED, true);
}

/* Main's FIT was invalid: recovery runs although the flag says main, and a stick is inserted. */
static void setup_begin_stick(struct sim *s)
{
	setup(s, LB_STATE_CONFIRMED, false);
}

/* A person asked for recovery, and brought a stick: nothing is on record. */
static void setup_begin_manual(struct sim *s)
{
	struct records_device dev;

	setup(s, LB_STATE_CONFIRMED, true);
	records_must(records_power_on(s, &dev));
	records_must(lb_env_set(&dev.boot.env, LB_VAR_LIFEBOAT_BOOT, LB_VAR_LIFEBOAT_BOOT_MANUAL));
	records_must(lb_env_commit(&dev.boot.env, NULL));
	lb_boot_close(&dev.boot);
}

static int run_begin(struct sim *s)
{
	const uint8_t manifest[LB_SHA256_BYTES] = { 3 };
	struct records_device dev;
	int err = records_power_on(s, &dev);

	if (err)
		return err;
	err = lb_handover_begin_writing(&dev.d, 3, manifest, NULL);
	lb_boot_close(&dev.boot);
	return err;
}

static int check_begin(struct sim *s, enum sim_moment moment)
{
	struct found f;

	if (look(s, &f) || remedy_lost(s, &f))
		return 1;
	if (f.state.name == LB_STATE_UPDATING && f.flag_recovery)
		return 0;
	if (moment == SIM_AFTER_CUT &&
	    (f.state.name == LB_STATE_REQUESTED || f.state.name == LB_STATE_CONFIRMED))
		return 0;
	return wrong_pair(s, &f);
}

/* Either the flag or the state keeps recovery from going back to main without them. */
static int check_begin_manual(struct sim *s, enum sim_moment moment)
{
	struct found f;

	if (look(s, &f) || remedy_lost(s, &f))
		return 1;
	if (f.state.name == LB_STATE_UPDATING && f.flag_recovery &&
	    (moment == SIM_AFTER_CUT || !f.dev.flag.manual))
		return 0;
	if (moment == SIM_AFTER_CUT && f.state.name == LB_STATE_CONFIRMED && f.dev.flag.manual)
		return 0;
	return wrong_pair(s, &f);
}

/* ---- finish: state = trial, then flag, trial and count in one commit ---- */

static void setup_finish(struct sim *s)
{
	setup(s, LB_STATE_UPDATING, true);
}

static int finish(struct records_device *dev)
{
	struct lb_release three = release(3);
	struct lb_result v = result("ok");

	return lb_handover_finish(&dev->d, &three, &v, NULL);
}

static int run_finish(struct sim *s)
{
	return run_on(s, false, finish);
}

static int check_finish(struct sim *s, enum sim_moment moment)
{
	struct found f;
	bool trial;

	if (look(s, &f) || remedy_lost(s, &f))
		return 1;
	trial = f.state.name == LB_STATE_TRIAL && holds(&f.dev, LB_REC_INSTALLED) == 3 &&
		!strcmp(f.result, "ok");
	if (trial && f.flag_main && f.flag_trial && !f.dev.flag.main_boots)
		return 0;
	if (moment == SIM_AFTER_CUT && f.flag_recovery &&
	    (trial || (f.state.name == LB_STATE_UPDATING && f.request)))
		return 0;
	return wrong_pair(s, &f);
}

/* ---- confirm: state = confirmed, then the environment ---- */

static void setup_confirm(struct sim *s)
{
	struct lb_release three = release(3);
	struct records_device dev;

	setup(s, LB_STATE_TRIAL, true);
	records_must(records_power_on(s, &dev));
	records_must(lb_release_save(&dev.log, LB_REC_INSTALLED, &three, NULL));
	records_must(lb_boot_set_main(&dev.boot, true, NULL));
	lb_boot_close(&dev.boot);
}

static int confirm(struct records_device *dev)
{
	return lb_handover_confirm(&dev->d, NULL);
}

static int run_confirm(struct sim *s)
{
	return run_on(s, true, confirm);
}

static int check_confirm(struct sim *s, enum sim_moment moment)
{
	struct found f;
	uint64_t floor = 0;

	if (look(s, &f) || remedy_lost(s, &f))
		return 1;
	if (lb_floor_load(&f.dev.log, &floor, NULL) || floor < 1 || floor > 2)
		return sim_fail(s, "the floor is %llu", (unsigned long long)floor);
	if (f.state.name == LB_STATE_CONFIRMED && f.flag_main) {
		if (holds(&f.dev, LB_REC_CONFIRMED) != 3 || floor != 2 || f.request)
			return sim_fail(s, "confirmed, but records of the trial are left");
		if (!f.flag_trial || moment == SIM_AFTER_CUT)
			return 0;
	}
	if (moment == SIM_AFTER_CUT && f.state.name == LB_STATE_TRIAL && f.flag_main &&
	    f.flag_trial)
		return 0;
	return wrong_pair(s, &f);
}

/* ---- return: result, state = confirmed, request gone, then the flag ---- */

static int give_back(struct records_device *dev)
{
	struct lb_result v = result("below-floor");

	return lb_handover_return(&dev->d, &v, NULL);
}

static int run_return(struct sim *s)
{
	return run_on(s, false, give_back);
}

static int check_return(struct sim *s, enum sim_moment moment)
{
	struct found f;

	if (look(s, &f) || remedy_lost(s, &f))
		return 1;
	if (f.state.name == LB_STATE_CONFIRMED && !strcmp(f.result, "below-floor") &&
	    ((f.flag_main && !f.request) || (f.flag_recovery && moment == SIM_AFTER_CUT)))
		return 0;
	if (moment == SIM_AFTER_CUT && f.state.name == LB_STATE_REQUESTED && f.request &&
	    f.flag_recovery)
		return 0;
	return wrong_pair(s, &f);
}

const struct sim_scenario handover_scenarios[] = {
	{ .name = "handover-stage", .setup = setup_stage, .run = run_stage, .check = check_stage,
	  .digest = sim_device_digest, .cuts = 2 },
	{ .name = "handover-begin", .setup = setup_begin, .run = run_begin, .check = check_begin,
	  .digest = sim_device_digest, .cuts = 2 },
	{ .name = "handover-begin-stick", .setup = setup_begin_stick, .run = run_begin, .check = check_begin,
	  .digest = sim_device_digest, .cuts = 2 },
	{ .name = "handover-begin-manual", .setup = setup_begin_manual, .run = run_begin,
	  .check = check_begin_manual, .digest = sim_device_digest, .cuts = 2 },
	{ .name = "handover-finish", .setup = setup_finish, .run = run_finish, .check = check_finish,
	  .digest = sim_device_digest, .cuts = 2 },
	{ .name = "handover-confirm", .setup = setup_confirm, .run = run_confirm, .check = check_confirm,
	  .digest = sim_device_digest, .cuts = 2 },
	{ .name = "handover-return", .setup = setup_begin, .run = run_return, .check = check_return,
	  .digest = sim_device_digest, .cuts = 2 },
	{ 0 },
};

/* ---- canaries ---- */

static int stage_flag_first(struct records_device *dev)
{
	int err = lb_boot_set_recovery(&dev->boot, NULL);

	return err ? err : stage(dev);
}

static int run_stage_flag_first(struct sim *s)
{
	return run_on(s, true, stage_flag_first);
}

static int finish_flag_first(struct records_device *dev)
{
	int err = lb_boot_set_main(&dev->boot, true, NULL);

	return err ? err : finish(dev);
}

static int run_finish_flag_first(struct sim *s)
{
	return run_on(s, false, finish_flag_first);
}

/* As if the flag led to main. */
static int run_begin_flag_first(struct sim *s)
{
	struct records_device dev;
	int err = records_power_on(s, &dev);

	if (!err)
		err = lb_boot_set_recovery(&dev.boot, NULL);
	lb_boot_close(&dev.boot);
	return err ? err : run_begin(s);
}

/* The flag and the trial in two commits. */
static int finish_in_two(struct records_device *dev)
{
	struct lb_release three = release(3);
	struct lb_result v = result("ok");
	struct lb_state st = { .name = LB_STATE_TRIAL, .release = 3 };
	int err = lb_release_save(&dev->log, LB_REC_INSTALLED, &three, NULL);

	if (!err)
		err = lb_result_save(&dev->log, &v, NULL);
	if (!err)
		err = lb_state_save(&dev->log, &st, NULL);
	if (!err)
		err = lb_boot_set_main(&dev->boot, false, NULL);
	return err ? err : lb_boot_set_main(&dev->boot, true, NULL);
}

static int run_finish_in_two(struct sim *s)
{
	return run_on(s, false, finish_in_two);
}

/* The environment forgets the trial while the record still knows of it. */
static int confirm_env_first(struct records_device *dev)
{
	int err = lb_boot_main_healthy(&dev->boot, true, NULL);

	return err ? err : lb_handover_confirm(&dev->d, NULL);
}

static int run_confirm_env_first(struct sim *s)
{
	return run_on(s, true, confirm_env_first);
}

static void deaf_state(struct sim *s)
{
	sim_region(s, "state")->deaf = true;
}

const struct sim_canary handover_canaries[] = {
	{ "staging-flag-before-request", "handover-stage", run_stage_flag_first, NULL },
	{ "begin-forgets-who-asked", "handover-begin-manual", run_begin_flag_first, NULL },
	{ "flag-before-state-at-finish", "handover-finish", run_finish_flag_first, NULL },
	{ "flag-and-trial-in-two-commits", "handover-finish", run_finish_in_two, NULL },
	{ "environment-before-state-at-confirm", "handover-confirm", run_confirm_env_first, NULL },
	{ "state-not-flushed-before-the-flag", "handover-finish", NULL, deaf_state },
	{ 0 },
};
