// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <getopt.h>
#include <mbedtls/ecp.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/rsa.h>
#include <mbedtls/x509_crt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "cli.h"
#include "signer.h"

#define PEM_MAX 16384
#define RSA_EXPONENT 65537

/* Text before the first BEGIN line is a comment; release builds look for the first word. */
static const char development_comment[] =
	"lifeboat-development: Lifeboat development key, never use it for a product\n";

struct keygen {
	unsigned long rsa_bits; /* 0: ECDSA P-256 */
	bool development, json;
	const char *name;
	char private_path[1024], public_path[1024];
	mbedtls_pk_context pk;
	struct tool_rng rng;
};

static int parse_options(int argc, char **argv, struct keygen *k, struct lb_error *err)
{
	static const struct option options[] = {
		{ "ecdsa", no_argument, NULL, 'e' },	   { "rsa", optional_argument, NULL, 'r' },
		{ "development", no_argument, NULL, 'd' }, { "production", no_argument, NULL, 'p' },
		{ "json", no_argument, NULL, 'J' },	   { 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'e')
			k->rsa_bits = 0;
		else if (c == 'r' && !optarg)
			k->rsa_bits = 3072;
		else if (c == 'r' && cli_number(optarg, 4096, &k->rsa_bits) &&
			 (k->rsa_bits == 2048 || k->rsa_bits == 3072 || k->rsa_bits == 4096))
			continue;
		else if (c == 'd' || c == 'p')
			k->development = c == 'd';
		else if (c == 'J')
			k->json = true;
		else
			return cli_bad_option(err, argv);
	}
	if (argc - optind != 1)
		return cli_usage(err, "one name for the key's files is needed");
	k->name = argv[optind];
	if (strlen(k->name) > sizeof(k->private_path) - 16)
		return cli_usage(err, "the name is too long");
	return 0;
}

static int generate(struct keygen *k, struct lb_error *err)
{
	int rc = mbedtls_pk_setup(&k->pk, mbedtls_pk_info_from_type(k->rsa_bits ? MBEDTLS_PK_RSA :
										  MBEDTLS_PK_ECKEY));

	if (!rc && k->rsa_bits)
		rc = mbedtls_rsa_gen_key(mbedtls_pk_rsa(k->pk), mbedtls_ctr_drbg_random,
					 &k->rng.drbg, (unsigned int)k->rsa_bits, RSA_EXPONENT);
	else if (!rc)
		rc = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(k->pk),
					 mbedtls_ctr_drbg_random, &k->rng.drbg);
	return rc ? lb_error_set(err, LB_E_NOMEM, "no key could be made (-0x%04x)",
				 (unsigned int)-rc) : 0;
}

/* Never replaces a file: a key that is lost this way takes devices with it. */
static int write_new(const char *path, mode_t mode, const struct keygen *k, const char *pem,
		     struct lb_error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	int rc = 0;

	if (fd < 0)
		return cli_errno(err, path, "created");
	if (k->development)
		rc = cli_write_full(fd, development_comment, strlen(development_comment));
	if (!rc)
		rc = cli_write_full(fd, pem, strlen(pem));
	if (rc || fsync(fd))
		rc = cli_errno(err, path, "written");
	if (close(fd) && !rc)
		rc = cli_errno(err, path, "written");
	if (rc)
		unlink(path);
	return rc;
}

/* A name in a certificate: without what X.509 names use themselves. */
static void subject(const struct keygen *k, char *ret, size_t size)
{
	const char *slash = strrchr(k->name, '/');

	snprintf(ret, size, "CN=%s%.48s", k->development ? "lifeboat-development " : "",
		 slash ? slash + 1 : k->name);
	for (char *p = ret + 3; *p; p++)
		if (strchr(",+=<>#;\"\\", *p))
			*p = '-';
}

