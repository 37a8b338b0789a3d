/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bundle in a file, opened and parsed as far as its manifest. */
#ifndef LIFEBOAT_BUNDLE_FILE_H
#define LIFEBOAT_BUNDLE_FILE_H

#include "bundle/bundle.h"
#include "port/source.h"
#include "trust/keyring.h"

struct bundle_file {
	const char *path; /* borrowed */
	struct lb_source *src;
	struct lb_bundle_head head;
	struct lb_manifest manifest;
	struct lb_bundle_layout layout;
	char keyid[LB_KEYID_HEX]; /* that verified, "" if none was asked for */
};

/**
 * bundle_file_open() - head, manifest and layout
 * @ring: keys of which one must have signed; NULL: the manifest is read without
 *        (inspection of one's own files; nothing is installed by this tool)
 *
 * Errors begin with the path. Free with bundle_file_close(), also after a failure.
 */
int bundle_file_open(struct bundle_file *b, const char *path, const struct lb_keyring *ring,
		     struct lb_error *err) LB_MUST_CHECK;
/* The same for a file that is open already; @path: its name for messages. @fd stays open and where it is. */
int bundle_file_open_fd(struct bundle_file *b, int fd, const char *path,
			const struct lb_keyring *ring, struct lb_error *err) LB_MUST_CHECK;
void bundle_file_close(struct bundle_file *b);

/*
 * Receives an image in order. Zero chunks come with @data NULL.
 * Returns 0 or a negative LB_E_*.
 */
struct image_sink {
	int (*put)(struct image_sink *sink, uint64_t offset, const uint8_t *data, size_t len);
};

/* Into a file whose size was set before: zeros become holes. */
struct file_sink {
	struct image_sink sink; /* .put: file_sink_put */
	int fd;			/* borrowed */
};

int file_sink_put(struct image_sink *sink, uint64_t offset, const uint8_t *data, size_t len);

/**
 * bundle_file_walk() - decode image @number, checking all there is to check
 * @sink: NULL just checks
 *
 * The index and every chunk, then the digests of payload and image. Needs room for
 * the longest prefix, twice, and chunk and 4 MiB, besides the index. What occurs again, or is in
 * a far region, lies in a temporary file until the end.
 */
int bundle_file_walk(struct bundle_file *b, uint32_t number, struct image_sink *sink,
		     struct lb_error *err) LB_MUST_CHECK;

/* All of image @number's patches: their index, and the digest of their payload. */
int bundle_file_check_patches(struct bundle_file *b, uint32_t number, struct lb_error *err) LB_MUST_CHECK;

/* Tar headers, padding and end marker behind the head: in the prescribed form? */
int bundle_file_check_archive(struct bundle_file *b, struct lb_error *err) LB_MUST_CHECK;

/* All there is to check: archive, images, patches. */
int bundle_file_check(struct bundle_file *b, struct lb_error *err) LB_MUST_CHECK;

#endif
