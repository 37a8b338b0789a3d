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

/* A counter whose text is no number: as good as over any limit. */
#define LB_BOOT_COUNT_INVALID UINT32_MAX

/* What the bootloader reads, and what it has counted. */
struct lb_boot_status {
	enum lb_boot_target target;
	bool manual;		/* target is recovery because a person asked for it */
	char recovery_slot;	/* 'a' or 'b' */
	bool trial;		/* upgrade_available */
	uint32_t main_boots;	/* bootcount since the last report of health */
	uint32_t recovery_boots;/* recovery boots that did not report alive */
	bool lost;		/* no valid copy */
};

struct lb_boot {
	struct lb_env env;
	bool stale; /* a commit failed: memory says what the medium may not */
};

int lb_boot_open(struct lb_boot *boot, struct lb_blk *copy0, struct lb_blk *copy1,
		 struct lb_error *err) LB_MUST_CHECK;
void lb_boot_close(struct lb_boot *boot);
void lb_boot_read(const struct lb_boot *boot, struct lb_boot_status *ret);

/*
 * Each is one durable commit (see lb_env_commit()), and none when nothing
 * would change: repeated calls do not wear the medium. A lost environment is
 * made anew by set_recovery and set_main only, with nothing but our variables;
 * the others leave it lost, because somebody has to decide what to boot.
 * Return: 0, -LB_E_IO, -LB_E_TOO_BIG (no room beside foreign variables). May be
 * called again after a failure.
 */
/* the next boot starts recovery; counters untouched */
int lb_boot_set_recovery(struct lb_boot *boot, struct lb_error *err) LB_MUST_CHECK;
/* the next boot starts main with a fresh count; @trial: it has to confirm itself */
int lb_boot_set_main(struct lb_boot *boot, bool trial, struct lb_error *err) LB_MUST_CHECK;
/* main is healthy: bootcount=0; @confirmed clears the trial too */
int lb_boot_main_healthy(struct lb_boot *boot, bool confirmed, struct lb_error *err) LB_MUST_CHECK;
/* recovery copy 'a' or 'b' is booted first, with a fresh counter */
int lb_boot_set_copy(struct lb_boot *boot, char copy, struct lb_error *err) LB_MUST_CHECK;
/* recovery runs: its counter is cleared */
int lb_boot_recovery_alive(struct lb_boot *boot, struct lb_error *err) LB_MUST_CHECK;

#endif
