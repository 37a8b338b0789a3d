// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundle_file.h"
#include "base/bytes.h"
#include "channel_signers.h"
#include "channel_write.h"
#include "cli.h"

#define COPY_BYTES (256u * LB_KIB)

struct publish {
	const char *folder; /* borrowed, as are all paths */
	char **bundles;
	int bundle_count;
	struct channel_signers by;
	unsigned long keep;
	bool json;
	struct channel_edit edit;
};

static int parse_options(int argc, char **argv, struct publish *p, struct lb_error *err)
{
	static const struct option options[] = {
		CHANNEL_SIGNERS_OPTIONS,
		{ "keep", required_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'J' },
		{ 0 },
	};
	int c, rc;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "k:", options, NULL)) != -1) {
		if (channel_signers_option(&p->by, c, optarg))
			continue;
		if (c == 'n' && cli_number(optarg, LB_CHANNEL_RELEASES_MAX, &p->keep) && p->keep)
			continue;
		else if (c == 'J')
			p->json = true;
		else
			return cli_bad_option(err, argv);
	}
	rc = channel_signers_complete(&p->by, err);
	if (rc)
		return rc;
	if (argc - optind < 2 || !p->by.count)
		return cli_usage(err, "a folder, a bundle and --key are needed");
	p->folder = argv[optind];
	p->bundles = argv + optind + 1;
	p->bundle_count = argc - optind - 1;
	return 0;
}

/* What becomes part of a URL as it is. */
static bool plain_name(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && len < 128 && !strcmp(name + len - 4, ".lbu") && name[0] != '.' &&
	       !strstr(name, "..") && lb_url_resolve("https://x/", name, (char[256]){ 0 }, 256, NULL) == 0 &&
	       !strpbrk(name, "?#%&:/");
}

static int compare(int a, int b, uint64_t size, uint8_t *buf)
{
	for (uint64_t at = 0; at < size;) {
		size_t n = size - at < COPY_BYTES / 2 ? (size_t)(size - at) : COPY_BYTES / 2;

		if (cli_pread_full(a, buf, n, at) || cli_pread_full(b, buf + COPY_BYTES / 2, n, at) ||
		    memcmp(buf, buf + COPY_BYTES / 2, n))
			return -LB_E_EXISTS;
		at += n;
	}
	return 0;
}

/* 0: @to is the same already; -LB_E_NOT_FOUND: copy; -LB_E_EXISTS: other content. */
static int same_file(int from, const struct stat *st, const char *to, uint8_t *buf)
{
	int fd = open(to, O_RDONLY | O_CLOEXEC), rc;
	struct stat other;

	if (fd < 0)
		return errno == ENOENT ? -LB_E_NOT_FOUND : -LB_E_EXISTS;
	if (fstat(fd, &other) || other.st_size != st->st_size)
		rc = -LB_E_EXISTS;
	else if (other.st_ino == st->st_ino && other.st_dev == st->st_dev)
		rc = 0;
	else
		rc = compare(from, fd, (uint64_t)st->st_size, buf);
	close(fd);
	return rc;
}

static int copy(int from, uint64_t size, const char *to, uint8_t *buf, struct lb_error *err)
{
	struct cli_file file;
	int rc = cli_file_create(&file, to, err);

	if (rc)
		return rc;
	for (uint64_t at = 0; !rc && at < size;) {
		size_t n = size - at < COPY_BYTES ? (size_t)(size - at) : COPY_BYTES;

		rc = cli_pread_full(from, buf, n, at);
		if (!rc)
			rc = cli_write_full(file.fd, buf, n);
		at += n;
	}
	if (!rc)
		return cli_file_commit(&file, err);
	cli_file_abort(&file);
	return lb_error_set(err, LB_E_IO, "the bundle cannot be copied to %s", to);
}

/* A published bundle never changes: devices may be in the middle of it. */
static int place(const char *from, const char *to, uint64_t *ret_size, struct lb_error *err)
{
	uint8_t *buf = malloc(COPY_BYTES);
	struct stat st;
	int fd = open(from, O_RDONLY | O_CLOEXEC), rc;

	if (!buf)
		rc = lb_error_set(err, LB_E_NOMEM, "no memory for copying");
	else if (fd < 0 || fstat(fd, &st))
		rc = cli_errno(err, from, "read");
	else
		rc = same_file(fd, &st, to, buf);
	if (rc == -LB_E_NOT_FOUND && fd >= 0)
		rc = copy(fd, (uint64_t)st.st_size, to, buf, err);
	else if (rc == -LB_E_EXISTS)
		rc = lb_error_set(err, LB_E_EXISTS, "%s exists with other content", to);
	if (!rc)
		*ret_size = (uint64_t)st.st_size;
	if (fd >= 0)
		close(fd);
	free(buf);
	return rc;
}

static void describe(const struct bundle_file *b, const char *name, uint64_t size,
		     struct lb_channel_release *r)
{
	const struct lb_manifest *m = &b->manifest;

