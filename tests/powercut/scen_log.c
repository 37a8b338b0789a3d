// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/state/log.h and lib/boot/env.h: the old or the new, whole; everything else as it was. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/env.h"
#include "digest.h"
#include "scenarios.h"
#include "state/log.h"
#include "state/records.h"

#define REGION (256u * 1024u)
#define UNKNOWN_TYPE 300
#define BIG 9000u

/* ---- helpers ---- */

static int put(struct lb_log *log, uint16_t type, const char *text)
{
	return lb_log_put(log, type, text, strlen(text), NULL);
}

static void must(int err)
{
	if (err) {
		fprintf(stderr, "powercut: setting up failed: %s\n", lb_error_name(err));
		abort();
	}
}

/* 0 when @type reads as @text; NULL: does not exist. */
static int differs(struct lb_log *log, uint16_t type, const char *text)
{
	char buf[BIG + 16] = "";
	ptrdiff_t n = lb_log_get(log, type, buf, sizeof(buf) - 1);

	if (!text)
		return n != -LB_E_NOT_FOUND;
	return n != (ptrdiff_t)strlen(text) || memcmp(buf, text, (size_t)n);
}

/* What every scenario's log holds beside the record that changes. */
static int others_harmed(struct sim *s, struct lb_log *log)
{
	if (differs(log, LB_REC_NETWORK, "other"))
		return sim_fail(s, "another record was harmed");
	if (differs(log, UNKNOWN_TYPE, "of a newer program"))
		return sim_fail(s, "the record of an unknown type was harmed");
	return 0;
}

static void new_log(struct sim *s, struct lb_log *log)
{
	must(lb_log_format(log, sim_add(s, "state", REGION), NULL));
	must(put(log, LB_REC_NETWORK, "other"));
	must(put(log, UNKNOWN_TYPE, "of a newer program"));
}

static int open_log(struct sim *s, struct lb_log *log)
{
	int err = lb_log_open(log, sim_blk(s, "state"), NULL);

	return err ? sim_fail(s, "the log does not open: %s", lb_error_name(err)) : 0;
}

static void fill(struct lb_log *log)
{
	uint64_t half = log->blk->size_bytes / 2;

	while (log->end + LB_LOG_ALIGN <= half)
		must(put(log, 1, "old"));
}

/* ---- put: one block, several blocks, into a full half ---- */

static void setup_put(struct sim *s)
{
	struct lb_log log;

	new_log(s, &log);
	must(put(&log, 1, "old"));
}

static void setup_full(struct sim *s)
{
	struct lb_log log;

	new_log(s, &log);
	fill(&log);
}

static int run_put(struct sim *s)
{
	struct lb_log log;
	int err = lb_log_open(&log, sim_blk(s, "state"), NULL);

	return err ? err : put(&log, 1, "new");
}

static int old_or_new(struct sim *s, enum sim_moment moment, const char *new)
{
	struct lb_log log;

	if (open_log(s, &log) || others_harmed(s, &log))
		return 1;
	if (!differs(&log, 1, new))
		return 0;
	if (moment == SIM_FINISHED)
		return sim_fail(s, "the new record is not there");
	if (differs(&log, 1, "old"))
		return sim_fail(s, "neither the old nor the new record is there");
	return 0;
}

static int check_put(struct sim *s, enum sim_moment moment)
{
	return old_or_new(s, moment, "new");
}

static const char *big_text(void)
{
	static char text[BIG + 1]; /* filled with the same bytes each time */

	for (uint32_t i = 0; i < BIG; i++)
		text[i] = (char)('a' + i % 23);
	return text;
}

static int run_put_big(struct sim *s)
{
	struct lb_log log;
	int err = lb_log_open(&log, sim_blk(s, "state"), NULL);

	return err ? err : put(&log, 1, big_text());
}

static int check_put_big(struct sim *s, enum sim_moment moment)
{
	return old_or_new(s, moment, big_text());
}

