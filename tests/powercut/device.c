// SPDX-License-Identifier: GPL-2.0-or-later
/* From power-on to the end: boot loader, recovery, main. */
#include "device.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "lb_boot_names.h"

#define BOOTS_MAX 24

/* ---- boot loader ---- */

enum boots { BOOTS_MAIN, BOOTS_RECOVERY };

/* bootscripts/boot.env.in, as far as it decides and stores. */
static int boot_loader(struct device *dev, enum boots *ret, enum lb_reason *reason)
{
	struct lb_boot_status st;
	const char *counter;
	uint32_t count;
	char digits[8];
	int err = device_open_env(dev);

	if (err)
		return err;
	lb_boot_read(&dev->boot, &st);
	*ret = st.target == LB_BOOT_MAIN && st.main_boots < LB_BOOT_LIMIT ? BOOTS_MAIN
									  : BOOTS_RECOVERY;
	*reason = st.target == LB_BOOT_MAIN	    ? LB_REASON_BOOT_LIMIT
		  : st.target == LB_BOOT_RECOVERY ? LB_REASON_REQUESTED
						    : LB_REASON_FLAG_LOST;
	counter = *ret == BOOTS_MAIN ? LB_VAR_BOOTCOUNT : LB_VAR_LIFEBOAT_RTRIES;
	count = *ret == BOOTS_MAIN ? st.main_boots : st.recovery_boots;
	snprintf(digits, sizeof(digits), "%x", (count + 1) & 0xff);
	err = lb_env_set(&dev->boot.env, counter, digits);
	if (!err)
		err = lb_env_commit(&dev->boot.env, NULL);
	lb_boot_close(&dev->boot);
	return err;
}

/* ---- which end is right ---- */

/* The release in record @type, 0 if there is none. */
static uint64_t release_in(struct device *dev, uint16_t type)
{
	struct lb_release rel;
	uint64_t number;

	if (lb_release_load(&dev->log, type, &rel, NULL))
		return 0;
	number = rel.release;
	lb_release_free(&rel);
	return number;
}

/*
 * DESIGN, sections 4 and 5. Recovery comes although nobody asked: because main was
 * booted too often without a report of health (cuts count as well), or because the
 * flag is lost. Then a trial ends in the confirmed release, or in the one before if
 * that is the one on trial; with neither on record a person brings release 2. A
 * confirmed release is fetched again when it was booted too often, and is not
 * updated again by itself; with a lost flag it is only looked at.
 */
static void expect_end(struct device *dev, enum lb_reason reason)
{
	uint64_t *end = &dev->s->memo[MEMO_END];
	uint64_t confirmed = release_in(dev, LB_REC_CONFIRMED);
	uint64_t previous = release_in(dev, LB_REC_PREVIOUS);
	struct lb_state st;

	/* nobody remembers what failed; the log may have been made anew right before a cut */
	if (dev->lost || lb_state_load(&dev->log, &st, NULL) == -LB_E_NOT_FOUND)
		*end = 0;
	if (dev->lost || device_load_state(dev, &st))
		return;
	if (reason != LB_REASON_BOOT_LIMIT && reason != LB_REASON_FLAG_LOST)
		return;
	if (st.name == LB_STATE_TRIAL)
		*end = previous && confirmed == st.release ? previous : confirmed;
	else if (st.name == LB_STATE_CONFIRMED && reason == LB_REASON_BOOT_LIMIT)
		*end = confirmed;
	if (*end && st.name == LB_STATE_CONFIRMED && (uint64_t)device_whole_release(dev) == confirmed)
		*end = dev->w->stick ? 2 : confirmed; /* nobody comes within idle_s, or is there already */
	else if (dev->w->manners.dead && *end)
		*end = 2; /* nothing else is to be had */
}

/*
 * When all servers fall silent, what comes first decides: before the first write of a try
 * main is given back (DESIGN, promise 5), and a rescue takes the release before the
 * confirmed one if that is to be had sooner.
 */
static void expect_silence(struct device *dev, enum lb_recovery_end end, uint64_t previous)
{
	const struct sim_source_manners *m = &dev->w->manners;
	int release = device_whole_release(dev);
	bool silent = m->silent_ms && dev->s->payload_read >= m->silent_from;

	if (silent && ((end == LB_END_RETURNED && release == 1) ||
		       (end == LB_END_BOOT_MAIN && dev->s->memo[MEMO_END] && release &&
			(uint64_t)release == previous)))
		dev->s->memo[MEMO_END] = (uint64_t)release;
}

/* ---- recovery: the real one ---- */

static int open_slot(void *ctx, const char *name, bool writable, struct lb_blk **ret,
		     struct lb_error *err)
{
	struct device *dev = ctx;
	const struct device_mistake *m = dev->mistake;

	*ret = sim_blk(dev->s, name);
	if (m && m->slot)
		*ret = m->slot(dev, *ret);
	return 0;
}

static int open_source(void *ctx, const char *url, const struct lb_request *request,
		       const struct lb_network *network, int64_t floor_s, struct lb_source **ret,
		       struct lb_error *err)
{
	const struct device *dev = ctx;
	const struct mini_bundle *b = &dev->w->bundle[url[4] - '0']; /* sim:1, sim:2 */
	bool is_stick = !strcmp(url, DEVICE_STICK_URL);
	struct sim_source_manners manners = { 0 };

