# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# The board gets the decoder alone. The host packs, on all processors.
lib=$SRC/lib
flags="-I$lib -DZSTD_LEGACY_SUPPORT=0 -DZSTD_DISABLE_ASM -DZSTD_NO_TRACE"
case $VARIANT in
host)
	compile_archive zstd "$flags -DZSTD_MULTITHREAD -pthread" \
		"$lib"/common/*.c "$lib"/compress/*.c "$lib"/decompress/*.c
	;;
*)
	compile_archive zstd "$flags -DDYNAMIC_BMI2=0" \
		"$lib"/common/debug.c "$lib"/common/entropy_common.c \
		"$lib"/common/error_private.c "$lib"/common/fse_decompress.c \
		"$lib"/common/xxhash.c "$lib"/common/zstd_common.c \
		"$lib"/decompress/*.c
	;;
esac
headers "$lib/zstd.h" "$lib/zstd_errors.h"
