# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
compile_archive ubi "-I$SRC/include -D_GNU_SOURCE -DPROGRAM_NAME='\"libubi\"' -DVERSION='\"2.3.0\"'" \
	"$SRC/lib/libubi.c"
headers "$SRC/include/libubi.h"
