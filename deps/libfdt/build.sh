# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Assume nothing about the tree (FDT_ASSUME_MASK=0): FITs are checked with it.
compile_archive fdt "-I$SRC/libfdt -DFDT_ASSUME_MASK=0" "$SRC"/libfdt/fdt*.c
headers "$SRC/libfdt/fdt.h" "$SRC/libfdt/libfdt.h" "$SRC/libfdt/libfdt_env.h"
