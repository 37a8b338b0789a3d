// SPDX-License-Identifier: GPL-2.0-or-later
/* What an update will cost, said before its first write, and what it may cost. */
#include <stdio.h>

#include "flow/install.h"

/* Head and indexes of what is planned: fetched by now. */
static uint64_t overhead_bytes(const struct lb_install *in, const struct lb_update *u)
{
	uint64_t sum = in->head.end_offset;

	for (uint32_t i = 0; i < u->image_count; i++)
		sum += u->images[i].image->index.size_bytes + u->images[i].patches.bytes_len;
	return sum;
}

/*
 * What is fetched again after an interruption does not count; what a source without ranges
 * sends between the chunks does.
 */
static int check_budget(struct lb_install *in, const struct lb_update *u, struct lb_error *err)
{
	const struct lb_update_counters *c = &u->counters;
	uint64_t cost = overhead_bytes(in, u) + c->fetch_bytes;

	if (in->patient->source.sequential && c->fetch_end > cost)
		cost = c->fetch_end;
	if (in->writing || !in->budget_bytes || cost <= in->budget_bytes)
		return 0;
	return lb_error_set(err, LB_E_BUDGET,
			    "%llu bytes would be fetched, %llu of them needed payload, and %llu are allowed; %llu are in place, %llu elsewhere on the device",
			    (unsigned long long)cost, (unsigned long long)c->fetch_bytes,
			    (unsigned long long)in->budget_bytes,
			    (unsigned long long)c->skip_bytes,
			    (unsigned long long)(c->copy_bytes + c->patch_bytes));
}

int lb_install_check_budget(struct lb_install *in, const struct lb_update *u, struct lb_error *err)
{
	const struct lb_update_counters *c = &u->counters;
	char expected[64] = "how long that takes is not known yet";

	if (in->expected_ms)
		snprintf(expected, sizeof(expected), "expected to take %llu s",
			 (unsigned long long)(in->expected_ms + 999) / 1000);
	lb_say(in->report, LB_LEVEL_INFO, "planned",
	       "%llu bytes in %u chunks: %llu are in place, %llu to write, %llu to fetch (ranges: %u), %llu to copy, %llu to patch, %llu zeros; %s",
	       (unsigned long long)c->total_bytes, c->chunks, (unsigned long long)c->skip_bytes,
	       (unsigned long long)c->write_bytes, (unsigned long long)c->fetch_bytes,
	       c->plan_ranges, (unsigned long long)c->copy_bytes,
	       (unsigned long long)c->patch_bytes, (unsigned long long)c->zero_bytes, expected);
	return check_budget(in, u, err);
}
