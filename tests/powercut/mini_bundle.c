// SPDX-License-Identifier: GPL-2.0-or-later
#include "mini_bundle.h"

#include <mbedtls/ecp.h>
#include <mbedtls/pk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/bytes.h"
#include "bundle/chunker.h"
#include "bundle/tar.h"

static void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "powercut: packing a bundle failed: %s\n", what);
		abort();
	}
}

/* ---- growing byte strings ---- */

struct string {
	uint8_t *bytes;
	size_t len;
};

static uint8_t *extend(struct string *s, size_t len)
{
	s->bytes = realloc(s->bytes, s->len + len + 1);
	must(s->bytes != NULL, "no memory");
	s->len += len;
	memset(s->bytes + s->len - len, 0, len + 1);
	return s->bytes + s->len - len;
}

static void add(struct string *s, const void *bytes, size_t len)
{
	memcpy(extend(s, len), bytes, len);
}

static void add_member(struct string *tar, const char *name, const struct string *data)
{
	struct lb_tar_member m = { .size_bytes = data->len, .mtime_s = 1700000000 };

	snprintf(m.name, sizeof(m.name), "%s", name);
	lb_tar_format(extend(tar, LB_TAR_BLOCK), &m);
	memcpy(extend(tar, lb_tar_padded(data->len)), data->bytes, data->len);
}

static void hex_digest(char hex[LB_SHA256_HEX], const void *bytes, size_t len)
{
	uint8_t digest[LB_SHA256_BYTES];

	lb_sha256(bytes, len, digest);
	lb_hex_encode(hex, digest, sizeof(digest));
}

/* ---- the key ---- */

/* Repeatable: the simulator must do the same on every run. Guards nothing. */
static int not_random(void *ctx, unsigned char *out, size_t len)
{
	static uint32_t seed = 0x1badb002;

	(void)ctx;
	while (len--) {
		seed = seed * 1664525u + 1013904223u;
		*out++ = (uint8_t)(seed >> 24);
	}
	return 0;
}

static mbedtls_pk_context *signing_key(void)
{
	static mbedtls_pk_context pk;
	static bool made;

	if (made)
		return &pk;
	mbedtls_pk_init(&pk);
	must(!mbedtls_pk_setup(&pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) &&
		     !mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(pk), not_random,
					  NULL),
	     "making a key");
	made = true;
	return &pk;
}

const struct lb_keyring *mini_keyring(void)
{
	static struct lb_keyring ring;
	unsigned char pem[512];

	if (ring.count)
		return &ring;
	must(!mbedtls_pk_write_pubkey_pem(signing_key(), pem, sizeof(pem)), "writing a key");
	must(!lb_keyring_add(&ring, pem, strlen((char *)pem), NULL), "pinning a key");
	return &ring;
}

static void add_signature(struct string *tar, const struct string *manifest)
{
	uint8_t digest[LB_SHA256_BYTES], der[LB_SIGNATURE_MAX_BYTES];
	char name[64];
	size_t len;

	lb_sha256(manifest->bytes, manifest->len, digest);
	must(!mbedtls_pk_sign(signing_key(), MBEDTLS_MD_SHA256, digest, sizeof(digest), der,
			      sizeof(der), &len, not_random, NULL),
	     "signing");
	snprintf(name, sizeof(name), "manifest.sig.%.16s", mini_keyring()->keys[0].keyid);
	add_member(tar, name, &(struct string){ der, len });
}

/* ---- chunks ---- */

struct packed {
	struct string index, far, payload;
	uint32_t longest_stored;
};

static uint32_t find_original(const struct packed *p, uint32_t count, const uint8_t *digest)
{
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *e = p->index.bytes + LB_INDEX_HEADER_BYTES + i * LB_INDEX_ENTRY_BYTES;

		if ((e[0] == LB_CHUNK_DATA || e[0] == LB_CHUNK_FAR) && !memcmp(e + 8, digest, LB_SHA256_BYTES))
			return i;
	}
	return UINT32_MAX;
}

