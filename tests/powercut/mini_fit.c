// SPDX-License-Identifier: GPL-2.0-or-later
#include "mini_fit.h"

#include <libfdt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/sha256.h"

static void must(bool ok)
{
	if (!ok) {
		fputs("powercut: making a FIT failed\n", stderr);
		abort();
	}
}

void mini_fill(uint8_t *p, size_t len, uint32_t seed)
{
	while (len--) {
		seed = seed * 1664525u + 1013904223u;
		*p++ = (uint8_t)(seed >> 24);
	}
}

static void add_kernel(uint8_t *fdt, uint32_t seed)
{
	uint8_t data[4000], digest[LB_SHA256_BYTES];

	mini_fill(data, sizeof(data), seed);
	lb_sha256(data, sizeof(data), digest);
	must(!fdt_begin_node(fdt, "images") && !fdt_begin_node(fdt, "kernel") &&
	     !fdt_property(fdt, "data", data, sizeof(data)) && !fdt_begin_node(fdt, "hash-1") &&
	     !fdt_property_string(fdt, "algo", "sha256") &&
	     !fdt_property(fdt, "value", digest, sizeof(digest)) && !fdt_end_node(fdt) &&
	     !fdt_end_node(fdt) && !fdt_end_node(fdt));
}

size_t mini_fit(uint8_t fdt[MINI_FIT_MAX], uint32_t seed)
{
	uint8_t signature[256];

	mini_fill(signature, sizeof(signature), seed + 100);
	must(!fdt_create(fdt, MINI_FIT_MAX) && !fdt_finish_reservemap(fdt) &&
	     !fdt_begin_node(fdt, ""));
	add_kernel(fdt, seed);
	must(!fdt_begin_node(fdt, "configurations") &&
	     !fdt_property_string(fdt, "default", "conf") && !fdt_begin_node(fdt, "conf") &&
	     !fdt_property_string(fdt, "kernel", "kernel") &&
	     !fdt_begin_node(fdt, "signature") &&
	     !fdt_property_string(fdt, "algo", "sha256,rsa2048") &&
	     !fdt_property_string(fdt, "key-name-hint", "sim") &&
	     !fdt_property(fdt, "value", signature, sizeof(signature)) && !fdt_end_node(fdt) &&
	     !fdt_end_node(fdt) && !fdt_end_node(fdt) && !fdt_end_node(fdt) && !fdt_finish(fdt));
	return fdt_totalsize(fdt);
}
