// SPDX-License-Identifier: GPL-2.0-or-later
/* Parts of the device that are only read: where an update may find what it is missing. */
#include <string.h>

#include "flow/install.h"

static bool is_written(const struct lb_update *u, const char *slot)
{
	for (uint32_t i = 0; i < u->image_count; i++)
		if (!strcmp(u->images[i].blk->name, slot))
			return true;
	return false;
}

void lb_install_add_sources(struct lb_install *in, struct lb_update *u, bool tell,
			    struct lb_blk *ret[LB_UPDATE_SOURCES_MAX])
{
	const struct lb_slots *slots = in->slots;
	uint32_t count = 0;

	for (uint32_t n = 0; slots->source && n < LB_UPDATE_SOURCES_MAX; n++) {
		struct lb_error why = { 0 };
		struct lb_blk *blk;
		int r = slots->source(slots->ctx, n, &blk, &why);

		if (r == -LB_E_NOT_FOUND)
			return;
		if (r && tell)
			lb_say_error(in->report, LB_LEVEL_WARN, r, &why);
		if (r)
			continue;
		if (is_written(u, blk->name)) {
			lb_blk_close(blk);
			continue;
		}
		ret[count++] = blk;
		lb_update_add_source(u, blk);
	}
}

void lb_install_close_sources(struct lb_blk *sources[LB_UPDATE_SOURCES_MAX])
{
	for (uint32_t n = 0; n < LB_UPDATE_SOURCES_MAX; n++)
		lb_blk_close(sources[n]);
}
