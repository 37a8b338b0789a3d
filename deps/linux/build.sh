#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# deps/linux/build.sh  - builds the reference board's kernel
#
# Result: build/deps/linux/{Image,Image.lzma,config}. A build takes minutes, so its
# result is kept in $LB_CACHE under a hash of all inputs and used again.
set -eu

cd "$(dirname "$0")/../.."
build=${LB_BUILD:-build}
cache=${LB_CACHE:-$build/cache}
out=$build/deps/linux
work=$build/work/linux
cross=aarch64-linux-gnu-
fragment=$PWD/deps/linux/board.fragment

archive=$(deps/fetch.sh linux)
key=$({
	sed -n '/^Name: linux$/,/^$/p' deps/deps.list
	cat deps/linux/build.sh deps/kbuild-config.sh "$fragment"
	find deps/linux -name '*.patch' | LC_ALL=C sort | xargs -r cat
	"${cross}gcc" --version
} | sha256sum | cut -c1-16)
kept=$cache/linux-$key

if [ ! -e "$kept/config" ]; then
	rm -rf "$work"
	mkdir -p "$work/src" "$work/obj"
	tar -xf "$archive" -C "$work/src" --strip-components=1
	for patch in deps/linux/*.patch; do
		[ ! -e "$patch" ] || patch -s -p1 -d "$work/src" <"$patch"
	done
	work=$(cd "$work" && pwd)
	# same inputs, same bytes: no time, user or host goes into the image
	export ARCH=arm64 CROSS_COMPILE=$cross KBUILD_BUILD_TIMESTAMP=@1 \
		KBUILD_BUILD_USER=lifeboat KBUILD_BUILD_HOST=lifeboat
	deps/kbuild-config.sh "$work/src" "$work/obj" allnoconfig "$fragment"
	make -s -C "$work/src" O="$work/obj" -j"${LB_JOBS:-$(nproc)}" Image
	rm -rf "$kept.new"
	mkdir -p "$kept.new"
	cp "$work/obj/arch/arm64/boot/Image" "$kept.new/Image"
	lzma -9 -c "$kept.new/Image" >"$kept.new/Image.lzma"
	cp "$work/obj/.config" "$kept.new/config"
	rm -rf "$kept" "$work"
	mv "$kept.new" "$kept"
fi
mkdir -p "$out"
cp -p "$kept"/* "$out/"
