# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the tools run: the device's files, a web server, and the program that measures."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

import pair as images

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "recovery"))
from server import Authority, Server  # noqa: E402  (nginx, as the other tests use it)

PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
LIMIT_S = 1800  # of one command, so that a tool that hangs ends too


class Cannot(Exception):
    """A tool cannot do a case; the reason is a row of the table."""


class Wrong(Exception):
    """An installation gave other bytes than it should have."""


@dataclass
class Command:
    """What a tool runs on the device.

    @result: file that holds the new image afterwards; @slot: what the target slot holds
    before: an image file, or None for zeros, or "noise"; @old: the release before lies,
    whole, in a second slot.
    """

    argv: list
    result: pathlib.Path
    slot: object = "noise"
    old: bool = False
    env: dict = field(default_factory=dict)


class Lab:
    """One device at a time, in @folder: on the file system whose speed counts."""

    def __init__(self, folder, www, measure, pair):
        self.folder, self.program, self.pair = folder, measure, pair
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.slot, self.old_slot = folder / "slot", folder / "old-slot"
        self.scratch = folder / "scratch"  # on the device, emptied before each case
        # what a tool says must not count as written to the device
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else folder
        self.logs = pathlib.Path(tempfile.mkdtemp(prefix="lifeboat-bench-", dir=memory))
        self.server = Server(folder / "server", Authority(folder / "ca"))
        self.server.www = www
        self.server.start()

    def reboot(self):
        """What a killed command leaves behind and a restart would not."""
        with open("/proc/mounts", encoding="utf-8") as f:
            places = [line.split()[1] for line in f]
        for place in places:
            if place.startswith(f"{self.folder}/"):
                subprocess.run(["umount", place], check=True)
        if self.slot.exists():
            forget(self.slot)

    def close(self):
        self.reboot()
        self.server.stop()
        for folder in (self.logs, self.folder):
            shutil.rmtree(folder, ignore_errors=True)

    def url(self, name):
        return self.server.url(name, "http")

    # -- a run

    def reset(self, command):
        """The device as it was: slots, nothing else."""
        self.reboot()
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()
        content = self.pair.noise() if command.slot == "noise" else command.slot
        images.fill(self.slot, content, self.pair.slot_bytes)
        if command.old:
            if not self.old_slot.exists():
                images.fill(self.old_slot, self.pair.old, self.pair.old_bytes)
            forget(self.old_slot)

    def time(self, command):
        """Figures of one run. Wrong: other bytes; Cannot: it failed, in its own words."""
        figures = self.measure(command, "--sync", command.result)
        self.check(command, figures)
        return figures

    def count(self, command, kill_at=None):
        """The same with the bytes that are written, but every system call is slow.

        With @kill_at the command is killed when it has written so much.
        """
        extra = ["--kill-at", str(kill_at)] if kill_at else []
        figures = self.measure(command, "--count", self.folder, *extra)
        if not kill_at:
            self.check(command, figures)
        elif not figures["killed"]:
            raise Cannot("ended before half of its bytes were written")
        return figures

    def check(self, command, figures):
        if figures["status"]:
            words = last_words(self.logs / "stderr") or last_words(self.logs / "stdout")
            raise Cannot(f"failed: {'out of time' if figures['late'] else words}")
        if not images.holds(command.result, self.pair.new):
            raise Wrong(f"{command.result} does not hold the new image")

    def measure(self, command, *options):
        told, seen = self.logs / "figures.json", self.log_size()
        with open(self.logs / "stdout", "wb") as o, open(self.logs / "stderr", "wb") as e:
            done = subprocess.run(
                [self.program, *options, "--limit", str(LIMIT_S), "--out", told, "--",
                 *command.argv],
                cwd=self.scratch, stdin=subprocess.DEVNULL, stdout=o, stderr=e,
                env={**os.environ, "PATH": PATH, "TMPDIR": str(self.scratch),
                     "HOME": str(self.scratch), "LC_ALL": "C", **command.env})
        if done.returncode:
            raise RuntimeError(f"measure: {last_words(self.logs / 'stderr')}")
        return {**json.loads(told.read_text()), **self.traffic(seen)}

    # -- what the server saw

    def log_size(self):
        log = self.server.folder / "access.log"
        return log.stat().st_size if log.exists() else 0

    def traffic(self, since):
        """Bytes of bodies and requests, once the server has noticed that all is over."""
        self.server.settle()
        log = self.server.folder / "access.log"
        if not log.exists():
            return {"fetched_bytes": 0, "requests": 0}
        with log.open() as f:
            f.seek(since)
            lines = [line.split("|") for line in f]
        return {"fetched_bytes": sum(int(line[3]) for line in lines), "requests": len(lines)}


def forget(path):
    """Out of the page cache."""
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def last_words(path):
    """The last lines that say something, of what a program printed."""
    lines = [line.strip() for line in path.read_text(errors="replace").splitlines()
             if line.strip()]
    return " / ".join(lines[-2:])[-300:]
