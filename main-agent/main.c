// SPDX-License-Identifier: GPL-2.0-or-later
/* lifeboat-agent: command line and the one place that builds the context. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "base/bytes.h"
#include "files.h"
#include "linux/clock.h"
#include "linux/config_open.h"
#include "linux/http.h"
#include "running.h"
#include "visit.h"

#define OPT_DEPLOYMENT 1 /* --deployment and --budget and --allow-older ... */
#define OPT_LOG 2
#define OPT_REBOOT 4

struct command {
	const char *name, *arguments, *summary;
	int min_args, max_args;
	unsigned int options; /* which groups of options it takes */
	int (*run)(struct agent *a, cJSON *answer, struct lb_error *err);
};

static const struct command commands[] = {
	{ "daemon", "", "poll the channel, install and confirm by itself", 0, 0, 0,
	  agent_cmd_daemon },
	{ "status", "[--log]", "release, state, last result, next check", 0, 0, OPT_LOG,
	  agent_cmd_status },
	{ "check", "", "ask the channel now; stages nothing", 0, 0, 0, agent_cmd_check },
	{ "install", "[URL...|FILE|DIR]", "check a bundle (or the channel's newest), stage, reboot", 0,
	  LB_URLS_MAX, OPT_DEPLOYMENT | OPT_REBOOT, agent_cmd_install },
	{ "confirm", "", "the running release is healthy", 0, 0, 0, agent_cmd_confirm },
	{ "reboot-recovery", "", "start recovery and wait there for a person", 0, 0, OPT_REBOOT,
	  agent_cmd_reboot_recovery },
};

enum option_code {
	O_CONFIG = 'c', O_HELP = 'h', O_QUIET = 'q', O_VERBOSE = 'v',
	O_JSON = 256, O_VERSION, O_LOG, O_BUDGET, O_DEPLOYMENT, O_OLDER, O_WITHOUT, O_NO_REBOOT, O_ONCE,
};

static const struct option options[] = {
	{ "config", required_argument, NULL, O_CONFIG },
	{ "help", no_argument, NULL, O_HELP },
	{ "quiet", no_argument, NULL, O_QUIET },
	{ "verbose", no_argument, NULL, O_VERBOSE },
	{ "json", no_argument, NULL, O_JSON },
	{ "version", no_argument, NULL, O_VERSION },
	{ "log", no_argument, NULL, O_LOG },
	{ "budget", required_argument, NULL, O_BUDGET },
	{ "deployment", required_argument, NULL, O_DEPLOYMENT },
	{ "allow-older", no_argument, NULL, O_OLDER },
	{ "without-remedy", no_argument, NULL, O_WITHOUT },
	{ "no-reboot", no_argument, NULL, O_NO_REBOOT },
	{ "once", no_argument, NULL, O_ONCE },
	{ NULL, 0, NULL, 0 },
};

static void print_help(FILE *f)
{
	fprintf(f, "usage: lifeboat-agent COMMAND [OPTION...]\n\n");
	for (size_t i = 0; i < LB_ARRAY_LEN(commands); i++)
		fprintf(f, "  %-16s%-18s%s\n", commands[i].name, commands[i].arguments,
			commands[i].summary);
	fprintf(f, "\n"
		   "  -c, --config FILE   configuration (" AGENT_CONFIG_DEFAULT ")\n"
		   "      --json          one JSON object on standard output\n"
		   "  -q, --quiet         only failures on standard error\n"
		   "  -v, --verbose       every step on standard error\n"
		   "  -h, --help          this text\n"
		   "      --version       the agent's own version\n"
		   "install:\n"
		   "      --budget BYTES  most that recovery may fetch\n"
		   "      --deployment ID comes back in the result\n"
		   "      --allow-older   also a release that is not newer, at or above the floor\n"
		   "      --without-remedy  although the present release could not be had again\n"
		   "      --once          of a folder: not a bundle that was staged so before\n"
		   "      --no-reboot     stage only (also reboot-recovery)\n"
		   "status:\n"
		   "      --log           what recovery logged last\n\n"
		   "Exit status: 0 done, 1 failed (--json tells the code), 2 usage,\n"
		   "3 nothing to do.\n");
}

static bool parse_bytes(const char *s, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(s, &end, 10);
	return !errno && !*end && *s >= '0' && *s <= '9' && *ret <= (uint64_t)1 << 53;
}

/* Which group of options @code belongs to; 0: every command takes it. */
static unsigned int group_of(int code)
{
	switch (code) {
	case O_LOG:
		return OPT_LOG;
	case O_NO_REBOOT:
		return OPT_REBOOT;
	case O_BUDGET:
	case O_DEPLOYMENT:
	case O_OLDER:
	case O_WITHOUT:
	case O_ONCE:
		return OPT_DEPLOYMENT;
	default:
		return 0;
	}
}

