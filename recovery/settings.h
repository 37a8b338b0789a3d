/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The "recovery" section of the configuration file; docs/RECOVERY.md lists it. */
#ifndef RECOVERY_SETTINGS_H
#define RECOVERY_SETTINGS_H

#include "flow/recovery.h"
#include "linux/config.h"
#include "page/server.h"

#define MEDIA_MAX 4

/* The data partition: mounted, read-only, when a request names a file in it. */
struct data_settings {
	char device[LB_CONFIG_PATH_MAX + 1]; /* "" none */
	char folder[LB_CONFIG_PATH_MAX + 1];
	char type[16];			     /* of its file system */
	char options[64];		     /* such as ext4's "noload": the journal is not replayed */
};

struct settings {
	struct lb_config config;
	uint32_t release;		 /* of this recovery */
	struct lb_recovery_limits limits;
	uint32_t stall_ms;		 /* a connection that is silent so long is given up */
	char interface[32];		 /* "" leaves the network alone */
	uint32_t network_wait_s;	 /* longest wait for an address */
	char cmdline[LB_CONFIG_PATH_MAX + 1]; /* where lifeboat.reason= stands */
	char led[LB_CONFIG_PATH_MAX + 1];	/* folder of a LED; "" none */
	char heartbeat[LB_CONFIG_PATH_MAX + 1]; /* "" none */
	char lock[LB_CONFIG_PATH_MAX + 1];
	char fit_key[LB_CONFIG_PATH_MAX + 1]; /* public key or certificate of the bootloader; "" none */
	char media[MEDIA_MAX][LB_CONFIG_PATH_MAX + 1]; /* folders that are searched for bundles */
	uint32_t media_count;
	struct data_settings data;
	char urls[LB_URLS_MAX][LB_URL_MAX + 1]; /* of last resort */
	uint32_t url_count;
	struct lb_config_slot sources[LB_UPDATE_SOURCES_MAX]; /* read only, for what an update is missing */
	uint32_t source_count;
	struct lb_config_slot reset[LB_RESET_REGIONS_MAX]; /* erased by a factory reset */
	uint32_t reset_count;
	struct web_options web;			/* port 0: no page */
};

int settings_load(const char *path, struct settings *ret, struct lb_error *err) LB_MUST_CHECK;

#endif
