#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# deps/kbuild-config.sh SOURCE OBJECTS BASE FRAGMENT...
#
# Configures a Linux or U-Boot tree: make target BASE, then the fragments on top.
# Fails, naming the lines, if the result does not say what the fragments ask for:
# an option that was renamed or lost a dependency must not vanish silently.
set -eu

source=$1 objects=$2 base=$3
shift 3

make -s -C "$source" O="$objects" "$base"
"$source/scripts/kconfig/merge_config.sh" -m -O "$objects" "$objects/.config" "$@" \
	>"$objects/merge.log"
make -s -C "$source" O="$objects" olddefconfig

cat "$@" | awk -v config="$objects/.config" '
	BEGIN {
		while ((getline line < config) > 0) {
			have[line] = 1
			split(line, part, "=")
			value[part[1]] = 1
		}
	}
	/^CONFIG_.*=/ && !($0 in have) { print "not set: " $0; bad = 1 }
	/^# CONFIG_.* is not set$/ && ($2 in value) { print "still set: " $2; bad = 1 }
	END { exit bad }' >&2
