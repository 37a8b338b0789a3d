// SPDX-License-Identifier: GPL-2.0-or-later
#include "flow/copies.h"

#include <stdlib.h>
#include <string.h>

#define STEP (64u * 1024u)
#define TELL_BYTES (16u * STEP) /* often enough for a watchdog, whatever the medium */

char lb_copies_other(char copy)
{
	return copy == 'a' ? 'b' : 'a';
}

int lb_copies_open(struct lb_install *in, char copy, bool writable, uint64_t size_bytes,
		   struct lb_blk **ret, struct lb_error *err)
{
	char name[] = "recovery_a";
	struct lb_blk *blk;
	int r;

	name[sizeof(name) - 2] = copy;
	r = in->slots->open(in->slots->ctx, name, writable, &blk, err);
	if (r)
		return r;
	if (writable && blk->read_only)
		r = lb_error_set(err, LB_E_READ_ONLY, "slot %s is read-only", name);
	else if (size_bytes > blk->size_bytes)
		r = lb_error_set(err, LB_E_TOO_BIG, "a recovery has %llu bytes, slot %s holds %llu",
				 (unsigned long long)size_bytes, name,
				 (unsigned long long)blk->size_bytes);
	if (r)
		lb_blk_close(blk);
	else
		*ret = blk;
	return r;
}

int lb_copies_check_running(struct lb_install *in, struct lb_error *err)
{
	struct lb_blk *blk;
	int r = lb_copies_open(in, in->copy, false, 0, &blk, err);

	if (r)
		return r;
	r = lb_install_check_fit(in, blk, blk->size_bytes, err);
	lb_blk_close(blk);
	if (r == -LB_E_FIT)
		return lb_error_set(err, LB_E_MEDIUM,
				    "recovery copy %c runs, but the medium does not hold it whole",
				    in->copy);
	return r;
}

struct cloning {
	struct lb_install *in;	  /* borrowed */
	struct lb_blk *from, *to; /* borrowed */
	uint8_t *here, *there;	  /* owned: STEP bytes each */
	uint64_t size_bytes;
};

/* 1: both hold the same @len bytes at @offset on the medium; 0; or a failure. */
static int compare(struct cloning *c, uint64_t offset, size_t len, struct lb_error *err)
{
	int r = lb_blk_read_medium(c->from, offset, c->here, len);

	if (r)
		return lb_blk_error(c->from, r, err);
	r = lb_blk_read_medium(c->to, offset, c->there, len);
	if (r == -LB_E_IO)
		return 0; /* a worn sector: writing it may bring it back */
	if (r)
		return lb_blk_error(c->to, r, err);
	return !memcmp(c->here, c->there, len);
}

/* For people, and for the watchdog: a whole slot may take longer than it waits. */
static void tell(const struct cloning *c, const char *step, uint64_t done_bytes)
{
	const struct lb_reporter *rep = c->in->report;
	const struct lb_update_counters told = { .total_bytes = c->size_bytes,
						 .done_bytes = done_bytes,
						 .durable_bytes = done_bytes };

	if (rep && rep->progress)
		rep->progress(rep->ctx, step, c->to->name, &told);
}

/* Once with @write, to make them equal; once without: 0 only if they are. */
static int pass(struct cloning *c, bool write, struct lb_error *err)
{
	for (uint64_t at = 0; at < c->size_bytes; at += STEP) {
		uint64_t left = c->size_bytes - at;
		size_t len = left < STEP ? (size_t)left : STEP;
		int r = compare(c, at, len, err);

		if (r < 0)
			return r;
		if ((at + len) % TELL_BYTES == 0 || at + len == c->size_bytes)
			tell(c, write ? "copy" : "verify", at + len);
		if (r)
			continue;
		if (!write)
			return lb_error_set(err, LB_E_MEDIUM, "slot %s does not keep what is written",
					    c->to->name);
		r = lb_blk_write(c->to, at, c->here, len);
		if (r)
			return lb_blk_error(c->to, r, err);
	}
	return 0;
}

