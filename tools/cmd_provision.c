// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The state region of a new device: release confirmed, its signed manifest on record.
 * A device that starts with it can compare main with something when its boot flag is
 * lost, and knows where the release can be had again. The region is made in memory by
 * the same code that recovery reads it with.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bundle_file.h"
#include "cli.h"
#include "signer.h"
#include "state/records.h"

#define SIZE_DEFAULT (1024u * 1024u)
#define SIZE_MAX_BYTES (64u * 1024u * 1024u)

struct provision {
	const char *bundle, *output, *ca;
	char *keys[LB_KEYS_MAX];
	int key_count;
	const char *urls[LB_URLS_MAX];
	uint32_t url_count;
	unsigned long size_bytes;
};

/* ---- a region in memory -------------------------------------------------- */

struct ram {
	struct lb_blk blk;
	uint8_t *bytes; /* owned */
};

static int ram_read(struct lb_blk *b, uint64_t offset, void *buf, size_t len)
{
	memcpy(buf, ((struct ram *)b)->bytes + offset, len);
	return 0;
}

static int ram_write(struct lb_blk *b, uint64_t offset, const void *buf, size_t len)
{
	memcpy(((struct ram *)b)->bytes + offset, buf, len);
	return 0;
}

static int ram_flush(struct lb_blk *b)
{
	return 0;
}

static int ram_open(struct ram *r, size_t size)
{
	static const struct lb_blk_ops ops = {
		.read = ram_read, .read_medium = ram_read, .write = ram_write, .flush = ram_flush,
	};

	r->blk = (struct lb_blk){ .ops = &ops, .size_bytes = size, .name = "state" };
	r->bytes = calloc(1, size);
	return r->bytes ? 0 : -LB_E_NOMEM;
}

/* ---- what goes into it --------------------------------------------------- */

/* The record holds one signature: that of the key that was named, or the only one. */
static int choose_signature(const struct bundle_file *b, struct lb_signature *ret,
			    struct lb_error *err)
{
	if (!b->keyid[0] && b->head.signature_count != 1)
		return lb_error_set(err, LB_E_INVALID, "%s has %u signatures: --key has to tell "
				    "which one the device checks", b->path,
				    b->head.signature_count);
	for (uint32_t i = 0; i < b->head.signature_count; i++)
		if (!b->keyid[0] || !strcmp(b->head.signatures[i].keyid, b->keyid)) {
			*ret = b->head.signatures[i];
			return 0;
		}
	return lb_error_set(err, LB_E_SIGNATURE, "%s has no signature by %s", b->path, b->keyid);
}

static int put_release(struct lb_log *log, const struct provision *p, const struct bundle_file *b,
		       struct lb_error *err)
{
	struct lb_release r = {
		.release = b->manifest.release,
		.manifest = b->head.manifest, /* borrowed for the call */
		.manifest_len = b->head.manifest_len,
		.url_count = p->url_count,
	};
	struct lb_state s = { .name = LB_STATE_CONFIRMED, .release = b->manifest.release };
	int rc = choose_signature(b, &r.signature, err);

	for (uint32_t i = 0; i < p->url_count; i++)
		snprintf(r.urls[i], sizeof(r.urls[i]), "%s", p->urls[i]);
	memcpy(s.manifest, b->head.manifest_sha256, sizeof(s.manifest));
	if (!rc)
		rc = lb_release_save(log, LB_REC_CONFIRMED, &r, err);
	if (!rc && b->manifest.min_release)
		rc = lb_floor_save(log, b->manifest.min_release, err);
	if (!rc)
		rc = lb_clock_floor_save(log, b->manifest.created_s, err);
	return rc ? rc : lb_state_save(log, &s, err);
}

static int put_network(struct lb_log *log, const char *ca, struct lb_error *err)
{
	struct lb_network n = { 0 };
	char *pem;
	size_t len;
	int rc;

	if (!ca)
		return 0;
	rc = cli_read_file(ca, LB_CA_MAX, &pem, &len, err);
	if (rc)
		return rc;
	if (!len || strlen(pem) != len || !strstr(pem, "-----BEGIN CERTIFICATE-----"))
		rc = lb_error_set(err, LB_E_FORMAT, "%s holds no certificate in PEM", ca);
	else
		memcpy(n.ca_pem, pem, len);
	free(pem);
	return rc ? rc : lb_network_save(log, &n, err);
}

static int write_region(const struct ram *r, const char *path, struct lb_error *err)
{
	struct cli_file f;
	int rc = cli_file_create(&f, path, err);

	if (rc)
		return rc;
	if (cli_write_full(f.fd, r->bytes, (size_t)r->blk.size_bytes))
		rc = cli_errno(err, path, "written");
	if (!rc)
		rc = cli_file_commit(&f, err);
	if (rc)
		cli_file_abort(&f);
	return rc;
}

