// SPDX-License-Identifier: GPL-2.0-or-later
#include "digest.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "boot/env.h"
#include "state/log.h"

static uint64_t add(uint64_t h, uint64_t value)
{
	return sim_hash(h, &value, sizeof(value));
}

static bool for_people(uint16_t type)
{
	return type == LB_REC_PROGRESS || type == LB_REC_RESULT || type == LB_REC_LOG;
}

/* Lengths count even of what is for people: they decide when halves are changed. */
static uint64_t add_records(uint64_t h, struct lb_log *log, bool coarse)
{
	uint8_t payload[LB_LOG_RECORD_MAX];
	uint64_t sum = 0; /* coarse: in whatever order they were written */

	for (uint32_t i = 0; i < log->live_count; i++) {
		const struct lb_log_entry *e = &log->live[i];
		bool skip = coarse && for_people(e->type);
		ptrdiff_t n = skip ? 0 : lb_log_get(log, e->type, payload, sizeof(payload));
		uint64_t r = add(add(3, e->type), skip ? 0 : (uint64_t)n);

		if (n > 0)
			r = sim_hash(r, payload, (size_t)n);
		if (!coarse)
			r = add(add(r, e->sequence), e->offset);
		sum += r;
	}
	return add(h, sum);
}

static uint64_t add_log(uint64_t h, struct sim *s, bool coarse)
{
	struct lb_log log;
	int err = lb_log_open(&log, sim_blk(s, "state"), NULL);

	h = add(h, (uint64_t)(int64_t)err);
	if (err)
		return h;
	h = add(h, log.end);
	if (!coarse)
		h = add(add(add(add(h, log.half), log.generation), log.highest_generation),
			log.next_sequence);
	return add_records(h, &log, coarse);
}

/* Of the medium, nothing pending. The same for the same bytes: kept, because few cuts change them. */
static uint64_t log_digest(struct sim *s, bool coarse)
{
	static struct kept {
		uint64_t bytes, digest;
	} kept[2][4096];
	uint64_t bytes = sim_digest(sim_region(s, "state"));
	struct kept *k = &kept[coarse][bytes / 2 % LB_ARRAY_LEN(kept[0])];

	if (k->bytes != bytes)
		*k = (struct kept){ bytes, add_log(6, s, coarse) };
	return k->digest;
}

static uint64_t add_env(uint64_t h, struct sim *s, bool coarse)
{
	struct lb_env env;
	int err = lb_env_load(&env, sim_blk(s, "env0"), sim_blk(s, "env1"), NULL);

	h = add(h, (uint64_t)(int64_t)err);
	if (!err) {
		h = add(h, env.lost);
		h = sim_hash(h, env.data, env.data_len);
		if (!coarse)
			h = add(add(h, env.serial), env.live);
	}
	lb_env_free(&env);
	return h;
}

static bool has(const struct sim *s, const char *name)
{
	for (uint32_t i = 0; i < s->region_count; i++)
		if (!strcmp(s->region[i].blk.name, name))
			return true;
	return false;
}

uint64_t sim_records_digest(struct sim *s, bool coarse)
{
	uint64_t h = sim_hash(2, s->memo, sizeof(s->memo));

	if (has(s, "state"))
		h = add(h, log_digest(s, coarse));
	if (has(s, "env0"))
		h = add_env(h, s, coarse);
	return h;
}

uint64_t sim_device_digest(struct sim *s, bool coarse)
{
	uint64_t h = sim_records_digest(s, coarse);

	for (uint32_t i = 0; i < s->region_count; i++)
		if (!s->region[i].small_writes)
			h = add(h, sim_digest(&s->region[i]));
	return h;
}
