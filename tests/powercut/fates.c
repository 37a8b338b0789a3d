// SPDX-License-Identifier: GPL-2.0-or-later
#include "fates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS 16u

static const char *const pending_names[SIM_PENDING_COUNT] = {
	[SIM_KEPT] = "kept", [SIM_LOST] = "lost", [SIM_ONLY] = "only",
	[SIM_BUT] = "but",   [SIM_SEED] = "seed", [SIM_GARBLED] = "garbled",
};

/* ---- which ---- */

static void add_fate(struct sim_fates *f, enum sim_pending pending, uint32_t number, int32_t tear)
{
	if (f->count == f->room) {
		f->room = f->room ? 2 * f->room : 64;
		f->list = realloc(f->list, f->room * sizeof(*f->list));
		if (!f->list)
			abort();
	}
	f->list[f->count++] = (struct sim_fate){ pending, number, tear, 0 };
}

/* Write @i ends early or begins late; the others are lost, or kept. */
static void add_tear(struct sim_fates *f, uint32_t i, int32_t tear, uint32_t pending_count)
{
	uint32_t from_the_end = pending_count - 1 - i;

	add_fate(f, SIM_LOST, from_the_end, tear);
	if (pending_count > 1)
		add_fate(f, SIM_KEPT, from_the_end, tear);
}

/* Behind it there is only padding: bytes that say nothing, whichever of them arrive. */
static int32_t content_end(const struct sim_write *w)
{
	size_t end = w->len;

	while (end > 1 && !w->data[end - 1])
		end--;
	return (int32_t)end;
}

/* Log records and the environment end at any byte, what is larger at any sector. */
static void add_tears(struct sim_fates *f, const struct sim *s, uint32_t i)
{
	const struct sim_write *w = &s->pending[i];
	int32_t len = (int32_t)w->len, sector = (int32_t)s->sector;
	uint32_t n = s->pending_count;

	if (w->region->small_writes)
		for (int32_t k = 1, end = content_end(w); k <= end && k < len; k++)
			add_tear(f, i, k, n);
	add_tear(f, i, 1, n);
	add_tear(f, i, len - 1, n);
	for (int32_t k = sector; k < len; k += sector) {
		add_tear(f, i, k, n);
		add_tear(f, i, -k, n);
	}
}

/* All or nothing arrived, and then the state log, the environment or both are gone. */
static void add_losses(struct sim_fates *f, const struct sim_loss *losses, enum sim_pending pending)
{
	for (uint32_t i = 0; losses && losses[i].name; i++) {
		add_fate(f, pending, 0, 0);
		f->list[f->count - 1].loss = i + 1;
	}
}

void sim_fates_list(const struct sim *s, enum sim_fates_how how, struct sim_fates *f)
{
	uint32_t n = s->pending_count;

	add_fate(f, SIM_LOST, 0, 0);
	add_losses(f, s->losses, SIM_LOST);
	if (!n)
		return; /* nothing was at stake: one fate is as good as another */
	add_fate(f, SIM_KEPT, 0, 0);
	add_losses(f, s->losses, SIM_KEPT);
	add_fate(f, SIM_GARBLED, 0, 0);
	if (how == SIM_FATES_FEW) {
		add_tear(f, n - 1, (int32_t)(s->pending[n - 1].len / 2), n);
		add_fate(f, SIM_SEED, 1, 0);
		add_fate(f, SIM_SEED, 2, 0);
		return;
	}
	for (uint32_t i = 0; n > 1 && i < n; i++) {
		add_fate(f, SIM_ONLY, i, 0);
		add_fate(f, SIM_BUT, i, 0);
	}
	for (uint32_t seed = 1; seed <= SEEDS; seed++)
		add_fate(f, SIM_SEED, seed, 0);
	for (uint32_t i = how == SIM_FATES_ALL ? 0 : n - 1; i < n; i++)
		add_tears(f, s, i);
}

/* ---- as words ---- */

void sim_cut_print(const struct sim_cut *cut, const struct sim_loss *losses, char *to, size_t size)
{
	const struct sim_fate *f = &cut->fate;
	bool numbered = f->number || (f->pending >= SIM_ONLY && f->pending <= SIM_SEED);
	char number[16] = "";

	to[0] = '\0';
	if (!cut->at)
		return;
	if (numbered)
		snprintf(number, sizeof(number), ":%u", f->number);
	snprintf(to, size, " cut=%u pending=%s%s tear=%d%s%s", cut->at, pending_names[f->pending],
		 number, f->tear, f->loss ? " loss=" : "", f->loss ? losses[f->loss - 1].name : "");
}

static bool parse_pending(struct sim_fate *fate, const char *text)
{
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);

	for (int i = 0; i < SIM_PENDING_COUNT; i++) {
		if (strlen(pending_names[i]) != len || strncmp(pending_names[i], text, len))
			continue;
		fate->pending = (enum sim_pending)i;
		fate->number = colon ? (uint32_t)strtoul(colon + 1, NULL, 10) : 0;
		return true;
	}
	return false;
}

static bool parse_loss(struct sim_fate *fate, const struct sim_loss *losses, const char *text)
{
	for (uint32_t i = 0; losses && losses[i].name; i++)
		if (!strcmp(losses[i].name, text))
			fate->loss = i + 1;
	return fate->loss > 0;
}

static bool parse_word(struct sim_cut *cut, const struct sim_loss *losses, const char *word)
{
	if (!strncmp(word, "pending=", 8))
		return parse_pending(&cut->fate, word + 8);
	if (!strncmp(word, "loss=", 5))
		return parse_loss(&cut->fate, losses, word + 5);
	if (strncmp(word, "tear=", 5))
		return false;
	cut->fate.tear = (int32_t)strtol(word + 5, NULL, 10);
	return true;
}

bool sim_cuts_parse(struct sim_cut *cuts, uint32_t max, const struct sim_loss *losses, int count,
		    char *const *words)
{
	uint32_t used = 0;

	for (int i = 0; i < count; i++) {
		if (!strncmp(words[i], "cut=", 4) && used < max)
			cuts[used++].at = (uint32_t)strtoul(words[i] + 4, NULL, 10);
		else if (!used || !parse_word(&cuts[used - 1], losses, words[i]))
			return false;
	}
	return true;
}
