#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reproducible content for test images: same arguments, same bytes.

    pseudo_random.py tree FOLDER MIB RELEASE    files that fill MIB mebibytes
    pseudo_random.py pad FILE MIB RELEASE       appends until FILE has MIB mebibytes

The content is a mix, in blocks of 64 KiB, of what real systems hold: bytes that do
not compress, text that does, zeros and repetitions. Two releases share three
quarters of the blocks.
"""
import os
import random
import sys

BLOCK = 64 * 1024
FILE_BLOCKS = 8
WORDS = ("boat keel oar sail mast hull bow stern rope anchor tide wave harbour pilot "
         "compass chart lantern deck rudder crew").split()


def block(number, release):
    """Block @number of @release; every fourth one differs between releases."""
    seed = f"{number}-{release if number % 4 == 3 else 0}"
    source = random.Random(seed)
    kind = number % 16
    if kind == 14:
        return bytes(BLOCK)
    if kind == 10:
        return random.Random("the repeated block").randbytes(BLOCK)
    if kind in (1, 4, 7, 11):
        text = " ".join(source.choices(WORDS, k=BLOCK // 4)).encode()
        return text[:BLOCK]
    return source.randbytes(BLOCK)


def make_tree(folder, mib, release):
    os.makedirs(folder, exist_ok=True)
    blocks = mib * 1024 * 1024 // BLOCK
    for start in range(0, blocks, FILE_BLOCKS):
        path = os.path.join(folder, f"part-{start // FILE_BLOCKS:05}")
        with open(path, "wb") as file:
            for number in range(start, min(start + FILE_BLOCKS, blocks)):
                file.write(block(number, release))


def pad(path, mib, release):
    with open(path, "ab") as file:
        size = file.tell()
        end = mib * 1024 * 1024
        if size > end:
            sys.exit(f"{path}: has {size} bytes already, more than {mib} MiB")
        while size < end:   # what lies where does not depend on where it began
            number, skip = divmod(size, BLOCK)
            size += file.write(block(number, release)[skip:skip + end - size])


if __name__ == "__main__":
    if len(sys.argv) != 5 or sys.argv[1] not in ("tree", "pad"):
        sys.exit(__doc__)
    {"tree": make_tree, "pad": pad}[sys.argv[1]](sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
