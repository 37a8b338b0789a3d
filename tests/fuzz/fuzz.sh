#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# usage: fuzz.sh BUILD SECONDS NAME...
# Runs each harness for SECONDS, one after the other. What is found is kept in
# BUILD/fuzz/found/NAME, where the next run begins; an input that crashes is copied
# to BUILD/fuzz/found-NAME-*, and the exit status is 1.
set -eu

build=$1 seconds=$2
shift 2
bad=0
printf '%-10s %8s %12s %8s %8s %8s\n' parser seconds runs runs/s edges crashes
for name; do
	found=$build/fuzz/found/$name log=$build/fuzz/$name.log
	mkdir -p "$found"
	nice -n 10 "$build/fuzz/bin/fuzz_$name" -max_total_time="$seconds" -timeout=10 \
		-rss_limit_mb=1024 -max_len=20000 -print_final_stats=1 -use_value_profile=1 \
		-artifact_prefix="$build/fuzz/found-$name-" \
		"$found" "tests/fuzz/corpus/$name" >"$log" 2>&1 || bad=1
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	speed=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
	edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
	crashes=$(find "$build/fuzz" -maxdepth 1 -name "found-$name-*" | wc -l)
	printf '%-10s %8s %12s %8s %8s %8s\n' "$name" "$seconds" "${runs:--}" "${speed:--}" \
		"${edges:--}" "$crashes"
	[ "$crashes" = 0 ] || bad=1
done
[ "$bad" = 0 ] || echo "fuzz: something crashed: see $build/fuzz/*.log" >&2
exit "$bad"
