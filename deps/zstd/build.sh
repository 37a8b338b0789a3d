# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# The board gets the decoder alone. The host packs, on all processors.
lib=$SRC/lib
flags="-I$lib -DZSTD_LEGACY_SUPPORT=0 -DZSTD_NO_TRACE"
case $VARIANT in
host)
	# as fast as distributions build it: the assembly decodes literals where the processor is an x86-64
	compile_archive zstd "$flags -O3 -DZSTD_MULTITHREAD -pthread" \
		"$lib"/common/*.c "$lib"/compress/*.c "$lib"/decompress/*.c \
		"$lib"/decompress/*.S
	;;
*)
	compile_archive zstd "$flags -DZSTD_DISABLE_ASM -DDYNAMIC_BMI2=0" \
		"$lib"/common/debug.c "$lib"/common/entropy_common.c \
		"$lib"/common/error_private.c "$lib"/common/fse_decompress.c \
		"$lib"/common/xxhash.c "$lib"/common/zstd_common.c \
		"$lib"/decompress/*.c
	;;
esac
headers "$lib/zstd.h" "$lib/zstd_errors.h"
