// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * U-Boot's side of boot/select.h. Names and values come from one generated list,
 * the boot script from the same; docs/SPEC.md, "Boot environment".
 */
#include <string.h>

#include "base/bytes.h"
#include "boot/select.h"
#include "lb_boot_names.h"

int lb_boot_open(struct lb_boot *boot, struct lb_blk *copy0, struct lb_blk *copy1,
		 struct lb_error *err)
{
	boot->stale = false;
	return lb_env_load(&boot->env, copy0, copy1, err);
}

void lb_boot_close(struct lb_boot *boot)
{
	if (boot)
		lb_env_free(&boot->env);
}

static bool value_is(const struct lb_env *env, const char *name, const char *value)
{
	const char *v = lb_env_get(env, name);

	return v && !strcmp(v, value);
}

/* setexpr writes hexadecimal without a prefix; below 10 that is decimal too. */
static uint32_t count(const struct lb_env *env, const char *name)
{
	const char *v = lb_env_get(env, name);
	uint32_t sum = 0;

	if (!v)
		return 0;
	if (!*v || strlen(v) > 7)
		return LB_BOOT_COUNT_INVALID;
	for (; *v; v++) {
		const char *digits = "0123456789abcdef", *at = strchr(digits, *v);

		if (!at)
			return LB_BOOT_COUNT_INVALID;
		sum = sum << 4 | (uint32_t)(at - digits);
	}
	return sum;
}

void lb_boot_read(const struct lb_boot *boot, struct lb_boot_status *ret)
{
	const struct lb_env *env = &boot->env;

	memset(ret, 0, sizeof(*ret));
	ret->lost = env->lost;
	ret->manual = value_is(env, LB_VAR_LIFEBOAT_BOOT, LB_VAR_LIFEBOAT_BOOT_MANUAL);
	if (value_is(env, LB_VAR_LIFEBOAT_BOOT, LB_VAR_LIFEBOAT_BOOT_MAIN))
		ret->target = LB_BOOT_MAIN;
	else if (ret->manual ||
		 value_is(env, LB_VAR_LIFEBOAT_BOOT, LB_VAR_LIFEBOAT_BOOT_RECOVERY))
		ret->target = LB_BOOT_RECOVERY;
	else
		ret->target = LB_BOOT_LOST;
	ret->recovery_slot =
		value_is(env, LB_VAR_LIFEBOAT_SLOT, LB_VAR_LIFEBOAT_SLOT_B) ? 'b' : 'a';
	ret->trial = value_is(env, LB_VAR_UPGRADE_AVAILABLE, LB_VAR_UPGRADE_AVAILABLE_1);
	ret->main_boots = count(env, LB_VAR_BOOTCOUNT);
	ret->recovery_boots = count(env, LB_VAR_LIFEBOAT_RTRIES);
}

struct variable {
	const char *name, *value;
};

/* What a new environment holds beside the variables that are being set. */
static const struct variable fresh[] = {
	{ LB_VAR_LIFEBOAT_SLOT, LB_VAR_LIFEBOAT_SLOT_DEFAULT },
	{ LB_VAR_LIFEBOAT_RTRIES, LB_VAR_LIFEBOAT_RTRIES_DEFAULT },
	{ LB_VAR_BOOTCOUNT, LB_VAR_BOOTCOUNT_DEFAULT },
	{ LB_VAR_UPGRADE_AVAILABLE, LB_VAR_UPGRADE_AVAILABLE_DEFAULT },
};

/* Sets those that differ; *@changed tells whether there was any. */
static int set_all(struct lb_boot *boot, const struct variable *vars, size_t n, bool *changed,
		   struct lb_error *err)
{
	for (size_t i = 0; i < n; i++) {
		int r;

		if (value_is(&boot->env, vars[i].name, vars[i].value))
			continue;
		r = lb_env_set(&boot->env, vars[i].name, vars[i].value);
		if (r)
			return lb_error_set(err, -r, "the boot environment has no room for %s",
					    vars[i].name);
		*changed = true;
	}
	return 0;
}

static int commit(struct lb_boot *boot, const struct variable *vars, size_t n,
		  struct lb_error *err)
{
	bool changed = boot->stale || boot->env.lost;
	int r = 0;

	boot->stale = true; /* until the medium has all of it */
	if (boot->env.lost)
		r = set_all(boot, fresh, LB_ARRAY_LEN(fresh), &changed, err);
	if (!r)
		r = set_all(boot, vars, n, &changed, err);
	if (!r && changed)
		r = lb_env_commit(&boot->env, err);
	boot->stale = r != 0;
	return r;
}

int lb_boot_set_recovery(struct lb_boot *boot, struct lb_error *err)
{
	const struct variable vars[] = {
		{ LB_VAR_LIFEBOAT_BOOT, LB_VAR_LIFEBOAT_BOOT_RECOVERY },
	};

	return commit(boot, vars, LB_ARRAY_LEN(vars), err);
}

int lb_boot_set_main(struct lb_boot *boot, bool trial, struct lb_error *err)
{
	const struct variable vars[] = {
		{ LB_VAR_LIFEBOAT_BOOT, LB_VAR_LIFEBOAT_BOOT_MAIN },
		{ LB_VAR_UPGRADE_AVAILABLE,
		  trial ? LB_VAR_UPGRADE_AVAILABLE_1 : LB_VAR_UPGRADE_AVAILABLE_0 },
		{ LB_VAR_BOOTCOUNT, "0" },
	};

	return commit(boot, vars, LB_ARRAY_LEN(vars), err);
}

int lb_boot_main_healthy(struct lb_boot *boot, bool confirmed, struct lb_error *err)
{
	const struct variable vars[] = {
		{ LB_VAR_BOOTCOUNT, "0" },
		{ LB_VAR_UPGRADE_AVAILABLE, LB_VAR_UPGRADE_AVAILABLE_0 },
	};

	if (boot->env.lost)
		return 0;
	return commit(boot, vars, confirmed ? 2 : 1, err);
}

int lb_boot_recovery_alive(struct lb_boot *boot, struct lb_error *err)
{
	const struct variable vars[] = { { LB_VAR_LIFEBOAT_RTRIES, "0" } };

	if (boot->env.lost)
		return 0;
	return commit(boot, vars, LB_ARRAY_LEN(vars), err);
}

int lb_boot_set_copy(struct lb_boot *boot, char copy, struct lb_error *err)
{
	const struct variable vars[] = {
		{ LB_VAR_LIFEBOAT_SLOT,
		  copy == 'b' ? LB_VAR_LIFEBOAT_SLOT_B : LB_VAR_LIFEBOAT_SLOT_A },
		{ LB_VAR_LIFEBOAT_RTRIES, "0" },
	};

	if (boot->env.lost)
		return 0;
	return commit(boot, vars, LB_ARRAY_LEN(vars), err);
}
