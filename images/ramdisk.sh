#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# images/ramdisk.sh OUT.cpio.xz FOLDER  - packs FOLDER as an initial ramdisk
#
# Same input, same bytes: sorted, root-owned, no times. Device nodes are not
# needed: init mounts devtmpfs.
set -eu

out=$1 folder=$2
here=$PWD
find "$folder" -exec touch -h -d @0 {} +
(cd "$folder" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --reproducible --quiet) |
	xz --check=crc32 --arm64 --lzma2=preset=9e,dict=1MiB -c >"$here/$out.new"
mv "$out.new" "$out"
