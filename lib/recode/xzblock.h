/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An xz stream of one block, as squashfs has one per compressed block, taken
 * apart into its content and the choices that its encoder made, and put
 * together again. Patches between two releases are made of these parts: one
 * changed byte changes a stream from there to its end, but of the parts only
 * what it touches. No compressor has to be the same for it: what comes out is
 * the stream byte for byte, whichever version and settings made it.
 *
 * The parts, one after another:
 *   check's kind, block flags, block header's size (one byte each, as in xz)
 *   length, then the header's bytes between the sizes and its CRC (filters, padding)
 *   the list of LZMA2 chunks (xz_lzma2.h)
 *   the content, as LZMA2 has it (in front of a branch filter: after that filter)
 *   the tokens of each chunk of LZMA (xz_tokens.h)
 *   1 if the check is the CRC-32 of the content; else 0 and the check
 *
 * Written from "The .xz File Format" 1.2.1 (tukaani.org), sections 2 to 4.
 */
#ifndef LB_RECODE_XZBLOCK_H
#define LB_RECODE_XZBLOCK_H

#include "base/error.h"
#include "recode/xz_lzma2.h"

/* Memory to work with: LB_XZBLOCK_WORK_BYTES of it, 4 bytes per byte of content and 0.83 MB. */
struct lb_xzblock_work {
	struct lb_xz_lzma2 lzma2;
	uint32_t content_max; /* set by the caller: the longest content, and the length of chain */
	uint32_t chain[];
};
#define LB_XZBLOCK_WORK_BYTES(content_max) \
	(sizeof(struct lb_xzblock_work) + sizeof(uint32_t) * (size_t)(content_max))

/**
 * lb_xzblock_unpack() - take a stream apart
 * @in: begins with the stream, behind its first four bytes (fd 37 7a 58); anything may follow
 * @ret_used: the stream's length
 * @room: of @out, in bytes; 3.5 times the content and 1 KiB are enough for any stream,
 *        where common ones need 1.2 times
 * @ret_len: of the parts
 * @work: nothing but content_max needs to be set; worthless afterwards
 *
 * Does not allocate and does not block. Time: not twice that of decoding, for usual content;
 * at most some thousand steps per byte of content, whatever the stream says.
 *
 * Return: 0, or with the ret_ values untouched and @out undefined
 *   -LB_E_FORMAT   not a stream of one block, damaged, of a form that is not understood, or with
 *                  a content longer than content_max;
 *   -LB_E_DIGEST   (unpacking) a stream whose content is damaged, which takes as long as one that is not;
 *   -LB_E_TOO_BIG  @room is too small.
 */
int lb_xzblock_unpack(const uint8_t *in, size_t in_len, size_t *ret_used, uint8_t *out, size_t room, size_t *ret_len,
		      struct lb_xzblock_work *work) LB_MUST_CHECK;

/**
 * lb_xzblock_pack() - put a stream together
 * @in: begins with the parts; any bytes are safe
 * @ret_used: their length
 * @ret_len: of the stream
 *
 * What lb_xzblock_unpack() took apart becomes what it was. Otherwise as there.
 */
int lb_xzblock_pack(const uint8_t *in, size_t in_len, size_t *ret_used, uint8_t *out, size_t room, size_t *ret_len,
		    struct lb_xzblock_work *work) LB_MUST_CHECK;

#endif
