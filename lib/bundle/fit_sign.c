// SPDX-License-Identifier: GPL-2.0-or-later
#include "bundle/fit_sign.h"

#include <libfdt.h>
#include <mbedtls/rsa.h>
#include <mbedtls/x509_crt.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32
#define PATH_BYTES 200
#define HASHED_NODES_MAX 100 /* U-Boot: IMAGE_MAX_HASHED_NODES */

/* A list of strings as a property holds it; its last byte is NUL. */
struct strings {
	const char *at;
	int len;
};

static bool contains(const struct strings *list, const char *text)
{
	for (int at = 0; at < list->len; at += (int)strlen(list->at + at) + 1)
		if (!strcmp(list->at + at, text))
			return true;
	return false;
}

/* Walks the structure block and hashes the parts that count. */
struct walk {
	const void *fdt;
	const struct strings *nodes;
	struct lb_sha256 sha;
	char path[PATH_BYTES];
	size_t path_len;
	int outer[DEPTH_MAX]; /* how much was wanted outside of this node */
	int depth;
	/* 2: this node is named, 1: its parent is (only its begin and end count), 0: neither */
	int want;
	bool rooted;  /* the one root node was seen */
	bool hashing; /* the tag before this one counted */
};

static int enter_node(struct walk *w, int offset)
{
	int len;
	const char *name = fdt_get_name(w->fdt, offset, &len);

	if (!name || w->depth + 1 >= DEPTH_MAX || w->path_len + (size_t)len + 2 >= PATH_BYTES)
		return -1;
	if (w->depth < 0 && (w->rooted || len))
		return -1;
	w->rooted = true;
	if (w->path_len != 1)
		w->path[w->path_len++] = '/';
	memcpy(w->path + w->path_len, name, (size_t)len + 1);
	w->path_len += (size_t)len;

	w->outer[++w->depth] = w->want;
	if (contains(w->nodes, w->path))
		w->want = 2;
	else if (w->want)
		w->want--;
	return w->want;
}

static int leave_node(struct walk *w)
{
	int counts = w->want;

	if (w->depth < 0)
		return -1;
	w->want = w->outer[w->depth--];
	while (w->path_len && w->path[--w->path_len] != '/')
		;
	if (!w->path_len && w->depth >= 0)
		w->path_len = 1; /* back at "/" */
	w->path[w->path_len] = '\0';
	return counts;
}

/* "data" and its kin change when the data moves out of the structure. */
static int property_counts(const struct walk *w, int offset)
{
	static const struct strings moving = {
		"data\0data-size\0data-position\0data-offset", 41,
	};
	const struct fdt_property *p = fdt_get_property_by_offset(w->fdt, offset, NULL);
	const char *name = p ? fdt_string(w->fdt, (int)fdt32_to_cpu(p->nameoff)) : NULL;

	if (!name)
		return -1;
	return w->want >= 2 && !contains(&moving, name);
}

static int tag_counts(struct walk *w, uint32_t tag, int offset)
{
	switch (tag) {
	case FDT_PROP:
		return property_counts(w, offset);
	case FDT_NOP:
		return w->want >= 2;
	case FDT_BEGIN_NODE:
		return enter_node(w, offset);
	case FDT_END_NODE:
		return leave_node(w);
	default: /* FDT_END */
		return 1;
	}
}

static int hash_structure(struct walk *w)
{
	const uint8_t *base = (const uint8_t *)w->fdt + fdt_off_dt_struct(w->fdt);
	int offset, next = 0;
	uint32_t tag;

	do {
		int counts;

		offset = next;
		tag = fdt_next_tag(w->fdt, offset, &next);
		if (next < offset)
			return -1;
		counts = tag_counts(w, tag, offset);
		if (counts < 0)
			return -1;
		/* the end of an outer node right behind what counts is hashed along with it */
		if (counts || (w->hashing && tag == FDT_END_NODE))
			lb_sha256_update(&w->sha, base + offset, (size_t)(next - offset));
		w->hashing = counts > 0;
	} while (tag != FDT_END);
	return 0;
}

/* The nodes that are signed; the configuration itself has to be one of them. */
static int hashed_nodes(const void *fdt, int signature, const char *conf, struct strings *ret,
			struct lb_error *err)
{
	static const char prefix[] = "/configurations/";
	char path[PATH_BYTES];
	struct strings list = { .len = 0 };
	int count = 0;

	list.at = fdt_getprop(fdt, signature, "hashed-nodes", &list.len);
	if (!list.at || list.len <= 0 || list.at[list.len - 1])
		return lb_error_set(err, LB_E_FIT, "a FIT's signature says not what it signs");
	for (int i = 0; i < list.len; i++)
		count += !list.at[i];
	if (count > HASHED_NODES_MAX || strlen(conf) + sizeof(prefix) > sizeof(path))
		return lb_error_set(err, LB_E_FIT, "a FIT's signature names %d nodes", count);
	strcpy(path, prefix);
	strcat(path, conf);
	if (!contains(&list, path))
		return lb_error_set(err, LB_E_FIT,
				    "a FIT's signature does not cover its configuration %.32s", conf);
	*ret = list;
	return 0;
}

