/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The signed list of releases that a server offers, and the last one that was seen. */
#ifndef AGENT_CHANNEL_H
#define AGENT_CHANNEL_H

#include "agent.h"
#include "memory.h"
#include "trust/channel.h"

/**
 * agent_channel_fetch() - ask the server, or learn that nothing changed
 * @m: sequence, ETag and time of what was seen last; updated and saved
 * @ret: lb_channel_free()
 * @ret_retry_s: what the server asked for (Retry-After), 0 nothing; also after failures
 *
 * A copy of the file is kept beside @m, so that an answer "304 Not Modified" has
 * something to stand for. A list whose sequence is lower than the last one's of
 * the same URL is refused.
 *
 * Return: 0; -LB_E_INVALID (no channel is configured), -LB_E_UNREACHABLE,
 * -LB_E_SIGNATURE, -LB_E_ROLLBACK, -LB_E_PRODUCT, codes of lb_channel_open() and lb_http_get().
 */
int agent_channel_fetch(const struct agent *a, int64_t now_s, struct agent_memory *m,
			struct lb_channel *ret, uint32_t *ret_retry_s,
			struct lb_error *err) LB_MUST_CHECK;

/* The copy alone, verified again. -LB_E_NOT_FOUND when there is none for this URL. */
int agent_channel_cached(const struct agent *a, const struct agent_memory *m,
			 struct lb_channel *ret, struct lb_error *err) LB_MUST_CHECK;

/* URL of an entry, resolved against the channel's own. As lb_url_resolve(). */
int agent_channel_url(const struct agent *a, const struct lb_channel_release *entry,
		      char ret[LB_URL_MAX + 1], struct lb_error *err) LB_MUST_CHECK;

#endif
