#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# rauc.sh URL SYSTEM.CONF: stores the bundle in the current folder, then installs it with a
# RAUC service on a bus of its own. What curl had stored before a kill is gone on with.
set -eu
url=$1
conf=$2

mkdir -p services mnt
cat >services/rauc.service <<END
[D-BUS Service]
Name=de.pengutronix.rauc
Exec=/usr/bin/rauc -c $conf --override-boot-slot=A service
END
# of type session: it starts the service itself, when it is asked for
cat >bus.conf <<END
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
 <type>session</type>
 <listen>unix:path=$PWD/bus</listen>
 <auth>EXTERNAL</auth>
 <servicedir>$PWD/services</servicedir>
 <policy context="default">
  <allow send_destination="*" eavesdrop="true"/>
  <allow eavesdrop="true"/>
  <allow own="*"/>
 </policy>
</busconfig>
END
rm -f bus

if [ ! -e new.raucb ]; then
	curl -sSf -C - -o new.part "$url"
	mv new.part new.raucb
fi
DBUS_SYSTEM_BUS_ADDRESS=unix:path=$PWD/bus
export DBUS_SYSTEM_BUS_ADDRESS
dbus-daemon --config-file=bus.conf --nofork --nopidfile &
bus=$!
trap 'kill $bus' EXIT
while [ ! -S bus ]; do
	sleep 0.01
done
rauc install new.raucb