/* ---- what was acknowledged stays: puts in a row, through a change of halves ---- */

#define LAST_VALUE 6u

static void setup_count(struct sim *s)
{
	struct lb_log log;

	new_log(s, &log);
	fill(&log);
	must(put(&log, 1, "0"));
	while (log.end + 4 * LB_LOG_ALIGN <= REGION / 2)
		must(put(&log, 3, "filler"));
	s->memo[0] = 0;
}

static int read_count(struct lb_log *log, uint32_t *ret)
{
	char text[16] = "";

	if (lb_log_get(log, 1, text, sizeof(text) - 1) <= 0)
		return -LB_E_NOT_FOUND;
	return sscanf(text, "%u", ret) == 1 ? 0 : -LB_E_FORMAT;
}

/* Counts on from what it finds; memo[0] is the last value that was acknowledged or read. */
static int run_count(struct sim *s)
{
	struct lb_log log;
	uint32_t value;
	int err = lb_log_open(&log, sim_blk(s, "state"), NULL);

	if (!err)
		err = read_count(&log, &value);
	if (!err)
		s->memo[0] = value; /* whoever read it relies on it */
	while (!err && value < LAST_VALUE) {
		char text[16];

		snprintf(text, sizeof(text), "%u", ++value);
		err = put(&log, 1, text);
		if (!err)
			s->memo[0] = value;
	}
	return err;
}

static int check_count(struct sim *s, enum sim_moment moment)
{
	struct lb_log log;
	uint32_t value;

	if (open_log(s, &log) || others_harmed(s, &log))
		return 1;
	if (read_count(&log, &value))
		return sim_fail(s, "no value is there");
	if (value < s->memo[0] || value > s->memo[0] + 1)
		return sim_fail(s, "value %u is there, %u was acknowledged last", value,
				(uint32_t)s->memo[0]);
	if (moment == SIM_FINISHED && value != LAST_VALUE)
		return sim_fail(s, "it ended with value %u", value);
	return 0;
}

/* ---- what a boot has read does not change behind its back ---- */

static void setup_remains(struct sim *s)
{
	struct lb_log log;

	new_log(s, &log);
	must(put(&log, 3, "in the way"));
	while (log.end + LB_LOG_ALIGN <= REGION / 2)
		must(put(&log, 1, "1"));
	s->memo[0] = 1;
}

/*
 * The first boot puts a value that changes halves; if it is cut, later boots only
 * delete another record, which changes halves too and needs less room: remains of
 * the first attempt lie behind it and must stay dead. memo[1] counts boots.
 */
static int remains(struct sim *s, bool forget_generation)
{
	struct lb_log log;
	uint32_t value;
	int err = lb_log_open(&log, sim_blk(s, "state"), NULL);

	if (!err)
		err = read_count(&log, &value);
	if (err)
		return err;
	if (forget_generation)
		log.highest_generation = log.generation;
	s->memo[0] = value;
	if (s->memo[1]++)
		return lb_log_put(&log, 3, NULL, 0, NULL);
	s->memo[0] = 2;
	return put(&log, 1, "2");
}

static int run_remains(struct sim *s)
{
	return remains(s, false);
}

static int check_remains(struct sim *s, enum sim_moment moment)
{
	struct lb_log log;
	uint32_t value;

	if (open_log(s, &log) || others_harmed(s, &log))
		return 1;
	if (read_count(&log, &value))
		return sim_fail(s, "no value is there");
	if (moment == SIM_AFTER_CUT && s->memo[1] == 1 && value == 1)
		return 0; /* the put was under way */
	if (value != s->memo[0])
		return sim_fail(s, "value %u is there, %u was read or put", value,
				(uint32_t)s->memo[0]);
	return 0;
}

/* ---- dropping a request leaves no token ---- */

