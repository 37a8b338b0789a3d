#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# install.sh FOLDER: write FOLDER/musl.specs, which makes gcc use FOLDER/musl.
# The file holds absolute paths, so it is made per checkout and not cached.
# Every program is static; it is position independent too unless -static or -no-pie
# asks for a fixed address (musl's own wrapper silently gives that always).
set -eu
musl=$(cd "$1/musl" && pwd)
cat >"$1/musl.specs.tmp" <<EOS
%rename cpp_options old_cpp_options

*cpp_options:
-nostdinc -isystem $musl/include -isystem include%s %(old_cpp_options)

*cc1:
%(cc1_cpu) -nostdinc -isystem $musl/include -isystem include%s

*link_libgcc:
-L$musl/lib -L .%s

*libgcc:
libgcc.a%s %:if-exists(libgcc_eh.a%s)

*startfile:
%{static|no-pie:$musl/lib/crt1.o; :$musl/lib/rcrt1.o} $musl/lib/crti.o %{static|no-pie:crtbeginT.o%s; :crtbeginS.o%s}

*endfile:
%{static|no-pie:crtend.o%s; :crtendS.o%s} $musl/lib/crtn.o

*link:
-nostdlib %{r:; static|no-pie:-static; :-static -pie --no-dynamic-linker -z text}

*esp_link:


*esp_options:


*esp_cpp_options:


EOS
# an unchanged file keeps its time: everything is compiled after it
if cmp -s "$1/musl.specs.tmp" "$1/musl.specs"; then
	rm "$1/musl.specs.tmp"
else
	mv "$1/musl.specs.tmp" "$1/musl.specs"
fi
