/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The "agent" section of the configuration file; docs/AGENT.md lists the same table. */
#ifndef AGENT_SETTINGS_H
#define AGENT_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "bundle/channel.h"
#include "linux/config.h"
#include "state/records.h"

#define AGENT_ARGV_MAX 8
#define AGENT_CONFIG_DEFAULT "/etc/lifeboat/agent.json"

struct agent_settings {
	const char *file; /* borrowed */
	struct lb_config config;

	char channel[LB_URL_MAX + 1]; /* "" : no polling */
	uint64_t interval_s, jitter_s;
	uint64_t retry_min_s, retry_max_s;     /* server does not answer */
	uint64_t refusal_min_s, refusal_max_s; /* recovery gave the release back */
	uint64_t connect_s, stall_s;	       /* network limits */
	bool auto_install, trust_clock, require_remedy, recovery_requests;
	char serial[LB_SERIAL_MAX + 1];		 /* "": serial_file says it */
	char serial_file[LB_CONFIG_PATH_MAX + 1];
	uint64_t budget_bytes; /* 0: no limit */
	uint64_t recovery_release; /* of the installed recovery; by default: let it judge itself */

	char state_dir[LB_CONFIG_PATH_MAX + 1]; /* kept over updates */
	char run_dir[LB_CONFIG_PATH_MAX + 1];   /* gone at power-off */
	char release_file[LB_CONFIG_PATH_MAX + 1];
	char header_file[LB_CONFIG_PATH_MAX + 1];
	char handover_dir[LB_CONFIG_PATH_MAX + 1]; /* bundles here can be read by recovery ... */
	char recovery_dir[LB_CONFIG_PATH_MAX + 1]; /* ... below this path */

	char health_dir[LB_CONFIG_PATH_MAX + 1];
	uint64_t health_timeout_s, health_total_s, health_retry_s;
	bool reboot_on_failure;
	uint64_t failure_delay_s;

	char reboot[AGENT_ARGV_MAX][128]; /* argv; count 0: "none" */
	uint32_t reboot_count;
	struct lb_network network; /* without CA */
};

/**
 * agent_settings_load() - device part and agent section, with defaults
 * @file: stays borrowed
 *
 * Return: as lb_config_load().
 */
int agent_settings_load(const char *file, struct agent_settings *ret,
			struct lb_error *err) LB_MUST_CHECK;

#endif