/* A frame that refers to @prefix. */
static size_t compress(uint8_t *at, size_t room, const uint8_t *bytes, size_t len,
		       const uint8_t *prefix, size_t prefix_len)
{
	ZSTD_CCtx *cctx = ZSTD_createCCtx();
	size_t n;

	must(cctx && !ZSTD_isError(ZSTD_CCtx_refPrefix(cctx, prefix, prefix_len)), "a prefix");
	n = ZSTD_compress2(cctx, at, room, bytes, len);
	must(!ZSTD_isError(n), "compressing");
	ZSTD_freeCCtx(cctx);
	return n;
}

#define FAR_BLOCK LB_FAR_BLOCK_BYTES
#define SEEN 32u /* bytes that are looked for in front */

/* First block and number of them; 0: the chunk at @offset has no far region. */
static uint32_t far_region(const struct mini_image *im, size_t offset, size_t len)
{
	const uint8_t *bytes = im->bytes;
	size_t blocks, from;

	if (len < 4 * SEEN || offset < FAR_BLOCK)
		return 0;
	for (from = 0; from + SEEN <= offset; from++)
		if (bytes[from] == bytes[offset] && !memcmp(bytes + from, bytes + offset, SEEN))
			break;
	from /= FAR_BLOCK;
	blocks = offset / FAR_BLOCK > from ? offset / FAR_BLOCK - from : 0;
	if (blocks > len / FAR_BLOCK + 1)
		blocks = len / FAR_BLOCK + 1;
	if (blocks > LB_FAR_BLOCKS_MAX)
		blocks = LB_FAR_BLOCKS_MAX;
	return blocks ? (uint32_t)(from | blocks << 24) : 0;
}

/* The chunk at @offset into the payload; its stored length and its reach; and its far region. */
static uint32_t store(struct packed *p, const struct mini_image *im, uint32_t number, size_t offset,
		      size_t len, uint32_t *ret_far)
{
	uint8_t reach = number % 4 != 3 && im->encoding == LB_ENC_ZSTD_FRAMES ? im->reach : 0;
	size_t room = ZSTD_compressBound(len), n = len, prefix;
	uint8_t *at = extend(&p->payload, room);

	*ret_far = 0;
	if (im->far_every && number % im->far_every == 0)
		*ret_far = far_region(im, offset, len);
	if (*ret_far)
		reach = 0;
	prefix = lb_reach_bytes(reach, offset);
	if (im->encoding == LB_ENC_NONE)
		memcpy(at, im->bytes + offset, len);
	else if (*ret_far)
		n = compress(at, room, im->bytes + offset, len,
			     im->bytes + (size_t)(*ret_far & 0xffffff) * FAR_BLOCK,
			     (*ret_far >> 24) * FAR_BLOCK);
	else
		n = compress(at, room, im->bytes + offset, len, im->bytes + offset - prefix, prefix);
	p->payload.len -= room - n;
	if (n > p->longest_stored)
		p->longest_stored = (uint32_t)n;
	return (uint32_t)n | (uint32_t)reach << 24;
}

static void pack_chunk(struct packed *p, const struct mini_image *im, uint32_t number, size_t offset,
		       size_t len)
{
	const uint8_t *bytes = im->bytes + offset;
	uint8_t digest[LB_SHA256_BYTES], entry[LB_INDEX_ENTRY_BYTES] = { 0 };
	uint32_t original, far;

	lb_put_le32(entry, (uint32_t)len << 8 | LB_CHUNK_ZERO);
	if (!lb_bytes_all_zero(bytes, len)) {
		lb_sha256(bytes, len, digest);
		memcpy(entry + 8, digest, sizeof(digest));
		original = find_original(p, number, digest);
		entry[0] = original == UINT32_MAX ? LB_CHUNK_DATA : LB_CHUNK_DUPLICATE;
		if (original == UINT32_MAX)
			original = store(p, im, number, offset, len, &far);
		if (entry[0] == LB_CHUNK_DATA && far) {
			entry[0] = LB_CHUNK_FAR;
			lb_put_le32(extend(&p->far, LB_INDEX_FAR_BYTES), far);
		}
		lb_put_le32(entry + 4, original);
	}
	add(&p->index, entry, sizeof(entry));
}

