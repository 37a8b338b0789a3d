# SPDX-License-Identifier: GPL-2.0-or-later
"""Seeds of patch indexes, for the image that fuzz_patch.c makes: chunk n has 1000 (n + 1) bytes."""
import struct

from seedlib import put

COPY, PATCH, WRITE = 0, 1, 2
KEEP, DOWN, RECODED = 1, 2, 4


def copy(number, count, at, flags=0):
    return struct.pack("<BBHIQ", COPY, flags, number, count, at)


def patch(number, stored, regions, flags=0, crc=0x1234, zero=0):
    return struct.pack("<BBHIII", PATCH, flags, number, stored | regions << 24, crc, zero)


def write(number, flags=0, rest=0):
    return struct.pack("<BBHIQ", WRITE, flags, number, 0, rest)


def region(block, count):
    return struct.pack("<IH", block, count)


def index(steps, regions=(), held=0, old=200_000, payload=None, magic=b"LBPATCH1", symbols=0):
    if payload is None:
        payload = sum(struct.unpack_from("<I", s, 4)[0] & 0xffffff for s in steps if s[0] == PATCH)
    return struct.pack("<8sIIIIQQ", magic, len(steps), len(regions), held, symbols, old, payload) + \
        b"".join(steps) + b"".join(regions)


def patch_seeds():
    good = index([copy(5, 3, 9000), copy(9, 2, 60_000, DOWN), patch(0, 70, 2), patch(1, 9, 1, KEEP),
                  copy(4, 1, 0, KEEP), write(4), copy(10, 1, 50_000), write(1)],
                 [region(0, 2), region(48, 3), region(7, 1)], 7000)
    put("patch", "all", good, 2)
    put("patch", "nomem", good, 18)
    put("patch", "nomem-check", good, 66)
    put("patch", "digest", good, 10)
    put("patch", "ends-early", good, 34)
    put("patch", "manifest-differs", good, 0)
    put("patch", "none", index([]), 2)
    put("patch", "short", good[:30], 2)
    put("patch", "truncated", good[:-1], 2)
    put("patch", "counts", good[:-7], 3)
    put("patch", "magic", index([], magic=b"LBPATCH2"), 2)
    put("patch", "symbols", index([patch(0, 5, 1, RECODED), patch(1, 5, 1)], [region(0, 1), region(1, 1)],
                                  symbols=3 << 19), 2)
    put("patch", "symbols-for-none", index([patch(0, 5, 1)], [region(0, 1)], symbols=500), 2)
    put("patch", "symbols-none", index([patch(0, 5, 1, RECODED)], [region(0, 1)]), 2)
    put("patch", "symbols-many", index([], symbols=(3 << 19) + 1), 2)
    put("patch", "old-0", index([], old=0), 2)
    put("patch", "old-huge", index([copy(0, 1, 1 << 62)], old=2 ** 64 - 1), 2)
    put("patch", "payload", index([patch(0, 5, 1)], [region(0, 1)], payload=6), 2)
    put("patch", "regions-left", index([patch(0, 5, 1)], [region(0, 1), region(1, 1)]), 2)
    r = [region(0, 1)]
    for name, steps, regions, held in (
            ("type", [struct.pack("<BBHIQ", 3, 0, 0, 1, 0)], [], 0),
            ("copy-flags", [copy(0, 1, 0, 4)], [], 0),
            ("patch-flags", [patch(0, 5, 1, DOWN)], r, 0),
            ("patch-zero", [patch(0, 5, 1, zero=1)], r, 0),
            ("write-flags", [copy(0, 1, 0, KEEP), write(0, 1)], [], 1000),
            ("write-rest", [copy(0, 1, 0, KEEP), write(0, rest=1)], [], 1000),
            ("copy-0", [copy(0, 0, 0)], [], 0),
            ("copy-many", [copy(0, 15, 0)], [], 0),
            ("copy-zeros", [copy(0, 3, 0)], [], 0),
            ("copy-duplicate", [copy(3, 1, 0)], [], 0),
            ("copy-no-chunk", [copy(14, 1, 0)], [], 0),
            ("copy-behind", [copy(13, 2, 0)], [], 0),
            ("copy-below", [copy(1, 3, 9000, DOWN)], [], 0),
            ("copy-outside", [copy(4, 2, 190_000)], [], 0),
            ("copy-far", [copy(4, 1, 2 ** 64 - 1)], [], 0),
            ("copy-wraps", [copy(5, 2, 100, DOWN)], [], 0),
            ("twice", [copy(4, 1, 0), copy(4, 1, 0)], [], 0),
            ("patch-twice", [copy(4, 1, 0), patch(4, 5, 1)], r, 0),
            ("patch-stored-0", [patch(0, 0, 1)], r, 0),
            ("patch-stored-long", [patch(0, 0x110000, 1)], r, 0),
            ("patch-no-regions", [patch(0, 5, 0)], [], 0),
            ("patch-regions", [patch(0, 5, 2)], r, 0),
            ("region-outside", [patch(0, 5, 1)], [region(49, 1)], 0),
            ("region-far", [patch(0, 5, 1)], [region(0xffffffff, 1)], 0),
            ("region-empty", [patch(0, 5, 1)], [region(0, 0)], 0),
            ("keep-more", [copy(4, 1, 0, KEEP), write(4)], [], 4999),
            ("keep-unwritten", [copy(4, 1, 0, KEEP)], [], 5000),
            ("write-unkept", [copy(4, 1, 0), write(4)], [], 0),
            ("write-no-chunk", [write(500)], [], 0)):
        put("patch", "step-" + name, index(steps, regions, held), 2)
    put("patch", "prefix", index([patch(0, 5, 1)], [region(0, 257)], old=1 << 30), 2)
    put("patch", "prefix-two", index([patch(0, 5, 2)], [region(0, 250), region(9, 7)], old=1 << 30), 2)
