# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP ports of 127.0.0.1 for the servers that tests start."""

import os
import socket

# below what the kernel gives to connections (32768 and up), so that none takes it meanwhile
FIRST, COUNT = 10000, 20000


def _walk():
    at = os.getpid() * 1009   # neighbours in time begin far from each other
    while True:
        yield FIRST + at % COUNT
        at += 1


_ports = _walk()


def free_port():
    """A port that nobody listens on, and that this process was not given before."""
    for port in _ports:
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