static size_t chunk_length(const struct mini_image *im, size_t at, size_t chunk_bytes)
{
	size_t left = im->len - at;
	struct lb_chunker c;
	bool zero;

	if (chunk_bytes)
		return left < chunk_bytes ? left : chunk_bytes;
	lb_chunker_init(&c, LB_CHUNKER_COARSE);
	return lb_chunker_next(&c, at, im->bytes + at, left < c.window_bytes ? left : c.window_bytes,
			       &zero);
}

static void pack_image(struct packed *p, const struct mini_image *im, size_t chunk_bytes)
{
	uint32_t number = 0;
	uint8_t *head;

	memset(p, 0, sizeof(*p));
	extend(&p->index, LB_INDEX_HEADER_BYTES);
	extend(&p->far, 0);
	extend(&p->payload, 0);
	for (size_t at = 0, n; at < im->len; at += n, number++) {
		n = chunk_length(im, at, chunk_bytes);
		pack_chunk(p, im, number, at, n);
	}
	add(&p->index, p->far.bytes, p->far.len);
	head = p->index.bytes;
	memcpy(head, "LBINDEX1", 8);
	lb_put_le32(head + 8, LB_INDEX_ENTRY_BYTES);
	lb_put_le32(head + 12, number);
	lb_put_le64(head + 16, im->len);
	lb_put_le64(head + 24, p->payload.len);
}

/* ---- manifest and archive ---- */

static void add_patches_text(struct string *text, const struct mini_image *im,
			     const struct mini_patches *p)
{
	char from[LB_SHA256_HEX], index[LB_SHA256_HEX], payload[LB_SHA256_HEX], buf[1024];
	int n;

	lb_hex_encode(from, p->from, sizeof(p->from));
	hex_digest(index, p->index, p->index_len);
	hex_digest(payload, p->payload, p->payload_len);
	n = snprintf(buf, sizeof(buf),
		     ",\"patches\":[{\"from\":\"%s\",\"release\":1,"
		     "\"index\":{\"name\":\"%s.1.pidx\",\"size\":%zu,\"sha256\":\"%s\"},"
		     "\"payload\":{\"name\":\"%s.1.patch\",\"size\":%zu,\"sha256\":\"%s\"}}]",
		     from, im->name, p->index_len, index, im->name, p->payload_len, payload);
	must(n > 0 && (size_t)n < sizeof(buf), "patches");
	add(text, buf, (size_t)n);
}

static void add_image_text(struct string *text, const struct mini_image *im,
			   const struct packed *p, bool first, uint32_t recovery_release)
{
	char kind[64] = "\"kind\":\"raw\"";
	char image[LB_SHA256_HEX], index[LB_SHA256_HEX], payload[LB_SHA256_HEX], buf[1024];
	int n;

	hex_digest(image, im->bytes, im->len);
	hex_digest(index, p->index.bytes, p->index.len);
	hex_digest(payload, p->payload.bytes, p->payload.len);
	if (recovery_release)
		snprintf(kind, sizeof(kind), "\"kind\":\"recovery\",\"recovery_release\":%u",
			 recovery_release);
	n = snprintf(buf, sizeof(buf),
		     "%s{\"name\":\"%s\",\"target\":\"%s\",%s,\"size\":%zu,"
		     "\"sha256\":\"%s\",\"encoding\":\"%s\","
		     "\"index\":{\"name\":\"%s.idx\",\"size\":%zu,\"sha256\":\"%s\"},"
		     "\"payload\":{\"name\":\"%s%s\",\"size\":%zu,\"sha256\":\"%s\"}",
		     first ? "" : ",", im->name, im->name, kind, im->len, image,
		     lb_encoding_name(im->encoding), im->name, p->index.len, index, im->name,
		     lb_encoding_suffix(im->encoding), p->payload.len, payload);
	must(n > 0 && (size_t)n < sizeof(buf), "manifest");
	add(text, buf, (size_t)n);
}