/* The strings that existed when it was signed: later ones name the signature's own properties. */
static int hash_strings(struct walk *w, int signature)
{
	int len;
	const fdt32_t *range = fdt_getprop(w->fdt, signature, "hashed-strings", &len);
	uint32_t size;

	if (!range)
		return 0;
	if (len != 2 * (int)sizeof(*range))
		return -1;
	size = fdt32_to_cpu(range[1]);
	if (size > fdt_size_dt_strings(w->fdt))
		return -1;
	lb_sha256_update(&w->sha, (const uint8_t *)w->fdt + fdt_off_dt_strings(w->fdt), size);
	return 0;
}

int lb_fit_signed_digest(const void *fdt, int signature, const char *conf,
			 uint8_t ret[LB_SHA256_BYTES], struct lb_error *err)
{
	struct strings nodes;
	struct walk w = { .fdt = fdt, .nodes = &nodes, .depth = -1 };
	int bad = hashed_nodes(fdt, signature, conf, &nodes, err);

	if (bad)
		return bad;
	lb_sha256_start(&w.sha);
	bad = hash_structure(&w) || hash_strings(&w, signature);
	lb_sha256_finish(&w.sha, ret);
	return bad ? lb_error_set(err, LB_E_FIT, "a FIT's structure cannot be hashed") : 0;
}

static const char *text(const void *fdt, int node, const char *name)
{
	int len;
	const char *s = fdt_getprop(fdt, node, name, &len);

	return s && len > 0 && !s[len - 1] ? s : NULL;
}

static bool made_by(mbedtls_pk_context *key, const void *fdt, int node,
		    const uint8_t digest[LB_SHA256_BYTES])
{
	const mbedtls_pk_rsassa_pss_options pss = { MBEDTLS_MD_SHA256, MBEDTLS_RSA_SALT_LEN_ANY };
	const char *padding = text(fdt, node, "padding");
	int len;
	const uint8_t *value = fdt_getprop(fdt, node, "value", &len);

	if (!value || len <= 0)
		return false;
	if (padding && !strcmp(padding, "pss"))
		return !mbedtls_pk_verify_ext(MBEDTLS_PK_RSASSA_PSS, &pss, key, MBEDTLS_MD_SHA256,
					      digest, LB_SHA256_BYTES, value, (size_t)len);
	if (padding && strcmp(padding, "pkcs-1.5"))
		return false;
	return !mbedtls_pk_verify(key, MBEDTLS_MD_SHA256, digest, LB_SHA256_BYTES, value,
				  (size_t)len);
}

int lb_fit_signature_check(const void *fdt, int conf, mbedtls_pk_context *key,
			   struct lb_error *err)
{
	const char *conf_name = fdt_get_name(fdt, conf, NULL);
	uint8_t digest[LB_SHA256_BYTES];
	int node, tried = 0, bad = 0;

	fdt_for_each_subnode(node, fdt, conf) {
		const char *name = fdt_get_name(fdt, node, NULL);
		const char *algo = text(fdt, node, "algo");

		if (!name || strncmp(name, "signature", 9) || !algo ||
		    strncmp(algo, "sha256,rsa", 10))
			continue;
		bad = lb_fit_signed_digest(fdt, node, conf_name, digest, err);
		if (bad)
			continue;
		if (made_by(key, fdt, node, digest))
			return 0;
		tried++;
	}
	if (tried)
		return lb_error_set(err, LB_E_SIGNATURE,
				    "the FIT's configuration %.32s is not signed with the bootloader's key",
				    conf_name);
	return bad ? bad : lb_error_set(err, LB_E_FIT, "the FIT's configuration %.32s is not signed",
					conf_name);
}

static int parse_terminated(const uint8_t *text_bytes, size_t len, mbedtls_pk_context *ret)
{
	mbedtls_x509_crt crt;
	int rc = mbedtls_pk_parse_public_key(ret, text_bytes, len);

	if (!rc)
		return 0;
	mbedtls_x509_crt_init(&crt);
	rc = mbedtls_x509_crt_parse(&crt, text_bytes, len);
	if (!rc) { /* take the key out of the certificate */
		mbedtls_pk_free(ret);
		*ret = crt.pk;
		mbedtls_pk_init(&crt.pk);
	}
	mbedtls_x509_crt_free(&crt);
	return rc;
}

int lb_fit_key_parse(const void *pem, size_t len, mbedtls_pk_context *ret, struct lb_error *err)
{
	uint8_t *copy = malloc(len + 1);
	int rc;

	if (!copy)
		return lb_error_set(err, LB_E_NOMEM, "no memory for a public key");
	memcpy(copy, pem, len);
	copy[len] = '\0';
	rc = parse_terminated(copy, len + 1, ret);
	free(copy);
	if (rc)
		return lb_error_set(err, LB_E_FORMAT,
				    "a file of %zu bytes is no public key or certificate (-0x%04x)",
				    len, (unsigned int)-rc);
	if (mbedtls_pk_get_type(ret) != MBEDTLS_PK_RSA || mbedtls_pk_get_bitlen(ret) < 2048)
		return lb_error_set(err, LB_E_UNSUPPORTED,
				    "the bootloader's key is not RSA of 2048 bits or more");
	return 0;
}
