# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Static only; gcc finds it by the specs that install.sh writes beside it. No LTO
# and none of the variant's flags: musl knows which of its files need which.
CC="$HOST-gcc" CROSS_COMPILE="$HOST-" CFLAGS="-Os -ffunction-sections -fdata-sections" \
	"$SRC/configure" --prefix="$OUT/musl" --syslibdir="$OUT/musl/lib" \
	--target=aarch64-linux-musl --disable-shared --disable-wrapper
make -j2
make install
# the kernel's interface: what libubi, the agent and busybox include
for d in linux asm asm-generic mtd; do
	cp -rL "/usr/$HOST/include/$d" "$OUT/musl/include/"
done
