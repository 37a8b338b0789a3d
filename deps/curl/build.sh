# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# needs: mbedtls
#
# An HTTP and HTTPS client: ranges, redirects, IPv6, own headers, certificates from
# memory. Everything a device does not do is off. --disable-verbose drops the trace
# text; CURLOPT_ERRORBUFFER still gets its sentence.
CFLAGS="$CFLAGS" CPPFLAGS="-I$DEPS/include" LDFLAGS="$LDFLAGS -L$DEPS/lib" \
LIBS="-lmbedtls -lmbedx509 -lmbedcrypto" \
"$SRC/configure" --host="$HOST" --prefix="$OUT" \
	CC="$CC" AR="$AR" RANLIB="$RANLIB" NM="$NM" \
	--disable-shared --enable-static --disable-dependency-tracking \
	--with-mbedtls="$DEPS" --without-ca-bundle --without-ca-path \
	--enable-http --enable-ipv6 \
	--without-zlib --without-brotli --without-zstd --without-libpsl \
	--without-libidn2 --without-nghttp2 --without-libgsasl --without-librtmp \
	--disable-ftp --disable-file --disable-ipfs --disable-ldap --disable-ldaps \
	--disable-rtsp --disable-proxy --disable-dict --disable-telnet --disable-tftp \
	--disable-pop3 --disable-imap --disable-smb --disable-smtp --disable-gopher \
	--disable-mqtt --disable-websockets --disable-unix-sockets \
	--disable-manual --disable-docs --disable-libcurl-option --disable-verbose \
	--disable-get-easy-options --disable-progress-meter \
	--disable-threaded-resolver --disable-socketpair --disable-doh \
	--disable-basic-auth --disable-bearer-auth --disable-digest-auth \
	--disable-kerberos-auth --disable-negotiate-auth --disable-aws \
	--disable-ntlm --disable-http-auth --disable-tls-srp \
	--disable-cookies --disable-mime --disable-form-api --disable-bindlocal \
	--disable-netrc --disable-sha512-256 --disable-dnsshuffle --disable-alt-svc \
	--disable-headers-api --disable-hsts --disable-ech --disable-httpsrr \
	--disable-ssls-export --disable-ca-search
make -C lib -j2
make -C lib install
make -C include install
rm -rf "$OUT/lib/pkgconfig" "$OUT/lib/libcurl.la"
