// SPDX-License-Identifier: GPL-2.0-or-later
#include <getopt.h>

#include "bundle_file.h"
#include "cli.h"
#include "signer.h"

struct verify {
	char *keys[LB_KEYS_MAX];
	int key_count;
	bool json;
	const char *path;
};

static int parse_options(int argc, char **argv, struct verify *v, struct lb_error *err)
{
	static const struct option options[] = {
		{ "key", required_argument, NULL, 'k' },
		{ "json", no_argument, NULL, 'J' },
		{ 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "k:", options, NULL)) != -1) {
		if (c == 'k' && v->key_count < LB_KEYS_MAX)
			v->keys[v->key_count++] = optarg;
		else if (c == 'J')
			v->json = true;
		else
			return cli_bad_option(err, argv);
	}
	if (argc - optind != 1 || !v->key_count)
		return cli_usage(err, "one bundle and at least one --key PUBLIC.pem are needed");
	v->path = argv[optind];
	return 0;
}

static int report(const struct verify *v, const struct bundle_file *b, struct lb_error *err)
{
	cJSON *root;

	if (!v->json) {
		printf("%s: whole, signed by key %s, %u image%s\n", v->path, b->keyid,
		       b->manifest.image_count, b->manifest.image_count == 1 ? "" : "s");
		return 0;
	}
	root = cJSON_CreateObject();
	cJSON_AddBoolToObject(root, "valid", true);
	cJSON_AddStringToObject(root, "keyid", b->keyid);
	cli_json_hex(root, "manifest_sha256", b->head.manifest_sha256, LB_SHA256_BYTES);
	cli_json_u64(root, "release", b->manifest.release);
	return cli_print_json(root, err);
}

static int run(int argc, char **argv, struct lb_error *err)
{
	struct lb_keyring ring = { 0 };
	struct verify v = { 0 };
	struct bundle_file b;
	int rc = parse_options(argc, argv, &v, err);

	if (rc)
		return rc;
	rc = signer_load_keyring(&ring, v.keys, v.key_count, err);
	if (!rc) {
		rc = bundle_file_open(&b, v.path, &ring, err);
		if (!rc)
			rc = bundle_file_check(&b, err);
		if (!rc)
			rc = report(&v, &b, err);
		bundle_file_close(&b);
	}
	lb_keyring_free(&ring);
	return rc;
}

const struct cli_command cmd_verify = {
	.name = "verify",
	.arguments = "BUNDLE.lbu --key PUBLIC.pem [OPTION...]",
	.summary = "check everything about a bundle, from the signature to every chunk",
	.help =
	"  -k, --key FILE     public key that may have signed; repeat for several\n"
	"      --json         the result as JSON\n\n"
	"Checked are signature, archive form, digests of index and payload, every chunk and\n"
	"the decoded images.\n",
	.run = run,
};