static int make(const struct provision *p, const struct bundle_file *b, struct lb_error *err)
{
	struct lb_log log;
	struct ram r;
	int rc = ram_open(&r, p->size_bytes);

	if (rc)
		return lb_error_set(err, LB_E_NOMEM, "no memory for %lu bytes", p->size_bytes);
	rc = lb_log_format(&log, &r.blk, err);
	if (!rc)
		rc = put_network(&log, p->ca, err);
	if (!rc)
		rc = put_release(&log, p, b, err);
	if (!rc)
		rc = write_region(&r, p->output, err);
	if (!rc)
		printf("%s: release %" PRIu64 " is confirmed, %u place%s to fetch it again\n",
		       p->output, b->manifest.release, p->url_count, p->url_count == 1 ? "" : "s");
	free(r.bytes);
	return rc;
}

/* ---- command line -------------------------------------------------------- */

static int add_url(struct provision *p, const char *url, struct lb_error *err)
{
	if (p->url_count == LB_URLS_MAX)
		return cli_usage(err, "at most %d places", LB_URLS_MAX);
	if (strlen(url) > LB_URL_MAX || (strncasecmp(url, "https://", 8) &&
	    strncasecmp(url, "http://", 7) && strncmp(url, "file:///", 8)))
		return cli_usage(err, "--url needs https://, http:// or file:/// and at most %d "
				 "characters", LB_URL_MAX);
	p->urls[p->url_count++] = url;
	return 0;
}

static int parse_options(int argc, char **argv, struct provision *p, struct lb_error *err)
{
	static const struct option options[] = {
		{ "url", required_argument, NULL, 'u' }, { "output", required_argument, NULL, 'o' },
		{ "size", required_argument, NULL, 's' }, { "key", required_argument, NULL, 'k' },
		{ "ca", required_argument, NULL, 'c' }, { 0 },
	};
	int c, rc = 0;

	p->size_bytes = SIZE_DEFAULT;
	opterr = 0;
	while (!rc && (c = getopt_long(argc, argv, "u:o:s:k:", options, NULL)) != -1) {
		if (c == 'u')
			rc = add_url(p, optarg, err);
		else if (c == 'o')
			p->output = optarg;
		else if (c == 'c')
			p->ca = optarg;
		else if (c == 'k' && p->key_count < LB_KEYS_MAX)
			p->keys[p->key_count++] = optarg;
		else if (c != 's')
			return cli_bad_option(err, argv);
		else if (!cli_number(optarg, SIZE_MAX_BYTES, &p->size_bytes) ||
			 p->size_bytes < LB_LOG_REGION_MIN || p->size_bytes % (2 * LB_LOG_ALIGN))
			return cli_usage(err, "--size has to be a multiple of %u between %u and %u",
					 2 * LB_LOG_ALIGN, LB_LOG_REGION_MIN, SIZE_MAX_BYTES);
	}
	if (!rc && (argc - optind != 1 || !p->output))
		return cli_usage(err, "one bundle and -o FILE are needed");
	p->bundle = argv[optind];
	return rc;
}

static int run(int argc, char **argv, struct lb_error *err)
{
	struct lb_keyring ring = { 0 };
	struct provision p = { 0 };
	struct bundle_file b;
	int rc = parse_options(argc, argv, &p, err);

	if (rc)
		return rc;
	if (p.key_count)
		rc = signer_load_keyring(&ring, p.keys, p.key_count, err);
	if (!rc) {
		rc = bundle_file_open(&b, p.bundle, p.key_count ? &ring : NULL, err);
		if (!rc)
			rc = make(&p, &b, err);
		bundle_file_close(&b);
	}
	lb_keyring_free(&ring);
	return rc;
}

const struct cli_command cmd_provision = {
	.name = "provision",
	.arguments = "BUNDLE.lbu -o STATE.img [OPTION...]",
	.summary = "make the state region of a new device that runs a bundle's release",
	.help =
	"  -o, --output FILE  the region's content, for the partition \"state\"\n"
	"  -u, --url URL      where devices find this bundle; up to four, the first is tried first\n"
	"  -s, --size BYTES   of the region; default 1048576\n"
	"  -k, --key FILE     public key that must have signed the bundle; repeat for several\n"
	"      --ca FILE      PEM of the CA that the servers' certificates come from, instead of\n"
	"                     the one built into recovery\n\n"
	"The images of the bundle have to be in the device's slots. Without a URL a lost boot flag\n"
	"is healed, but main can only be fetched again from a medium. Without --key the signature\n"
	"is not checked here; recovery believes nothing that its own keys did not sign.\n",
	.run = run,
};
