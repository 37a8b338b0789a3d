// SPDX-License-Identifier: GPL-2.0-or-later
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "archive.h"
#include "base/bytes.h"
#include "bundle/chunker.h"
#include "describe.h"
#include "pack_from.h"
#include "pack_image.h"
#include "signer.h"

#define THREADS_MAX 64
#define WINDOW_BYTES LB_MIB /* CONFIG_WINDOW_KIB of a recovery that is not configured otherwise */

struct pack {
	const char *description_path, *out; /* borrowed */
	const char *keys[LB_SIGNATURES_MAX];
	unsigned int key_count;
	unsigned long threads, level, window_bytes, chunking;
	bool json;
	struct description d;
	struct pack_image images[LB_IMAGES_MAX];
	struct lb_bundle_head head; /* manifest and signatures */
	int spool;		    /* payloads until the manifest is known */
	uint64_t spool_end;
	struct pack_from from;
};

static int parse_options(int argc, char **argv, struct pack *p, struct lb_error *err)
{
	static const struct option options[] = {
		{ "output", required_argument, NULL, 'o' }, { "key", required_argument, NULL, 'k' },
		{ "jobs", required_argument, NULL, 'j' },   { "level", required_argument, NULL, 'l' },
		{ "json", no_argument, NULL, 'J' },	    { "window", required_argument, NULL, 'w' },
		{ "from", required_argument, NULL, 'f' },   { "chunking", required_argument, NULL, 'c' },
		{ 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "o:k:j:", options, NULL)) != -1) {
		if (c == 'o')
			p->out = optarg;
		else if (c == 'k' && p->key_count < LB_SIGNATURES_MAX)
			p->keys[p->key_count++] = optarg;
		else if (c == 'j' && cli_number(optarg, THREADS_MAX, &p->threads) && p->threads)
			continue;
		else if (c == 'l' && cli_number(optarg, (unsigned long)ZSTD_maxCLevel(), &p->level) &&
			 p->level)
			continue;
		else if (c == 'w' && cli_number(optarg, LB_REACH_MAX_BYTES, &p->window_bytes) &&
			 p->window_bytes % LB_REACH_UNIT_BYTES == 0)
			continue;
		else if (c == 'c' && cli_number(optarg, LB_CHUNKER_LEVELS, &p->chunking) &&
			 p->chunking)
			continue;
		else if (c == 'f' && p->from.count < LB_PATCH_SETS_MAX)
			p->from.paths[p->from.count++] = optarg;
		else if (c == 'J')
			p->json = true;
		else
			return cli_bad_option(err, argv);
	}
	if (argc - optind != 1 || !p->out)
		return cli_usage(err, "one description and -o OUT.lbu are needed");
	p->description_path = argv[optind];
	return 0;
}

/* Fine chunks leave patches little to save, and cost more of an index than that. */
static unsigned int chunking(const struct pack *p, const struct lb_image *image)
{
	if (p->chunking)
		return (unsigned int)p->chunking;
	return p->from.count ? lb_chunker_level(image->size_bytes)
			     : lb_chunker_fine_level(image->size_bytes);
}

static int pack_images(struct pack *p, struct lb_error *err)
{
	struct pack_options options = {
		.threads = (unsigned int)p->threads,
		.level = (int)p->level,
		.window_bytes = (uint32_t)p->window_bytes,
	};
	int rc;

	p->spool = cli_file_unnamed(p->out, err);
	if (p->spool < 0)
		return p->spool;
	for (uint32_t i = 0; i < p->d.m.image_count; i++) {
		struct pack_image *pi = &p->images[i];

		rc = pack_image_open(pi, p->d.files[i], &p->d.m.images[i], err);
		if (!rc) {
			pi->image->chunking = chunking(p, pi->image);
			rc = pack_image_scan(pi, err);
		}
		if (!rc)
			rc = pack_from_cut(&p->from, pi, options.window_bytes, err);
		if (!rc)
			rc = pack_image_compress(pi, p->spool, &p->spool_end, &options, err);
		if (rc)
			return rc;
	}
	return pack_from_make(&p->from, &p->d.m, p->images, p->spool, &p->spool_end,
			      (unsigned int)p->threads, err);
}

static int sign_manifest(struct pack *p, struct lb_error *err)
{
	int rc = description_manifest(&p->d, (char **)&p->head.manifest, &p->head.manifest_len, err);

	for (unsigned int i = 0; !rc && i < p->key_count; i++) {
		struct signer s = { .key_path = p->keys[i] };
		struct lb_signature sig;

		rc = signer_sign(&s, p->head.manifest, p->head.manifest_len, &sig, err);
		if (!rc)
			rc = signer_merge(&p->head, &sig, err);
	}
	return rc;
}

static int write_bundle(struct pack *p, struct lb_error *err)
{
	struct archive a;
	int rc = archive_create(&a, p->out, (uint64_t)p->d.m.created_s, err);

	if (rc)
		return rc;
	rc = archive_add_head(&a, "manifest", &p->head, err);
	for (uint32_t i = 0; !rc && i < p->d.m.image_count; i++) {
		const struct lb_member *m = &p->d.m.images[i].index;

		rc = archive_add(&a, m->name, p->images[i].index, (size_t)m->size_bytes, err);
	}
	for (uint32_t i = 0; !rc && i < p->d.m.image_count; i++) {
		const struct lb_member *m = &p->d.m.images[i].payload;

		rc = archive_add_range(&a, m->name, p->spool, p->images[i].payload_offset,
				       m->size_bytes, err);
	}
	if (!rc)
		rc = pack_from_archive(&p->from, &p->d.m, &a, p->spool, err);
	if (!rc)
		return archive_commit(&a, err);
	archive_abort(&a);
	return rc;
}

