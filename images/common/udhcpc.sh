#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Called by udhcpc with what a DHCP server said: values are data, never commands.
set -u

# shellcheck disable=SC2154 # udhcpc sets them
case $1 in
deconfig)
	ifconfig "$interface" 0.0.0.0
	;;
bound | renew)
	ifconfig "$interface" "$ip" netmask "${subnet:-255.255.255.0}"
	while route del default dev "$interface" 2>/dev/null; do :; done
	for gateway in ${router:-}; do
		route add default gw "$gateway" dev "$interface"
		break
	done
	: >/run/resolv.conf.new
	for server in ${dns:-}; do
		echo "nameserver $server" >>/run/resolv.conf.new
	done
	mv /run/resolv.conf.new /run/resolv.conf
	echo "Lifeboat: network address $ip" >/dev/console
	;;
esac
exit 0
