#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# keys/make-development-keys.sh DIR  - keys of this checkout, for development only
#
# DIR/fit/lifeboat-development.{key,crt}         RSA-2048, signs FITs
# DIR/bundle/lifeboat-development.{pem,pub.pem}  ECDSA P-256, signs bundles
# DIR/tls/lifeboat-development-ca.{key,crt}      ECDSA P-256, issues test servers' certificates
#
# Every file says "lifeboat-development", which the release configuration refuses.
# Keys that exist are kept: devices in the field of a developer stay updatable.
set -eu

dir=$1
name=lifeboat-development
umask 077
mkdir -p "$dir/fit" "$dir/bundle" "$dir/tls"

if [ ! -e "$dir/fit/$name.crt" ]; then
	openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 \
		-out "$dir/fit/$name.key" 2>/dev/null ||
		openssl genrsa -out "$dir/fit/$name.key" 2048 2>/dev/null
	openssl req -new -x509 -batch -days 36500 -subj "/CN=$name" \
		-key "$dir/fit/$name.key" -out "$dir/fit/$name.crt.new"
	mv "$dir/fit/$name.crt.new" "$dir/fit/$name.crt"
fi

# Text before the first BEGIN line of a PEM file is a comment.
if [ ! -e "$dir/bundle/$name.pub.pem" ]; then
	openssl ecparam -name prime256v1 -genkey -noout -out "$dir/bundle/$name.pem.new"
	{
		echo "$name: never use this key for a product"
		openssl pkcs8 -topk8 -nocrypt -in "$dir/bundle/$name.pem.new"
	} >"$dir/bundle/$name.pem"
	{
		echo "$name: never accept this key in a product"
		openssl pkey -pubout -in "$dir/bundle/$name.pem.new"
	} >"$dir/bundle/$name.pub.pem.new"
	rm "$dir/bundle/$name.pem.new"
	mv "$dir/bundle/$name.pub.pem.new" "$dir/bundle/$name.pub.pem"
fi

if [ ! -e "$dir/tls/$name-ca.crt" ]; then
	openssl ecparam -name prime256v1 -genkey -noout -out "$dir/tls/$name-ca.key"
	openssl req -new -x509 -batch -days 36500 -subj "/CN=$name CA" \
		-addext basicConstraints=critical,CA:TRUE,pathlen:0 \
		-addext keyUsage=critical,keyCertSign,cRLSign \
		-key "$dir/tls/$name-ca.key" -out "$dir/tls/$name-ca.crt.new"
	mv "$dir/tls/$name-ca.crt.new" "$dir/tls/$name-ca.crt"
fi
