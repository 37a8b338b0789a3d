// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive.h"
#include "bundle_file.h"
#include "signer.h"

struct sign {
	const char *path; /* borrowed */
	struct signer signer;
};

static int parse_options(int argc, char **argv, struct sign *s, struct lb_error *err)
{
	static const struct option options[] = {
		{ "key", required_argument, NULL, 'k' },
		{ "sign-command", required_argument, NULL, 'c' },
		{ "pubkey", required_argument, NULL, 'p' },
		{ 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "k:", options, NULL)) != -1) {
		if (c == 'k')
			s->signer.key_path = optarg;
		else if (c == 'c')
			s->signer.command = optarg;
		else if (c == 'p')
			s->signer.public_path = optarg;
		else
			return cli_bad_option(err, argv);
	}
	if (argc - optind != 1)
		return cli_usage(err, "one bundle is needed");
	if (!s->signer.key_path == !s->signer.command)
		return cli_usage(err, "either --key or --sign-command is needed");
	if (!s->signer.command != !s->signer.public_path)
		return cli_usage(err, "--sign-command and --pubkey belong together");
	s->path = argv[optind];
	return 0;
}

/* The new head, then everything that followed the old one. */
static int rewrite(const struct sign *s, const struct bundle_file *b, struct lb_error *err)
{
	struct archive a;
	struct stat st;
	int fd, rc;

	fd = open(s->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		rc = cli_errno(err, s->path, "read");
		goto out;
	}
	if ((uint64_t)st.st_size < b->layout.end_offset) {
		rc = lb_error_set(err, LB_E_TRUNCATED, "%s ends too early", s->path);
		goto out;
	}
	rc = archive_create(&a, s->path, (uint64_t)b->manifest.created_s, err);
	if (rc)
		goto out;
	rc = archive_add_head(&a, "manifest", &b->head, err);
	if (!rc)
		rc = archive_copy(&a, fd, b->head.end_offset,
				  b->layout.end_offset - b->head.end_offset, err);
	if (rc)
		archive_abort(&a);
	else
		rc = archive_commit(&a, err);
out:
	if (fd >= 0)
		close(fd);
	return rc;
}

static int run(int argc, char **argv, struct lb_error *err)
{
	struct sign s = { 0 };
	struct lb_signature sig;
	struct bundle_file b;
	int rc;

	rc = parse_options(argc, argv, &s, err);
	if (rc)
		return rc;
	rc = bundle_file_open(&b, s.path, NULL, err);
	if (!rc)
		rc = signer_sign(&s.signer, b.head.manifest, b.head.manifest_len, &sig, err);
	if (!rc)
		rc = signer_merge(&b.head, &sig, err);
	if (!rc)
		rc = rewrite(&s, &b, err);
	if (!rc)
		printf("%s: signed by key %s, %u signature%s\n", s.path, sig.keyid,
		       b.head.signature_count, b.head.signature_count == 1 ? "" : "s");
	bundle_file_close(&b);
	return rc;
}

const struct cli_command cmd_sign = {
	.name = "sign",
	.arguments = "BUNDLE.lbu --key FILE | BUNDLE.lbu --sign-command COMMAND --pubkey FILE",
	.summary = "add a signature to a bundle, or replace the one of the same key",
	.help =
	"  -k, --key FILE            private key (ECDSA P-256, PEM)\n"
	"      --sign-command CMD    a command that signs: it gets the manifest's bytes on standard\n"
	"                            input and in a file that replaces a word {}, and prints a DER\n"
	"                            signature (ECDSA P-256, SHA-256). Split at spaces; no shell.\n"
	"      --pubkey FILE         its public key: names the signature and checks it\n\n"
	"The bundle is replaced when the new one is complete. For example, with a token:\n\n"
	"  lifeboat sign a.lbu --pubkey k.pub.pem --sign-command 'openssl dgst -sha256 -sign k.pem {}'\n",
	.run = run,
};
