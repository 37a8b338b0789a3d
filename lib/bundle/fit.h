/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Would U-Boot boot this FIT? Asked before main is booted, so that a broken boot
 * image is a sentence in a report and not a device that comes back to recovery.
 * Spec: the Flattened Image Tree specification, external data (data-offset, data-position).
 */
#ifndef LB_BUNDLE_FIT_H
#define LB_BUNDLE_FIT_H

#include <stdint.h>

#include "base/error.h"
#include "bundle/fit_sign.h"
#include "port/blk.h"

/* The device tree structure; the images' data lies behind it. */
#define LB_FIT_HEADER_MAX (64u * 1024u)
/* Images in one of a configuration's lists: each is hashed, however often it is named. */
#define LB_FIT_NAMES_MAX 16

/**
 * lb_fit_check() - structure and digests of a FIT in a slot
 * @blk: read from the medium
 * @size_bytes: of the FIT: images must lie inside
 *
 * The default configuration exists, names a kernel and is signed (a signature
 * node with sha256,rsaNNNN, a key's name and a value); every image that it names
 * (kernel, fdt, ramdisk) has a SHA-256 hash node that matches its data. Whether the
 * signature is right is left to U-Boot, which holds the key; lb_fit_check_signed()
 * asks that too. Memory: 128 KiB, whatever the images' size.
 *
 * Return: 0; -LB_E_FIT with a sentence; -LB_E_IO, -LB_E_NOMEM.
 */
int lb_fit_check(struct lb_blk *blk, uint64_t size_bytes, struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_fit_check_signed() - lb_fit_check(), and the signature is from @key
 * @key: the public key that the bootloader holds, see lb_fit_key_parse()
 *
 * Return: as lb_fit_check(), or -LB_E_SIGNATURE.
 */
int lb_fit_check_signed(struct lb_blk *blk, uint64_t size_bytes, mbedtls_pk_context *key,
			struct lb_error *err) LB_MUST_CHECK;

#endif
