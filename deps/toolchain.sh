# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2034
#
# Compilers and flags of the libraries, per variant. Sourced by deps/build.sh;
# everything here is part of every cache key. $DEPS is build/deps/VARIANT.

case $VARIANT in
arm64) HOST=aarch64-linux-gnu ;;
*) HOST=x86_64-linux-gnu ;;
esac
case $VARIANT in
arm64 | x86_64)
	# Devices: static, small. Objects hold only LTO code, hence gcc-ar.
	CC="$HOST-gcc -specs=$DEPS/musl.specs"
	REALCC=$HOST-gcc
	CFLAGS="-Os -ffunction-sections -fdata-sections -flto=auto
		-fstack-protector-strong
		-fno-unwind-tables -fno-asynchronous-unwind-tables"
	LDFLAGS=
	NEEDS=musl
	;;
host)
	# The developer's machine; sanitizer builds link these too.
	CC=$HOST-gcc
	REALCC=$CC
	CFLAGS="-O2 -g -ffunction-sections -fdata-sections -fstack-protector-strong -D_FORTIFY_SOURCE=2"
	LDFLAGS=
	NEEDS=
	;;
*)
	echo "toolchain: no variant called '$VARIANT'" >&2
	exit 2
	;;
esac
AR=$HOST-gcc-ar
NM=$HOST-gcc-nm
RANLIB=$HOST-gcc-ranlib
# shellcheck disable=SC2116,SC2086 # one line
CFLAGS=$(echo $CFLAGS)
