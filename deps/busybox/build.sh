# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# One static program per flavour: the applets of common.config and FLAVOUR.config.
cat "$RECIPE/common.config" "$RECIPE/$FLAVOUR.config" >wanted
export KCONFIG_NOTIMESTAMP=1
unset CFLAGS LDFLAGS	# busybox would add them to its partial links, too
make -C "$SRC" O="$PWD" allnoconfig
# options that only become visible by a wanted one take their default
awk -F '[= ]' 'NR == FNR { if (/^CONFIG/) wanted[$1] = 1; next }
	!(/^CONFIG/ && $1 in wanted) && !(/^# CONFIG/ && $2 in wanted)' \
	wanted .config >rest
cat rest wanted >.config
yes "" | make oldconfig

# a misspelt or impossible option would otherwise vanish without a word
grep '^CONFIG' wanted | grep -v '=n$' | sort >expected
sort .config | comm -23 expected - >lost
if [ -s lost ]; then
	echo "busybox: these did not survive:"
	cat lost
	exit 1
fi

make -j2 ARCH=arm64 CROSS_COMPILE="$HOST-" CC="$CC" \
	EXTRA_CFLAGS="-fstack-protector-strong ${BB_X:-}" \
	CONFIG_EXTRA_LDFLAGS="${BB_L:-} -Wl,-z,max-page-size=4096,-z,noseparate-code,--build-id=none"
cp busybox "$OUT/busybox"
make -s busybox.links
cp busybox.links "$OUT/busybox.links"
