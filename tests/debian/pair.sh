#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# tests/debian/pair.sh [TYPE...]  - images old.TYPE and new.TYPE of the two states of a
#                                   Debian root file system; prints their folder
#
# Types as in image.sh; none: all of them. Kept in $CACHE under a hash of what they are
# made from, so the second time this takes no time and no network.
set -eu

cd "$(dirname "$0")/../.."
[ $# != 0 ] || set -- ext4 squashfs-zstd squashfs-xz erofs
trees=$(tests/debian/trees.sh)
cache=${trees%/*}
key=$({ echo "${trees##*-}"; cat tests/debian/image.sh; } | sha256sum | cut -c1-16)
images=$cache/debian-images-$key
mkdir -p "$images"

work=
trap '[ -z "$work" ] || rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
for state in old new; do
	for type; do
		[ ! -e "$images/$state.$type" ] || continue
		work=${work:-$(mktemp -d "$cache/.work-debian-XXXXXX")}
		if [ ! -d "$work/$state" ]; then
			mkdir "$work/$state"
			tar -C "$work/$state" -xf "$trees/$state.tar"
		fi
		printf 'debian: %s.%s\n' $state "$type" >&2
		tests/debian/image.sh "$type" "$work/$state" "$work/image"
		mv "$work/image" "$images/$state.$type"
	done
	[ -z "$work" ] || rm -rf "${work:?}/$state"
done
echo "$images"
