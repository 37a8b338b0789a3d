# SPDX-License-Identifier: GPL-2.0-or-later
"""Two releases of an image, what is derived from them, and where that is kept.

A pair is named by the content of its images, so that what was packed for it once is
there the next time: build/bench/pairs/NAME.
"""

import hashlib
import os
import pathlib
import random

MIB = 1024 * 1024
EXTENT = MIB // 2  # of what changes in changed()
SHARE = 0.10


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


class Pair:
    """@old and @new are image files; @new is what gets installed."""

    def __init__(self, old, new, folder):
        self.old, self.new = pathlib.Path(old).resolve(), pathlib.Path(new).resolve()
        self.digest = {"old": sha256(self.old), "new": sha256(self.new)}
        name = hashlib.sha256("".join(self.digest.values()).encode()).hexdigest()[:12]
        self.folder = pathlib.Path(folder) / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.old_bytes, self.new_bytes = self.old.stat().st_size, self.new.stat().st_size

    @property
    def slot_bytes(self):
        return -(-max(self.old_bytes, self.new_bytes) // MIB) * MIB

    def changed(self):
        """NEW with a tenth of its content exchanged: what a device holds before a small update.

        Whole extents, spread evenly, in which each byte is replaced by another one: as
        long and as compressible as before, and found nowhere else.
        """
        path = self.folder / "changed.img"
        if not path.exists():
            self._write(path, self._exchange(random.Random(10)))
        return path

    def _exchange(self, r):
        table = list(range(256))
        r.shuffle(table)
        table, debt = bytes(table), r.random()
        with self.new.open("rb") as f:
            while extent := f.read(EXTENT):
                if extent.count(0) < len(extent):
                    debt += SHARE
                if debt >= 1 and extent.count(0) < len(extent):
                    debt -= 1
                    extent = extent.translate(table)
                yield extent

    def noise(self):
        """What means nothing to any tool, for the whole slot."""
        path = self.folder / "noise.img"
        if not path.exists() or path.stat().st_size != self.slot_bytes:
            r = random.Random(1)
            self._write(path, (r.randbytes(MIB) for _ in range(self.slot_bytes // MIB)))
        return path

    @staticmethod
    def _write(path, parts):
        new = path.with_suffix(".new")
        with new.open("wb") as f:
            f.writelines(parts)
        os.replace(new, path)


def small(folder):
    """(old, new): a few MB in which something was put in, changed, and left out."""
    r = random.Random(4)
    words = [r.randbytes(3).hex() for _ in range(3000)]
    text = " ".join(r.choice(words) for _ in range(300_000)).encode()
    twice = r.randbytes(300_000)
    old = b"".join([r.randbytes(MIB), bytes(600_000), text, twice, r.randbytes(MIB), twice])
    new = old[:200_000] + r.randbytes(5000) + old[200_000:2_500_000] + old[2_600_000:]
    new = new[:3_000_000] + r.randbytes(100_000) + new[3_100_000:]
    files = []
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in (("old.img", old), ("new.img", new)):
        path = folder / name
        data += bytes(-len(data) % 4096)
        if not path.exists() or path.read_bytes() != data:
            path.write_bytes(data)
        files.append(path)
    return files


def holds(path, image):
    """Does @path begin with the bytes of @image?"""
    try:
        with open(path, "rb") as have, open(image, "rb") as want:
            while expected := want.read(4 * MIB):
                if have.read(len(expected)) != expected:
                    return False
    except FileNotFoundError:
        return False
    return True


def fill(path, source, size):
    """@path gets @size bytes: those of @source (None: zeros) and zeros behind them.

    In place, so that its blocks stay where they are; durable, and not in memory
    afterwards, so that whoever reads it reads the medium.
    """
    with open(path, "r+b" if os.path.exists(path) else "w+b") as f:
        at = 0
        if source:
            with open(source, "rb") as s:
                while (part := s.read(min(4 * MIB, size - at))):
                    f.write(part)
                    at += len(part)
        while at < size:
            at += f.write(bytes(min(4 * MIB, size - at)))
        f.truncate(size)
        f.flush()
        os.fsync(f.fileno())
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
