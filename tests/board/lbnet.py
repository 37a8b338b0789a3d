# SPDX-License-Identifier: GPL-2.0-or-later
"""A network of a test's own: addresses that come and go, and a name server.

    with Internet("192.0.2.10", "192.0.2.20") as net:
        names = NameServer(net)
        names.table["updates.example"] = "192.0.2.10"
        with net.inside():                      # sockets made here belong to it
            server = Rude(..., host="updates.example", address="192.0.2.10")
        Board(..., inside=net.command(work))    # its DHCP names our name server

A network namespace whose loopback has the addresses; QEMU's user network runs in
it, so the guest reaches them, and nothing else, as it would a real internet.
"""
import contextlib
import ctypes
import os
import socket
import struct
import subprocess
import threading

CLONE_NEWNET = 0x40000000
NAME_SERVER = "192.0.2.53"
TYPE_A, TTL_S = 1, 3600
NO_ERROR, NO_SUCH_NAME = 0, 3


class Internet:
    def __init__(self, *addresses):
        commands = ["ip link set lo up"] + [
            f"ip address add {a}/32 dev lo" for a in (NAME_SERVER, *addresses)]
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-ec", "; ".join(commands) + "; echo up; exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._holder.stdout.readline() == "up\n", "no network namespace: run it as root"
        self.path = f"/proc/{self._holder.pid}/ns/net"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._holder.stdin.close()
        self._holder.wait(60)
        self._holder.stdout.close()

    @contextlib.contextmanager
    def inside(self):
        """This thread is in that network meanwhile."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net", "rb") as home, open(self.path, "rb") as there:
            for_here, for_there = home.fileno(), there.fileno()
            if libc.setns(for_there, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                if libc.setns(for_here, CLONE_NEWNET):
                    os.abort()      # everything that follows would be in the wrong network

    def command(self, folder):
        """What runs a command in it, with our name server; the process stays the same one."""
        resolv = folder / "resolv.conf"
        resolv.write_text(f"nameserver {NAME_SERVER}\n")
        return ["nsenter", f"--net={self.path}", "unshare", "--mount", "sh", "-ec",
                'mount --bind "$0" /etc/resolv.conf; exec "$@"', str(resolv)]


class NameServer:
    """Answers for the names of `table`; says nothing while `silent`. `asked` is its log."""

    def __init__(self, net):
        self.table, self.silent, self.asked = {}, False, []
        self._ends = False
        with net.inside():
            self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._sock.bind((NAME_SERVER, 53))
        self._sock.settimeout(0.2)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._ends = True
        self._thread.join()
        self._sock.close()

    def _run(self):
        while not self._ends:
            with contextlib.suppress(TimeoutError):
                query, peer = self._sock.recvfrom(1500)
                if answer := self._answer(query):
                    self._sock.sendto(answer, peer)

    def _answer(self, query):
        end = query.index(0, 12)
        labels, at = [], 12
        while at < end:
            labels.append(query[at + 1:at + 1 + query[at]].decode("latin1"))
            at += 1 + query[at]
        name, kind = ".".join(labels), struct.unpack(">H", query[end + 1:end + 3])[0]
        self.asked.append(name)
        if self.silent:
            return None
        address = self.table.get(name)
        answer = b""
        if address and kind == TYPE_A:
            answer = struct.pack(">HHHIH", 0xc00c, TYPE_A, 1, TTL_S, 4) + socket.inet_aton(address)
        code = NO_ERROR if address else NO_SUCH_NAME
        return (query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, bool(answer), 0, 0)
                + query[12:end + 5] + answer)
