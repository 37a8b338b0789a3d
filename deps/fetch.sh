#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# deps/fetch.sh NAME...  - download the pinned source NAME of deps/deps.list
#
# Prints the path of each file. It is in $LB_DL (default build/dl); a file that is
# there with the right SHA-256 is used without any network. A file gets its final
# name only after its hash was right, so a broken download leaves nothing behind.
set -eu

cd "$(dirname "$0")/.."
dl=${LB_DL:-${LB_BUILD:-build}/dl}

say() { printf 'fetch: %s\n' "$*" >&2; }

field() {	# field NAME KEY
	awk -v name="$1" -v key="$2:" '
		$1 == "Name:" { on = ($2 == name) }
		on && $1 == key { sub(/^[^:]*: */, ""); print; exit }' deps/deps.list
}

sha256_is() {	# sha256_is FILE HASH
	[ -f "$1" ] && [ "$(sha256sum <"$1")" = "$2  -" ]
}

download() {	# download POOL-PATH HASH FILE
	for archive in $(/usr/bin/python3 deps/mirrors.py archives); do
		# apt's own helper honours the machine's proxies and credentials
		if /usr/lib/apt/apt-helper -o APT::Sandbox::User=root \
			-o Acquire::Retries=3 download-file \
			"$archive/pool/$1" "$3" "SHA256:$2" >&2; then
			return 0
		fi
	done
	return 1
}

fetch() {	# fetch NAME
	path=$(field "$1" File)
	want=$(field "$1" SHA256)
	if [ -z "$path" ] || [ -z "$want" ]; then
		say "deps/deps.list has no source called '$1'"
		return 1
	fi
	file=$dl/${path##*/}
	if ! sha256_is "$file" "$want"; then
		mkdir -p "$dl"
		tmp=$dl/.$$-${path##*/}
		trap 'rm -f "$tmp"' EXIT
		trap 'exit 1' HUP INT TERM
		say "$1 $(field "$1" Version)"
		if ! download "$path" "$want" "$tmp"; then
			say "$1: no archive of this machine has pool/$path any more."
			deps/pin --offered "$1" >&2 || true
			say "change the pin with: deps/pin $1 [VERSION]"
			return 1
		fi
		if ! sha256_is "$tmp" "$want"; then
			say "$1: ${path##*/} has another SHA-256 than deps/deps.list says"
			return 1
		fi
		mv -f "$tmp" "$file"
		trap - EXIT
	fi
	printf '%s\n' "$file"
}

if [ $# = 0 ]; then
	say "usage: deps/fetch.sh NAME..., one of: $(
		awk '$1 == "Name:" { printf "%s ", $2 }' deps/deps.list)"
	exit 2
fi
for name; do
	fetch "$name"
done