	memset(r, 0, sizeof(*r));
	r->release = m->release;
	r->min_release = m->min_release;
	r->size_bytes = size;
	r->created_s = m->created_s;
	r->hardware_count = m->hardware_count;
	memcpy(r->manifest_sha256, b->head.manifest_sha256, sizeof(r->manifest_sha256));
	memcpy(r->version, m->version, sizeof(r->version));
	memcpy(r->hardware, m->hardware, sizeof(m->hardware));
	strcpy(r->url, name);
}

static int check_bundle(struct publish *p, struct bundle_file *b, struct lb_error *err)
{
	struct lb_channel *ch = &p->edit.ch;
	int rc = bundle_file_check_archive(b, err);

	for (uint32_t i = 0; !rc && i < b->manifest.image_count; i++)
		rc = bundle_file_walk(b, i, NULL, err);
	if (rc)
		return rc;
	if (!ch->product[0])
		memcpy(ch->product, b->manifest.product, sizeof(ch->product));
	if (strcmp(ch->product, b->manifest.product))
		return lb_error_set(err, LB_E_PRODUCT, "%s is for product %s, the channel for %s",
				    b->path, b->manifest.product, ch->product);
	return 0;
}

static int publish_bundle(struct publish *p, const char *path, struct lb_error *err)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	struct lb_channel_release r;
	struct bundle_file b;
	uint64_t size = 0;
	char to[4096];
	int rc;

	if (!plain_name(name))
		return lb_error_set(err, LB_E_INVALID, "%s is no file name NAME.lbu for a URL", name);
	if ((size_t)snprintf(to, sizeof(to), "%s/%s", p->folder, name) >= sizeof(to))
		return lb_error_set(err, LB_E_INVALID, "the folder's name is too long");
	rc = bundle_file_open(&b, path, &p->by.ring, err);
	if (!rc)
		rc = check_bundle(p, &b, err);
	if (!rc)
		rc = place(path, to, &size, err);
	if (!rc) {
		describe(&b, name, size, &r);
		rc = channel_edit_add(&p->edit, &r, err);
	}
	bundle_file_close(&b);
	return rc;
}

static int report(const struct publish *p, const char *path, struct lb_error *err)
{
	const struct lb_channel *ch = &p->edit.ch;
	cJSON *root;

	if (!p->json) {
		printf("%s: sequence %" PRIu64 ", %u release%s, newest %" PRIu64 "\n", path,
		       ch->sequence, ch->count, ch->count == 1 ? "" : "s", ch->releases[0].release);
		return 0;
	}
	root = cJSON_CreateObject();
	cJSON_AddStringToObject(root, "channel", path);
	cli_json_u64(root, "sequence", ch->sequence);
	cli_json_u64(root, "releases", ch->count);
	cli_json_u64(root, "newest", ch->releases[0].release);
	return cli_print_json(root, err);
}

static int publish(struct publish *p, struct lb_error *err)
{
	char channel[4096];
	int rc;

	if ((size_t)snprintf(channel, sizeof(channel), "%s/channel.lbc", p->folder) >= sizeof(channel))
		return lb_error_set(err, LB_E_INVALID, "the folder's name is too long");
	if (mkdir(p->folder, 0777) && errno != EEXIST)
		return cli_errno(err, p->folder, "created");
	rc = channel_signers_load(&p->by, err);
	if (!rc)
		rc = channel_edit_open(&p->edit, channel, &p->by.ring, err);
	for (int i = 0; !rc && i < p->bundle_count; i++)
		rc = publish_bundle(p, p->bundles[i], err);
	if (rc)
		return rc;
	channel_edit_keep(&p->edit, (uint32_t)p->keep);
	channel_edit_forget(&p->edit, channel_now_s());
	rc = channel_edit_write(&p->edit, channel, channel_now_s(), p->by.signers, p->by.count, err);
	return rc ? rc : report(p, channel, err);
}

static int run(int argc, char **argv, struct lb_error *err)
{
	struct publish p = { .keep = LB_CHANNEL_RELEASES_MAX };
	int rc = parse_options(argc, argv, &p, err);

	if (!rc)
		rc = publish(&p, err);
	channel_edit_free(&p.edit);
	lb_keyring_free(&p.by.ring);
	return rc;
}

const struct cli_command cmd_publish = {
	.name = "publish",
	.arguments = "FOLDER BUNDLE.lbu... --key FILE [OPTION...]",
	.summary = "put bundles into a folder for a web server, with a signed channel file",
	.help =
	"  -k, --key FILE          private key that signs FOLDER/channel.lbc; repeat for several\n"
	"      --sign-command CMD  or a command that signs, as with `lifeboat sign`\n"
	"      --pubkey FILE       its public key\n"
	"      --accept FILE       further public key that may have signed the bundles and the\n"
	"                          channel file that is there\n"
	"      --keep N            releases that stay in the list (default 64, the most there can\n"
	"                          be); bundles are never deleted\n"
	"      --json              the result as JSON\n\n"
	"Bundles are verified, then copied to FOLDER/NAME.lbu. The channel file lists earlier\n"
	"releases too, since devices may have to go back; its sequence grows by one.\n",
	.run = run,
};
