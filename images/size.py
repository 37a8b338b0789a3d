#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What recovery costs, as lines NAME BYTES LIMIT; fails when one is over its limit.

    size.py RAMDISK RECOVERY_FIT FIGURES

FIGURES is the folder in which `make recovery-test` leaves what it measured; what was
not measured yet is left out.
"""
import json
import sys
from pathlib import Path

RAMDISK_LIMIT = 400 * 1024
FIT_LIMIT = 2560 * 1024


def figures_of(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def measured(folder):
    """(name, bytes, limit) of the programs' tests."""
    for image, f in figures_of(folder / "memory.json").items():
        name = "memory-installing-" + image.replace(",", "").replace(" ", "-")
        yield name, f["vm_hwm_kib"] * 1024, f["limit_kib"] * 1024
    kills = figures_of(folder / "resume.json")
    if kills:
        yield "payload-repeated-after-kill", kills["worst_repeated_bytes"], kills["allowed_bytes"]


def main():
    ramdisk, fit, folder = (Path(a) for a in sys.argv[1:4])
    lines = [("ramdisk", ramdisk.stat().st_size, RAMDISK_LIMIT),
             ("recovery-fit", fit.stat().st_size, FIT_LIMIT), *measured(folder)]
    for name, size, limit in lines:
        print(name, size, limit)
    return any(size > limit for _, size, limit in lines)


if __name__ == "__main__":
    sys.exit(main())
