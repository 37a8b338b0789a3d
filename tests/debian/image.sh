#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# tests/debian/image.sh TYPE FOLDER OUT  - FOLDER as an image: ext4, squashfs-zstd,
#                                          squashfs-xz, erofs
#
# The same folder gives the same bytes. ext4 has 320 MiB (EXT4_MIB: another
# size), of which about a fifth is free, as in an image that is made for a slot.
set -eu

type=$1 folder=$2 out=$3
uuid=5f1d7a52-8a0c-4c0e-9d2b-6c6966650001
time=1700000000

rm -f "$out"
case $type in
ext4)
	E2FSPROGS_FAKE_TIME=$time mke2fs -q -F -t ext4 -b 4096 -m 0 -U $uuid -L root \
		-E "hash_seed=$uuid,lazy_itable_init=0,root_owner=0:0" -O ^has_journal \
		-d "$folder" "$out" "${EXT4_MIB:-320}m" >/dev/null ;;
squashfs-zstd | squashfs-xz)
	mksquashfs "$folder" "$out" -comp "${type#squashfs-}" -b 128K -no-xattrs -all-root \
		-mkfs-time $time -no-progress -quiet ;;
erofs)
	mkfs.erofs -zlz4hc -T $time -U $uuid "$out" "$folder" >/dev/null ;;
*)
	echo "image.sh: no type '$type'" >&2
	exit 2 ;;
esac
