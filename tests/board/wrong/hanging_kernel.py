#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""hanging_kernel.py OUT - an arm64 Image whose first instruction is an endless loop."""
import struct
import sys

BRANCH_TO_ITSELF = 0x14000000
SIZE = 4096
header = struct.pack("<IIQQQQQQ4sI", BRANCH_TO_ITSELF, 0, 0, SIZE, 0, 0, 0, 0, b"ARM\x64", 0)

with open(sys.argv[1], "wb") as file:
    file.write(header.ljust(SIZE, b"\0"))
