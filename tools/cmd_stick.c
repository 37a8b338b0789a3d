// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "bundle_file.h"
#include "cli.h"
#include "signer.h"
#include "stick.h"

#define BUNDLES_MAX 32		     /* recovery looks at no more */
#define FILE_MAX 0xffffffffull	     /* of FAT */
#define SPARE_BYTES (64u * LB_MIB)   /* for the file system, and FAT32 is no smaller */

struct stick_file {
	const char *path, *name; /* borrowed */
	uint64_t bytes, release;
	int fd;
};

struct stick {
	char *keys[LB_KEYS_MAX];
	int key_count;
	bool reinstall, force, json;
	unsigned long size_mib;
	const char *target; /* borrowed */
	bool is_device;
	struct stick_file files[BUNDLES_MAX];
	int count;
};

static int take_arguments(int count, char **words, struct stick *s, struct lb_error *err)
{
	if (count < 2 || !s->key_count)
		return cli_usage(err, "a device or an image, bundles and at least one --key PUBLIC.pem are needed");
	if (count - 1 > BUNDLES_MAX)
		return cli_usage(err, "at most %d bundles, as a device looks at no more", BUNDLES_MAX);
	s->target = words[0];
	if (s->target[0] == '-' || strstr(s->target, "@@"))
		return cli_usage(err, "%s: mtools understands such a name otherwise", s->target);
	while (s->count < count - 1) {
		struct stick_file *f = &s->files[s->count];
		const char *slash;

		f->path = words[++s->count];
		slash = strrchr(f->path, '/');
		f->name = slash ? slash + 1 : f->path;
	}
	return 0;
}

static int parse_options(int argc, char **argv, struct stick *s, struct lb_error *err)
{
	static const struct option options[] = {
		{ "key", required_argument, NULL, 'k' },
		{ "reinstall", no_argument, NULL, 'r' },
		{ "force", no_argument, NULL, 'f' },
		{ "size", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'J' },
		{ 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "k:", options, NULL)) != -1) {
		if (c == 'k' && s->key_count < LB_KEYS_MAX)
			s->keys[s->key_count++] = optarg;
		else if (c == 'r')
			s->reinstall = true;
		else if (c == 'f')
			s->force = true;
		else if (c == 's' && cli_number(optarg, 1u << 20, &s->size_mib) && s->size_mib)
			continue;
		else if (c == 'J')
			s->json = true;
		else
			return cli_bad_option(err, argv);
	}
	return take_arguments(argc - optind, argv + optind, s, err);
}

/* What recovery looks at, FAT can store and mtools does not take for a pattern. */
static bool good_name(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("-_.+ ()", name[i]))
			return false;
	return len > 4 && len < 200 && name[0] != '.' && name[0] != ' ' && !strcasecmp(name + len - 4, ".lbu");
}

static int check_names(const struct stick *s, struct lb_error *err)
{
	for (int i = 0; i < s->count; i++) {
		if (!good_name(s->files[i].name))
			return lb_error_set(err, LB_E_INVALID,
					    "%s: a device looks for NAME.lbu, of letters, digits, spaces and -_.+()",
					    s->files[i].path);
		for (int j = 0; j < i; j++)
			if (!strcasecmp(s->files[i].name, s->files[j].name))
				return lb_error_set(err, LB_E_EXISTS, "two bundles have the name %s",
						    s->files[i].name);
	}
	return 0;
}

/* As `lifeboat verify` does. */
static int open_verified(struct stick_file *f, const struct lb_keyring *ring, struct lb_error *err)
{
	struct bundle_file b;
	struct stat st;
	int rc;

	f->fd = open(f->path, O_RDONLY | O_CLOEXEC);
	if (f->fd < 0 || fstat(f->fd, &st))
		return cli_errno(err, f->path, "opened");
	f->bytes = (uint64_t)st.st_size;
	if (f->bytes > FILE_MAX)
		return lb_error_set(err, LB_E_TOO_BIG, "%s: FAT stores files of less than 4 GiB", f->path);
	rc = bundle_file_open_fd(&b, f->fd, f->path, ring, err);
	if (!rc)
		rc = bundle_file_check(&b, err);
	f->release = b.manifest.release;
	bundle_file_close(&b);
	return rc;
}

static int verify_all(struct stick *s, struct lb_error *err)
{
	struct lb_keyring ring = { 0 };
	int rc = signer_load_keyring(&ring, s->keys, s->key_count, err);

	for (int i = 0; !rc && i < s->count; i++)
		rc = open_verified(&s->files[i], &ring, err);
	lb_keyring_free(&ring);
	return rc;
}

static uint64_t needed_bytes(const struct stick *s)
{
	uint64_t sum = SPARE_BYTES;

	for (int i = 0; i < s->count; i++)
		sum += s->files[i].bytes + s->files[i].bytes / 64;
	return sum;
}

