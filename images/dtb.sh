#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# images/dtb.sh OUT COMPATIBLE  - device tree of the reference board
#
# QEMU describes its own machine; random seeds are taken out, so that the tree can
# be signed and is the same every time. The board's name comes first in compatible.
# A LED is added on a free pin of the GPIO controller, whose pin 3 is the power key:
# what a lamp there would show can be read in the controller's data register.
set -eu

out=$1 compatible=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! qemu-system-aarch64 -M virt,acpi=off,dumpdtb="$work/qemu.dtb" -cpu cortex-a53 -smp 1 \
	-m 256 -nodefaults -display none >"$work/log" 2>&1; then
	cat "$work/log" >&2
	exit 1
fi
dtc -q -I dtb -O dtb -o "$work/board.dtb" "$work/qemu.dtb"
fdtput -t s "$work/board.dtb" / compatible "$compatible" linux,dummy-virt
fdtput -d "$work/board.dtb" /chosen rng-seed kaslr-seed
gpio=$(fdtget -t x "$work/board.dtb" /pl061@9030000 phandle)
fdtput -c "$work/board.dtb" /leds /leds/status
fdtput -t s "$work/board.dtb" /leds compatible gpio-leds
fdtput -t s "$work/board.dtb" /leds/status label status
fdtput -t s "$work/board.dtb" /leds/status default-state off
fdtput "$work/board.dtb" /leds/status retain-state-shutdown
fdtput -t x "$work/board.dtb" /leds/status gpios "$gpio" 5 0
dtc -q -I dtb -O dts "$work/board.dtb" | dtc -q -I dts -O dtb -o "$out"
