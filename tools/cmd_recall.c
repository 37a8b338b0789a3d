// SPDX-License-Identifier: GPL-2.0-or-later
/* `recall`: a wish in the signed channel file that single devices start recovery once. */
#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#include "channel_signers.h"
#include "channel_write.h"
#include "cli.h"

#define DAY_S 86400

struct recall {
	const char *folder, *id; /* borrowed */
	char **serials;
	int serial_count;
	struct channel_signers by;
	struct channel_edit edit;
	unsigned long days;
	bool withdraw, json;
};

static int check_arguments(const struct recall *r, int count, struct lb_error *err)
{
	if (count < 2 || !r->by.count)
		return cli_usage(err, "a folder, an id and --key are needed");
	if (r->withdraw != !r->serial_count)
		return cli_usage(err, r->withdraw ? "--withdraw takes no serial numbers" :
						    "which devices? Their serial numbers are needed");
	return 0;
}

static int parse_options(int argc, char **argv, struct recall *r, struct lb_error *err)
{
	static const struct option options[] = {
		CHANNEL_SIGNERS_OPTIONS,
		{ "days", required_argument, NULL, 'd' },
		{ "withdraw", no_argument, NULL, 'w' },
		{ "json", no_argument, NULL, 'J' },
		{ 0 },
	};
	int c, rc;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "k:", options, NULL)) != -1) {
		if (channel_signers_option(&r->by, c, optarg))
			continue;
		if (c == 'd' && cli_number(optarg, LB_CHANNEL_VISIT_MAX_S / DAY_S, &r->days) && r->days)
			continue;
		if (c == 'w')
			r->withdraw = true;
		else if (c == 'J')
			r->json = true;
		else
			return cli_bad_option(err, argv);
	}
	rc = channel_signers_complete(&r->by, err);
	if (rc)
		return rc;
	r->folder = argv[optind];
	r->id = argc - optind > 1 ? argv[optind + 1] : NULL;
	r->serials = argv + optind + 2;
	r->serial_count = argc - optind > 2 ? argc - optind - 2 : 0;
	return check_arguments(r, argc - optind, err);
}

static int fill(const struct recall *r, int64_t now_s, struct lb_channel_visit *v,
		struct lb_error *err)
{
	memset(v, 0, sizeof(*v));
	if (!lb_serial_valid(r->id))
		return lb_error_set(err, LB_E_INVALID, "%.80s is no id: at most %d letters, digits, \".\", "
				    "\"_\", \":\" and \"-\"", r->id, LB_SERIAL_MAX);
	if (r->serial_count > LB_CHANNEL_SERIALS_MAX)
		return lb_error_set(err, LB_E_TOO_BIG, "%d devices are named, at most %d are possible",
				    r->serial_count, LB_CHANNEL_SERIALS_MAX);
	strcpy(v->id, r->id);
	v->until_s = now_s + (int64_t)r->days * DAY_S;
	for (int i = 0; i < r->serial_count; i++) {
		if (!lb_serial_valid(r->serials[i]))
			return lb_error_set(err, LB_E_INVALID, "%.80s is no serial number that a channel can "
					    "name: at most %d letters, digits, \".\", \"_\", \":\" and \"-\"",
					    r->serials[i], LB_SERIAL_MAX);
		strcpy(v->serials[v->serial_count++], r->serials[i]);
	}
	return 0;
}

static int report(const struct recall *r, const char *path, struct lb_error *err)
{
	const struct lb_channel *ch = &r->edit.ch;
	cJSON *root, *list;

	if (!r->json) {
		printf("%s: sequence %" PRIu64 ", %u request%s for recovery\n", path, ch->sequence,
		       ch->visit_count, ch->visit_count == 1 ? "" : "s");
		return 0;
	}
	root = cJSON_CreateObject();
	cJSON_AddStringToObject(root, "channel", path);
	cli_json_u64(root, "sequence", ch->sequence);
	list = cJSON_AddArrayToObject(root, "recovery");
	for (uint32_t i = 0; i < ch->visit_count; i++)
		cJSON_AddItemToArray(list, channel_visit_json(&ch->visits[i]));
	return cli_print_json(root, err);
}

static int recall(struct recall *r, struct lb_error *err)
{
	struct lb_channel_visit v;
	int64_t now_s = channel_now_s();
	char path[4096];
	int rc;

	if ((size_t)snprintf(path, sizeof(path), "%s/channel.lbc", r->folder) >= sizeof(path))
		return lb_error_set(err, LB_E_INVALID, "the folder's name is too long");
	rc = channel_signers_load(&r->by, err);
	if (!rc)
		rc = channel_edit_open(&r->edit, path, &r->by.ring, err);
	if (!rc && !r->edit.ch.product[0])
		rc = lb_error_set(err, LB_E_NOT_FOUND, "%s does not exist: publish a bundle first", path);
	if (!rc)
		channel_edit_forget(&r->edit, now_s);
	if (!rc && r->withdraw)
		rc = channel_edit_withdraw(&r->edit, r->id, err);
	else if (!rc)
		rc = fill(r, now_s, &v, err);
	if (!rc && !r->withdraw)
		rc = channel_edit_ask(&r->edit, &v, err);
	if (!rc)
		rc = channel_edit_write(&r->edit, path, now_s, r->by.signers, r->by.count, err);
	return rc ? rc : report(r, path, err);
}

static int run(int argc, char **argv, struct lb_error *err)
{
	struct recall r = { .days = 7 };
	int rc = parse_options(argc, argv, &r, err);

	if (!rc)
		rc = recall(&r, err);
	channel_edit_free(&r.edit);
	lb_keyring_free(&r.by.ring);
	return rc;
}

const struct cli_command cmd_recall = {
	.name = "recall",
	.arguments = "FOLDER ID SERIAL... --key FILE [OPTION...]",
	.summary = "ask single devices to start recovery, in a channel file that is there",
	.help =
	"  -k, --key FILE          private key that signs FOLDER/channel.lbc; repeat for several\n"
	"      --sign-command CMD  or a command that signs, as with `lifeboat sign`\n"
	"      --pubkey FILE       its public key\n"
	"      --accept FILE       further public key that may have signed the channel file\n"
	"      --days N            how long the request counts (default 7, at most 31)\n"
	"      --withdraw          takes the request ID back, for devices that have not seen it\n"
	"      --json              the result as JSON\n\n"
	"A device whose agent has one of these serial numbers starts recovery once for this ID,\n"
	"and waits there for a person. Use an ID once. What is over is dropped from the list, here\n"
	"and by `publish`; at most 16 requests of 32 devices each stand in it.\n",
	.run = run,
};
