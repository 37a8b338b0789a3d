#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# usage: minimise.sh BUILD NAME...
# Adds to each corpus, beside its seeds, what of BUILD/fuzz/found/NAME reaches code that no
# seed reaches.
set -eu

build=$1
shift
for name; do
	corpus=tests/fuzz/corpus/$name
	find "$corpus" -regex '.*/[0-9a-f]*' -type f -delete
	nice -n 10 "$build/fuzz/bin/fuzz_$name" -merge=1 -use_counters=0 -max_len=4096 "$corpus" \
		"$build/fuzz/found/$name" >"$build/fuzz/merge-$name.log" 2>&1
	printf '%-10s %s inputs, %s bytes\n' "$name" "$(find "$corpus" -type f | wc -l)" \
		"$(cat "$corpus"/* | wc -c)"
done
