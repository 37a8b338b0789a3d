// SPDX-License-Identifier: GPL-2.0-or-later
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundle_file.h"
#include "cli.h"
#include "signer.h"

struct extract {
	char *keys[LB_KEYS_MAX];
	int key_count;
	const char *folder, *path, *only; /* borrowed; @only: NULL is all images */
};

static int parse_options(int argc, char **argv, struct extract *x, struct lb_error *err)
{
	static const struct option options[] = {
		{ "key", required_argument, NULL, 'k' },
		{ "output", required_argument, NULL, 'o' },
		{ 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "k:o:", options, NULL)) != -1) {
		if (c == 'k' && x->key_count < LB_KEYS_MAX)
			x->keys[x->key_count++] = optarg;
		else if (c == 'o')
			x->folder = optarg;
		else
			return cli_bad_option(err, argv);
	}
	if (argc - optind < 1 || argc - optind > 2 || !x->folder)
		return cli_usage(err, "a bundle and -o FOLDER are needed");
	x->path = argv[optind];
	x->only = argv[optind + 1];
	return 0;
}

/* NAME.img in the folder; names were checked to be no paths. */
static int extract_image(const struct extract *x, struct bundle_file *b, uint32_t number,
			 struct lb_error *err)
{
	const struct lb_image *image = &b->manifest.images[number];
	struct file_sink sink = { .sink.put = file_sink_put };
	struct cli_file file;
	char path[4096], size[16];
	int rc;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s.img", x->folder, image->name) >= sizeof(path))
		return lb_error_set(err, LB_E_INVALID, "the folder's name is too long");
	rc = cli_file_create(&file, path, err);
	if (rc)
		return rc;
	sink.fd = file.fd;
	if (ftruncate(file.fd, (off_t)image->size_bytes))
		rc = cli_errno(err, path, "written");
	if (!rc)
		rc = bundle_file_walk(b, number, &sink.sink, err);
	if (rc) {
		cli_file_abort(&file);
		return rc;
	}
	rc = cli_file_commit(&file, err);
	if (!rc)
		printf("%s: %s\n", path, cli_size(image->size_bytes, size));
	return rc;
}

static int extract_images(const struct extract *x, struct bundle_file *b, struct lb_error *err)
{
	bool found = false;
	int rc = 0;

	if (mkdir(x->folder, 0777) && access(x->folder, W_OK | X_OK))
		return cli_errno(err, x->folder, "created");
	for (uint32_t i = 0; !rc && i < b->manifest.image_count; i++) {
		if (x->only && strcmp(x->only, b->manifest.images[i].name))
			continue;
		found = true;
		rc = extract_image(x, b, i, err);
	}
	if (!rc && !found)
		rc = lb_error_set(err, LB_E_NOT_FOUND, "%s has no image %.31s", x->path, x->only);
	return rc;
}

static int run(int argc, char **argv, struct lb_error *err)
{
	struct lb_keyring ring = { 0 };
	struct extract x = { 0 };
	struct bundle_file b;
	int rc = parse_options(argc, argv, &x, err);

	if (rc)
		return rc;
	rc = signer_load_keyring(&ring, x.keys, x.key_count, err);
	if (!rc) {
		rc = bundle_file_open(&b, x.path, x.key_count ? &ring : NULL, err);
		if (!rc)
			rc = extract_images(&x, &b, err);
		bundle_file_close(&b);
	}
	lb_keyring_free(&ring);
	return rc;
}

const struct cli_command cmd_extract = {
	.name = "extract",
	.arguments = "BUNDLE.lbu [IMAGE] -o FOLDER [--key PUBLIC.pem]",
	.summary = "decode images out of a bundle",
	.help =
	"  -o, --output DIR   where NAME.img is written for each image; made if it is missing\n"
	"  -k, --key FILE     public key that must have signed (default: no signature is asked for;\n"
	"                     digests are checked in any case)\n",
	.run = run,
};