static int report_json(const struct pack *p, struct lb_error *err)
{
	cJSON *root = cJSON_CreateObject(), *list;
	uint8_t digest[LB_SHA256_BYTES];

	lb_sha256(p->head.manifest, p->head.manifest_len, digest);
	cJSON_AddStringToObject(root, "bundle", p->out);
	cli_json_hex(root, "manifest_sha256", digest, sizeof(digest));
	cli_json_u64(root, "release", p->d.m.release);
	list = cJSON_AddArrayToObject(root, "images");
	for (uint32_t i = 0; i < p->d.m.image_count; i++) {
		const struct pack_image *pi = &p->images[i];
		cJSON *obj = cJSON_CreateObject();

		cJSON_AddItemToArray(list, obj);
		cJSON_AddStringToObject(obj, "name", pi->image->name);
		cli_json_u64(obj, "size", pi->image->size_bytes);
		cli_json_u64(obj, "payload", pi->image->payload.size_bytes);
		cli_json_u64(obj, "index", pi->image->index.size_bytes);
		cli_json_u64(obj, "chunks", pi->chunk_count);
		cli_json_u64(obj, "prefix_chunks", pi->prefix_count);
		cli_json_u64(obj, "far_chunks", pi->far_count);
		cli_json_u64(obj, "zero_chunks", pi->zero_count);
		cli_json_u64(obj, "zero_bytes", pi->zero_bytes);
		cli_json_u64(obj, "duplicate_chunks", pi->duplicate_count);
		cli_json_u64(obj, "duplicate_bytes", pi->duplicate_bytes);
		pack_from_json(&p->from, pi->image, i, obj);
	}
	return cli_print_json(root, err);
}

static int report(const struct pack *p, struct lb_error *err)
{
	char a[16], b[16], c[16], d[16];

	if (p->json)
		return report_json(p, err);
	for (uint32_t i = 0; i < p->d.m.image_count; i++) {
		const struct pack_image *pi = &p->images[i];

		printf("%-12s %s -> %s, %u chunks (%u of zeros: %s; %u repeated: %s)\n",
		       pi->image->name, cli_size(pi->image->size_bytes, a),
		       cli_size(pi->image->payload.size_bytes, b), pi->chunk_count, pi->zero_count,
		       cli_size(pi->zero_bytes, c), pi->duplicate_count,
		       cli_size(pi->duplicate_bytes, d));
	}
	pack_from_print(&p->from, &p->d.m);
	printf("%s: %s release %" PRIu64 " (%s), %u signature%s\n", p->out, p->d.m.product,
	       p->d.m.release, p->d.m.version, p->head.signature_count,
	       p->head.signature_count == 1 ? "" : "s");
	return 0;
}

static unsigned long processors(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : (unsigned long)n;
}

static int run(int argc, char **argv, struct lb_error *err)
{
	struct pack *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return -LB_E_NOMEM;
	p->spool = -1;
	p->threads = processors();
	p->level = 19;
	p->window_bytes = WINDOW_BYTES;
	rc = parse_options(argc, argv, p, err);
	if (!rc)
		rc = description_load(&p->d, p->description_path, err);
	if (!rc)
		rc = pack_images(p, err);
	if (!rc)
		rc = sign_manifest(p, err);
	if (!rc)
		rc = write_bundle(p, err);
	if (!rc)
		rc = report(p, err);
	for (uint32_t i = 0; i < LB_IMAGES_MAX; i++)
		pack_image_close(&p->images[i]);
	if (p->spool >= 0)
		close(p->spool);
	pack_from_free(&p->from);
	lb_bundle_head_free(&p->head);
	description_free(&p->d);
	free(p);
	return rc;
}

const struct cli_command cmd_pack = {
	.name = "pack",
	.arguments = "DESCRIPTION.json -o OUT.lbu [OPTION...]",
	.summary = "make a bundle from image files",
	.help =
	"  -o, --output FILE  the bundle; appears only when it is complete\n"
	"  -k, --key FILE     sign with this private key (repeat for several; none: see `sign`)\n"
	"  -j, --jobs N       compress on N threads (default: all processors); same result\n"
	"      --from OLD.lbu add patches for devices that hold this older release (up to 4 of\n"
	"                     them); its images are decoded into $TMPDIR (/var/tmp without it)\n"
	"      --level N      zstd level, 1 to 22 (default 19)\n"
	"      --window BYTES how far a chunk may refer back to what precedes it in the image: a\n"
	"                     multiple of 8192, at most 2088960, and no more than recovery's\n"
	"                     CONFIG_WINDOW_KIB (default 1048576; 0: every chunk by itself); up to\n"
	"                     a quarter of it may be from further away\n"
	"      --chunking N   how images are cut, 1 to 12: chunks of 8 KiB at 1, of 64 KiB at 4\n"
	"                     (default: by size, about 8,000 chunks; with --from 4 and more)\n"
	"      --json         the summary as JSON\n\n"
	"The description; image files are found relative to it:\n\n"
	"  { \"product\": \"acme-gw\", \"hardware\": [\"acme,gw-2\"],\n"
	"    \"version\": \"2.1\", \"release\": 21, \"min_release\": 20,\n"
	"    \"images\": [\n"
	"      { \"name\": \"boot\", \"target\": \"boot\", \"kind\": \"fit\", \"file\": \"main.itb\" },\n"
	"      { \"name\": \"root\", \"target\": \"root\", \"kind\": \"raw\", \"file\": \"root.squashfs\" } ] }\n\n"
	"Optional: min_release (0), min_recovery (1), critical ([]), created (seconds since\n"
	"1970; default SOURCE_DATE_EPOCH, else the newest image's time), and per image target\n"
	"(its name), kind (raw; fit, ubi, file, recovery), encoding (zstd-frames; none).\n",
	.run = run,
};