static void setup_drop(struct sim *s)
{
	static const struct lb_request q = { .header = "Authorization: Bearer sesame" };
	struct lb_log log;

	new_log(s, &log);
	must(put(&log, 1, "old"));
	must(lb_request_save(&log, &q, NULL));
	fill(&log);
	must(lb_request_save(&log, &q, NULL)); /* in both halves */
}

static int run_drop(struct sim *s)
{
	struct lb_log log;
	int err = lb_log_open(&log, sim_blk(s, "state"), NULL);

	return err ? err : lb_request_drop(&log, NULL);
}

static int check_drop(struct sim *s, enum sim_moment moment)
{
	struct sim_region *r = sim_region(s, "state");
	struct lb_request q;
	struct lb_log log;
	int err;

	if (open_log(s, &log) || others_harmed(s, &log))
		return 1;
	if (differs(&log, 1, "old"))
		return sim_fail(s, "the state record was harmed");
	err = lb_request_load(&log, &q, NULL);
	if (err && err != -LB_E_NOT_FOUND)
		return sim_fail(s, "the request is neither there nor gone: %s", lb_error_name(err));
	if (moment == SIM_FINISHED && !err)
		return sim_fail(s, "the request is still there");
	if (moment == SIM_FINISHED && memmem(r->medium, REGION, "sesame", 6))
		return sim_fail(s, "the token is still on the medium");
	return 0;
}

/* ---- format ---- */

static void setup_garbage(struct sim *s)
{
	sim_add(s, "state", REGION);
}

static int run_format(struct sim *s)
{
	struct lb_log log;
	int err = lb_log_open(&log, sim_blk(s, "state"), NULL);

	if (err == -LB_E_STATE)
		err = lb_log_format(&log, sim_blk(s, "state"), NULL);
	return err ? err : put(&log, 1, "new");
}

static int check_format(struct sim *s, enum sim_moment moment)
{
	struct lb_log log;
	int err = lb_log_open(&log, sim_blk(s, "state"), NULL);

	if (err == -LB_E_STATE && moment == SIM_AFTER_CUT)
		return 0;
	if (err)
		return sim_fail(s, "the log does not open: %s", lb_error_name(err));
	if (!differs(&log, 1, "new"))
		return 0;
	if (moment == SIM_FINISHED || differs(&log, 1, NULL))
		return sim_fail(s, "the new log holds something else");
	return 0;
}

/* ---- boot environment ---- */

#define ENV_BYTES 1024u

static void setup_env(struct sim *s)
{
	struct lb_env env;

	sim_add(s, "env0", ENV_BYTES);
	sim_add(s, "env1", ENV_BYTES);
	must(lb_env_load(&env, sim_blk(s, "env0"), sim_blk(s, "env1"), NULL));
	must(lb_env_set(&env, "foreign", "kept"));
	must(lb_env_set(&env, "flag", "older")); /* what the stale copy holds */
	must(lb_env_commit(&env, NULL));
	must(lb_env_set(&env, "flag", "old"));
	must(lb_env_commit(&env, NULL));
	lb_env_free(&env);
}

static int change_env(struct sim *s, bool in_place)
{
	struct lb_env env;
	int err = lb_env_load(&env, sim_blk(s, "env0"), sim_blk(s, "env1"), NULL);

	if (!err)
		err = lb_env_set(&env, "flag", "new");
	if (in_place)
		env.live = !env.live;
	if (!err)
		err = lb_env_commit(&env, NULL);
	lb_env_free(&env);
	return err;
}

static int run_env(struct sim *s)
{
	return change_env(s, false);
}

