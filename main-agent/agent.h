/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lifeboat-agent: what its parts share. The agent only reads slots, fetches
 * metadata, writes records and the boot flag; no update engine is linked, so
 * it cannot write a part of the main OS.
 */
#ifndef AGENT_H
#define AGENT_H

#include <cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "bundle/channel.h"
#include "flow/handover.h"
#include "port/clock.h"
#include "settings.h"
#include "trust/keyring.h"
#include "trust/policy.h"

/* What a command returns beside negative LB_E_*; also the process's exit status. */
enum agent_exit { AGENT_OK = 0, AGENT_FAILED = 1, AGENT_USAGE = 2, AGENT_NOTHING = 3 };

enum agent_level { AGENT_QUIET, AGENT_NORMAL, AGENT_VERBOSE };

/* The command line beside the command's name. */
struct agent_options {
	const char *config;	/* file */
	const char *args[LB_URLS_MAX];
	int arg_count;
	const char *deployment; /* NULL: made up from release and time */
	uint64_t budget_bytes;
	bool has_budget;
	bool json, show_log, allow_older, without_remedy, no_reboot, once;
};

/* The release that is running, from an os-release style file in the main OS. */
struct agent_running {
	uint64_t release; /* 0 unknown */
	char version[LB_VERSION_MAX + 1];
};

struct agent {
	enum agent_level level;
	struct agent_options opt;
	struct agent_settings set;
	struct agent_running running;
	struct lb_device device;    /* product and hardware; floor: see agent_device_open() */
	struct lb_keyring ring;
	struct lb_clock *clock;     /* borrowed */
	char serial[LB_SERIAL_MAX + 1]; /* by which a channel may name this device, "" none */
	char header[LB_HEADER_MAX + 1]; /* token for the servers, "" none */
};

/* Sentences to standard error; levels as --quiet and --verbose choose. */
void agent_error(const struct agent *a, const char *fmt, ...) LB_PRINTF(2, 3);
void agent_say(const struct agent *a, const char *fmt, ...) LB_PRINTF(2, 3);
void agent_detail(const struct agent *a, const char *fmt, ...) LB_PRINTF(2, 3);

/*
 * Commands. @answer: object that main.c prints with --json; a member "text" is
 * what it prints without. Return: enum agent_exit or a negative LB_E_*.
 */
int agent_cmd_daemon(struct agent *a, cJSON *answer, struct lb_error *err);
int agent_cmd_status(struct agent *a, cJSON *answer, struct lb_error *err);
int agent_cmd_check(struct agent *a, cJSON *answer, struct lb_error *err);
int agent_cmd_install(struct agent *a, cJSON *answer, struct lb_error *err);
int agent_cmd_confirm(struct agent *a, cJSON *answer, struct lb_error *err);
int agent_cmd_reboot_recovery(struct agent *a, cJSON *answer, struct lb_error *err);

#endif
