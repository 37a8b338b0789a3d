// SPDX-License-Identifier: GPL-2.0-or-later
/* What holds after every cut, and what holds in the end. */
#include <string.h>

#include "base/bytes.h"
#include "device.h"
#include "digest.h"
#include "lb_boot_names.h"

int device_check_bound(struct sim *s, struct world *w, enum sim_moment moment)
{
	uint64_t chunk = w->chunk_bytes > w->bundle[2].longest_stored
				 ? w->chunk_bytes : w->bundle[2].longest_stored;
	uint64_t more = s->power_cycles * (LB_MIB + chunk);
	uint64_t written = sim_region(s, "boot")->written + sim_region(s, "root")->written;

	if (moment == SIM_FINISHED && !s->power_cycles) {
		w->needed_payload = s->payload_read;
		w->needed_writes = written;
	}
	if (s->payload_read > w->needed_payload + more)
		return sim_fail(s, "%llu bytes of payload were fetched, %llu are needed, %u cuts",
				(unsigned long long)s->payload_read,
				(unsigned long long)w->needed_payload, s->power_cycles);
	if (written > w->needed_writes + more)
		return sim_fail(s, "%llu bytes were written, %llu are needed, %u cuts",
				(unsigned long long)written, (unsigned long long)w->needed_writes,
				s->power_cycles);
	return 0;
}

static int check_boots(struct sim *s, const struct world *w)
{
	bool may_need_person = (s->memo[SIM_MEMO_LOST] & LOST_STATE) ||
			       (w->manners.dead && s->memo[MEMO_END]);

	if (s->memo[MEMO_BROKEN_BOOT])
		return sim_fail(s, "main was booted although it was not whole");
	if (s->memo[MEMO_STARTED] > LB_BOOT_LIMIT)
		return sim_fail(s, "main was booted %llu times without a report of health",
				(unsigned long long)s->memo[MEMO_STARTED]);
	if (s->memo[MEMO_TOO_EARLY])
		return sim_fail(s, "recovery came after %llu boots of main, %u cuts",
				(unsigned long long)s->memo[MEMO_TOO_EARLY], s->power_cycles);
	if (s->memo[MEMO_PERSON] && !may_need_person)
		return sim_fail(s, "a person was needed, and the state was never lost");
	return 0;
}

/* Reads only: a lost log is left as it is, for whoever starts next. */
static int read_state(struct sim *s, struct device *dev, struct lb_state *ret)
{
	int err = lb_log_open(&dev->log, sim_blk(s, "state"), NULL);

	dev->lost = err == -LB_E_STATE;
	*ret = (struct lb_state){ .name = LB_STATE_CONFIRMED };
	if (!err)
		err = device_load_state(dev, ret);
	return dev->lost ? 0 : err;
}

/* Only a record that makes recovery go on may stand beside a main that is not whole. */
static int check_records(struct sim *s, struct device *dev, int release, enum sim_moment moment,
			 struct lb_state *state)
{
	bool was_lost = s->memo[SIM_MEMO_LOST] & LOST_STATE;
	int err = read_state(s, dev, state);

	if (err)
		return sim_fail(s, "the state cannot be read: %s", lb_error_name(err));
	if (dev->lost && !(was_lost && moment == SIM_AFTER_CUT))
		return sim_fail(s, "the state region is lost");
	if (!release && !was_lost && state->name != LB_STATE_UPDATING &&
	    state->name != LB_STATE_RESCUE)
		return sim_fail(s, "main is not whole in state %s", lb_state_text(state->name));
	return 0;
}

static int check_flag(struct sim *s, struct device *dev, int release, enum sim_moment moment,
		      struct lb_boot_status *ret)
{
	bool may_be_lost = (s->memo[SIM_MEMO_LOST] & LOST_ENV) && moment == SIM_AFTER_CUT;

	if (device_open_env(dev))
		return sim_fail(s, "the environment cannot be read");
	lb_boot_read(&dev->boot, ret);
	lb_boot_close(&dev->boot);
	if (ret->target == LB_BOOT_LOST && !may_be_lost)
		return sim_fail(s, "the boot flag is lost");
	if (ret->target == LB_BOOT_MAIN && !release)
		return sim_fail(s, "the flag says main, which is not whole");
	return 0;
}

int device_check(struct sim *s, struct world *w, enum sim_moment moment)
{
	struct device dev = { .s = s, .w = w };
	struct lb_boot_status st;
	struct lb_state state;
	int release = device_whole_release(&dev);
	int want = s->memo[MEMO_END] ? (int)s->memo[MEMO_END] : w->final_release;

	if (check_boots(s, w) || check_flag(s, &dev, release, moment, &st) ||
	    check_records(s, &dev, release, moment, &state))
		return 1;
	if (moment == SIM_AFTER_CUT)
		return 0;
	if (!s->power_cycles && dev.log.generation < 1 + w->compactions)
		return sim_fail(s, "the log was compacted only %u times", dev.log.generation - 1);
	if (state.name != LB_STATE_CONFIRMED || st.target != LB_BOOT_MAIN || st.trial ||
	    st.main_boots || release != want)
		return sim_fail(s, "it ended in state %s with release %d instead of %d, trial %d, count %u",
				lb_state_text(state.name), release, want, st.trial, st.main_boots);
	return 0;
}

/*
 * Of a slot programs read nothing but digests of chunks and of the whole image, and as
 * prefixes chunks that are right: wrong ones are found out by digests. So
 * a chunk counts as what it is by them: release 1's, release 2's, both's or nobody's.
 */
static uint64_t add_slot(uint64_t h, struct sim *s, const struct world *w, int image)
{
	const struct mini_image *one = &w->image[1][image], *two = &w->image[2][image];
	const uint8_t *medium = sim_region(s, one->name)->medium;

	for (size_t at = 0; at < one->len; at += w->chunk_bytes) {
		size_t n = one->len - at < w->chunk_bytes ? one->len - at : w->chunk_bytes;
		uint8_t whose[2] = { !memcmp(medium + at, one->bytes + at, n),
				     !memcmp(medium + at, two->bytes + at, n) };

		h = sim_hash(h, whose, sizeof(whose));
	}
	return h;
}

/* What a program can read, and what else decides how the world answers. */
uint64_t device_digest(struct sim *s, const struct world *w, bool coarse)
{
	uint64_t outside[] = {
		w->worn_at && sim_region(s, "root")->written >= w->worn_at,
		w->manners.silent_ms && s->payload_read >= w->manners.silent_from,
	};
	uint64_t h = sim_hash(sim_records_digest(s, coarse), outside, sizeof(outside));

	for (int i = 0; i < MINI_IMAGES; i++)
		h = add_slot(h, s, w, i);
	return h;
}
