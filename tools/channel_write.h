/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A channel file being changed: read the old one, add releases, write the next. */
#ifndef LIFEBOAT_CHANNEL_WRITE_H
#define LIFEBOAT_CHANNEL_WRITE_H

#include <cJSON.h>

#include "bundle/channel.h"
#include "signer.h"

struct channel_edit {
	struct lb_channel ch; /* owned; room for as many releases and visits as there can be */
};

/**
 * channel_edit_open() - start from @path, or from nothing if it does not exist
 * @ring: of which a key must have signed the old one: what a web server was made
 *        to offer must not get a fresh signature
 *
 * Free with channel_edit_free(), also after a failure.
 */
int channel_edit_open(struct channel_edit *e, const char *path, const struct lb_keyring *ring,
		      struct lb_error *err) LB_MUST_CHECK;
void channel_edit_free(struct channel_edit *e);

/*
 * Adds a release in its place, newest first, or replaces the one with the same manifest.
 * -LB_E_EXISTS: this release number is taken for some of its hardware. When the list
 * is full the oldest goes.
 */
int channel_edit_add(struct channel_edit *e, const struct lb_channel_release *r,
		     struct lb_error *err) LB_MUST_CHECK;

/* Keeps the @count newest. */
void channel_edit_keep(struct channel_edit *e, uint32_t count);

/*
 * Adds a request for recovery. -LB_E_EXISTS: its id is taken; -LB_E_TOO_BIG: the list is full,
 * and nothing in it is given up for another device.
 */
int channel_edit_ask(struct channel_edit *e, const struct lb_channel_visit *v,
		     struct lb_error *err) LB_MUST_CHECK;

/* Takes one back; -LB_E_NOT_FOUND. */
int channel_edit_withdraw(struct channel_edit *e, const char *id, struct lb_error *err) LB_MUST_CHECK;

/* Drops the requests whose time is over. */
void channel_edit_forget(struct channel_edit *e, int64_t now_s);

/* A request as it stands in channel.json. Owned by the caller. */
cJSON *channel_visit_json(const struct lb_channel_visit *v);

/* When a channel file is made: SOURCE_DATE_EPOCH if it is a number of seconds, else now. */
int64_t channel_now_s(void);

/* Signs with all of @signers and replaces @path. The sequence is one more than it was. */
int channel_edit_write(struct channel_edit *e, const char *path, int64_t now_s,
		       const struct signer *signers, unsigned int count,
		       struct lb_error *err) LB_MUST_CHECK;

#endif
