// SPDX-License-Identifier: GPL-2.0-or-later
#include "visit.h"

#include <stdio.h>
#include <string.h>

#include "files.h"

#define ASKED "recovery-requested"
#define NOT_NEW "request-not-new"

void agent_serial_load(struct agent *a)
{
	char text[LB_SERIAL_MAX + 8];
	ptrdiff_t len;

	snprintf(a->serial, sizeof(a->serial), "%s", a->set.serial);
	if (*a->serial || !*a->set.serial_file)
		return;
	len = agent_file_read(a->set.serial_file, text, sizeof(text), NULL);
	if (len == -LB_E_NOT_FOUND)
		return;
	if (len > 0)
		text[strcspn(text, "\r\n")] = '\0';
	if (len > 0 && lb_serial_valid(text))
		snprintf(a->serial, sizeof(a->serial), "%.*s", LB_SERIAL_MAX, text);
	else
		agent_detail(a, "%s holds no serial number that a channel can name",
			     a->set.serial_file);
}

static bool remembered(const struct agent_memory *m, const char *id)
{
	for (uint32_t i = 0; i < m->visit_count; i++)
		if (!strcmp(m->visits[i].id, id))
			return true;
	return false;
}

static bool listed(const struct lb_channel *ch, const char *id)
{
	for (uint32_t i = 0; i < ch->visit_count; i++)
		if (!strcmp(ch->visits[i].id, id))
			return true;
	return false;
}

/*
 * The newest is the last one. There is room for as many as a channel lists, so one that is
 * listed no more can always go: an id is not forgotten while a channel could bring it back.
 */
static struct agent_visit *remember(const struct agent *a, const struct lb_channel *ch,
				    struct agent_memory *m, const char *id, const char *code)
{
	struct agent_visit *v;
	uint32_t at = 0;

	if (m->visit_count == AGENT_VISITS_MAX) {
		while (at < m->visit_count - 1 && listed(ch, m->visits[at].id))
			at++;
		m->visit_count--;
		memmove(&m->visits[at], &m->visits[at + 1],
			(m->visit_count - at) * sizeof(m->visits[0]));
	}
	v = &m->visits[m->visit_count++];
	memset(v, 0, sizeof(*v));
	snprintf(v->id, sizeof(v->id), "%s", id);
	snprintf(v->code, sizeof(v->code), "%s", code);
	v->time_s = lb_clock_wall_s(a->clock);
	return v;
}

void agent_visit_first(const struct agent *a, const struct lb_channel *ch, struct agent_memory *m)
{
	for (uint32_t i = 0; i < ch->visit_count; i++) {
		const struct lb_channel_visit *v = &ch->visits[i];

		if (!lb_channel_visit_names(v, a->serial) || remembered(m, v->id))
			continue;
		remember(a, ch, m, v->id, NOT_NEW);
		agent_say(a, "request %s for recovery was there when the channel was first seen: it is "
			     "not acted on (" NOT_NEW ")", v->id);
	}
}

const struct lb_channel_visit *agent_visit_next(const struct agent *a, const struct agent_memory *m,
						const struct lb_channel *ch, int64_t now_s)
{
	for (uint32_t i = 0; a->set.recovery_requests && i < ch->visit_count; i++) {
		const struct lb_channel_visit *v = &ch->visits[i];

		if (lb_channel_visit_names(v, a->serial) && v->until_s >= now_s &&
		    !remembered(m, v->id))
			return v;
	}
	return NULL;
}

int agent_visit_start(const struct agent *a, struct agent_device *d, const struct lb_channel *ch,
		      const struct lb_channel_visit *v, struct agent_memory *m,
		      struct lb_error *err)
{
	struct agent_visit *note;
	struct lb_error why = { 0 };
	int rc;

	if (d->state.name != LB_STATE_CONFIRMED || d->boot_status.trial ||
	    d->boot_status.target == LB_BOOT_RECOVERY)
		return lb_error_set(err, LB_E_BUSY, "request %s for recovery waits: the device is about "
				    "to start recovery, or on trial", v->id);
	note = remember(a, ch, m, v->id, ASKED);
	m->visit_pending = true;
	m->visit_reboots = 0;
	rc = agent_memory_save(a, m, err);
	if (rc)
		return rc;
	rc = lb_handover_reboot_recovery(&d->handover, err);
	if (!rc) {
		agent_say(a, "the server asks for recovery, request %s (" ASKED ")", v->id);
		return 0;
	}
	m->visit_pending = false;
	snprintf(note->code, sizeof(note->code), "%s", lb_error_name(rc));
	if (agent_memory_save(a, m, &why))
		agent_error(a, "%s; `status` will call request %s done", why.text, v->id);
	return rc;
}

bool agent_visit_due(const struct agent_device *d, const struct agent_memory *m)
{
	return m->visit_pending && d->state.name == LB_STATE_CONFIRMED &&
	       d->boot_status.target == LB_BOOT_RECOVERY;
}

void agent_visit_settle(const struct agent *a, const struct agent_device *d, struct agent_memory *m)
{
	struct lb_error err = { 0 };

	if (!m->visit_pending || agent_visit_due(d, m))
		return;
	m->visit_pending = false;
	m->visit_reboots = 0;
	if (agent_memory_save(a, m, &err))
		agent_detail(a, "%s; the visit to recovery is not forgotten", err.text);
}
