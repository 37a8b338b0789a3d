# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Static only; gcc finds it by the specs that install.sh writes beside it. No LTO
# and none of the variant's flags: musl knows which of its files need which.
CC="$HOST-gcc" CROSS_COMPILE="$HOST-" CFLAGS="-Os -ffunction-sections -fdata-sections" \
	"$SRC/configure" --prefix="$OUT/musl" --syslibdir="$OUT/musl/lib" \
	--target="${HOST%-gnu}-musl" --disable-shared --disable-wrapper
make -j2
make install
# the kernel's interface: what libubi, the agent and busybox include
for d in linux asm asm-generic mtd; do
	for from in "/usr/$HOST/include" "/usr/include/$HOST" /usr/include; do	# cross, native
		[ -d "$from/$d" ] || continue
		cp -rL "$from/$d" "$OUT/musl/include/"
		break
	done
done