static int clone(struct cloning *c, struct lb_error *err)
{
	int r = pass(c, true, err);

	if (r)
		return r;
	r = lb_blk_flush(c->to);
	return r ? lb_blk_error(c->to, r, err) : pass(c, false, err);
}

int lb_copies_clone(struct lb_install *in, uint64_t size_bytes, struct lb_error *err)
{
	struct cloning c = { .in = in };
	int r = lb_copies_check_running(in, err);

	if (!r)
		r = lb_copies_open(in, in->copy, false, size_bytes, &c.from, err);
	if (!r) {
		c.size_bytes = size_bytes ? size_bytes : c.from->size_bytes;
		r = lb_copies_open(in, lb_copies_other(in->copy), true, c.size_bytes, &c.to, err);
	}
	if (!r) {
		c.here = malloc(STEP);
		c.there = malloc(STEP);
		r = c.here && c.there ? clone(&c, err)
				      : lb_error_set(err, LB_E_NOMEM, "no memory to copy with");
	}
	free(c.here);
	free(c.there);
	lb_blk_close(c.to);
	lb_blk_close(c.from);
	return r;
}

bool lb_copies_on_trial(struct lb_install *in)
{
	struct lb_self_update note;

	return in->copy && !lb_self_update_load(in->dev->log, &note, NULL) && note.copy == in->copy;
}

int lb_copies_proved(struct lb_install *in, struct lb_error *err)
{
	struct lb_self_update note;
	int r;

	if (!in->copy)
		return 0;
	r = lb_boot_set_copy(in->dev->boot, in->copy, err);
	if (r || lb_self_update_load(in->dev->log, &note, NULL) || note.copy != in->copy)
		return r;
	note.copy = 0;
	return lb_self_update_save(in->dev->log, &note, err);
}

/* The note says that the other copy was selected, and yet this one runs. */
static bool was_given_up(struct lb_install *in, struct lb_self_update *note)
{
	return !lb_self_update_load(in->dev->log, note, NULL) && note->copy &&
	       note->copy != in->copy;
}

static bool would_start(struct lb_install *in, struct lb_blk *blk)
{
	return !lb_install_check_fit(in, blk, blk->size_bytes, NULL);
}

/* 0, also when there was nothing to do. */
static int mend(struct lb_install *in, struct lb_error *err)
{
	char other = lb_copies_other(in->copy);
	struct lb_self_update note;
	bool given_up = was_given_up(in, &note), good;
	struct lb_blk *blk;
	int r = lb_copies_open(in, other, false, 0, &blk, err);

	if (r)
		return r == -LB_E_NO_SLOT ? 0 : r;
	good = !given_up && would_start(in, blk);
	lb_blk_close(blk);
	if (good)
		return 0;
	r = lb_copies_clone(in, 0, err);
	if (!r && given_up) {
		note.copy = 0;
		r = lb_self_update_save(in->dev->log, &note, err);
	}
	if (!r)
		lb_say(in->report, LB_LEVEL_INFO, "recovery-mended",
		       "recovery copy %c %s: it is again the same as copy %c", other,
		       given_up ? "did not start" : "was not whole", in->copy);
	return r;
}

void lb_copies_mend(struct lb_install *in)
{
	struct lb_error why = { 0 };
	int r = in->copy ? mend(in, &why) : 0;

	if (r)
		lb_say(in->report, LB_LEVEL_WARN, "recovery-single",
		       "recovery copy %c is not fit to be started and could not be replaced: %s",
		       lb_copies_other(in->copy), why.text[0] ? why.text : lb_error_meaning(r));
}

int lb_copies_step_back(struct lb_install *in, struct lb_error *err)
{
	struct lb_blk *blk;
	bool good;

	if (!lb_copies_on_trial(in) ||
	    lb_copies_open(in, lb_copies_other(in->copy), false, 0, &blk, NULL))
		return 0;
	good = would_start(in, blk);
	lb_blk_close(blk);
	return good ? lb_boot_set_copy(in->dev->boot, lb_copies_other(in->copy), err) : 0;
}
