// SPDX-License-Identifier: GPL-2.0-or-later
/* Guesses from the content alone, which both directions make alike. */
#include "recode/xz_guess.h"

#include <string.h>

#include "base/bytes.h"

/* What one guess may cost: bounds the time whatever the content is; few matches are found later. */
#define EFFORT 256u
#define EFFORT_BYTES 16u /* compared for one more */
#define HASHED 4u /* bytes that must be there for a position to be entered */

static uint32_t hash_two(const uint8_t *p)
{
	return lb_get_le16(p);
}

static uint32_t hash_three(const uint8_t *p)
{
	return (uint32_t)(lb_get_le16(p) | (uint32_t)p[2] << 16) * 2654435761u >> 16;
}

static uint32_t hash_four(const uint8_t *p)
{
	return lb_get_le32(p) * 2654435761u >> 16;
}

void lb_xz_guess_begin(struct lb_xz_guess *g, uint32_t *chain)
{
	memset(g, 0, sizeof(*g));
	g->chain = chain;
}

static void enter_until(struct lb_xz_guess *g, const uint8_t *content, size_t at, size_t limit)
{
	for (; g->entered < at && limit - g->entered >= HASHED; g->entered++) {
		const uint8_t *p = content + g->entered;
		uint32_t four = hash_four(p), place = (uint32_t)g->entered + 1;

		g->two[hash_two(p)] = place;
		g->three[hash_three(p)] = place;
		g->chain[g->entered] = g->four[four];
		g->four[four] = place;
	}
}

uint32_t lb_xz_guess_extent(const uint8_t *content, size_t at, size_t limit, uint32_t distance)
{
	const uint8_t *here = content + at, *there, *p = here, *end = content + limit;

	if (distance >= at)
		return 0;
	if (limit - at > LB_XZ_MATCH_MAX)
		end = here + LB_XZ_MATCH_MAX;
	for (there = here - distance - 1; p < end && *p == *there; p++)
		there++;
	return (uint32_t)(p - here);
}

/* How many bytes at @at equal those at @place; what that cost is taken off @effort. */
static uint32_t compare(const uint8_t *content, size_t at, size_t limit, uint32_t place, uint32_t *effort)
{
	uint32_t len = lb_xz_guess_extent(content, at, limit, (uint32_t)(at - place));
	uint32_t cost = 1 + len / EFFORT_BYTES;

	*effort -= cost < *effort ? cost : *effort;
	return len;
}

/* Take the match at @place if it is longer than the best so far. */
static void consider(struct lb_xz_packet *best, const uint8_t *content, size_t at, size_t limit, uint32_t place,
		     uint32_t *effort)
{
	uint32_t len;

	if (!place || best->len >= limit - at || best->len == LB_XZ_MATCH_MAX)
		return;
	if (content[at + best->len] != content[place - 1 + best->len]) {
		--*effort;
		return;
	}
	len = compare(content, at, limit, place, effort);
	if (len >= LB_XZ_MATCH_MIN && len > best->len) {
		best->len = (uint16_t)len;
		best->distance = (uint32_t)(at - place);
	}
}

struct lb_xz_packet lb_xz_guess_longest(struct lb_xz_guess *g, const uint8_t *content, size_t at, size_t limit)
{
	struct lb_xz_packet best = { .op = LB_XZ_MATCH };
	const uint8_t *p = content + at;
	uint32_t effort = EFFORT;

	enter_until(g, content, at, limit);
	if (limit - at >= 2)
		consider(&best, content, at, limit, g->two[hash_two(p)], &effort);
	if (limit - at >= 3)
		consider(&best, content, at, limit, g->three[hash_three(p)], &effort);
	if (limit - at < HASHED)
		return best;
	for (uint32_t place = g->four[hash_four(p)]; place && effort && best.len < LB_XZ_MATCH_MAX;) {
		consider(&best, content, at, limit, place, &effort);
		place = g->chain[place - 1];
	}
	return best;
}

static uint32_t first_place(const struct lb_xz_guess *g, const uint8_t *p, uint32_t len)
{
	if (len == 2)
		return g->two[hash_two(p)];
	return len == 3 ? g->three[hash_three(p)] : g->four[hash_four(p)];
}

struct lb_xz_packet lb_xz_guess_nearest(struct lb_xz_guess *g, const uint8_t *content, size_t at, size_t limit,
					uint32_t len)
{
	struct lb_xz_packet found = { .op = LB_XZ_MATCH };
	uint32_t place, effort = len < HASHED ? 1 : EFFORT;

	if (limit - at < len)
		return found;
	enter_until(g, content, at, limit);
	for (place = first_place(g, content + at, len); place && effort; place = g->chain[place - 1]) {
		if (compare(content, at, at + len, place, &effort) == len) {
			found.len = (uint16_t)len;
			found.distance = (uint32_t)(at - place);
			return found;
		}
	}
	return found;
}
