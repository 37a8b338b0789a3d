/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * U-Boot's redundant environment: two copies, each CRC-32 (little endian), a
 * serial byte and NUL-separated name=value pairs. Spec: docs/SPEC.md, "Boot
 * environment"; bytes as in U-Boot include/env_internal.h.
 */
#ifndef LB_BOOT_ENV_H
#define LB_BOOT_ENV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "port/blk.h"

#define LB_ENV_COPIES 2
#define LB_ENV_MIN_BYTES 64u
#define LB_ENV_MAX_BYTES (64u * 1024u)
#define LB_ENV_HEADER_BYTES 5u /* CRC-32 of the data, serial */

struct lb_env {
	struct lb_blk *copy[LB_ENV_COPIES]; /* borrowed; each exactly one copy long */
	uint32_t live;	  /* the copy that was read last or committed last */
	uint8_t serial;	  /* its serial byte */
	bool lost;	  /* neither copy was valid: the variables are empty */
	uint8_t *image;	  /* owned: one copy as it lies on the medium, and a NUL */
	uint8_t *data;	  /* in image: name=value NUL ... NUL NUL */
	size_t data_len;  /* size of one copy without its 5-byte header */
};

/**
 * lb_env_load() - read the copy that U-Boot would use
 *
 * Both copies broken is not an error: @env->lost is set and no variable exists,
 * so that recovery can write a new one. A copy that cannot be read counts as
 * broken, as for U-Boot. Free with lb_env_free(), also after a failure.
 * Return: 0, -LB_E_INVALID (sizes differ or out of bounds), -LB_E_IO (neither copy
 * could be read), -LB_E_NOMEM.
 */
int lb_env_load(struct lb_env *env, struct lb_blk *copy0, struct lb_blk *copy1,
		struct lb_error *err) LB_MUST_CHECK;
void lb_env_free(struct lb_env *env);

/* Value of @name, borrowed until the next change; NULL if it is not set. The last one counts. */
const char *lb_env_get(const struct lb_env *env, const char *name);

/**
 * lb_env_set() - change a variable in memory
 * @value: NULL or "" removes it (U-Boot knows no empty variables)
 *
 * Every other variable keeps its bytes.
 * Return: 0, -LB_E_INVALID (a '=' or NUL in the name, control characters), -LB_E_TOO_BIG (full).
 */
int lb_env_set(struct lb_env *env, const char *name, const char *value) LB_MUST_CHECK;

/**
 * lb_env_commit() - make the variables what the next boot reads
 *
 * Writes the stale copy, then flushes: a cut at any moment leaves the whole old
 * or the whole new environment. A stale copy that cannot be written is given up and
 * the live one is written in its place: a cut then may lose the environment, which
 * recovery mends. May be called again after a failure.
 * Return: 0 once durable; -LB_E_IO: neither could be written.
 */
int lb_env_commit(struct lb_env *env, struct lb_error *err) LB_MUST_CHECK;

#endif
