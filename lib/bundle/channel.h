/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * channel.lbc: the signed list of releases that a server offers. Small, polled,
 * and never trusted for more than "have a look": what gets installed is decided
 * by the bundle's own manifest and signature. Spec: docs/SPEC.md, "Channel file".
 */
#ifndef LB_BUNDLE_CHANNEL_H
#define LB_BUNDLE_CHANNEL_H

#include <stdint.h>

#include "base/error.h"
#include "base/sha256.h"
#include "bundle/manifest.h"

#define LB_CHANNEL_FORMAT 1
#define LB_CHANNEL_FILE_MAX (96u * 1024u) /* the whole archive: fetch no more */
#define LB_CHANNEL_RELEASES_MAX 64
#define LB_CHANNEL_HARDWARE_MAX LB_HARDWARE_MAX /* names per release */
#define LB_CHANNEL_VISITS_MAX 16
#define LB_CHANNEL_SERIALS_MAX 32 /* per visit */
#define LB_CHANNEL_VISIT_MAX_S (31 * 86400) /* a visit ends at most so long after the channel was made */
#define LB_SERIAL_MAX 63 /* ids of visits and serial numbers, see lb_serial_valid() */
#define LB_URL_MAX 511

struct lb_channel_release {
	uint64_t release, min_release;
	uint64_t size_bytes; /* of the bundle */
	int64_t created_s;
	uint8_t manifest_sha256[LB_SHA256_BYTES];
	uint32_t hardware_count;
	char version[LB_VERSION_MAX + 1];
	char hardware[LB_CHANNEL_HARDWARE_MAX][LB_COMPATIBLE_MAX + 1];
	char url[LB_URL_MAX + 1]; /* as it stands: resolve with lb_url_resolve() */
};

/* A wish of the server's: these devices, one by one, start recovery once and wait for a person. */
struct lb_channel_visit {
	int64_t until_s; /* last second in which it counts */
	uint32_t serial_count;
	char id[LB_SERIAL_MAX + 1];
	char serials[LB_CHANNEL_SERIALS_MAX][LB_SERIAL_MAX + 1];
};

struct lb_channel {
	char product[LB_NAME_MAX + 1];
	uint64_t sequence; /* grows with every publication: refuse one that is smaller */
	int64_t created_s;
	uint32_t count, visit_count;
	struct lb_channel_release *releases; /* owned; newest release first */
	struct lb_channel_visit *visits;     /* owned; ids differ */
};

/* A serial number, or the id of a visit: [A-Za-z0-9] then [A-Za-z0-9._:-], LB_SERIAL_MAX in all. */
_Bool lb_serial_valid(const char *text);

/*
 * channel.json, whose signature was verified: lb_channel_open() in trust/channel.h does both.
 * @ret: free with lb_channel_free(); untouched on failure
 * Return: 0, -LB_E_FORMAT, -LB_E_TOO_BIG, -LB_E_CRITICAL, -LB_E_NOMEM.
 */
int lb_channel_parse(const void *text, size_t len, struct lb_channel *ret,
		     struct lb_error *err) LB_MUST_CHECK;
void lb_channel_free(struct lb_channel *ch);

/*
 * The newest release that names any of @count @hardware names; NULL if there is
 * none. Borrowed from @ch.
 */
const struct lb_channel_release *lb_channel_newest(const struct lb_channel *ch,
						   const char hardware[][LB_COMPATIBLE_MAX + 1],
						   uint32_t count);

/*
 * The entry with this release number that names any of @hardware (remedy); NULL if
 * it is not offered any more. Builds for different hardware may share a number.
 */
const struct lb_channel_release *lb_channel_find(const struct lb_channel *ch, uint64_t release,
						 const char hardware[][LB_COMPATIBLE_MAX + 1],
						 uint32_t count);

/* Is the device with this serial number one of those that @v names? Never for "". */
_Bool lb_channel_visit_names(const struct lb_channel_visit *v, const char *serial);

/**
 * lb_url_resolve() - what a URL in a channel file means
 * @base: URL of the channel file itself, such as "https://u.example/stable/channel.lbc"
 * @ref: absolute (https:, http:, file:), absolute path ("/a.lbu") or relative ("a.lbu")
 * @size: of @ret; LB_URL_MAX + 1 suffices for whatever is accepted
 *
 * Return: 0; -LB_E_FORMAT when it is none of these or names a parent folder;
 * -LB_E_TOO_BIG.
 */
int lb_url_resolve(const char *base, const char *ref, char *ret, size_t size,
		   struct lb_error *err) LB_MUST_CHECK;

#endif