/* False: the option's value makes no sense. */
static bool take_option(struct agent *a, int code, const char *value)
{
	switch (code) {
	case O_CONFIG:
		a->opt.config = value;
		return true;
	case O_QUIET:
		a->level = AGENT_QUIET;
		return true;
	case O_VERBOSE:
		a->level = AGENT_VERBOSE;
		return true;
	case O_JSON:
		a->opt.json = true;
		return true;
	case O_LOG:
		a->opt.show_log = true;
		return true;
	case O_BUDGET:
		a->opt.has_budget = true;
		return parse_bytes(value, &a->opt.budget_bytes);
	case O_DEPLOYMENT:
		a->opt.deployment = value;
		return strlen(value) <= LB_ID_MAX && *value;
	case O_OLDER:
		a->opt.allow_older = true;
		return true;
	case O_WITHOUT:
		a->opt.without_remedy = true;
		return true;
	case O_NO_REBOOT:
		a->opt.no_reboot = true;
		return true;
	case O_ONCE:
		a->opt.once = true;
		return true;
	default:
		return false;
	}
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < LB_ARRAY_LEN(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static int usage(const char *what, const char *arg)
{
	fprintf(stderr, "lifeboat-agent: %s%s%s; see lifeboat-agent --help\n", what, arg ? " " : "",
		arg ? arg : "");
	return AGENT_USAGE;
}

/* -1: go on with @ret; else the exit status. */
static int parse(int argc, char **argv, struct agent *a, const struct command **ret)
{
	unsigned int groups = 0;
	const struct command *cmd;
	int code, count;

	while ((code = getopt_long(argc, argv, "c:hqv", options, NULL)) != -1) {
		if (code == O_HELP || code == O_VERSION) {
			if (code == O_HELP)
				print_help(stdout);
			else
				printf("lifeboat-agent %s\n", LB_VERSION);
			return AGENT_OK;
		}
		if (code == '?')
			return usage("unknown option or missing value", NULL);
		if (!take_option(a, code, optarg))
			return usage("not possible:", optarg);
		groups |= group_of(code);
	}
	if (optind == argc)
		return usage("which command?", NULL);
	cmd = find_command(argv[optind]);
	if (!cmd)
		return usage("no command", argv[optind]);
	if (groups & ~cmd->options)
		return usage("an option does not belong to", cmd->name);
	count = argc - optind - 1;
	if (count < cmd->min_args || count > cmd->max_args)
		return usage("wrong number of arguments for", cmd->name);
	for (int i = 0; i < count; i++)
		a->opt.args[a->opt.arg_count++] = argv[optind + 1 + i];
	*ret = cmd;
	return -1;
}

/* The header line with a token, from a file that only root can read. */
static int load_header(struct agent *a, struct lb_error *err)
{
	ptrdiff_t len;

	if (!*a->set.header_file)
		return 0;
	len = agent_file_read(a->set.header_file, a->header, sizeof(a->header), err);
	if (len < 0)
		return (int)len;
	a->header[strcspn(a->header, "\r\n")] = '\0';
	if (!strchr(a->header, ':'))
		return lb_error_set(err, LB_E_FORMAT, "%.150s holds no header line \"Name: value\"",
				    a->set.header_file);
	return 0;
}

static int load(struct agent *a, struct lb_error *err)
{
	int rc;

	rc = agent_settings_load(a->opt.config, &a->set, err);
	if (!rc)
		rc = lb_config_device(&a->set.config, &a->device, err);
	a->device.recovery_release = (uint32_t)a->set.recovery_release;
	if (!rc)
		rc = lb_config_load_keys(&a->set.config, &a->ring, err);
	if (!rc)
		rc = agent_running_read(a->set.release_file, &a->running, err);
	if (!rc)
		agent_serial_load(a);
	return rc ? rc : load_header(a, err);
}

/* One object with --json, one line without; failures also go to standard error. */
static int finish(const struct agent *a, cJSON *answer, int rc, const struct lb_error *err)
{
	bool failed = rc < 0;
	const char *text = failed ? err->text : NULL;
	const char *code = failed ? lb_error_name(rc) : "ok";
	cJSON *said;
	char *json;

	if (failed && !*text)
		text = lb_error_meaning(rc);
	if (failed)
		agent_error(a, "%s (%s)", text, code);
	said = cJSON_GetObjectItemCaseSensitive(answer, "text");
	if (!a->opt.json) {
		if (!failed && said)
			printf("%s\n", cJSON_GetStringValue(said));
		return failed ? AGENT_FAILED : rc;
	}
	if (failed) {
		cJSON_DeleteItemFromObjectCaseSensitive(answer, "text");
		cJSON_AddStringToObject(answer, "text", text);
	}
	cJSON_AddBoolToObject(answer, "ok", !failed);
	if (!cJSON_GetObjectItemCaseSensitive(answer, "code"))
		cJSON_AddStringToObject(answer, "code", code);
	json = cJSON_Print(answer);
	if (json)
		puts(json);
	free(json);
	return failed ? AGENT_FAILED : rc;
}

int main(int argc, char **argv)
{
	struct agent *a = calloc(1, sizeof(*a));
	cJSON *answer = cJSON_CreateObject();
	const struct command *cmd = NULL;
	struct lb_error err = { 0 };
	int rc;

	if (!a || !answer)
		return AGENT_FAILED;
	a->level = AGENT_NORMAL;
	a->opt.config = AGENT_CONFIG_DEFAULT;
	a->clock = lb_clock_system();
	rc = parse(argc, argv, a, &cmd);
	if (rc < 0) {
		rc = load(a, &err);
		if (!rc)
			rc = lb_http_init();
		if (!rc) {
			rc = cmd->run(a, answer, &err);
			lb_http_exit();
		}
		rc = finish(a, answer, rc, &err);
	}
	lb_keyring_free(&a->ring);
	cJSON_Delete(answer);
	free(a);
	if (fflush(stdout) && !rc)
		rc = AGENT_FAILED;
	return rc;
}
