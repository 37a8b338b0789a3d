/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A recovery that the boot loader would look at: a FIT with one image, made in memory. */
#ifndef POWERCUT_MINI_FIT_H
#define POWERCUT_MINI_FIT_H

#include <stddef.h>
#include <stdint.h>

#define MINI_FIT_MAX 8192u

/* @len bytes that look like noise, always the same ones for a @seed. */
void mini_fill(uint8_t *p, size_t len, uint32_t seed);

/* As lb_fit_check() wants it; nobody here holds a key to check the signature with. Its size. */
size_t mini_fit(uint8_t fdt[MINI_FIT_MAX], uint32_t seed);

#endif
