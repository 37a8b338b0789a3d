#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# tests/debian/trees.sh  - two states of a Debian arm64 root file system, made once
#
# Prints the folder that holds old.tar and new.tar, and old.packages and new.packages
# (name and version) beside them. Old is the release alone, new has its updates, security
# and proposed updates, as far as this machine's archives have them. Nothing of the
# foreign architecture is run: packages are unpacked, not configured. The result is kept
# in $CACHE under a hash of this script; then no network is needed, and whoever shares
# the cache has the same pair, whatever the archives hold by then.
set -eu

cd "$(dirname "$0")/../.."
cache=${CACHE:-${LB_BUILD:-build}/cache}
suite=bookworm
packages="base-files bash coreutils dash util-linux mount systemd udev kmod dbus apt
	openssl curl ca-certificates openssh-server nginx-light wpasupplicant iproute2
	perl python3 python3-cryptography vim-tiny git"
# what an image for a device leaves out
excluded="usr/share/doc usr/share/man usr/share/locale usr/share/info usr/share/lintian"

say() { printf 'debian: %s\n' "$*" >&2; }

# Does this machine's apt reach the suite at address $1?
answers() {
	/usr/lib/apt/apt-helper -o APT::Sandbox::User=root -o Acquire::Retries=2 \
		download-file "$1/InRelease" "$work/answer" >"$work/log" 2>&1
}

# sources SUFFIX... - what apt is to use: the release's archives, and of these suites
# those that there are
sources() {
	for suffix in '' "$@"; do
		deps/mirrors.py suite "$suite$suffix" >"$work/one"
		uri=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p' "$work/one")
		if answers "$uri/dists/$suite$suffix"; then
			cat "$work/one"
			echo
		else
			say "$suite$suffix: this machine's archive does not have it, left out"
		fi
	done
}

# tree NAME SUFFIX... - unpack the packages into $work/NAME.tar
tree() {
	name=$1
	shift
	sources "$@" >"$work/$name.sources"
	say "$name: unpacking packages of $suite $*"
	# shellcheck disable=SC2086 # the list is words
	mmdebstrap --architectures=arm64 --variant=extract --format=tar \
		--include="$(echo $packages | tr ' ' ,)" --aptopt="$work/aptopt" \
		--extract-hook="ls \"\$1/var/cache/apt/archives\" >'$work/$name.debs'" \
		"$suite" "$work/$name.all" "$work/$name.sources" >"$work/$name.log" 2>&1 || {
		tail -n 20 "$work/$name.log" >&2
		exit 1
	}
	mkdir "$work/$name"
	tar -C "$work/$name" -xf "$work/$name.all"
	for path in $excluded; do
		rm -rf "${work:?}/$name/$path"
	done
	# what was made here gets a fixed date, the packages' files keep theirs
	find "$work/$name" -newer "$work/aptopt" -exec touch -h -d @1700000000 {} +
	tar -C "$work/$name" --sort=name -cf "$work/out/$name.tar" .
	sed -n 's/_arm64\.deb$//p; s/_all\.deb$//p' "$work/$name.debs" | tr _ ' ' |
		sed 's/%3a/:/' | LC_ALL=C sort >"$work/out/$name.packages"
	rm -rf "${work:?}/$name" "$work/$name.all"
}

key=$(sha256sum <tests/debian/trees.sh | cut -c1-16)
mkdir -p "$cache"
kept=$(cd "$cache" && pwd)/debian-trees-$key
if [ ! -d "$kept" ]; then
	work=$(mktemp -d "$(cd "$cache" && pwd)/.work-debian-XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 1' HUP INT TERM
	mkdir "$work/out"
	apt-config dump --format '%F "%v";%n' |
		grep -E '^Acquire::(http|https|ftp|Check-|Retries)' >"$work/aptopt" || true
	tree old
	tree new -updates -security -proposed-updates
	changed=$(LC_ALL=C comm -13 "$work/out/old.packages" "$work/out/new.packages" | wc -l)
	say "$changed of $(wc -l <"$work/out/new.packages") packages differ"
	[ "$changed" != 0 ] || { say "these archives offer no updates"; exit 1; }
	# somebody else may have made a pair meanwhile: that one counts
	mv -T "$work/out" "$kept" 2>/dev/null || [ -d "$kept" ]
fi
echo "$kept"
