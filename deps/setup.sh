#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Installs what building and testing need, from the machine's own package
# sources (Debian 12 or newer, as root); `setup.sh bench`: what `make bench`
# compares with. Safe to run again: a stamp named after
# this script's content makes a second run take milliseconds, so it is run
# before every build. Nothing that gets installed is allowed to start a service.
set -eu

cd "$(dirname "$0")/.."
group=${1:-setup}
hash=$(sha256sum deps/setup.sh | cut -c1-16)
stamp=${LB_BUILD:-build}/$group-$hash.stamp
[ ! -e "$stamp" ] || exit 0

# Building the programs: native and arm64 compilers. The cross libc is there for
# the compiler's own libgcc and the kernel headers; the programs use musl.
build="gcc libc6-dev make patch pkg-config
	gcc-aarch64-linux-gnu libc6-dev-arm64-cross linux-libc-dev-arm64-cross"

# Building Linux and U-Boot: their generators, and OpenSSL for signing FITs.
boot="bc bison flex libssl-dev libelf-dev device-tree-compiler kmod rsync xxd
	swig python3-dev python3-setuptools libgnutls28-dev uuid-dev"

# Configuration and scripts.
scripts="python3 python3-kconfiglib git ca-certificates curl file perl"

# Images: archives, compressors (lzma for the kernel inside a FIT), file systems
# and partition tables that can be made without loop mounts.
images="cpio xz-utils lzma zstd lz4 bzip2 gdisk fdisk squashfs-tools erofs-utils
	e2fsprogs dosfstools exfatprogs mtools mmdebstrap"

# The board and its server.
board="qemu-system-arm qemu-utils nginx-light openssl nbdkit nbdkit-plugin-python"

# Tests and checks. u-boot-tools holds independent oracles: mkenvimage, dumpimage.
tests="libcmocka-dev python3-pytest python3-pytest-xdist python3-pytest-rerunfailures python3-cryptography u-boot-tools
	qemu-user-static shellcheck cppcheck clang llvm libclang-rt-dev strace spin
	busybox iproute2 mount chromium chromium-driver python3-selenium fonts-dejavu-core"

# Without optional packages some comparison is skipped, nothing else.
optional="libclang-rt-dev erofs-utils"

# The peers of `make bench`; each one that is missing is a row that says so.
bench="swupdate rauc dbus-daemon mount casync zchunk zsync xdelta3 bsdiff openssl cpio zstd curl"

say() { printf 'setup: %s\n' "$*"; }

missing() {
	for p in "$@"; do
		case $(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null) in
		installed) ;;
		*) printf '%s ' "$p" ;;
		esac
	done
}

# While packages are unpacked invoke-rc.d asks policy-rc.d whether a service may
# start; 101 means no. A policy that the machine already has comes back after.
policy=/usr/sbin/policy-rc.d
keep=
block_services() {
	if [ -e "$policy" ]; then
		keep=$(mktemp "$policy.XXXXXX")
		cp -p "$policy" "$keep"
	fi
	trap unblock_services EXIT
	trap 'exit 1' HUP INT TERM
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
}
unblock_services() {
	if [ -n "$keep" ]; then
		mv -f "$keep" "$policy"
	else
		rm -f "$policy"
	fi
}

apt_get() {
	DEBIAN_FRONTEND=noninteractive apt-get -q -y \
		-o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"
}

wanted="$build $boot $scripts $images $board $tests"
if [ "$group" = bench ]; then
	wanted=$bench
	optional=$bench
fi
# shellcheck disable=SC2086 # the lists are words
todo=$(missing $wanted)
if [ -n "$todo" ]; then
	if [ "$(id -u)" != 0 ]; then
		say "not root; please install: $todo"
		exit 1
	fi
	say "installing: $todo"
	apt_get update
	for p in $optional; do
		case " $todo " in
		*" $p "*)
			apt-cache show "$p" >/dev/null 2>&1 ||
				todo=$(printf ' %s' "$todo" | sed "s/ $p / /") ;;
		esac
	done
	block_services
	# shellcheck disable=SC2086
	[ -z "${todo# }" ] || apt_get install --no-install-recommends $todo
	unblock_services
	trap - EXIT
fi
mkdir -p "$(dirname "$stamp")"
rm -f "$(dirname "$stamp")/$group"-*.stamp
: >"$stamp"