static int check_env(struct sim *s, enum sim_moment moment)
{
	struct lb_env env;
	const char *flag, *foreign;
	int bad = 0;

	if (lb_env_load(&env, sim_blk(s, "env0"), sim_blk(s, "env1"), NULL) || env.lost) {
		lb_env_free(&env);
		return sim_fail(s, "the environment is lost");
	}
	flag = lb_env_get(&env, "flag");
	foreign = lb_env_get(&env, "foreign");
	if (!foreign || strcmp(foreign, "kept"))
		bad = sim_fail(s, "another variable was harmed");
	else if (!flag || (strcmp(flag, "new") && (moment == SIM_FINISHED || strcmp(flag, "old"))))
		bad = sim_fail(s, "the flag is \"%s\"", flag ? flag : "");
	lb_env_free(&env);
	return bad;
}

const struct sim_scenario log_scenarios[] = {
	{ .name = "log-put", .setup = setup_put, .run = run_put, .check = check_put,
	  .digest = sim_device_digest, .cuts = 2 },
	{ .name = "log-put-big", .setup = setup_put, .run = run_put_big, .check = check_put_big,
	  .digest = sim_device_digest, .cuts = 2 },
	{ .name = "log-change-halves", .setup = setup_full, .run = run_put, .check = check_put,
	  .digest = sim_device_digest, .cuts = 2 },
	{ .name = "log-change-halves-big", .setup = setup_full, .run = run_put_big, .check = check_put_big,
	  .digest = sim_device_digest, .cuts = 2 },
	{ .name = "log-acknowledged-stays", .setup = setup_count, .run = run_count, .check = check_count,
	  .digest = sim_device_digest, .cuts = 2 },
	/* all bytes count here: what is read of remains is the point */
	{ .name = "log-remains-stay-dead", .setup = setup_remains, .run = run_remains, .check = check_remains,
	  .cuts = 2 },
	{ .name = "log-drop-request", .setup = setup_drop, .run = run_drop, .check = check_drop,
	  .digest = sim_device_digest, .cuts = 2 },
	{ .name = "log-format", .setup = setup_garbage, .run = run_format, .check = check_format,
	  .digest = sim_device_digest, .cuts = 2 },
	{ .name = "env-commit", .setup = setup_env, .run = run_env, .check = check_env,
	  .digest = sim_device_digest, .cuts = 2 },
	{ 0 },
};

/* ---- canaries ---- */

static void deaf_state(struct sim *s)
{
	sim_region(s, "state")->deaf = true;
}

static int put_in_place(struct sim *s)
{
	struct lb_log log;
	const struct lb_log_entry *e;
	int err = lb_log_open(&log, sim_blk(s, "state"), NULL);

	if (err)
		return err;
	e = lb_log_find(&log, 1);
	log.end = e->offset % (REGION / 2);
	return put(&log, 1, "new");
}

/* Makes room first, and copies what it remembers into it. */
static int erase_then_copy(struct sim *s)
{
	struct lb_log log;
	int err = lb_log_open(&log, sim_blk(s, "state"), NULL);

	if (err || log.end + LB_LOG_ALIGN <= REGION / 2)
		return err ? err : put(&log, 1, "new");
	err = lb_log_format(&log, sim_blk(s, "state"), NULL);
	if (!err)
		err = put(&log, LB_REC_NETWORK, "other");
	if (!err)
		err = put(&log, UNKNOWN_TYPE, "of a newer program");
	return err ? err : put(&log, 1, "new");
}

/* As if a compaction numbered its half without looking at what lies there. */
static int put_with_a_generation_used_before(struct sim *s)
{
	return remains(s, true);
}

static int env_in_place(struct sim *s)
{
	return change_env(s, true);
}

const struct sim_canary log_canaries[] = {
	{ "record-without-flush", "log-put", NULL, deaf_state },
	{ "compaction-header-before-records", "log-change-halves", NULL, deaf_state },
	{ "state-record-in-place", "log-put", put_in_place, NULL },
	{ "erase-before-compaction-copy", "log-change-halves", erase_then_copy, NULL },
	{ "compaction-generation-used-before", "log-remains-stay-dead",
	  put_with_a_generation_used_before, NULL },
	{ "environment-in-place", "env-commit", env_in_place, NULL },
	{ 0 },
};