	if (!is_stick)
		manners = dev->w->manners;
	dev->s->memo[MEMO_PERSON] |= is_stick && !dev->w->stick;
	manners.payload_offset = b->payload_offset;
	*ret = sim_source_open(dev->s, b->bytes, b->len, &manners);
	return 0;
}

static bool medium(void *ctx, unsigned int n, char *ret_url, size_t size)
{
	const struct device *dev = ctx;

	bool came = dev->w->person_ms && dev->s->now_ms >= dev->w->person_ms;

	if (n || !(dev->w->stick || came))
		return false;
	snprintf(ret_url, size, "%s", DEVICE_STICK_URL);
	return true;
}

static bool power_is_off(void *ctx)
{
	return sim_stops(ctx);
}

static int recovery(struct device *dev, enum lb_reason reason)
{
	struct lb_recovery r = {
		.dev = dev->d,
		.slots = { .ctx = dev, .open = open_slot },
		.sources = { .ctx = dev, .open = open_source, .medium = medium },
		.clock = &dev->s->clock,
		.worker = &dev->s->worker.worker,
		.keys = mini_keyring(),
		.device = { .product = "sim", .hardware = { "sim,board" }, .hardware_count = 1,
			    .recovery_release = 1 },
		.limits = { 600000, 1000, 60000, 30000, 600000 },
		.reason = reason,
		.state_lost = dev->lost,
		.stop = power_is_off,
		.stop_ctx = dev->s,
	};
	uint64_t previous = release_in(dev, LB_REC_PREVIOUS);
	enum lb_recovery_end end;
	int err = dev->mistake && dev->mistake->before ? dev->mistake->before(dev) : 0;

	if (!err)
		err = lb_recovery_run(&r, &end, NULL);
	if (!err && sim_stuck(dev->s))
		err = -LB_E_RETRIES;
	if (!err)
		expect_silence(dev, end, previous);
	return err;
}

/* ---- main: what the agent decides ---- */

static bool tried_in_vain(struct device *dev)
{
	struct lb_result v;

	return !lb_result_load(&dev->log, &v, NULL) && strcmp(v.code, "ok") != 0;
}

static int stage_release_2(struct device *dev)
{
	struct lb_request q = { .urls = { "sim:2", "sim:2, a mirror" }, .url_count = 2, .release = 2,
				.header = "Authorization: Bearer sesame" };

	return lb_handover_stage(&dev->d, &q, NULL, NULL);
}

/* Sets @settled when nothing is left to do. */
static int main_os(struct device *dev, int release, bool *settled)
{
	struct lb_state st;
	int err = lb_handover_reconcile_main(&dev->d, NULL, 0, NULL);

	if (!err)
		err = device_load_state(dev, &st);
	if (err)
		return err;
	if (release == 2 && dev->w->two_is_sick)
		return 0; /* never reports healthy; the watchdog resets */
	if (st.name == LB_STATE_CONFIRMED && release == 1 && !tried_in_vain(dev))
		return stage_release_2(dev);
	*settled = true;
	if (dev->mistake && dev->mistake->count_stays) {
		st.name = LB_STATE_CONFIRMED;
		return lb_state_save(&dev->log, &st, NULL);
	}
	return lb_handover_confirm(&dev->d, NULL);
}

/* Every try of main is counted; the count is believed once it is durable. */
static void count_tries(struct device *dev, enum boots what, enum lb_reason reason)
{
	uint64_t *started = &dev->s->memo[MEMO_STARTED];

	if (what == BOOTS_MAIN) {
		++*started;
		return;
	}
	/* a cut between count and start took a try away */
	if (reason == LB_REASON_BOOT_LIMIT && *started &&
	    *started + dev->s->power_cycles < LB_BOOT_LIMIT)
		dev->s->memo[MEMO_TOO_EARLY] = *started;
	*started = 0;
}

/* ---- power on ---- */

static int run_side(struct device *dev, enum boots what, enum lb_reason reason, int release,
		    bool *settled)
{
	int err = device_open_env(dev);

	if (!err)
		err = device_open_state(dev);
	if (err)
		return err;
	expect_end(dev, what == BOOTS_MAIN ? LB_REASON_NONE : reason);
	return what == BOOTS_MAIN ? main_os(dev, release, settled) : recovery(dev, reason);
}

static int one_boot(struct device *dev, bool *settled)
{
	enum lb_reason reason;
	enum boots what;
	int release, err = boot_loader(dev, &what, &reason);

	if (err)
		return err;
	release = device_whole_release(dev);
	if (what == BOOTS_MAIN && !release) {
		dev->s->memo[MEMO_BROKEN_BOOT]++;
		return -LB_E_FIT;
	}
	count_tries(dev, what, reason);
	err = run_side(dev, what, reason, release, settled);
	lb_boot_close(&dev->boot);
	return err;
}

int device_run(struct sim *s, const struct world *w, const struct device_mistake *mistake)
{
	struct device dev = { .s = s, .w = w, .mistake = mistake };
	bool settled = false;

	for (int boots = 0; boots < BOOTS_MAX && !settled; boots++) {
		int err = one_boot(&dev, &settled);

		if (err)
			return err;
		sim_reboot(s);
	}
	if (settled)
		s->memo[MEMO_STARTED] = 0;
	return settled ? 0 : -LB_E_RETRIES;
}
