#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The reference board in QEMU, for tests and demonstrations.

Card    a copy of the board's card as a file: partitions and environment can be
        read and written from outside, by code that shares nothing with the product
Board   the machine: power on, wait for text on the console, type, cut the power

    with Board("build/tests/mine", Card.copy("build/images/disk.img", "card.img")) as board:
        board.wait_for("main OS release 1 is up", 60)
        board.send("cat /proc/cmdline")
        board.cut_power()

The guest has user networking: the host is 10.0.2.2 to it. Run as a program, this
file boots a card on the terminal:  lbboard.py BOOTLOADER CARD
"""
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

PATIENCE_S = 900    # for anything that has to come: no machine is so busy
SECTOR = 512
ENV_OFFSETS = (0x100000, 0x140000)
ENV_BYTES = 0x4000
ENV_HEADER = 5      # CRC-32 of the rest, serial byte

MACHINE = ["qemu-system-aarch64", "-M", "virt,acpi=off", "-cpu", "cortex-a53", "-smp", "1",
           "-m", "256", "-nodefaults", "-nographic",
           "-device", "qemu-xhci", "-device", "virtio-rng-pci",
           "-device", "i6300esb", "-action", "watchdog=reset"]

# Where a kernel lies in memory. QEMU keeps what it has translated of it over a reset, and
# drops it byte by byte while the boot loader unpacks the next one: 5 s for half a second's
# work. What a "loader" puts there anew at each reset, zeros, drops it at once.
KERNEL_ADDRESS = 0x40200000
KERNEL_ROOM = 16 << 20

# A power cut kills QEMU. What it wrote by then is in the host's page cache and stays, so that
# fsync() on the host would save nothing, and costs much where others use the host's disk, too.
CACHE = "unsafe"


class BoardError(AssertionError):
    """What was expected on the console did not come; the text says what did."""


class EnvCopy:
    """One copy of the boot environment as the bytes on the card say it."""

    def __init__(self, raw):
        crc, self.serial = struct.unpack("<IB", raw[:ENV_HEADER])
        data = raw[ENV_HEADER:]
        self.valid = zlib.crc32(data) == crc
        self.vars = {}
        if self.valid:
            for item in data.split(b"\0\0")[0].split(b"\0"):
                name, _, value = item.decode("latin1").partition("=")
                if name:
                    self.vars[name] = value

    @staticmethod
    def encode(variables, serial):
        text = b"".join(f"{k}={v}".encode("latin1") + b"\0" for k, v in variables.items()) + b"\0"
        data = text.ljust(ENV_BYTES - ENV_HEADER, b"\0")
        return struct.pack("<IB", zlib.crc32(data), serial & 255) + data


class Card:
    """A raw card image. Change it only while no board runs on it."""

    def __init__(self, path):
        self.path = Path(path).resolve()
        self.partitions = self._read_gpt()

    @classmethod
    def copy(cls, source, target):
        """A copy that costs only what the source really holds."""
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", str(source), str(target)],
                       check=True)
        return cls(target)

    def _read_gpt(self):
        with open(self.path, "rb") as file:
            file.seek(SECTOR)
            header = file.read(92)
            if header[:8] != b"EFI PART":
                raise BoardError(f"{self.path}: no GPT")
            table, count, entry_bytes = struct.unpack("<QII", header[72:88])
            file.seek(table * SECTOR)
            raw = file.read(count * entry_bytes)
        found = {}
        for at in range(0, len(raw), entry_bytes):
            first, last = struct.unpack("<QQ", raw[at + 32:at + 48])
            name = raw[at + 56:at + 128].decode("utf-16-le").rstrip("\0")
            if first:
                found[name] = (first * SECTOR, (last - first + 1) * SECTOR)
        return found

    def read_at(self, offset, length):
        with open(self.path, "rb") as file:
            file.seek(offset)
            return file.read(length)

    def write_at(self, offset, data):
        with open(self.path, "r+b") as file:
            file.seek(offset)
            file.write(data)

    def read(self, partition, offset=0, length=None):
        start, size = self.partitions[partition]
        length = size - offset if length is None else length
        assert offset + length <= size
        return self.read_at(start + offset, length)

    def write(self, partition, data, offset=0):
        start, size = self.partitions[partition]
        assert offset + len(data) <= size
        self.write_at(start + offset, data)

    def write_file(self, partition, path):
        self.write(partition, Path(path).read_bytes())

    def erase(self, partition):
        self.write(partition, bytes(self.partitions[partition][1]))

    def flip_bit(self, partition, offset, bit=0):
        byte = self.read(partition, offset, 1)[0]
        self.write(partition, bytes([byte ^ (1 << bit)]), offset)

    def env_copies(self):
        return [EnvCopy(self.read_at(offset, ENV_BYTES)) for offset in ENV_OFFSETS]

    def env(self):
        """Variables of the copy that the boot loader would take, None if none is valid."""
        copies = [c for c in self.env_copies() if c.valid]
        if not copies:
            return None
        # serials are compared as a circle of 256
        newest = max(copies, key=lambda c: (c.serial - copies[0].serial + 128) % 256)
        return newest.vars

    def set_env(self, copy=None, serial=1, **variables):
        """Writes exactly these variables to one copy (0, 1) or both (None)."""
        for number, offset in enumerate(ENV_OFFSETS):
            if copy in (None, number):
                self.write_at(offset, EnvCopy.encode(variables, serial))

    def change_env(self, **variables):
        """Changes variables and keeps the others."""
        self.set_env(**((self.env() or {}) | variables))

    def destroy_env(self, copy=None):
        for number, offset in enumerate(ENV_OFFSETS):
            if copy in (None, number):
                self.write_at(offset, os.urandom(ENV_BYTES))


def image_dir():
    return Path(os.environ.get("LB_BUILD", "build")).resolve() / "images"


class Board:
    """The machine with one card. Use it as a context manager: power goes off at the end."""

    def __init__(self, work, card, bootloader=None, sticks=(), forward=None, qemu_args=(),
                 network=True, on_text=None, environment=None, inside=(), disk=False,
                 cache=CACHE):
        """@forward: {host port: guest port}; @sticks: image files of USB sticks;
        @disk: the card is there as /dev/vda, too; @cache: of the card, a word of QEMU's;
        @on_text: called in another thread with each piece of what the console says;
        @environment: more variables for QEMU's process;
        @inside: words that run a command in a network of its own."""
        self.work = Path(work).resolve()
        self.work.mkdir(parents=True, exist_ok=True)
        self.card = card
        self._card_options = (disk_options if disk else card_options)(card.path, cache)
        self._on_text = on_text
        self._environment = os.environ | (environment or {})
        self.log_path = self.work / "serial.log"
        self._log = open(self.log_path, "w", buffering=1, encoding="utf-8")
        self._log_start = time.monotonic()
        self._command = list(inside) + self._make_command(
            bootloader or image_dir() / "u-boot.bin", sticks, forward or {}, qemu_args, network)
        self._qemu = None
        self._reader = None
        self._condition = threading.Condition()
        self.output = ""        # everything since the first power-on
        self._cursor = 0        # wait_for() looks behind this place
        self._alive = False
        self.power_on_time = 0.0

    def _make_command(self, bootloader, sticks, forward, qemu_args, network):
        with open(self.work / "zeros", "wb") as zeros:
            zeros.truncate(KERNEL_ROOM)
        # the path of a unix socket has to be short: QEMU runs in the work folder
        command = MACHINE + ["-serial", "stdio", "-bios", str(Path(bootloader).resolve()),
                             "-monitor", "unix:monitor,server=on,wait=off",
                             "-device", f"loader,file=zeros,addr={KERNEL_ADDRESS:#x},force-raw=on",
                             *self._card_options]
        if network:
            rules = "".join(f",hostfwd=tcp:127.0.0.1:{h}-:{g}" for h, g in forward.items())
            command += ["-netdev", f"user,id=n0{rules}",
                        "-device", "virtio-net-pci,netdev=n0,romfile="]
        for number, stick in enumerate(sticks):
            command += ["-drive", drive(f"u{number}", Path(stick).resolve()),
                        "-device", f"usb-storage,drive=u{number}"]
        return command + list(qemu_args)

    # --- power

    def power_on(self):
        assert not self._qemu, "already on"
        self._note("power on")
        self._cursor = len(self.output)     # what an earlier power-on said is over
        self.power_on_time = time.monotonic()
        self._qemu = subprocess.Popen(self._command, cwd=self.work, stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      env=self._environment)
        self._alive = True
        self._reader = threading.Thread(target=self._read_console, daemon=True)
        self._reader.start()
        return self

    def cut_power(self):
        """SIGKILL: what the guest had not flushed may be lost, as on a real board."""
        if self._qemu:
            self._qemu.kill()
            self._qemu.wait()
            self._reader.join()
            self._qemu = None
            self._note("power cut")

    def is_on(self):
        return self._qemu is not None

    def has_ended(self):
        """It was on and went off by itself; everything it said has been read."""
        return self._qemu is not None and not self._alive

    def power_cycle(self):
        self.cut_power()
        self.power_on()

    def __enter__(self):
        return self.power_on() if not self._qemu else self

    def __exit__(self, *_):
        self.cut_power()
        self._log.close()

    def _connect(self, name):
        """To a socket in the work folder, whose whole path may be too long; QEMU makes it at its start."""
        end = time.monotonic() + PATIENCE_S
        here = os.open(self.work, os.O_PATH)
        try:
            while True:
                sock = socket.socket(socket.AF_UNIX)
                sock.settimeout(PATIENCE_S)
                try:
                    sock.connect(f"/proc/self/fd/{here}/{name}")
                    return sock
                except (FileNotFoundError, ConnectionRefusedError):
                    sock.close()
                    if not self._alive or time.monotonic() > end:
                        raise
                time.sleep(0.05)
        finally:
            os.close(here)

    def qtest(self, command):
        """A command of QEMU's qtest protocol, on the socket "qtest" (@qemu_args). Returns its answer."""
        with self._connect("qtest") as sock:
            sock.sendall(command.encode() + b"\n")
            return sock.makefile(encoding="ascii").readline().strip()

    def monitor(self, command):
        """A command for QEMU's monitor, such as "set_link n0 off". Returns its answer."""
        prompt = b"(qemu) "
        with self._connect("monitor") as sock:
            answer = b""
            for text in (None, command):
                if text is not None:
                    answer = b""
                    sock.sendall(text.encode() + b"\n")
                while not answer.endswith(prompt):
                    piece = sock.recv(4096)
                    if not piece:
                        raise self._failure(f"QEMU ended, no answer to {command!r}")
                    answer += piece
        # the line that was typed comes first, with the editing of its echo
        return answer[:-len(prompt)].decode("latin1").partition("\r\n")[2]

    def insert_stick(self, image, read_only=True):
        """A USB stick with that image, while the board runs; it stays until it is pulled."""
        words = drive("hot", Path(image).resolve(), f"readonly={'on' if read_only else 'off'}")
        answer = self.monitor(f"drive_add 0 {words}")
        assert "OK" in answer, answer
        answer = self.monitor("device_add usb-storage,drive=hot,id=stick")
        assert "rror" not in answer, answer

    def pull_stick(self):
        self.monitor("device_del stick")

    def network_link(self, up):
        self.monitor(f"set_link n0 {'on' if up else 'off'}")

    # --- console

    def _note(self, text):
        self._log.write(f"{time.monotonic() - self._log_start:9.3f} --- {text}\n")

    def _read_console(self):
        line = ""
        while data := os.read(self._qemu.stdout.fileno(), 65536):
            text = data.decode("latin1")
            line += text
            *done, line = line.split("\n")
            stamp = time.monotonic() - self._log_start
            for item in done:
                self._log.write(f"{stamp:9.3f} {item.rstrip(chr(13))}\n")
            if self._on_text:
                self._on_text(text)
            with self._condition:
                self.output += text.replace("\r", "")
                self._condition.notify_all()
        if line:
            self._log.write(f"{time.monotonic() - self._log_start:9.3f} {line}\n")
        with self._condition:
            self._alive = False
            self._condition.notify_all()

    def wait_for(self, *texts, timeout=PATIENCE_S, regex=False, never=None):
        """Waits until one of @texts appears behind the last match; returns the match.

        @regex: the texts are regular expressions. @never: a text that must not come first.
        Raises BoardError after @timeout seconds or when the machine ends.
        """
        patterns = [re.compile(t if regex else re.escape(t)) for t in texts]
        end = time.monotonic() + timeout
        with self._condition:
            while True:
                hits = [m for p in patterns if (m := p.search(self.output, self._cursor))]
                first = min(hits, key=lambda m: m.start()) if hits else None
                limit = first.start() if first else len(self.output)
                if never and never in self.output[self._cursor:limit]:
                    raise self._failure(f"{never!r} appeared")
                if first:
                    self._cursor = first.end()
                    return first
                left = end - time.monotonic()
                if left <= 0:
                    raise self._failure(f"nothing of {texts} within {timeout} s")
                if not self._alive:
                    raise self._failure(f"QEMU ended, nothing of {texts}")
                self._condition.wait(left)

    def _failure(self, why):
        tail = "\n".join(self.output[self._cursor:].splitlines()[-25:])
        return BoardError(f"{why}; log in {self.log_path}; last lines:\n{tail}")

    def send(self, text, end="\n"):
        self._qemu.stdin.write((text + end).encode())
        self._qemu.stdin.flush()

    def run(self, command, timeout=PATIENCE_S):
        """Runs @command in the root shell of the reference main OS; returns its output."""
        tag = time.monotonic_ns()
        # the marks are split, so that the echo of what is typed does not look like them
        self.send(f"echo be''gin-{tag}; {command}; echo e''nd-{tag} $?")
        # the kernel may say something between a line and its end
        self.wait_for(rf"begin-{tag}\b", timeout=timeout, regex=True)
        start = self._cursor
        match = self.wait_for(rf"end-{tag} (\d+)\D", timeout=timeout, regex=True)
        text = self.output[start:match.start()]
        if match.group(1) != "0":
            raise self._failure(f"{command!r} ended with {match.group(1)}: {text}")
        return text

    def wait_for_end(self, timeout=PATIENCE_S):
        """Waits until QEMU ends by itself (guest power-off)."""
        self._qemu.wait(timeout)


def drive(name, path, *more, cache=CACHE):
    """An image file that waits for its device, as QEMU's -drive and drive_add take it."""
    return ",".join([f"if=none,id={name},format=raw,cache={cache},file={path}", *more])


def card_options(path, cache, *more):
    return ["-device", "sdhci-pci", "-drive", drive("s0", path, *more, cache=cache),
            "-device", "sd-card,drive=s0"]


def disk_options(path, cache):
    """The card as a virtio disk beside the SD card, whose controller moves bytes one by one.

    Never write one while the guest uses the other: its caches are not shared. QEMU's is the
    host's, the same for both, but it would lock the file against a second user.
    """
    more = "file.locking=off"
    return card_options(path, cache, more) + [
        "-drive", drive("d0", path, more, cache=cache), "-device", "virtio-blk-pci,drive=d0"]


def main(argv):
    if len(argv) != 3:
        sys.exit(__doc__)
    print("The board runs on this terminal. Power off: Ctrl-A X.", flush=True)
    os.execvp(MACHINE[0], MACHINE + [
        "-serial", "mon:stdio", "-bios", argv[1], *card_options(argv[2], "writeback"),
        "-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0,romfile="])


if __name__ == "__main__":
    main(sys.argv)
