# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# What recovery and the reference main OS know about the board. Sourced by both.

DISK=mmcblk0

PARTITIONS='recovery_a recovery_b state boot root data'

# /dev/lb/NAME for the partitions of the board's own card, /dev/lb/disk for all of
# it. Only that card counts: a stick may carry a partition of any name.
link_found() {
	for event in /sys/class/block/"$DISK"p*/uevent; do
		[ -e "$event" ] || continue
		device='' name=''
		while IFS='=' read -r key value; do
			case $key in
			DEVNAME) device=$value ;;
			PARTNAME) name=$value ;;
			esac
		done <"$event"
		case " $PARTITIONS " in
		*" ${name:-none} "*) ln -sf "/dev/$device" "/dev/lb/$name" ;;
		esac
	done
}

# The kernel finds the card, and its partitions one by one, while its first program
# runs already: a slot that is not there yet must not pass for one that is missing.
link_partitions() {
	mkdir -p /dev/lb
	ln -sf "/dev/$DISK" /dev/lb/disk
	tries=0
	while :; do
		link_found
		missing=
		for name in $PARTITIONS; do
			[ -b "/dev/lb/$name" ] || missing="$missing $name"
		done
		if [ -z "$missing" ] || [ $tries -ge 10 ]; then
			break
		fi
		sleep 1
		tries=$((tries + 1))
	done
	[ -z "$missing" ] || echo "Lifeboat: the card has no partition$missing"
}

# From here on a hang ends in a reset: what starts the watchdog and closes it again
# does not stop it (WATCHDOG_NOWAYOUT). The kernel would call that critical.
start_watchdog() {
	if [ ! -c /dev/watchdog ]; then
		echo "Lifeboat: no watchdog"
		return
	fi
	read -r level _ </proc/sys/kernel/printk
	echo 1 >/proc/sys/kernel/printk
	: >/dev/watchdog
	echo "$level" >/proc/sys/kernel/printk
}

# feed_watchdog PID [HEARTBEAT] - feed the watchdog while process PID lives
#
# With HEARTBEAT, PID must make that file again at least every minute, from its
# start on (it is removed each time it is seen), or the board resets too.
feed_watchdog() {
	[ -c "${WATCHDOG:=/dev/watchdog}" ] || return
	(
		missed=0
		while kill -0 "$1" 2>/dev/null; do
			echo >&9
			missed=$((missed + 1))
			if [ -z "${2-}" ]; then
				missed=0
			elif [ -e "$2" ]; then
				rm -f "$2"
				missed=0
			fi
			[ $missed -le 12 ] || break
			sleep 5
		done
	) 9>"$WATCHDOG" &
}

# Cable and address in the background; udhcpc keeps asking for ever.
start_network() {
	ifconfig lo 127.0.0.1 up
	for path in /sys/class/net/*; do
		interface=${path##*/}
		[ "$interface" != lo ] || continue
		ifconfig "$interface" up
		udhcpc -b -S -T 2 -A 5 -i "$interface" -s /etc/lifeboat/udhcpc.sh >/dev/null 2>&1 &
	done
}

# boot_argument NAME - value of NAME= on the kernel's command line
boot_argument() {
	read -r line </proc/cmdline
	# shellcheck disable=SC2086 # words are wanted
	for word in $line; do
		case $word in
		"$1="*) echo "${word#*=}" ;;
		esac
	done
}
