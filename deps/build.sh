#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# deps/build.sh NAME[:FLAVOUR] VARIANT [DESTINATION]
#
# Builds one pinned source by its recipe deps/NAME/build.sh and copies the result
# to DESTINATION (default build/deps/VARIANT). The slow part is done once per set
# of inputs: results are kept in $CACHE/NAME-FLAVOUR-VARIANT-KEY, where KEY hashes
# the pin, the recipe with its configuration and patches, the flags, the
# compiler's version and the keys of what it needs (`# needs: NAME` in a recipe).
# A result appears under its name only when it is complete.
set -eu

cd "$(dirname "$0")/.."
top=$PWD
build=${LB_BUILD:-build}
cache=${CACHE:-$build/cache}
case $1 in
*:*) name=${1%%:*} FLAVOUR=${1#*:} ;;
*) name=$1 FLAVOUR= ;;
esac
VARIANT=$2
DEPS=$top/$build/deps/$VARIANT
dest=${3:-$DEPS}

. deps/toolchain.sh

say() { printf 'deps: %s\n' "$*" >&2; }

needs_of() {	# needs_of NAME
	sed -n 's/^# needs: //p' "deps/$1/build.sh"
	[ "$1" = musl ] || echo "$NEEDS"
}

key_of() {	# key_of NAME FLAVOUR
	{
		echo "$1 $2 $VARIANT $CFLAGS $LDFLAGS"
		awk -v n="$1" '$1 == "Name:" { on = ($2 == n) }
			on && /^(Version|SHA256):/' deps/deps.list
		# paths relative to the checkout: the same key in every checkout
		find "deps/$1" deps/recipe.sh -type f |
			LC_ALL=C sort | xargs sha256sum
		$REALCC -dumpmachine
		$REALCC --version | head -n 1
		for need in $(needs_of "$1"); do
			key_of "$need" ""
		done
	} | sha256sum | cut -c1-20
}

unpack() {	# unpack: source into $SRC, patches applied in order
	mkdir "$SRC"
	file=$(deps/fetch.sh "$name")
	tar -xf "$file" -C "$SRC" --strip-components=1
	for p in "$RECIPE"/*.patch; do
		[ -e "$p" ] || continue
		patch -d "$SRC" -s -p1 <"$p"
	done
}

build_into() {	# build_into WORK: run the recipe, result in WORK/out
	SRC=$1/src OUT=$1/out
	mkdir "$OUT" "$1/obj"
	unpack
	export SRC OUT RECIPE DEPS VARIANT FLAVOUR HOST CC AR NM RANLIB CFLAGS LDFLAGS
	export SOURCE_DATE_EPOCH=0 LC_ALL=C
	if ! (cd "$1/obj" && sh -eu -c '. "$0/deps/recipe.sh"; . "$RECIPE/build.sh"' "$top") \
		>"$1/log" 2>&1; then
		tail -n 40 "$1/log" >&2
		say "$name for $VARIANT failed; whole log: $1/log"
		trap - EXIT
		exit 1
	fi
}

RECIPE=$top/deps/$name
mkdir -p "$cache"
result=$cache/$name${FLAVOUR:+-$FLAVOUR}-$VARIANT-$(key_of "$name" "$FLAVOUR")
if [ ! -d "$result" ]; then
	say "building $name${FLAVOUR:+ ($FLAVOUR)} for $VARIANT"
	work=$(mktemp -d "$(cd "$cache" && pwd)/.work-$name-XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 1' HUP INT TERM
	start=$(date +%s)
	build_into "$work"
	# somebody else may have finished the same one meanwhile: either is good
	mv -T "$work/out" "$result" 2>/dev/null || [ -d "$result" ]
	rm -rf "$work"
	trap - EXIT
	say "$name${FLAVOUR:+ ($FLAVOUR)} for $VARIANT took $(($(date +%s) - start)) s"
fi
mkdir -p "$dest"
cp -r --preserve=mode,timestamps,links "$result/." "$dest/"
if [ -x "$RECIPE/install.sh" ]; then
	"$RECIPE/install.sh" "$dest"
fi
