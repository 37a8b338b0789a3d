/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bootloader behind a small interface: what the next boot starts. U-Boot's
 * environment is the first implementation (boot/uboot.c).
 */
#ifndef LB_BOOT_SELECT_H
#define LB_BOOT_SELECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "boot/env.h"

enum lb_boot_target { LB_BOOT_LOST, LB_BOOT_MAIN, LB_BOOT_RECOVERY };

/* What the bootloader reads, and what it has counted. */
struct lb_boot_status {
	enum lb_boot_target target;
	char recovery_slot;	/* 'a' or 'b' */
	bool trial;		/* upgrade_available */
	uint32_t main_boots;	/* bootcount since the last report of health */
	uint32_t recovery_boots;/* recovery boots that did not report alive */
	bool lost;		/* no valid copy */
};

struct lb_boot {
	struct lb_env env;
};

int lb_boot_open(struct lb_boot *boot, struct lb_blk *copy0, struct lb_blk *copy1,
		 struct lb_error *err) LB_MUST_CHECK;
void lb_boot_close(struct lb_boot *boot);
void lb_boot_read(const struct lb_boot *boot, struct lb_boot_status *ret);

/*
 * Each is one durable commit (see lb_env_commit()), and none when nothing
 * would change: repeated calls do not wear the medium.
 */
/* the next boot starts recovery; counters untouched */
int lb_boot_set_recovery(struct lb_boot *boot, struct lb_error *err) LB_MUST_CHECK;
/* the next boot starts main with a fresh count; @trial: it has to confirm itself */
int lb_boot_set_main(struct lb_boot *boot, bool trial, struct lb_error *err) LB_MUST_CHECK;
/* main is healthy: bootcount=0; @confirmed clears the trial too */
int lb_boot_main_healthy(struct lb_boot *boot, bool confirmed, struct lb_error *err) LB_MUST_CHECK;
/* recovery runs: its counter is cleared */
int lb_boot_recovery_alive(struct lb_boot *boot, struct lb_error *err) LB_MUST_CHECK;

#endif
