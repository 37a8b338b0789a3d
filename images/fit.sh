#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# images/fit.sh TEMPLATE.its OUT.itb NAME=VALUE... FILE:NAME...
#
# Makes and signs a FIT. FILE:NAME puts FILE where the template includes NAME;
# NAME=VALUE replaces @NAME@. Environment: MKIMAGE, FIT_KEY_DIR, FIT_KEY_NAME.
#
# The image data lies behind the tree (external data): a checker needs to hold
# only the small tree in memory. FIT_UNSIGNED=1 leaves the signature out: tests.
set -eu

template=$1 out=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

bits=$(openssl x509 -in "$FIT_KEY_DIR/$FIT_KEY_NAME.crt" -noout -text |
	sed -n 's/.*Public-Key: (\([0-9]*\) bit).*/\1/p')
set -- "$@" "KEY=$FIT_KEY_NAME" "BITS=$bits"
cp "$template" "$work/image.its"
for arg; do
	case $arg in
	*=*) sed -i "s|@${arg%%=*}@|${arg#*=}|g" "$work/image.its" ;;
	*:*) cp "${arg%:*}" "$work/${arg##*:}" ;;
	esac
done

# no build time in the image
export SOURCE_DATE_EPOCH=1
tool=$(realpath "$MKIMAGE")
keys=$(realpath "$FIT_KEY_DIR")
if [ -z "${FIT_UNSIGNED:-}" ]; then
	set -- -k "$keys" -r
else
	set --
	sed -i '/signature {/,/};/d' "$work/image.its"
fi
if ! (cd "$work" && "$tool" -f image.its -E -p 0x1000 "$@" image.itb) >"$work/log" 2>&1; then
	cat "$work/log" >&2
	exit 1
fi
mv "$work/image.itb" "$out"
