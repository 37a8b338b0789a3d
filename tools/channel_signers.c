// SPDX-License-Identifier: GPL-2.0-or-later
#include "channel_signers.h"

#include "cli.h"

bool channel_signers_option(struct channel_signers *s, int option, char *value)
{
	if (option == 'k' && s->count < LB_SIGNATURES_MAX - 1)
		s->signers[s->count++].key_path = value;
	else if (option == 'c')
		s->command = value;
	else if (option == 'p')
		s->command_key = value;
	else if (option == 'a' && s->accepted_count < LB_KEYS_MAX)
		s->accepted[s->accepted_count++] = value;
	else
		return false;
	return true;
}

int channel_signers_complete(struct channel_signers *s, struct lb_error *err)
{
	if (!s->command != !s->command_key)
		return cli_usage(err, "--sign-command and --pubkey belong together");
	if (s->command)
		s->signers[s->count++] = (struct signer){ .command = s->command,
							  .public_path = s->command_key };
	return 0;
}

int channel_signers_load(struct channel_signers *s, struct lb_error *err)
{
	int rc = signer_load_keyring(&s->ring, s->accepted, s->accepted_count, err);

	for (unsigned int i = 0; !rc && i < s->count; i++)
		rc = signer_public(&s->signers[i], &s->ring, err);
	return rc;
}
