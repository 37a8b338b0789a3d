# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Our configuration takes the place of mbedtls/mbedtls_config.h, so that whoever
# includes the headers sees it without any -D. The host adds making keys.
cfg=$SRC/include/mbedtls/mbedtls_config.h
cp "$RECIPE/lb_mbedtls_config.h" "$cfg"
if [ "$VARIANT" = host ]; then
	cat "$RECIPE/lb_mbedtls_host.h" >>"$cfg"
fi
compile_archive mbedcrypto "-I$SRC/include -I$SRC/library" "$SRC"/library/*.c
# one archive in three names: the split would only matter to shared libraries
for l in mbedx509 mbedtls; do
	$AR rcsD "$OUT/lib/lib$l.a"
done
cp -r "$SRC/include" "$OUT/"
