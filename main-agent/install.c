// SPDX-License-Identifier: GPL-2.0-or-later
/* `install`: what a person names, or the channel's newest, checked, staged, rebooted into. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "files.h"
#include "process.h"

/* What one `install` works with. */
struct install {
	struct agent_device device;
	struct agent_memory memory;
	struct lb_channel channel;
	bool have_channel;
	int64_t now_s;
};

/* Files and URLs as they were named; the channel only helps to find the remedy. */
static int order_named(struct agent *a, struct install *in, struct agent_order *order,
		       struct lb_error *err)
{
	struct lb_error why = { 0 };
	uint32_t retry_s;
	int rc = 0;

	memset(order, 0, sizeof(*order));
	for (int i = 0; !rc && i < a->opt.arg_count; i++)
		rc = agent_place_of(a, a->opt.args[i], &order->places[order->count++], err);
	if (rc || !*a->set.channel)
		return rc;
	in->have_channel = !agent_channel_fetch(a, in->now_s, &in->memory, &in->channel, &retry_s,
						&why) ||
			   !agent_channel_cached(a, &in->memory, &in->channel, NULL);
	if (why.code)
		agent_say(a, "the channel does not help just now: %s", why.text);
	return 0;
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

static int run(struct agent *a, struct install *in, cJSON *answer, struct lb_error *err)
{
	struct agent_order order;
	uint64_t release = 0;
	char text[128];
	int rc = a->opt.arg_count ? order_named(a, in, &order, err)
				  : order_newest(a, in, &order, err);

	if (!rc) {
		in->memory.attempt.failures = 0; /* a person decides: no back-off */
		in->memory.attempt.not_before_s = 0;
		rc = agent_stage(a, &in->device, &order, in->have_channel ? &in->channel : NULL,
				 &in->memory, &release, err);
	}
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