void mini_pack(struct mini_bundle *b, uint64_t release, const struct mini_image *images,
	       uint32_t count, size_t chunk_bytes)
{
	mini_pack_with_recovery(b, release, images, count, chunk_bytes, 0);
}

static void add_patch_members(struct string *tar, const struct mini_image *im,
			      const struct mini_patches *p)
{
	char name[64];

	snprintf(name, sizeof(name), "%.31s.1.pidx", im->name);
	add_member(tar, name, &(struct string){ p->index, p->index_len });
	snprintf(name, sizeof(name), "%.31s.1.patch", im->name);
	add_member(tar, name, &(struct string){ p->payload, p->payload_len });
}

/* @patches: of the first image; NULL: none */
static void pack_all(struct mini_bundle *b, uint64_t release, const struct mini_image *images,
		     uint32_t count, size_t chunk_bytes, uint32_t recovery_release,
		     const struct mini_patches *patches)
{
	struct packed packed[MINI_IMAGES];
	struct string text = { 0 }, tar = { 0 };
	char buf[256], name[64];

	must(count <= MINI_IMAGES, "too many images");
	memset(b, 0, sizeof(*b));
	add(&text, buf,
	    (size_t)snprintf(buf, sizeof(buf),
			     "{\"format\":1,\"product\":\"sim\",\"hardware\":[\"sim,board\"],"
			     "\"version\":\"%llu\",\"release\":%llu,\"min_release\":1,"
			     "\"created\":1700000000,\"images\":[",
			     (unsigned long long)release, (unsigned long long)release));
	for (uint32_t i = 0; i < count; i++) {
		pack_image(&packed[i], &images[i], chunk_bytes);
		add_image_text(&text, &images[i], &packed[i], !i, i ? 0 : recovery_release);
		if (patches && !i)
			add_patches_text(&text, &images[i], patches);
		add(&text, "}", 1);
		if (packed[i].longest_stored > b->longest_stored)
			b->longest_stored = packed[i].longest_stored;
	}
	add(&text, "]}", 2);

	add_member(&tar, "manifest.json", &text);
	add_signature(&tar, &text);
	for (uint32_t i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%.31s.idx", images[i].name);
		add_member(&tar, name, &packed[i].index);
	}
	b->payload_offset = tar.len + LB_TAR_BLOCK;
	for (uint32_t i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%.31s%s", images[i].name,
			 lb_encoding_suffix(images[i].encoding));
		add_member(&tar, name, &packed[i].payload);
		free(packed[i].index.bytes);
		free(packed[i].far.bytes);
		free(packed[i].payload.bytes);
	}
	if (patches)
		add_patch_members(&tar, &images[0], patches);
	extend(&tar, LB_TAR_END_BYTES);
	free(text.bytes);
	b->bytes = tar.bytes;
	b->len = tar.len;
}

void mini_pack_with_recovery(struct mini_bundle *b, uint64_t release,
			     const struct mini_image *images, uint32_t count, size_t chunk_bytes,
			     uint32_t recovery_release)
{
	pack_all(b, release, images, count, chunk_bytes, recovery_release, NULL);
}

void mini_pack_patched(struct mini_bundle *b, uint64_t release, const struct mini_image *image,
		       size_t chunk_bytes, const struct mini_patches *patches)
{
	pack_all(b, release, image, 1, chunk_bytes, 0, patches);
}
