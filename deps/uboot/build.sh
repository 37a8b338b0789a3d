#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# deps/uboot/build.sh locked|prompt  - builds U-Boot with the boot script in it
#
# Result: build/deps/uboot-VARIANT/{u-boot-nodtb.bin,mkimage,fdt_add_pubkey,config}. The key that
# it trusts is not part of this: images/ appends it with the control device tree.
# Kept in $LB_CACHE under a hash of all inputs.
set -eu

cd "$(dirname "$0")/../.."
variant=$1
build=${LB_BUILD:-build}
cache=${LB_CACHE:-$build/cache}
out=$build/deps/uboot-$variant
work=$build/work/uboot-$variant
cross=aarch64-linux-gnu-
env=$build/bootscripts/uboot.env
header=$build/bootscripts/lifeboat-uboot.h
board=$PWD/deps/uboot/board.fragment
lock=$PWD/deps/uboot/$variant.fragment

archive=$(deps/fetch.sh u-boot)
key=$({
	sed -n '/^Name: u-boot$/,/^$/p' deps/deps.list
	cat deps/uboot/build.sh deps/kbuild-config.sh "$board" "$lock" "$env" "$header"
	find deps/uboot -name '*.patch' | LC_ALL=C sort | xargs -r cat
	"${cross}gcc" --version
} | sha256sum | cut -c1-16)
kept=$cache/uboot-$variant-$key

if [ ! -e "$kept/config" ]; then
	rm -rf "$work"
	mkdir -p "$work/src" "$work/obj"
	tar -xf "$archive" -C "$work/src" --strip-components=1
	for patch in deps/uboot/*.patch; do
		[ ! -e "$patch" ] || patch -s -p1 -d "$work/src" <"$patch"
	done
	work=$(cd "$work" && pwd)
	cp "$env" "$work/default.env"
	cp "$header" "$work/lifeboat-uboot.h"
	printf 'CONFIG_DEFAULT_ENV_FILE="%s"\n' "$work/default.env" >"$work/env.fragment"
	# same inputs, same bytes
	export ARCH=arm CROSS_COMPILE=$cross SOURCE_DATE_EPOCH=1 \
		KCPPFLAGS="-include $work/lifeboat-uboot.h"
	deps/kbuild-config.sh "$work/src" "$work/obj" qemu_arm64_defconfig \
		"$board" "$lock" "$work/env.fragment"
	make -s -C "$work/src" O="$work/obj" -j"${LB_JOBS:-$(nproc)}" u-boot-nodtb.bin tools
	rm -rf "$kept.new"
	mkdir -p "$kept.new"
	cp "$work/obj/u-boot-nodtb.bin" "$work/obj/tools/mkimage" \
		"$work/obj/tools/fdt_add_pubkey" "$kept.new/"
	cp "$work/obj/.config" "$kept.new/config"
	rm -rf "$kept" "$work"
	mv "$kept.new" "$kept"
fi
mkdir -p "$out"
cp -p "$kept"/* "$out/"
