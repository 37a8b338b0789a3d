// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * U-Boot's environment, both copies. Mode 1: their checksums are put right; 2, 4: a
 * copy cannot be read; 0x10 to 0x30: which allocation fails; 0x40: one copy is longer; 0x80: the one that is not live is worn.
 */
#include "base/bytes.h"
#include "boot/select.h"
#include "fuzz.h"
#include "lb_boot_names.h"

/* Set, removed and set again: every other variable keeps its value. */
static void change(struct lb_env *env)
{
	const char *before = lb_env_get(env, "ethaddr");
	char *kept = before ? strdup(before) : NULL;
	const char *after;

	if (!lb_env_set(env, "lb_fuzz", "a value with = and ;"))
		CHECK(!strcmp(lb_env_get(env, "lb_fuzz"), "a value with = and ;"));
	CHECK(!lb_env_set(env, "lb_fuzz", NULL));
	CHECK(!lb_env_get(env, "lb_fuzz"));
	CHECK(lb_env_set(env, "a=b", "1") == -LB_E_INVALID);
	CHECK(lb_env_set(env, "", "1") == -LB_E_INVALID);
	CHECK(lb_env_set(env, "a", "\n") == -LB_E_INVALID);
	after = lb_env_get(env, "ethaddr");
	CHECK(!kept == !after && (!kept || !strcmp(kept, after)));
	free(kept);
}

static void check_status(const struct lb_boot_status *st)
{
	CHECK(st->target == LB_BOOT_LOST || st->target == LB_BOOT_MAIN ||
	      st->target == LB_BOOT_RECOVERY);
	CHECK(st->recovery_slot == 'a' || st->recovery_slot == 'b');
	CHECK(!st->manual || st->target == LB_BOOT_RECOVERY);
	CHECK(!st->lost || st->target == LB_BOOT_LOST);
}

/* What was committed is what the next boot reads. */
static void decide(struct lb_boot *boot, struct fuzz_blk copy[2])
{
	struct lb_boot_status st;
	struct lb_boot next;

	copy[0].may_write = copy[1].may_write = true;
	if (boot->env.lost) /* somebody has to decide first what to boot */
		CHECK(!lb_boot_main_healthy(boot, true, NULL) && !lb_boot_set_copy(boot, 'a', NULL) &&
		      !copy[0].writes && !copy[1].writes);
	if (lb_boot_recovery_alive(boot, NULL) || lb_boot_set_main(boot, true, NULL))
		return; /* no room beside other variables */
	CHECK(!lb_boot_open(&next, &copy[0].blk, &copy[1].blk, NULL));
	lb_boot_read(&next, &st);
	CHECK(!st.lost && st.target == LB_BOOT_MAIN && st.trial && !st.main_boots);
	CHECK(!lb_boot_main_healthy(&next, true, NULL));
	lb_boot_read(&next, &st);
	CHECK(!st.trial);
	if (!lb_boot_set_copy(&next, 'b', NULL)) {
		lb_boot_read(&next, &st);
		CHECK(st.recovery_slot == 'b' && !st.recovery_boots);
	}
	if (!lb_boot_set_recovery(&next, NULL)) {
		lb_boot_read(&next, &st);
		CHECK(st.target == LB_BOOT_RECOVERY);
	}
	lb_boot_close(&next);
}

static void use(struct fuzz_blk copy[2], uint8_t mode)
{
	struct lb_boot_status st;
	struct lb_error err = { 0 };
	struct fuzz_alloc spent;
	struct lb_boot boot;
	int rc;

	fuzz_alloc_start(mode >> 4 & 3);
	rc = lb_boot_open(&boot, &copy[0].blk, &copy[1].blk, &err);
	spent = fuzz_alloc_stop();
	CHECK_RESULT(rc, &err);
	CHECK(spent.total_bytes <= 2 * (LB_ENV_MAX_BYTES + 1));
	CHECK(spent.balance == !rc);
	CHECK(!copy[0].writes && !copy[1].writes);
	if (!rc) {
		lb_boot_read(&boot, &st);
		check_status(&st);
		change(&boot.env);
		decide(&boot, copy);
	}
	lb_boot_close(&boot);
	lb_boot_close(NULL);
	lb_env_free(NULL);
}

/* The copy that would be written next cannot be: the other one takes the change all the same. */
static void decide_beside_worn(struct fuzz_blk copy[2])
{
	struct lb_boot boot, next;
	struct lb_boot_status st;
	int rc;

	copy[0].may_write = copy[1].may_write = true;
	if (lb_boot_open(&boot, &copy[0].blk, &copy[1].blk, NULL))
		return;
	copy[!boot.env.live].worn = true;
	rc = lb_boot_set_main(&boot, true, NULL);
	lb_boot_close(&boot);
	if (rc)
		return;
	CHECK(!lb_boot_open(&next, &copy[0].blk, &copy[1].blk, NULL));
	lb_boot_read(&next, &st);
	CHECK(!st.lost && st.target == LB_BOOT_MAIN && st.trial && !st.main_boots);
	lb_boot_close(&next);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t mode = fuzz_take_mode(data, &size);
	struct fuzz_blk copy[2];
	size_t half = size / 2;

	for (unsigned int i = 0; i < 2; i++) {
		fuzz_blk_init(&copy[i], "env", half + (mode & 0x40 ? i : 0), 0);
		if (half)
			memcpy(copy[i].bytes, data + i * half, half);
		if (mode & 1 && half > LB_ENV_HEADER_BYTES)
			lb_put_le32(copy[i].bytes,
				    lb_crc32(0, copy[i].bytes + LB_ENV_HEADER_BYTES,
					     copy[i].blk.size_bytes - LB_ENV_HEADER_BYTES));
		copy[i].fail_read = mode >> (i + 1) & 1;
	}
	if (mode & 0x80)
		decide_beside_worn(copy);
	else
		use(copy, mode);
	fuzz_blk_free(&copy[0]);
	fuzz_blk_free(&copy[1]);
	return 0;
}
