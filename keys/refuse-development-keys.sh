#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# keys/refuse-development-keys.sh DEVELOPMENT_DIR FILE...
#
# Run by release builds on every certificate and public key that goes into an
# image. Fails if one is missing, calls itself a development key, or is the same
# key as one of DEVELOPMENT_DIR under another name.
set -eu

development=$1
shift

# the bare public key of a certificate, public or private key file
public_key() {
	openssl x509 -in "$1" -noout -pubkey 2>/dev/null ||
		openssl pkey -pubin -in "$1" -pubout 2>/dev/null ||
		openssl pkey -in "$1" -pubout 2>/dev/null
}

refuse() {
	echo "release build: $1" >&2
	exit 1
}

[ $# -gt 0 ] || refuse "no key is configured"
for file; do
	[ -e "$file" ] || refuse "key $file does not exist"
	key=$(public_key "$file") || refuse "$file holds no key that openssl can read"
	case ${file##*/} in *development*)
		refuse "$file is a development key" ;;
	esac
	if grep -q lifeboat-development "$file" ||
		openssl x509 -in "$file" -noout -subject 2>/dev/null | grep -q lifeboat-development; then
		refuse "$file is a development key"
	fi
	for known in "$development"/fit/*.crt "$development"/bundle/*.pub.pem \
		"$development"/tls/*.crt; do
		[ -e "$known" ] || continue
		[ "$(public_key "$known")" != "$key" ] ||
			refuse "$file is the development key $known under another name"
	done
done
