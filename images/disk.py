#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the reference board's card as one file, without mounts or loop devices.

    disk.py LAYOUT.toml OUT [--size-mib N] [--root-mib N] [--data FOLDER] [NAME=FILE ...]

Puts FILE into partition NAME; env=FILE into both places of the environment. The
data partition becomes an ext4 file system with the content of FOLDER. The size
of an SD card is a power of two.
"""
import argparse
import subprocess
import sys
import tempfile
import tomllib
import uuid
from pathlib import Path

SECTOR = 512


def load_layout(path):
    with open(path, "rb") as file:
        return tomllib.load(file)


def place_partitions(layout, disk_kib):
    """Returns [(name, start_bytes, size_bytes)] in the order of the card."""
    end_kib = disk_kib - 20     # the second GPT
    placed, at = [], 0
    for part in layout["partition"]:
        start = part.get("start_kib", at)
        size = part["size_kib"] or end_kib - start
        if start < at or start + size > end_kib or size <= 0:
            sys.exit(f"partition {part['name']} does not fit on a card of {disk_kib} KiB")
        placed.append((part["name"], start * 1024, size * 1024))
        at = start + size
    return placed


def write_gpt(out, placed):
    def guid(name):
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"lifeboat-refboard/{name}"))

    command = ["sgdisk", "-a", "2", "-U", guid("disk")]
    for number, (name, start, size) in enumerate(placed, 1):
        first, last = start // SECTOR, (start + size) // SECTOR - 1
        command += ["-n", f"{number}:{first}:{last}", "-c", f"{number}:{name}",
                    "-t", f"{number}:8300", "-u", f"{number}:{guid(name)}"]
    subprocess.run(command + [out], check=True, stdout=subprocess.DEVNULL)


def copy_in(out, start, limit, source):
    size = Path(source).stat().st_size
    if size > limit:
        sys.exit(f"{source}: {size} bytes do not fit into {limit}")
    with open(source, "rb") as src, open(out, "r+b") as dst:
        dst.seek(start)
        while data := src.read(1 << 20):
            if data.count(0) == len(data):
                dst.seek(len(data), 1)  # stays sparse
            else:
                dst.write(data)


def make_data(out, start, size, folder):
    with tempfile.TemporaryDirectory(dir=Path(out).parent) as work:
        image = f"{work}/data.img"
        command = ["mkfs.ext4", "-q", "-F", "-m", "0", "-L", "data",
                   "-U", str(uuid.uuid5(uuid.NAMESPACE_URL, "lifeboat-refboard/data-fs")),
                   "-E", "lazy_itable_init=1,root_owner=0:0"]
        if folder:
            command += ["-d", folder]
        subprocess.run(command + [image, f"{size // 1024}k"], check=True, stdout=subprocess.DEVNULL)
        copy_in(out, start, size, image)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("layout")
    parser.add_argument("out")
    parser.add_argument("--size-mib", type=int, default=256)
    parser.add_argument("--root-mib", type=int)
    parser.add_argument("--data")
    parser.add_argument("contents", nargs="*")
    args = parser.parse_intermixed_args()
    if args.size_mib & (args.size_mib - 1):
        sys.exit("--size-mib has to be a power of two")

    layout = load_layout(args.layout)
    for part in layout["partition"]:
        if part["name"] == "root" and args.root_mib:
            part["size_kib"] = args.root_mib * 1024
    placed = place_partitions(layout, args.size_mib * 1024)
    new = args.out + ".new"
    with open(new, "wb") as file:
        file.truncate(args.size_mib << 20)
    write_gpt(new, placed)

    places = {name: (start, size) for name, start, size in placed}
    for item in args.contents:
        name, _, source = item.partition("=")
        if name == "env":
            for offset in layout["env"]["offsets"]:
                copy_in(new, offset, layout["env"]["size"], source)
        else:
            copy_in(new, *places[name], source)
    make_data(new, *places["data"], args.data)
    Path(new).rename(args.out)


if __name__ == "__main__":
    main()