/* Self-signed, for 100 years: mkimage and U-Boot only take the public key from it. */
static int certificate(struct keygen *k, char *pem)
{
	mbedtls_x509write_cert crt;
	unsigned char serial[16];
	char name[128];
	int rc;

	subject(k, name, sizeof(name));
	mbedtls_x509write_crt_init(&crt);
	mbedtls_x509write_crt_set_version(&crt, MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(&crt, MBEDTLS_MD_SHA256);
	mbedtls_x509write_crt_set_subject_key(&crt, &k->pk);
	mbedtls_x509write_crt_set_issuer_key(&crt, &k->pk);
	rc = mbedtls_ctr_drbg_random(&k->rng.drbg, serial, sizeof(serial));
	serial[0] = (serial[0] & 0x7f) | 1; /* positive, no leading zero */
	if (!rc)
		rc = mbedtls_x509write_crt_set_serial_raw(&crt, serial, sizeof(serial));
	if (!rc)
		rc = mbedtls_x509write_crt_set_validity(&crt, "20200101000000", "21191231235959");
	if (!rc)
		rc = mbedtls_x509write_crt_set_subject_name(&crt, name);
	if (!rc)
		rc = mbedtls_x509write_crt_set_issuer_name(&crt, name);
	if (!rc)
		rc = mbedtls_x509write_crt_pem(&crt, (unsigned char *)pem, PEM_MAX,
					       mbedtls_ctr_drbg_random, &k->rng.drbg);
	mbedtls_x509write_crt_free(&crt);
	return rc;
}

static int store(struct keygen *k, struct lb_error *err)
{
	char *pem = malloc(PEM_MAX);
	int rc;

	if (!pem)
		return lb_error_set(err, LB_E_NOMEM, "no memory for a key");
	if (mbedtls_pk_write_key_pem(&k->pk, (unsigned char *)pem, PEM_MAX)) {
		rc = lb_error_set(err, LB_E_NOMEM, "the key cannot be encoded");
		goto out;
	}
	rc = write_new(k->private_path, 0600, k, pem, err);
	mbedtls_platform_zeroize(pem, PEM_MAX);
	if (rc)
		goto out;
	rc = k->rsa_bits ? certificate(k, pem) :
			   mbedtls_pk_write_pubkey_pem(&k->pk, (unsigned char *)pem, PEM_MAX);
	if (rc)
		rc = lb_error_set(err, LB_E_NOMEM, "the public key cannot be encoded");
	else
		rc = write_new(k->public_path, 0644, k, pem, err);
	if (rc)
		unlink(k->private_path); /* it is ours, and useless alone */
out:
	free(pem);
	return rc;
}

/* First 8 bytes of the public key's SHA-256, as manifests name it. */
static void keyid(struct keygen *k, char ret[LB_KEYID_HEX])
{
	uint8_t der[1024], digest[LB_SHA256_BYTES] = { 0 };
	int len = mbedtls_pk_write_pubkey_der(&k->pk, der, sizeof(der));

	if (len > 0)
		lb_sha256(der + sizeof(der) - len, (size_t)len, digest);
	lb_hex_encode(ret, digest, (LB_KEYID_HEX - 1) / 2);
}

static int report(struct keygen *k, struct lb_error *err)
{
	char id[LB_KEYID_HEX];
	cJSON *root;

	keyid(k, id);
	if (!k->json) {
		printf("key %s: %s (keep it secret), %s\n", id, k->private_path, k->public_path);
		return 0;
	}
	root = cJSON_CreateObject();
	cJSON_AddStringToObject(root, "keyid", id);
	cJSON_AddStringToObject(root, "private", k->private_path);
	cJSON_AddStringToObject(root, "public", k->public_path);
	return cli_print_json(root, err);
}

static int run(int argc, char **argv, struct lb_error *err)
{
	struct keygen k = { 0 };
	int rc = parse_options(argc, argv, &k, err);

	if (rc)
		return rc;
	snprintf(k.private_path, sizeof(k.private_path), "%s%s", k.name, k.rsa_bits ? ".key" : ".pem");
	snprintf(k.public_path, sizeof(k.public_path), "%s%s", k.name,
		 k.rsa_bits ? ".crt" : ".pub.pem");
	if (!access(k.private_path, F_OK) || !access(k.public_path, F_OK))
		return lb_error_set(err, LB_E_EXISTS, "%.100s or %.100s exists already",
				    k.private_path, k.public_path);
	rc = tool_rng_init(&k.rng, err);
	if (rc)
		return rc;
	mbedtls_pk_init(&k.pk);
	rc = generate(&k, err);
	if (!rc)
		rc = store(&k, err);
	if (!rc)
		rc = report(&k, err);
	mbedtls_pk_free(&k.pk);
	tool_rng_free(&k.rng);
	return rc;
}

const struct cli_command cmd_keygen = {
	.name = "keygen",
	.arguments = "[OPTION...] NAME",
	.summary = "make a pair of keys; never overwrites one",
	.help =
	"      --ecdsa        ECDSA P-256, for bundles and channel files (default):\n"
	"                     NAME.pem (private, SEC 1), NAME.pub.pem (SubjectPublicKeyInfo)\n"
	"      --rsa[=BITS]   RSA 2048, 3072 (default) or 4096, for FITs:\n"
	"                     NAME.key (private) and NAME.crt (self-signed), as mkimage wants them\n"
	"      --production   an ordinary key (default)\n"
	"      --development  a key that calls itself lifeboat-development: release builds refuse it\n"
	"      --json         key id and paths as JSON\n",
	.run = run,
};
