// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Uses every third-party library the way Lifeboat does, so that a changed
 * version, patch or configuration fails here and not in a product test.
 *
 *   probe libs                     what needs no network
 *   probe get URL CA RANGE FLAGS   body to stdout; RANGE "-" for all of it; FLAGS
 *                                  "undated": certificate dates do not count,
 *                                  "multi": by the multi interface
 */
#include <cJSON.h>
#include <curl/curl.h>
#include <libfdt.h>
#include <libubi.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/entropy.h>
#include <mbedtls/pk.h>
#include <mbedtls/sha256.h>
#include <mbedtls/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

static int check(const char *what, int ok)
{
	printf("%s: %s\n", what, ok ? "ok" : "FAILED");
	return !ok;
}

static int sha256_of_abc(void)
{
	static const unsigned char want[4] = { 0xba, 0x78, 0x16, 0xbf };
	unsigned char sum[32];

	return !mbedtls_sha256((const unsigned char *)"abc", 3, sum, 0) &&
	       !memcmp(sum, want, sizeof(want));
}

/* `printf lifeboat | zstd` */
static int zstd_frame(void)
{
	static const unsigned char frame[] = {
		0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x08, 0x41, 0x00, 0x00,
		'l', 'i', 'f', 'e', 'b', 'o', 'a', 't',
	};
	char out[16];

	return ZSTD_decompress(out, sizeof(out), frame, sizeof(frame)) == 8 &&
	       !memcmp(out, "lifeboat", 8);
}

static int json_nesting(void)
{
	char deep[80];
	cJSON *flat = cJSON_Parse("{\"a\":[1,2]}");
	cJSON *nested;
	int ok;

	memset(deep, '[', 40);
	memset(deep + 40, ']', 39);
	deep[79] = 0;
	nested = cJSON_Parse(deep);
	ok = flat && !nested;
	cJSON_Delete(flat);
	cJSON_Delete(nested);
	return ok;
}

static int fdt_refuses_garbage(void)
{
	static const char garbage[64] = "\xd0\x0d\xfe\xed\x7f";
	static char tree[256];

	return fdt_check_full(garbage, sizeof(garbage)) &&
	       !fdt_create_empty_tree(tree, sizeof(tree)) &&
	       !fdt_check_full(tree, sizeof(tree));
}

static int ubi_is_absent(void)
{
	libubi_t ubi = libubi_open();

	if (ubi)
		libubi_close(ubi);
	return 1;	/* either is fine: it linked and did not crash */
}

/* The C library's memmove(), to every place near and far, every length, byte by byte. */
static int memmove_of_overlaps(void)
{
	static unsigned char moved[320], first[320];
	void *(*volatile move)(void *, const void *, size_t) = memmove; /* not the compiler's own */

	for (size_t i = 0; i < sizeof(first); i++)
		first[i] = (unsigned char)(i * 167 + i / 256);
	for (size_t n = 0; n <= 160; n++) {
		for (size_t to = 0; to <= 160; to++) {
			memcpy(moved, first, sizeof(moved));
			if (move(moved + to, moved + 80, n) != moved + to)
				return 0;
			for (size_t i = 0; i < sizeof(moved); i++)
				if (moved[i] != first[i >= to && i < to + n ? i - to + 80 : i])
					return 0;
		}
	}
	return 1;
}

static int probe_libs(void)
{
	int bad = 0;

	bad |= check("memmove of overlaps", memmove_of_overlaps());
	bad |= check("mbedtls sha256", sha256_of_abc());
	bad |= check("zstd frame", zstd_frame());
	bad |= check("cjson nesting limit", json_nesting());
	bad |= check("libfdt full check", fdt_refuses_garbage());
	bad |= check("libubi", ubi_is_absent());
	return bad;
}

static int ignore_dates(void *ctx, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	*flags &= ~(uint32_t)(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE);
	return 0;
}

static CURLcode set_verify(CURL *easy, void *config, void *arg)
{
	mbedtls_ssl_conf_verify(config, ignore_dates, NULL);
	return CURLE_OK;
}

static char *read_text(const char *path, size_t *ret_len)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 65536);

	if (!f || !text)
		exit(2);
	*ret_len = fread(text, 1, 65535, f);
	fclose(f);
	return text;
}

static size_t print_etag(char *line, size_t size, size_t count, void *arg)
{
	if (size * count > 5 && !strncasecmp(line, "etag:", 5))
		fprintf(stderr, "%.*s", (int)(size * count), line);
	return size * count;
}

static CURLcode perform_multi(CURL *easy)
{
	CURLM *multi = curl_multi_init();
	CURLcode result = CURLE_FAILED_INIT;
	int running = 1, left;
	CURLMsg *msg;

	curl_multi_add_handle(multi, easy);
	while (running && !curl_multi_perform(multi, &running))
		curl_multi_poll(multi, NULL, 0, 100, NULL);
	msg = curl_multi_info_read(multi, &left);
	if (msg)
		result = msg->data.result;
	curl_multi_remove_handle(multi, easy);
	curl_multi_cleanup(multi);
	return result;
}

static int probe_get(const char *url, const char *ca, const char *range, const char *flags)
{
	char error[CURL_ERROR_SIZE] = "";
	struct curl_blob blob = { .flags = CURL_BLOB_NOCOPY };
	struct curl_slist *headers = NULL;
	CURLcode result;
	CURL *easy;
	long code = 0;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	easy = curl_easy_init();
	blob.data = read_text(ca, &blob.len);
	blob.len++;	/* mbedTLS wants the NUL of PEM counted */
	headers = curl_slist_append(headers, "Authorization: Bearer token");
	headers = curl_slist_append(headers, "If-None-Match: \"never\"");
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, print_etag);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 20000L);
	result = curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
	if (!result && strstr(flags, "undated"))
		result = curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, set_verify);
	if (strcmp(range, "-"))
		curl_easy_setopt(easy, CURLOPT_RANGE, range);
	if (!result)
		result = strstr(flags, "multi") ? perform_multi(easy) : curl_easy_perform(easy);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);
	fprintf(stderr, "curl %d http %ld: %s\n", result, code, error);
	curl_easy_cleanup(easy);
	curl_slist_free_all(headers);
	curl_global_cleanup();
	free(blob.data);
	return result != CURLE_OK;
}

int main(int argc, char **argv)
{
	if (argc == 6 && !strcmp(argv[1], "get"))
		return probe_get(argv[2], argv[3], argv[4], argv[5]);
	if (argc == 2 && !strcmp(argv[1], "libs"))
		return probe_libs();
	fprintf(stderr, "usage: probe libs | probe get URL CA RANGE FLAGS\n");
	return 2;
}