static int fill(const struct stick *s, struct stick_medium *m, struct lb_error *err)
{
	int rc = stick_format(m, err);

	for (int i = 0; !rc && i < s->count; i++)
		rc = stick_put(m, s->files[i].name, s->files[i].fd, err);
	if (!rc && s->reinstall)
		rc = stick_put(m, "reinstall", -1, err);
	if (!rc)
		rc = stick_settle(m, err);
	for (int i = 0; !rc && i < s->count; i++)
		rc = stick_compare(m, s->files[i].name, s->files[i].fd, err);
	return rc;
}

static int make_device(const struct stick *s, struct lb_error *err)
{
	struct stick_medium m;
	int rc = stick_device_open(s->target, s->force, &m, err);

	if (rc)
		return rc;
	if (m.bytes < needed_bytes(s))
		rc = lb_error_set(err, LB_E_TOO_BIG, "%s has %llu bytes, %llu are needed", s->target,
				  (unsigned long long)m.bytes, (unsigned long long)needed_bytes(s));
	else
		rc = fill(s, &m, err);
	stick_close(&m);
	return rc;
}

/* Appears under its name when it was read back. */
static int make_image(const struct stick *s, struct lb_error *err)
{
	uint64_t size = s->size_mib ? (uint64_t)s->size_mib * LB_MIB : needed_bytes(s);
	struct stick_medium m;
	struct cli_file file;
	int rc;

	size = (size + LB_MIB - 1) / LB_MIB * LB_MIB;
	if (size < needed_bytes(s))
		return lb_error_set(err, LB_E_TOO_BIG, "%lu MiB are too few for the bundles: %llu are needed",
				    s->size_mib, (unsigned long long)(needed_bytes(s) / LB_MIB + 1));
	if (!s->force && !access(s->target, F_OK))
		return lb_error_set(err, LB_E_EXISTS, "%s exists; --force replaces it", s->target);
	rc = cli_file_create(&file, s->target, err);
	if (rc)
		return rc;
	if (ftruncate(file.fd, (off_t)size))
		rc = cli_errno(err, s->target, "written");
	stick_image(s->target, file.fd, &m);
	if (!rc)
		rc = fill(s, &m, err);
	if (!rc)
		rc = cli_file_commit(&file, err);
	cli_file_abort(&file);
	return rc;
}

static int report(const struct stick *s, struct lb_error *err)
{
	cJSON *root, *list;

	if (!s->json) {
		for (int i = 0; i < s->count; i++)
			printf("%s: lifeboat/%s, release %llu, verified and read back\n", s->target,
			       s->files[i].name, (unsigned long long)s->files[i].release);
		return 0;
	}
	root = cJSON_CreateObject();
	list = cJSON_AddArrayToObject(root, "bundles");
	for (int i = 0; i < s->count; i++) {
		cJSON *o = cJSON_CreateObject();

		cJSON_AddStringToObject(o, "name", s->files[i].name);
		cli_json_u64(o, "size", s->files[i].bytes);
		cli_json_u64(o, "release", s->files[i].release);
		cJSON_AddItemToArray(list, o);
	}
	cJSON_AddBoolToObject(root, "reinstall", s->reinstall);
	return cli_print_json(root, err);
}

static int run(int argc, char **argv, struct lb_error *err)
{
	struct stick s = { 0 };
	struct stat st;
	int rc;

	for (int i = 0; i < BUNDLES_MAX; i++)
		s.files[i].fd = -1;
	rc = parse_options(argc, argv, &s, err);
	if (!rc)
		rc = check_names(&s, err);
	if (!rc)
		rc = verify_all(&s, err);
	if (!rc) {
		s.is_device = !stat(s.target, &st) && !S_ISREG(st.st_mode);
		if (s.is_device && !S_ISBLK(st.st_mode))
			rc = lb_error_set(err, LB_E_INVALID, "%s is neither a file nor a disk", s.target);
		else
			rc = s.is_device ? make_device(&s, err) : make_image(&s, err);
	}
	if (!rc)
		rc = report(&s, err);
	for (int i = 0; i < s.count; i++)
		if (s.files[i].fd >= 0)
			close(s.files[i].fd);
	return rc;
}

const struct cli_command cmd_stick = {
	.name = "stick",
	.arguments = "DEVICE|IMAGE BUNDLE.lbu... --key PUBLIC.pem [OPTION...]",
	.summary = "make a stick with bundles for a device's recovery",
	.help =
	"  -k, --key FILE     public key that may have signed; repeat for several\n"
	"      --reinstall    ask for the newest of them even if it is not newer than what runs\n"
	"      --size MIB     of a new image; as much as needed without it\n"
	"      --force        replace an image; erase a disk that does not call itself removable\n"
	"      --json         what was written, as JSON\n\n"
	"Everything on DEVICE is erased. The bundles are checked as `lifeboat verify` does, lie in\n"
	"the folder lifeboat of a FAT32 file system, and are read back and compared. A device that\n"
	"is mounted is never touched. Needs mkfs.vfat (dosfstools) and mtools.\n",
	.run = run,
};
