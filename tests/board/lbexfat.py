# SPDX-License-Identifier: GPL-2.0-or-later
"""Files in an exFAT image, written and read without mounting it. mkfs.exfat makes the file system.

    fs = ExFat("stick.img")
    fs.put("lifeboat/release-2.lbu", data)      # its folder is made; names are ASCII
    fs.get("lifeboat-report.json")

As Microsoft's "exFAT file system specification" has it; code that shares nothing with Linux'
driver, and only as much as a stick that comes out of a shop needs. fsck.exfat judges the result.
"""
import struct

ENTRY = 32
FILE, STREAM, NAME = 0x85, 0xC0, 0xC1
BITMAP, UPCASE, LABEL = 0x81, 0x82, 0x83
NAME_CHARS = 15         # of an entry
FOLDER = 0x10
ALLOCATED, NO_FAT_CHAIN = 1, 2
LAST_CLUSTERS = 0xFFFFFFF8
TIME = (2026 - 1980) << 25 | 1 << 21 | 1 << 16


def rotated(value, byte):
    return ((value << 15 | value >> 1) + byte) & 0xFFFF


def set_checksum(entries):
    value = 0
    for at, byte in enumerate(entries):
        if at not in (2, 3):
            value = rotated(value, byte)
    return value


def name_hash(name):
    value = 0
    for byte in name.upper().encode("utf-16-le"):
        value = rotated(value, byte)
    return value


def entry_set(name, attributes, cluster, size):
    """A file or folder in @cluster and those behind it, without a chain in the FAT."""
    flags = ALLOCATED | NO_FAT_CHAIN if size else ALLOCATED
    text = name.encode("utf-16-le")
    parts = [text[at:at + 2 * NAME_CHARS] for at in range(0, len(text), 2 * NAME_CHARS)]
    entries = struct.pack("<BBHHHIIIBBBBB7x", FILE, 1 + len(parts), 0, attributes, 0,
                          TIME, TIME, TIME, 0, 0, 0, 0, 0)
    entries += struct.pack("<BBxBHHQ4xIQ", STREAM, flags, len(name), name_hash(name), 0,
                           size, cluster if size else 0, size)
    for part in parts:
        entries += struct.pack("<BB30s", NAME, 0, part)
    return entries[:2] + struct.pack("<H", set_checksum(entries)) + entries[4:]


class ExFat:
    """The file system that begins at @offset of the file @path."""

    def __init__(self, path, offset=0):
        self.path, self.offset = path, offset
        boot = self._read(0, 512)
        if boot[3:11] != b"EXFAT   ":
            raise AssertionError(f"{path}: no exFAT at {offset}")
        fat, fat_sectors, heap, self.clusters, self.root = struct.unpack_from("<IIIII", boot, 80)
        sector = 1 << boot[108]
        self.cluster_bytes = sector << boot[109]
        self.fat_at, self.heap_at = fat * sector, heap * sector
        self.fat = struct.unpack(f"<{fat_sectors * sector // 4}I", self._read(self.fat_at, fat_sectors * sector))
        bitmap = next(e for e in self._entries(self._chain(self.root)) if e[0] == BITMAP)
        self.bitmap_chain = self._chain(struct.unpack_from("<I", bitmap, 20)[0])

    def put(self, path, data):
        folder, _, name = path.rpartition("/")
        self._add(self._folder(folder) if folder else self._chain(self.root), name, 0, data)

    def get(self, path):
        """The content; AssertionError if there is no such file."""
        chain = self._chain(self.root)
        for name in path.split("/"):
            _, chain, size = self._find(chain, name) or self._no(path)
        return b"".join(map(self._cluster, chain))[:size]

    def _no(self, path):
        raise AssertionError(f"{self.path}: there is no {path}")

    # --- bytes

    def _read(self, at, length):
        with open(self.path, "rb") as file:
            file.seek(self.offset + at)
            return file.read(length)

    def _write(self, at, data):
        with open(self.path, "r+b") as file:
            file.seek(self.offset + at)
            file.write(data)

    # --- clusters: the first one is number 2

    def _place(self, cluster):
        return self.heap_at + (cluster - 2) * self.cluster_bytes

    def _cluster(self, cluster):
        return self._read(self._place(cluster), self.cluster_bytes)

    def _chain(self, first):
        chain = []
        while first < LAST_CLUSTERS:
            assert first >= 2 and first not in chain, "a broken chain in the FAT"
            chain.append(first)
            first = self.fat[first]
        return chain

    def _allocate(self, size):
        """The first run of free clusters that is long enough; 0 for nothing."""
        count = -(-size // self.cluster_bytes)
        if not count:
            return 0
        bits = bytearray(b"".join(map(self._cluster, self.bitmap_chain)))
        run = 0
        for index in range(self.clusters):
            run = 0 if bits[index // 8] >> index % 8 & 1 else run + 1
            if run == count:
                break
        else:
            raise AssertionError(f"{self.path}: {size} bytes do not fit")
        for used in range(index - count + 1, index + 1):
            bits[used // 8] |= 1 << used % 8
        for number, cluster in enumerate(self.bitmap_chain):
            at = number * self.cluster_bytes
            self._write(self._place(cluster), bits[at:at + self.cluster_bytes])
        return index - count + 1 + 2

    # --- folders

    def _entries(self, chain):
        """Until the end mark. What is no longer in use is passed on too."""
        raw = b"".join(map(self._cluster, chain))
        for at in range(0, len(raw), ENTRY):
            if not raw[at]:
                return
            yield raw[at:at + ENTRY]

    def _find(self, chain, name):
        """(is a folder, its clusters, its size) or None."""
        entries = list(self._entries(chain))
        for at, first in enumerate(entries):
            if first[0] != FILE:
                continue
            whole = b"".join(entries[at:at + 1 + first[1]])
            assert struct.unpack_from("<H", whole, 2)[0] == set_checksum(whole), "checksum of an entry"
            stream = whole[ENTRY:2 * ENTRY]
            parts = b"".join(whole[n + 2:n + ENTRY] for n in range(2 * ENTRY, len(whole), ENTRY))
            found = parts[:2 * stream[3]].decode("utf-16-le")
            if found.upper() == name.upper():
                cluster, size = struct.unpack_from("<IQ", stream, 20)
                count = -(-size // self.cluster_bytes)
                run = list(range(cluster, cluster + count))
                return (bool(first[4] & FOLDER),
                        run if stream[1] & NO_FAT_CHAIN or not count else self._chain(cluster), size)
        return None

    def _folder(self, name):
        found = self._find(self._chain(self.root), name)
        if found:
            assert found[0], f"{name} is a file"
            return found[1]
        return [self._add(self._chain(self.root), name, FOLDER, bytes(self.cluster_bytes))]

    def _add(self, chain, name, attributes, data):
        """A new entry and its content; returns the first cluster."""
        assert not self._find(chain, name), f"{name} is there already"
        first = self._allocate(len(data))
        if data:
            self._write(self._place(first), data)
        new = entry_set(name, attributes, first, len(data))
        at = ENTRY * len(list(self._entries(chain)))
        assert at % self.cluster_bytes + len(new) <= self.cluster_bytes, "the folder is full"
        self._write(self._place(chain[at // self.cluster_bytes]) + at % self.cluster_bytes, new)
        return first
