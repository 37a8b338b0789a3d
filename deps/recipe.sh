# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# What the recipes deps/NAME/build.sh share. They run in an empty work folder with
#   $SRC      unpacked and patched source
#   $RECIPE   deps/NAME, for configuration files
#   $OUT      where include/, lib/ ... go
#   $DEPS     build/deps/VARIANT: what was built before
#   $VARIANT, $FLAVOUR and the variables of deps/toolchain.sh

# compile_archive NAME FLAGS SOURCE...: lib/libNAME.a out of C and assembly files
compile_archive() {
	archive=$1
	flags=$2
	shift 2
	mkdir -p "o-$archive" "$OUT/lib"
	for c; do
		printf '%s\0%s\0' "$c" "o-$archive/$(basename "${c%.*}").o"
	done | xargs -0 -n2 -P2 sh -c "$CC $CFLAGS $flags -c \"\$0\" -o \"\$1\" || exit 255"
	rm -f "$OUT/lib/lib$archive.a"
	$AR rcsD "$OUT/lib/lib$archive.a" "o-$archive"/*.o
}

# headers FILE...: into include/
headers() {
	mkdir -p "$OUT/include"
	cp "$@" "$OUT/include/"
}
