#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the files of this folder without any of Lifeboat's own code.

docs/SPEC.md, followed by hand: JSON and index by Python, archives by GNU tar,
frames by zstd, keys and signatures by openssl. The private key is thrown away, so
running this again changes all files: do so only if the format changes.
"""
import hashlib
import json
import os
import struct
import subprocess
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


def encode(chunks, zstd):
    """chunks: a list of bytes (data or zeros) or int (repeats that chunk)"""
    entries, payload, image = [], b"", b""
    for chunk in chunks:
        if isinstance(chunk, int):
            data = chunks[chunk]
            entries.append(entry(2, len(data), chunk, data))
        elif chunk.strip(b"\0"):
            data = chunk
            stored = run("zstd", "-19", "-c", "--no-check", f"--stream-size={len(data)}",
                         data=data) if zstd else data
            payload += stored
            entries.append(entry(0, len(data), len(stored), data))
        else:
            data = chunk
            entries.append(entry(1, len(data), 0, data))
        image += data
    header = struct.pack("<8sIIQQ", b"LBINDEX1", 40, len(entries), len(image), len(payload))
    return image, header + b"".join(entries), payload


def member(name, data):
    return {"name": name, "size": len(data), "sha256": sha256(data)}


def describe(name, target, kind, encoding, image, index, payload):
    suffix = {"none": ".raw", "zstd-frames": ".zst"}[encoding]
    return {"name": name, "target": target, "kind": kind, "size": len(image),
            "sha256": sha256(image), "encoding": encoding,
            "index": member(name + ".idx", index), "payload": member(name + suffix, payload)}


def compact(obj):
    return json.dumps(obj, separators=(",", ":")).encode() + b"\n"


def main():
    key = run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout")
    public = run("openssl", "pkey", "-pubout", data=key)
    keyid = hashlib.sha256(run("openssl", "pkey", "-pubout", "-outform", "DER", data=key)).hexdigest()[:16]

    def sign(data):
        with tempfile.NamedTemporaryFile() as f:
            f.write(key)
            f.flush()
            return run("openssl", "dgst", "-sha256", "-sign", f.name, data=data)

    text = b"Lifeboat brings the main system ashore. " * 40
    boot = encode([b"boot " * 100, bytes(4096), 0], zstd=False)
    root = encode([text, bytes(8192), text[::-1], 0, b"end"], zstd=True)
    manifest = compact({
        "format": 1, "product": "golden", "hardware": ["lifeboat,golden-1", "lifeboat,golden"],
        "version": "1.0 \u2693", "release": 7, "min_release": 5, "created": CREATED,
        "min_recovery": 1, "critical": [],
        "images": [describe("boot", "boot", "raw", "none", *boot),
                   describe("root", "main-root", "raw", "zstd-frames", *root)]})
    archive([("manifest.json", manifest), ("manifest.sig." + keyid, sign(manifest)),
             ("boot.idx", boot[1]), ("root.idx", root[1]),
             ("boot.raw", boot[2]), ("root.zst", root[2])], os.path.join(HERE, "small.lbu"))
    channel = compact({
        "format": 1, "product": "golden", "sequence": 12, "created": CREATED, "critical": [],
        "releases": [
            {"release": 7, "version": "1.0", "hardware": ["lifeboat,golden"], "min_release": 5,
             "url": "small.lbu", "size": os.path.getsize(os.path.join(HERE, "small.lbu")),
             "manifest": sha256(manifest), "created": CREATED},
            {"release": 6, "version": "0.9", "hardware": ["lifeboat,other"], "min_release": 5,
             "url": "https://other.example/old/6.lbu", "size": 10240, "manifest": "ab" * 32,
             "created": CREATED - 1000}]})
    archive([("channel.json", channel), ("channel.sig." + keyid, sign(channel))],
            os.path.join(HERE, "channel.lbc"))
    for name, data in (("boot.img", boot[0]), ("root.img", root[0]), ("key.pub.pem", public)):
        with open(os.path.join(HERE, name), "wb") as f:
            f.write(data)


if __name__ == "__main__":
    main()
