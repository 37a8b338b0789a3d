// SPDX-License-Identifier: GPL-2.0-or-later
/* `install`: what a person names, or the channel's newest, checked, staged, rebooted into. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "medium.h"
#include "process.h"

/* What one `install` works with. */
struct install {
	struct agent_device device;
	struct agent_memory memory;
	struct lb_channel channel;
	bool have_channel;
	int64_t now_s;
	struct agent_medium_choice choice; /* of a folder */
	bool of_folder;
};

/* The channel only helps to find the remedy. */
static void ask_channel(struct agent *a, struct install *in)
{
	struct lb_error why = { 0 };
	uint32_t retry_s;

	if (!*a->set.channel)
		return;
	in->have_channel = !agent_channel_fetch(a, in->now_s, &in->memory, &in->channel, &retry_s,
						&why) ||
			   !agent_channel_cached(a, &in->memory, &in->channel, NULL);
	if (why.code)
		agent_say(a, "the channel does not help just now: %s", why.text);
}

/* Files and URLs as they were named. */
static int order_named(struct agent *a, struct install *in, struct agent_order *order,
		       struct lb_error *err)
{
	int rc = 0;

	memset(order, 0, sizeof(*order));
	for (int i = 0; !rc && i < a->opt.arg_count; i++)
		rc = agent_place_of(a, a->opt.args[i], &order->places[order->count++], err);
	if (!rc)
		ask_channel(a, in);
	return rc;
}

/* What nobody asked for in person is staged once, and only by a device that is at peace. */
static int allow_once(struct agent *a, struct install *in, struct lb_error *err)
{
	const struct agent_memory *m = &in->memory;

	for (uint32_t i = 0; i < m->once_count; i++)
		if (!memcmp(m->once[i], in->choice.manifest, LB_SHA256_BYTES)) {
			agent_say(a, "release %" PRIu64 " was staged from a folder before: it is not tried "
				     "again by itself", in->choice.release);
			return AGENT_NOTHING;
		}
	if (in->device.state.name != LB_STATE_CONFIRMED ||
	    in->device.boot_status.target == LB_BOOT_RECOVERY)
		return lb_error_set(err, LB_E_BUSY, "release %" PRIu64 " is not staged by itself: the device "
				    "is about to start recovery, or on trial", in->choice.release);
	return 0;
}

/* 0, AGENT_NOTHING or a failure. */
static int order_folder(struct agent *a, struct install *in, struct agent_order *order,
			struct lb_error *err)
{
	int rc = agent_medium_choose(a, &in->device, a->opt.args[0], in->now_s, &in->choice, err);

	if (!rc && a->opt.once)
		rc = allow_once(a, in, err);
	if (rc)
		return rc;
	memset(order, 0, sizeof(*order));
	order->places[0] = in->choice.place;
	order->count = 1;
	order->manifest = in->choice.manifest;
	in->of_folder = true;
	ask_channel(a, in);
	return 0;
}

/* Before it is staged, durably: a folder that keeps nothing must not make it start recovery for ever. */
static int note_once(struct agent *a, struct install *in, struct lb_error *err)
{
	struct agent_memory *m = &in->memory;

	if (m->once_count == AGENT_ONCE_MAX)
		memmove(m->once[0], m->once[1], --m->once_count * sizeof(m->once[0]));
	memcpy(m->once[m->once_count++], in->choice.manifest, LB_SHA256_BYTES);
	return agent_memory_save(a, m, err);
}

static void forget_once(struct agent *a, struct install *in)
{
	struct lb_error why = { 0 };

	in->memory.once_count--;
	if (agent_memory_save(a, &in->memory, &why))
		agent_error(a, "%s; release %" PRIu64 " will not be tried again by itself", why.text,
			    in->choice.release);
}

static int stage(struct agent *a, struct install *in, const struct agent_order *order,
		 uint64_t *ret_release, struct lb_error *err)
{
	bool once = a->opt.once && in->of_folder;
	int rc = once ? note_once(a, in, err) : 0;

	if (rc)
		return rc;
	if (!once) {
		in->memory.attempt.failures = 0; /* a person decides: no back-off */
		in->memory.attempt.not_before_s = 0;
	}
	rc = agent_stage(a, &in->device, order, in->have_channel ? &in->channel : NULL, &in->memory,
			 ret_release, err);
	if (rc && once)
		forget_once(a, in);
	return rc;
}

/* 0, AGENT_NOTHING or a failure. */
static int order_newest(struct agent *a, struct install *in, struct agent_order *order,
			struct lb_error *err)
{
	const struct lb_channel_release *e;
	uint32_t retry_s;
	int rc = agent_channel_fetch(a, in->now_s, &in->memory, &in->channel, &retry_s, err);

	if (rc)
		return rc;
	in->have_channel = true;
	e = agent_choose(a, &in->device, &in->channel);
	return e ? agent_order_entry(a, e, order, err) : AGENT_NOTHING;
}

static bool is_folder(const struct agent *a)
{
	struct stat st;

	return a->opt.arg_count == 1 && !stat(a->opt.args[0], &st) && S_ISDIR(st.st_mode);
}

static int find_order(struct agent *a, struct install *in, struct agent_order *order,
		      struct lb_error *err)
{
	if (is_folder(a))
		return order_folder(a, in, order, err);
	if (a->opt.once)
		return lb_error_set(err, LB_E_INVALID, "--once is for a folder with bundles");
	return a->opt.arg_count ? order_named(a, in, order, err) : order_newest(a, in, order, err);
}

static int run(struct agent *a, struct install *in, cJSON *answer, struct lb_error *err)
{
	struct agent_order order;
	uint64_t release = 0;
	char text[128];
	int rc = find_order(a, in, &order, err);

	if (!rc)
		rc = stage(a, in, &order, &release, err);
	if (!rc)
		snprintf(text, sizeof(text), "release %" PRIu64 " is staged for recovery", release);
	else
		snprintf(text, sizeof(text), "nothing newer than release %" PRIu64,
			 a->running.release);
	if (rc >= 0)
		cJSON_AddStringToObject(answer, "text", text);
	cJSON_AddNumberToObject(answer, "release", (double)release);
	agent_report_note(a, AGENT_SUBJECT_INSTALL, in->now_s, rc < 0 ? rc : 0, release,
			  rc < 0 ? err->text : text);
	return rc;
}

int agent_cmd_install(struct agent *a, cJSON *answer, struct lb_error *err)
{
	struct install in = { 0 };
	int lock = agent_lock(a, AGENT_LOCK_CHANGE, AGENT_LOCK_WAIT_MS, err);
	int rc;

	if (lock < 0)
		return lock;
	rc = agent_device_open(a, true, &in.device, err);
	if (!rc) {
		agent_memory_load(a, &in.memory);
		in.now_s = agent_device_now(a, &in.device, in.memory.channel_created_s);
		rc = run(a, &in, answer, err);
		lb_channel_free(&in.channel);
		agent_device_close(&in.device);
	}
	if (!rc)
		rc = agent_reboot(a, err);
	close(lock);
	return rc;
}
