#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the files of this folder without any of Lifeboat's own code.

docs/SPEC.md, followed by hand: JSON and index by Python, archives by GNU tar,
frames by zstd, keys and signatures by openssl. The private keys are thrown away, so
running this again changes files: do so only if the format changes.

    make_golden.py          small.lbu and channel.lbc: key.pub.pem
    make_golden.py prefix   prefix.lbu, the same with chunks that need those in front: prefix.pub.pem
    make_golden.py far      far.lbu, the same with far regions: far.pub.pem
"""
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
CREATED = 1700000000


def run(*argv, data=None):
    return subprocess.run(argv, input=data, stdout=subprocess.PIPE, check=True).stdout


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def archive(members, output):
    """GNU tar's ustar with everything fixed is the prescribed form."""
    with tempfile.TemporaryDirectory() as work:
        for name, data in members:
            with open(os.path.join(work, name), "wb") as f:
                f.write(data)
        names = [name for name, _ in members]
        run("tar", "--format=ustar", "-b", "1", "--owner=0", "--group=0", "--numeric-owner",
            "--mode=0644", f"--mtime=@{CREATED}", "-C", work, "-cf", output, *names)


def entry(kind, length, reference, data):
    digest = hashlib.sha256(data).digest() if kind != 1 else bytes(32)
    return struct.pack("<II", kind | length << 8, reference) + digest


def frame(data, prefix):
    argv = ["zstd", "-19", "-q", "-c", "--no-check", f"--stream-size={len(data)}"]
    if not prefix:
        return run(*argv, data=data)
    with tempfile.NamedTemporaryFile() as f:
        f.write(prefix)
        f.flush()
        return run(*argv, f"--patch-from={f.name}", data=data)


def encode(chunks, zstd, reaches=None, fars=None):
    """
    chunks: a list of bytes (data or zeros) or int (repeats that chunk); reaches, fars: by number of
    the chunk; a far region is (block, blocks)
    """
    entries, regions, payload, image = [], b"", b"", b""
    for number, chunk in enumerate(chunks):
        if isinstance(chunk, int):
            data = chunks[chunk]
            entries.append(entry(2, len(data), chunk, data))
        elif chunk.strip(b"\0"):
            data = chunk
            reach = (reaches or {}).get(number, 0)
            block, blocks = (fars or {}).get(number, (0, 0))
            prefix = image[block * 4096:(block + blocks) * 4096]
            prefix += image[max(0, len(image) - reach * 8192):] if reach else b""
            stored = frame(data, prefix) if zstd else data
            payload += stored
            if blocks:
                assert (block + blocks) * 4096 <= len(image)
                regions += struct.pack("<I", block | blocks << 24)
            entries.append(entry(3 if blocks else 0, len(data), len(stored) | reach << 24, data))
        else:
            data = chunk
            entries.append(entry(1, len(data), 0, data))
        image += data
    header = struct.pack("<8sIIQQ", b"LBINDEX1", 40, len(entries), len(image), len(payload))
    return image, header + b"".join(entries) + regions, payload


def member(name, data):
    return {"name": name, "size": len(data), "sha256": sha256(data)}


def describe(name, target, kind, encoding, image, index, payload):
    suffix = {"none": ".raw", "zstd-frames": ".zst"}[encoding]
    return {"name": name, "target": target, "kind": kind, "size": len(image),
            "sha256": sha256(image), "encoding": encoding,
            "index": member(name + ".idx", index), "payload": member(name + suffix, payload)}


def compact(obj):
    return json.dumps(obj, separators=(",", ":")).encode() + b"\n"


class Signer:
    def __init__(self):
        self.key = run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout")
        self.public = run("openssl", "pkey", "-pubout", data=self.key)
        der = run("openssl", "pkey", "-pubout", "-outform", "DER", data=self.key)
        self.id = hashlib.sha256(der).hexdigest()[:16]

    def sign(self, data):
        with tempfile.NamedTemporaryFile() as f:
            f.write(self.key)
            f.flush()
            return run("openssl", "dgst", "-sha256", "-sign", f.name, data=data)


def write(name, data):
    with open(os.path.join(HERE, name), "wb") as f:
        f.write(data)


def boot_image():
    return encode([b"boot " * 100, bytes(4096), 0], zstd=False)


def bundle(name, signer, boot, root):
    manifest = compact({
        "format": 1, "product": "golden", "hardware": ["lifeboat,golden-1", "lifeboat,golden"],
        "version": "1.0 \u2693", "release": 7, "min_release": 5, "created": CREATED,
        "min_recovery": 1, "critical": [],
        "images": [describe("boot", "boot", "raw", "none", *boot),
                   describe("root", "main-root", "raw", "zstd-frames", *root)]})
    archive([("manifest.json", manifest), ("manifest.sig." + signer.id, signer.sign(manifest)),
             ("boot.idx", boot[1]), ("root.idx", root[1]),
             ("boot.raw", boot[2]), ("root.zst", root[2])], os.path.join(HERE, name))
    return manifest


def small():
    signer = Signer()
    text = b"Lifeboat brings the main system ashore. " * 40
    boot = boot_image()
    root = encode([text, bytes(8192), text[::-1], 0, b"end"], zstd=True)
    manifest = bundle("small.lbu", signer, boot, root)
    channel = compact({
        "format": 1, "product": "golden", "sequence": 12, "created": CREATED, "critical": [],
        "releases": [
            {"release": 7, "version": "1.0", "hardware": ["lifeboat,golden"], "min_release": 5,
             "url": "small.lbu", "size": os.path.getsize(os.path.join(HERE, "small.lbu")),
             "manifest": sha256(manifest), "created": CREATED},
            {"release": 6, "version": "0.9", "hardware": ["lifeboat,other"], "min_release": 5,
             "url": "https://other.example/old/6.lbu", "size": 10240, "manifest": "ab" * 32,
             "created": CREATED - 1000}]})
    archive([("channel.json", channel), ("channel.sig." + signer.id, signer.sign(channel))],
            os.path.join(HERE, "channel.lbc"))
    for name, data in (("boot.img", boot[0]), ("root.img", root[0]), ("key.pub.pem", signer.public)):
        write(name, data)


def prefixed():
    """Bytes that do not compress, zeros, and what is only small behind both, or behind itself."""
    signer = Signer()
    first = hashlib.shake_256(b"ashore").digest(400)
    second = first[:200] + b"!" + first[200:]
    root = encode([first, bytes(8000), second, 0, second[::-1], b"end" + second, 4, second[100:]],
                  zstd=True, reaches={0: 1, 2: 2, 5: 1, 7: 255})
    bundle("prefix.lbu", signer, boot_image(), root)
    write("prefix.img", root[0])
    write("prefix.pub.pem", signer.public)


def far():
    """The same kind of bytes, but what is only small behind others lies far behind them."""
    signer = Signer()
    first = hashlib.shake_256(b"at sea").digest(400)
    second = first[:200] + b"!" + first[200:]
    root = encode([bytes(4000), first, bytes(9000), hashlib.shake_256(b"ashore").digest(300), second,
                   3, 4, second[::-1], b"end" + second + second[::-1][:400]],
                  zstd=True, reaches={3: 1, 8: 1}, fars={4: (0, 2), 8: (0, 3)})
    bundle("far.lbu", signer, boot_image(), root)
    write("far.img", root[0])
    write("far.pub.pem", signer.public)


if __name__ == "__main__":
    {"prefix": prefixed, "far": far}.get("".join(sys.argv[1:]), small)()
