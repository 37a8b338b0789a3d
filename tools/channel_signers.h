/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who signs a channel file, and whose signatures are accepted: options of `publish` and its like. */
#ifndef LIFEBOAT_CHANNEL_SIGNERS_H
#define LIFEBOAT_CHANNEL_SIGNERS_H

#include <stdbool.h>

#include "signer.h"

struct channel_signers {
	struct signer signers[LB_SIGNATURES_MAX]; /* all paths are borrowed */
	unsigned int count;
	const char *command, *command_key;
	char *accepted[LB_KEYS_MAX];
	int accepted_count;
	struct lb_keyring ring; /* signs or is accepted: checks what is there already */
};

/* For a command's table of long options; 'k' is also the short one. */
#define CHANNEL_SIGNERS_OPTIONS                            \
	{ "key", required_argument, NULL, 'k' },           \
	{ "sign-command", required_argument, NULL, 'c' },  \
	{ "pubkey", required_argument, NULL, 'p' },        \
	{ "accept", required_argument, NULL, 'a' }

/* Takes one of them; false: it is another option, or one too many. @value is borrowed. */
bool channel_signers_option(struct channel_signers *s, int option, char *value);

/* After the last option: CLI_USAGE when half of a pair is missing, 0 else. */
int channel_signers_complete(struct channel_signers *s, struct lb_error *err) LB_MUST_CHECK;

/*
 * Reads the public halves of whoever signs, and the keys that are accepted besides. Free
 * @s->ring with lb_keyring_free(), also after a failure. Codes of signer_public().
 */
int channel_signers_load(struct channel_signers *s, struct lb_error *err) LB_MUST_CHECK;

#endif
