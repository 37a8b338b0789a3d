#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# images/rootfs.sh recovery|main FOLDER BUSYBOX PROGRAM...
#
# Lays out a root file system: images/common, images/KIND-rootfs, busybox with a
# link for each of its commands, and the programs.
set -eu

kind=$1 folder=$2 busybox=$3
shift 3

rm -rf "$folder"
mkdir -p "$folder"
for d in bin sbin usr/bin usr/sbin dev proc sys run tmp etc/lifeboat media/data media/stick var/empty; do
	mkdir -p "$folder/$d"
done
cp -R "images/$kind-rootfs/." "$folder/"
cp images/common/board.sh images/common/udhcpc.sh "$folder/etc/lifeboat/"
cp "$busybox" "$folder/bin/busybox"
ln -s /run/resolv.conf "$folder/etc/resolv.conf"

case $kind in
recovery) where=bin ;;
main)
	where=usr/sbin
	mkdir -p "$folder/data" ;;
esac
links=$(sed 's|^/||' "$busybox.links")
for link in $links; do
	mkdir -p "$folder/$(dirname "$link")"
	[ -e "$folder/$link" ] || ln -s /bin/busybox "$folder/$link"
done
for program; do
	install -m 755 "$program" "$folder/$where/"
done
find "$folder" -type d -exec chmod 755 {} +
find "$folder" -type f -exec chmod u+rw,go+r,go-w {} +
