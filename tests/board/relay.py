#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""relay.py PORT: joins the socket that is standard input with a port of this machine.

QEMU starts one for each connection to an address that exists in the guest's network only
(guestfwd), so that a built-in URL may be the same in every run. Ends with the connection.
"""
import os
import select
import socket
import sys


def main(port):
    there = socket.create_connection(("127.0.0.1", port))
    ways = {0: there.sendall, there.fileno(): lambda data: write_all(0, data)}
    while True:
        for fd in select.select(list(ways), [], [])[0]:
            data = os.read(fd, 65536)
            if not data:
                return
            ways[fd](data)


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]))
    except OSError:
        pass    # one of both ends is gone, and so is the connection
