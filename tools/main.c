// SPDX-License-Identifier: GPL-2.0-or-later
/* lifeboat: make, sign, inspect and publish bundles. One file per command. */
#include <string.h>

#include "base/bytes.h"
#include "cli.h"

static const struct cli_command *const commands[] = {
	&cmd_keygen, &cmd_pack, &cmd_sign, &cmd_info, &cmd_verify, &cmd_extract, &cmd_diff,
	&cmd_publish, &cmd_recall, &cmd_provision, &cmd_stick,
};

static const char exit_codes[] = "Exit codes: 0 done, 1 failed, 2 wrong command line.\n";

static void print_help(void)
{
	puts("Usage: lifeboat COMMAND [OPTION...] ARGUMENT...\n\n"
	     "Makes, signs, inspects and publishes update bundles (.lbu).\n\nCommands:");
	for (size_t i = 0; i < LB_ARRAY_LEN(commands); i++)
		printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
	printf("\n`lifeboat COMMAND --help` explains a command; `lifeboat --version` prints %s.\n%s",
	       LB_VERSION, exit_codes);
}

static void print_command_help(const struct cli_command *c)
{
	printf("Usage: lifeboat %s %s\n\n%c%s.\n\n%s\n%s", c->name, c->arguments,
	       c->summary[0] - 'a' + 'A', c->summary + 1, c->help, exit_codes);
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
	return false;
}

static int run(const struct cli_command *c, int argc, char **argv)
{
	struct lb_error err = { 0 };
	int rc;

	if (wants_help(argc, argv)) {
		print_command_help(c);
		return 0;
	}
	rc = c->run(argc, argv, &err);
	if (!rc && fflush(stdout))
		rc = lb_error_set(&err, LB_E_IO, "standard output cannot be written");
	if (!rc)
		return 0;
	if (rc == CLI_USAGE) {
		fprintf(stderr, "lifeboat: %s; see `lifeboat %s --help` (usage)\n", err.text, c->name);
		return 2;
	}
	fprintf(stderr, "lifeboat: %s (%s)\n", err.code ? err.text : lb_error_meaning(rc),
		lb_error_name(rc));
	return 1;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
		print_help();
		return 0;
	}
	if (!strcmp(name, "--version")) {
		puts("lifeboat " LB_VERSION);
		return 0;
	}
	for (size_t i = 0; i < LB_ARRAY_LEN(commands); i++)
		if (!strcmp(name, commands[i]->name))
			return run(commands[i], argc - 1, argv + 1);
	fprintf(stderr, "lifeboat: %s; see `lifeboat --help` (usage)\n",
		*name ? "there is no such command" : "which command?");
	return 2;
}
