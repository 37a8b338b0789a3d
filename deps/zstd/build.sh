# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Devices get the decoder alone. The host packs, on all processors. Where the processor is an
# x86-64 it is as fast as distributions build it, and assembly decodes literals.
lib=$SRC/lib
flags="-I$lib -DZSTD_LEGACY_SUPPORT=0 -DZSTD_NO_TRACE"
case $VARIANT in
host)
	compile_archive zstd "$flags -O3 -DZSTD_MULTITHREAD -pthread" \
		"$lib"/common/*.c "$lib"/compress/*.c "$lib"/decompress/*.c \
		"$lib"/decompress/*.S
	;;
*)
	if [ "$VARIANT" = x86_64 ]; then
		flags="$flags -O3"
		assembly=$lib/decompress/huf_decompress_amd64.S
	else
		flags="$flags -DZSTD_DISABLE_ASM -DDYNAMIC_BMI2=0"
		assembly=
	fi
	# shellcheck disable=SC2086 # none or one
	compile_archive zstd "$flags" \
		"$lib"/common/debug.c "$lib"/common/entropy_common.c \
		"$lib"/common/error_private.c "$lib"/common/fse_decompress.c \
		"$lib"/common/xxhash.c "$lib"/common/zstd_common.c \
		"$lib"/decompress/*.c $assembly
	;;
esac
headers "$lib/zstd.h" "$lib/zstd_errors.h"
