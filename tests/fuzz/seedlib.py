# SPDX-License-Identifier: GPL-2.0-or-later
"""What all makers of seeds share: tests/golden, tar members, manifests, and where a seed goes."""
import copy
import json
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
GOLDEN = HERE.parent / "golden"
LBU = (GOLDEN / "small.lbu").read_bytes()
LBC = (GOLDEN / "channel.lbc").read_bytes()
LBU_KEY = (GOLDEN / "key.pub.pem").read_text()


def run(*argv, data=None, cwd=None):
    return subprocess.run(argv, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          cwd=cwd, check=True).stdout


def put(harness, name, data, mode=0):
    folder = HERE / "corpus" / harness
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(data + bytes([mode]))


def members(archive):
    at, found = 0, {}
    while archive[at]:
        name = archive[at:at + 100].rstrip(b"\0").decode()
        size = int(archive[at + 124:at + 135], 8)
        found[name] = archive[at + 512:at + 512 + size]
        at += 512 + (size + 511) // 512 * 512
    return found


def header(name, size, sample=LBU[:512]):
    b = bytearray(sample)
    b[0:100] = name.encode().ljust(100, b"\0")
    b[124:136] = b"%011o\0" % size
    b[148:156] = b" " * 8
    b[148:156] = b"%06o\0 " % sum(b)
    return bytes(b)


def member(name, data):
    return header(name, len(data)) + data + bytes(-len(data) % 512)


def manifest():
    m = json.loads(members(LBU)["manifest.json"])
    m["version"] = "1.0"
    return m


def dump(obj):
    return json.dumps(obj, separators=(",", ":"), ensure_ascii=False).encode()


def changed(base, **fields):
    m = copy.deepcopy(base)
    for name, value in fields.items():
        if value is None:
            m.pop(name, None)
        else:
            m[name] = value
    return m


def one_image(m, **fields):
    m = copy.deepcopy(m)
    image = m["images"][0]
    for name, value in fields.items():
        at, key = image, name
        if "__" in name:
            outer, key = name.split("__")
            at = image[outer]
        if value is None:
            at.pop(key, None)
        else:
            at[key] = value
    m["images"] = [image]
    return m
