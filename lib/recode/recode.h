/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A block of a compressed file system (a zstd frame, an xz stream) changes as a whole when a byte
 * of a file changes. The symbols that its entropy coder was given do not. So patches are made
 * between symbols, and the block is encoded again from them, bit by bit as it was.
 * Spec: docs/SPEC.md, "Symbols".
 */
#ifndef LB_RECODE_RECODE_H
#define LB_RECODE_RECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "recode/xzblock.h"
#include "recode/zframe.h"

#define LB_RECODE_CONTENT_MAX (256u * 1024u) /* of an xz stream that is taken apart */

/* Of either codec; whatever it holds is forgotten with each call. Touched as far as a block needs it. */
union lb_recode_work {
	struct lb_zframe_work zframe;
	struct lb_xzblock_work xzblock;
	uint8_t bytes[LB_XZBLOCK_WORK_BYTES(LB_RECODE_CONTENT_MAX)];
};

/* Begins with zeros. */
struct lb_recode_cursor {
	size_t at;
	uint32_t failed; /* blocks that could not be unpacked; too many, and no more are tried */
};

/* A piece of what was unpacked: bytes as they are, and behind them one block. */
struct lb_recode_piece {
	size_t plain; /* bytes of the image */
	size_t block; /* of the image; 0: there is none at the end */
	size_t symbols; /* bytes that both became */
};

/* May a block begin behind these four bytes, the last one lowest? */
bool lb_recode_is_magic(uint32_t last);

/**
 * lb_recode_next() - unpack up to the end of the next block that can be
 * @in: @len bytes, from the beginning; @cursor: in front of the end; moves on success
 * @out: room for @room bytes
 *
 * The first bytes may be a block without its magic number. Depends on nothing but the bytes. Does not block.
 * Return: 0, -LB_E_TOO_BIG (@room is too small; a block that fails at its end may want more for a while).
 */
int lb_recode_next(const uint8_t *in, size_t len, struct lb_recode_cursor *cursor, uint8_t *out,
		   size_t room, struct lb_recode_piece *ret, union lb_recode_work *work) LB_MUST_CHECK;

/*
 * All of it. *@ret_len: bytes of @out. As lb_recode_next(). Of all that fails 64 blocks at most are
 * looked at, so hostile bytes take no longer than a few seconds a MiB.
 */
int lb_recode_unpack(const uint8_t *in, size_t len, uint8_t *out, size_t room, size_t *ret_len,
		     union lb_recode_work *work) LB_MUST_CHECK;

/**
 * lb_recode_pack() - the inverse
 * @in: @in_len bytes, whatever they are
 * @out: to become @out_len bytes, neither more nor less
 *
 * Return: 0, -LB_E_FORMAT. Then @out holds anything.
 */
int lb_recode_pack(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len,
		   union lb_recode_work *work) LB_MUST_CHECK;

#endif
