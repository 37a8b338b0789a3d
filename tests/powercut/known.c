// SPDX-License-Identifier: GPL-2.0-or-later
#include "known.h"

#include <stdlib.h>

static struct sim_known_entry *find(struct sim_known *k, uint64_t digest)
{
	size_t i = digest % k->room;

	while (k->entry[i].digest && k->entry[i].digest != digest)
		i = (i + 1) % k->room;
	return &k->entry[i];
}

static void make_room(struct sim_known *k)
{
	struct sim_known old = *k;

	if (k->room && 2 * k->count < k->room)
		return;
	k->room = old.room ? 2 * old.room : 4096;
	k->entry = calloc(k->room, sizeof(*k->entry));
	if (!k->entry)
		abort();
	for (size_t i = 0; i < old.room; i++)
		if (old.entry[i].digest)
			*find(k, old.entry[i].digest) = old.entry[i];
	free(old.entry);
}

bool sim_known_add(struct sim_known *k, uint64_t digest, uint32_t depth, const int64_t burden[2])
{
	struct sim_known_entry *e;

	digest |= 1;
	make_room(k);
	e = find(k, digest);
	if (e->digest && e->depth >= depth && e->burden[0] >= burden[0] &&
	    e->burden[1] >= burden[1])
		return false;
	k->count += !e->digest;
	*e = (struct sim_known_entry){ digest, { burden[0], burden[1] }, depth };
	return true;
}

void sim_known_free(struct sim_known *k)
{
	free(k->entry);
	*k = (struct sim_known){ 0 };
}
