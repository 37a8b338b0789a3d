/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LB_LINUX_SOURCE_FILE_H
#define LB_LINUX_SOURCE_FILE_H

#include <stdbool.h>

#include "port/source.h"

/* A medium's own folder: bundles lie there or at the root. */
#define LB_MEDIUM_FOLDER "lifeboat"

/* Is @name, without a folder, that of a bundle? *.lbu in any case; hidden files and a Mac's "._" are not. */
bool lb_medium_bundle_name(const char *name);

/**
 * lb_source_file_open() - a bundle in a file, or "-" for standard input
 *
 * A pipe or standard input that cannot seek is sequential. A file that vanishes
 * (stick pulled) gives -LB_E_AGAIN from read and the path is opened again at the
 * next seek. Return: 0; -LB_E_NOT_FOUND, -LB_E_IO, -LB_E_NOMEM.
 */
int lb_source_file_open(const char *path, struct lb_source **ret, struct lb_error *err) LB_MUST_CHECK;

/**
 * lb_source_medium_open() - a bundle on a medium that anybody may have written
 * @path: absolute
 *
 * As lb_source_file_open(), but only for a regular file: neither it nor its folder may be a symbolic
 * link, and nothing is waited for. Return: the same; -LB_E_IO too for anything else.
 */
int lb_source_medium_open(const char *path, struct lb_source **ret, struct lb_error *err) LB_MUST_CHECK;

#endif
