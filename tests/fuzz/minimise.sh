#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# usage: minimise.sh BUILD NAME...
# Takes from BUILD/fuzz/found/NAME into the corpus what reaches code that no seed reaches.
set -eu

build=$1
shift
for name; do
	corpus=tests/fuzz/corpus/$name new=$build/fuzz/new/$name
	rm -rf "$new"
	mkdir -p "$new"
	nice -n 10 "$build/fuzz/bin/fuzz_$name" -merge=1 -max_len=4096 "$new" "$corpus" \
		"$build/fuzz/found/$name" >"$build/fuzz/merge-$name.log" 2>&1
	find "$corpus" -regex '.*/[0-9a-f]*' -type f -delete
	for file in "$new"/*; do
		[ -e "$file" ] || continue
		# the seeds themselves come out of a merge under other names
		if ! find "$corpus" -type f -size -5k -exec cmp -s "$file" {} \; -print | grep -q .; then
			cp "$file" "$corpus/"
		fi
	done
	printf '%-10s %s inputs, %s bytes\n' "$name" "$(find "$corpus" -type f | wc -l)" \
		"$(cat "$corpus"/* | wc -c)"
done
