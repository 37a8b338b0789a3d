# SPDX-License-Identifier: GPL-2.0-or-later
"""Plugin of nbdkit: a file as a disk whose faults stand in another file.

    nbdkit python faulty_disk.py file=CARD faults=FAULTS

FAULTS is read again whenever it was replaced. Each line is a fault:

    OPERATION FROM TO WHAT [TIMES]

OPERATION  read, write or flush (which has no place: FROM and TO are 0)
FROM, TO   bytes of the disk; what touches any of FROM to TO - 1 is hit
WHAT       EIO, ENOSPC, ... is what the disk answers, and nothing is written;
           drop: a write is said to be done, but these bytes stay as they were;
           worn: cannot be read until it was written
TIMES      how often, for ever without it; or every Nth, as "/N"

Each hit is a line in FAULTS.hits: OPERATION, offset, length, WHAT.
Nothing is flushed to the host's disk: the machine that this runs on stays on.
"""
import errno
import io
import os

import nbdkit

API_VERSION = 2
settings = {}
disks = []


class Fault:
    def __init__(self, line):
        self.operation, start, end, self.what, *times = line.split()
        self.start, self.end = int(start), int(end)
        self.every = int(times[0][1:]) if times and times[0].startswith("/") else 1
        self.left = int(times[0]) if times and self.every == 1 else -1
        self.seen = 0
        self.healed = set()     # worn: these 512-byte sectors were written

    def touches(self, operation, offset, length):
        if operation == "flush":
            return self.operation == "flush"
        return self.operation == operation and offset < self.end and self.start < offset + length

    def sectors(self, offset, length):
        return range(max(offset, self.start) // 512, (min(offset + length, self.end) + 511) // 512)

    def is_due(self, offset, length):
        if self.what == "worn" and self.healed.issuperset(self.sectors(offset, length)):
            return False
        self.seen += 1
        if not self.left or self.seen % self.every:
            return False
        self.left -= 1
        return True


class Disk:
    def __init__(self):
        self.fd = os.open(settings["file"], os.O_RDWR)
        self.hits = io.open(settings["faults"] + ".hits", "a", buffering=1)
        self.faults, self.version = [], None

    def due(self, operation, offset=0, length=0):
        """The fault that hits this request; one that is an error is raised."""
        version = os.stat(settings["faults"])
        version = version.st_ino, version.st_mtime_ns
        if version != self.version:
            with io.open(settings["faults"]) as file:
                self.faults = [Fault(line) for line in file]
            self.version = version
        for fault in self.faults:
            if fault.touches(operation, offset, length) and fault.is_due(offset, length):
                self.hits.write(f"{operation} {offset} {length} {fault.what}\n")
                if fault.what == "drop":
                    return fault
                code = errno.EIO if fault.what == "worn" else getattr(errno, fault.what)
                nbdkit.set_error(code)
                raise OSError(code, f"{operation} of {length} bytes at {offset}: {fault.what}")
        return None

    def write(self, data, offset):
        while data:
            done = os.pwrite(self.fd, data, offset)
            data, offset = data[done:], offset + done


def config(key, value):
    settings[key] = value


def thread_model():
    return nbdkit.THREAD_MODEL_SERIALIZE_ALL_REQUESTS


def open(readonly):
    """Who comes back finds the same faults, and what they have done."""
    del readonly
    if not disks:
        disks.append(Disk())
    return disks[0]


def get_size(disk):
    return os.fstat(disk.fd).st_size


def can_flush(disk):
    del disk
    return True


def pread(disk, buffer, offset, flags):
    del flags
    disk.due("read", offset, len(buffer))
    data = os.pread(disk.fd, len(buffer), offset)
    buffer[:len(data)] = data


def pwrite(disk, buffer, offset, flags):
    del flags
    data = bytes(buffer)
    fault = disk.due("write", offset, len(data))
    for item in disk.faults:
        if item.what == "worn":
            item.healed.update(item.sectors(offset, len(data)))
    if not fault:
        disk.write(data, offset)
        return
    disk.write(data[:max(0, fault.start - offset)], offset)
    if fault.end < offset + len(data):
        disk.write(data[fault.end - offset:], fault.end)


def flush(disk, flags):
    del flags
    disk.due("flush")
