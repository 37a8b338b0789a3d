// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads ranges of a URL as recovery does and says what happened, one JSON
 * object a line; for tests/net. Exit status 0 whatever the server did.
 *
 *   httpcat [options] URL [OFFSET:LENGTH]...     LENGTH may be "end"
 *   httpcat -g ETAG [options] URL                lb_http_get()
 *   httpcat -r OFFSET:LENGTH [options] URL       lb_http_get_range()
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/sha256.h"
#include "linux/clock.h"
#include "linux/http.h"

#define READ_BYTES (16u * 1024u)

struct options {
	struct lb_http_options http;
	const char *etag, *range;
	int retries;		/* after -LB_E_AGAIN */
	uint32_t pause_ms;	/* between reads: a slow medium */
};

static void print_string(const char *name, const char *value)
{
	printf("\"%s\": \"", name);
	for (; *value; value++)
		if (*value == '"' || *value == '\\')
			printf("\\%c", *value);
		else
			putchar(*value < ' ' ? '?' : *value);
	putchar('"');
}

static void print_result(int code, const struct lb_error *err)
{
	print_string("code", lb_error_name(code));
	printf(", ");
	print_string("text", code ? err->text : "");
}

static unsigned long peak_kib(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	unsigned long kib = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmHWM: %lu", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

static bool parse_range(const char *text, uint64_t *ret_offset, uint64_t *ret_len)
{
	char *end;

	*ret_offset = strtoull(text, &end, 10);
	if (*end != ':')
		return false;
	*ret_len = strcmp(end + 1, "end") ? strtoull(end + 1, &end, 10) : LB_SOURCE_TO_END;
	return true;
}

static void print_digest(struct lb_sha256 *h)
{
	uint8_t digest[LB_SHA256_BYTES];
	char hex[LB_SHA256_HEX];

	lb_sha256_finish(h, digest);
	lb_hex_encode(hex, digest, sizeof(digest));
	printf(", \"sha256\": \"%s\"", hex);
}

/* Reads one range; after a lost connection it goes on where it was. */
static int read_range(struct lb_source *src, const struct options *o, uint64_t offset, uint64_t len,
		      struct lb_sha256 *hash, uint64_t *ret_got, struct lb_error *err)
{
	static uint8_t buf[READ_BYTES];
	int retries = o->retries;
	uint64_t got = 0;
	ptrdiff_t n = lb_source_seek(src, offset, len, err);

	while (!n && got < len) {
		n = lb_source_read(src, buf, len - got < sizeof(buf) ? (size_t)(len - got) : sizeof(buf),
				   err);
		if (!n)
			break;
		if (n > 0) {
			lb_sha256_update(hash, buf, (size_t)n);
			got += (uint64_t)n;
			n = 0;
		} else if (n == -LB_E_AGAIN && retries-- > 0) {
			n = lb_source_seek(src, offset + got,
					   len == LB_SOURCE_TO_END ? len : len - got, err);
		}
		if (o->pause_ms)
			lb_clock_sleep(lb_clock_system(), o->pause_ms);
	}
	*ret_got = got;
	return (int)n;
}

static int cat(const char *url, const struct options *o, char **ranges)
{
	struct lb_clock *clock = lb_clock_system();
	struct lb_source *src = NULL;
	struct lb_error err = { 0 };
	int code = lb_http_source_open(url, &o->http, &src, &err);

	if (code) {
		printf("{");
		print_result(code, &err);
		printf("}\n");
		return 0;
	}
	for (; *ranges; ranges++) {
		uint64_t offset, len, got, start = lb_clock_ms(clock);
		struct lb_sha256 hash;

		if (!parse_range(*ranges, &offset, &len))
			return 2;
		lb_sha256_start(&hash);
		code = read_range(src, o, offset, len, &hash, &got, &err);
		printf("{");
		print_result(code, &err);
		printf(", \"offset\": %" PRIu64 ", \"got\": %" PRIu64 ", \"ms\": %" PRIu64, offset, got,
		       lb_clock_ms(clock) - start);
		print_digest(&hash);
		printf(", \"fetched\": %" PRIu64 ", \"requests\": %u, \"sequential\": %s",
		       src->fetched_bytes, src->requests, src->sequential ? "true" : "false");
		printf(", \"retry_after\": %u, \"peak_kib\": %lu}\n", src->retry_after_s, peak_kib());
		fflush(stdout);
	}
	lb_source_close(src);
	return 0;
}

static int get(const char *url, const struct options *o)
{
	static uint8_t buf[65536];
	struct lb_http_reply reply;
	struct lb_error err = { 0 };
	struct lb_sha256 hash;
	uint64_t offset, len;
	ptrdiff_t n;

	if (!o->range) {
		n = lb_http_get(url, &o->http, o->etag, buf, sizeof(buf), &reply, &err);
	} else {
		if (!parse_range(o->range, &offset, &len) || len > sizeof(buf))
			return 2;
		n = lb_http_get_range(url, &o->http, offset, buf, (size_t)len, &reply, &err);
	}
	printf("{");
	print_result(n < 0 ? (int)n : 0, &err);
	printf(", \"got\": %td, \"status\": %ld, \"retry_after\": %u, \"total\": %" PRIu64
	       ", \"ranges\": %s, ", n < 0 ? 0 : n, reply.status, reply.retry_after_s,
	       reply.total_bytes, reply.ranges ? "true" : "false");
	print_string("etag", reply.etag);
	lb_sha256_start(&hash);
	if (n > 0)
		lb_sha256_update(&hash, buf, (size_t)n);
	print_digest(&hash);
	printf("}\n");
	return 0;
}

static char *read_pem(const char *path)
{
	static char pem[8193];
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(pem, 1, sizeof(pem) - 1, f) : 0;

	if (f)
		fclose(f);
	pem[n] = '\0';
	return n ? pem : NULL;
}

int main(int argc, char **argv)
{
	struct options o = { .http.user_agent = "lifeboat-httpcat" };
	int c, result;

	while ((c = getopt(argc, argv, "c:C:f:H:s:t:n:p:g:r:")) != -1) {
		switch (c) {
		case 'c': o.http.ca_file = optarg; break;
		case 'C': o.http.ca_pem = read_pem(optarg); break;
		case 'f': o.http.not_before_s = strtoll(optarg, NULL, 10); break;
		case 'H': o.http.header = optarg; break;
		case 's': o.http.stall_ms = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 't': o.http.connect_ms = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'n': o.retries = atoi(optarg); break;
		case 'p': o.pause_ms = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'g': o.etag = optarg; break;
		case 'r': o.range = optarg; break;
		default: return 2;
		}
	}
	if (optind >= argc || lb_http_init())
		return 2;
	result = o.etag || o.range ? get(argv[optind], &o) : cat(argv[optind], &o, argv + optind + 1);
	lb_http_exit();
	return result;
}
