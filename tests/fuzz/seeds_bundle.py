# SPDX-License-Identifier: GPL-2.0-or-later
"""Seeds of bundles: tar, head, manifest, index, stored chunks."""
import copy
import os
import struct
import tempfile

from seedlib import (
    LBC, LBU, changed, dump, header, manifest, member, members, one_image, put, run)


def tar_seeds():
    put("tar", "golden", LBU[:512])
    put("tar", "zero", bytes(512))
    put("tar", "empty", b"")
    put("tar", "largest", header("x" * 99, 0o77777777777))
    for name, text in (("slash", "a/b"), ("blank", "a b"), ("none", ""), ("high", "a\x7f")):
        put("tar", "name-" + name, header(text, 3))
    bad = bytearray(LBU[:512])
    bad[148] ^= 1
    put("tar", "checksum", bytes(bad))
    put("tar", "checksum-mended", bytes(bad), 1)
    bad = bytearray(LBU[:512])
    bad[156] = ord("5")
    put("tar", "folder", bytes(bad), 1)


def head_seeds():
    end = len(LBU)
    for at in range(0, len(LBU), 512):
        if LBU[at:at + 8] == b"boot.idx":
            end = at + 512
            break
    head = LBU[:end]
    sig = "manifest.sig.0123456789abcde%d"
    doc = member("manifest.json", b"{}")
    put("head", "golden", head)
    put("head", "golden-nomem", head, 0x10)
    put("head", "channel", LBC, 2)
    put("head", "other-name", LBC, 0)
    put("head", "truncated", head[:1000])
    put("head", "truncated-first", head[:100])
    put("head", "truncated-signature", head[:end - 700])
    put("head", "unsigned", doc + bytes(1024))
    put("head", "no-end", doc)
    put("head", "eight", doc + b"".join(member(sig % i, b"s" * 70) for i in range(8)) + bytes(512))
    put("head", "nine", doc + b"".join(member(sig % i, b"s" * 70) for i in range(9)) + bytes(512))
    put("head", "twice", doc + 2 * member(sig % 1, b"s" * 70) + bytes(512))
    put("head", "keyid", doc + member("manifest.sig.xyz", b"s") + bytes(512))
    put("head", "sig-empty", doc + member(sig % 1, b"") + bytes(512))
    put("head", "sig-long", doc + member(sig % 1, b"s" * 161) + bytes(512))
    put("head", "padding", header("manifest.json", 2) + b"{}" + b"x" * 510 + bytes(512))
    put("head", "sig-padding", doc + header(sig % 1, 2) + b"ss" + b"x" * 510 + bytes(512))
    put("head", "doc-empty", header("manifest.json", 0) + bytes(512))
    put("head", "doc-huge", header("manifest.json", 65537) + bytes(512))
    put("head", "doc-promises", header("manifest.json", 65536) + bytes(9000))
    put("head", "no-tar-behind", doc + b"x" * 512)


def manifest_seeds():
    good = manifest()
    put("manifest", "golden", members(LBU)["manifest.json"])
    put("manifest", "nomem", dump(good), 1)
    put("manifest", "nomem-late", dump(one_image(good)), 0x2c)
    for i in range(40, 140, 9):
        put("manifest", f"nomem-{i}", dump(one_image(good)), i)
    for name in good:
        put("manifest", "no-" + name, dump(changed(good, **{name: None})))
        put("manifest", "odd-" + name, dump(changed(good, **{name: {"x": 1}})))
    put("manifest", "format-2", dump(changed(good, format=2, min_recovery=9)))
    put("manifest", "critical-known", dump(changed(good, critical=["images.kind", "format"])))
    put("manifest", "critical-unknown", dump(changed(good, critical=["teleport"])))
    put("manifest", "critical-odd", dump(changed(good, critical=[1])))
    put("manifest", "recovery-large", dump(changed(good, min_recovery=2 ** 33)))
    put("manifest", "release-0", dump(changed(good, release=0)))
    put("manifest", "release-below", dump(changed(good, release=3, min_release=4)))
    put("manifest", "product-odd", dump(changed(good, product="../x")))
    put("manifest", "hardware-many", dump(changed(good, hardware=["v,b%d" % i for i in range(33)])))
    put("manifest", "hardware-none", dump(changed(good, hardware=[])))
    put("manifest", "hardware-odd", dump(changed(good, hardware=["a b"])))
    put("manifest", "hardware-number", dump(changed(good, hardware=[7])))
    put("manifest", "images-none", dump(changed(good, images=[])))
    put("manifest", "images-twice", dump(changed(good, images=2 * [good["images"][0]])))
    many = []
    for i in range(17):
        image = copy.deepcopy(good["images"][0])
        image["name"] = image["target"] = "i%d" % i
        image["index"]["name"], image["payload"]["name"] = "i%d.idx" % i, "i%d.raw" % i
        many.append(image)
    put("manifest", "images-16", dump(changed(good, images=many[:16])))
    put("manifest", "images-17", dump(changed(good, images=many)))
    for name, fields in {
        "name": {"name": "A"}, "target": {"target": "-x"}, "kind": {"kind": "floppy"},
        "no-kind": {"kind": None}, "no-encoding": {"encoding": None},
        "encoding": {"encoding": "rot13"}, "empty": {"size": 0}, "digest": {"sha256": "xyz"},
        "other-encoding": {"encoding": "zstd-frames"}, "index-name": {"index__name": "other.idx"},
        "index-large": {"index__size": 9999999}, "index-odd": {"index__size": 73}, "index-far": {"index__size": 76},
        "index-tiny": {"index__size": 32}, "payload-huge": {"payload__size": 8 << 30},
        "no-index": {"index": None}, "no-payload": {"payload": None},
        "no-index-digest": {"index__sha256": None}, "no-index-size": {"index__size": None},
        "recovery": {"kind": "recovery"}, "recovery-release": {"kind": "recovery", "recovery_release": 7},
        "recovery-release-0": {"kind": "recovery", "recovery_release": 0},
        "recovery-release-large": {"kind": "recovery", "recovery_release": 2 ** 40},
        "chunking": {"chunking": 2}, "chunking-0": {"chunking": 0}, "chunking-256": {"chunking": 256},
        "chunking-odd": {"chunking": "2"},
        "fit": {"kind": "fit"}, "ubi": {"kind": "ubi"},
        "file": {"kind": "file"}, "no-target": {"target": None}, "no-size": {"size": None},
    }.items():
        put("manifest", "image-" + name, dump(one_image(good, **fields)))


def manifest_patch_seeds():
    good = manifest()
    name = good["images"][0]["name"]

    def one(number, **fields):
        parts = {"from": "ab" * 32, "release": number,
                 "index": {"name": f"{name}.{number}.pidx", "size": 40, "sha256": "cd" * 32},
                 "payload": {"name": f"{name}.{number}.patch", "size": 0, "sha256": "ef" * 32}}
        for key, value in fields.items():
            outer, _, inner = key.partition("__")
            (parts[outer] if inner else parts)[inner or outer] = value
        return parts

    for what, sets in {
        "4": [one(i) for i in range(4)], "5": [one(i) for i in range(5)], "none": [],
        "twice": [one(1), one(1)], "odd": 7, "odd-set": [7], "digest": [one(1, **{"from": "x"})],
        "release": [one(1, release="1")], "index-name": [one(1, index__name="x.pidx")],
        "index-tiny": [one(1, index__size=39)], "index-huge": [one(1, index__size=1 << 30)],
        "payload-name": [one(1, payload__name="x.patch")], "payload": [one(1, payload=3)],
    }.items():
        put("manifest", "patches-" + what, dump(one_image(good, patches=sets)))


def entry(kind, length, reference, digest=bytes(32)):
    return struct.pack("<II", kind | length << 8, reference) + digest


def index(entries, image=None, payload=None, magic=b"LBINDEX1", size=40, count=None, fars=b""):
    image = sum(struct.unpack_from("<I", e)[0] >> 8 for e in entries) if image is None else image
    payload = sum(struct.unpack_from("<I", e, 4)[0] & 0xffffff for e in entries if e[0] in (0, 3)) \
        if payload is None else payload
    return struct.pack("<8sIIQQ", magic, size, len(entries) if count is None else count, image,
                       payload) + b"".join(entries) + fars


def far_seeds(d):
    def regions(*list_of):
        return b"".join(struct.pack("<I", block | blocks << 24) for block, blocks in list_of)

    zeros, one = entry(1, 1 << 20, 0), entry(3, 100, 60, d)
    for name, fars in {
        "first": [(0, 1)], "last": [(255, 1)], "longest": [(192, 64)], "too-long": [(0, 65)],
        "empty": [(3, 0)], "behind": [(255, 2)], "missing": [], "two": [(0, 1), (0, 1)],
        "largest": [(0xffffff, 255)],
    }.items():
        put("index", "far-" + name, index([zeros, one], fars=regions(*fars)), 4)
    put("index", "far-agreed", index([zeros, one, one], fars=regions((1, 2), (3, 4))), 2)
    put("index", "far-cut", index([zeros, one], fars=regions((0, 1))[:3]), 4)
    put("index", "far-raw", index([zeros, entry(3, 100, 100, d)], fars=regions((0, 1))), 5)
    put("index", "far-first-chunk", index([one], fars=regions((0, 1))), 4)
    put("index", "far-duplicate", index([zeros, one, entry(2, 100, 1, d)], fars=regions((0, 1))), 4)
    put("index", "far-reach", index([zeros, entry(3, 100, 60 | 200 << 24, d)], fars=regions((9, 9))), 4)


def reaching_seeds(d):
    far = entry(0, 100, 60 | 255 << 24, d)
    put("index", "reach-at-the-front", index([far]), 2)
    put("index", "reach-all", index([entry(1, 255 * 8192 - 1, 0), far, far]), 2)
    put("index", "reach-longest", index([entry(1, 255 * 8192, 0), far]), 2)
    put("index", "reach-raw", index([entry(1, 10000, 0), entry(0, 100, 100 | 1 << 24, d)]), 3)
    put("index", "reach-zero", index([entry(1, 10000, 1 << 24)]), 2)
    put("index", "reach-duplicate", index([entry(0, 100, 60, d), entry(2, 100, 1 << 24, d)]), 2)


def index_seeds():
    inside = members(LBU)
    d, other = b"d" * 32, b"e" * 32
    data = entry(0, 100, 60, d)
    put("index", "golden-zstd", inside["root.idx"], 4)
    put("index", "golden-raw", inside["boot.idx"], 5)
    put("index", "patches", inside["boot.idx"], 69)
    put("index", "digest", inside["boot.idx"], 13)
    put("index", "nomem", inside["boot.idx"], 21)
    put("index", "truncated", inside["boot.idx"], 37)
    put("index", "manifest-differs", inside["boot.idx"], 0)
    put("index", "header-only", index([]), 4)
    put("index", "short", b"LBINDEX1", 4)
    put("index", "magic", index([data], magic=b"LBINDEX2"), 4)
    put("index", "entry-size", index([data], size=41), 4)
    put("index", "count", index([data], count=2), 4)
    put("index", "count-huge", index([data], count=0xffffffff), 4)
    put("index", "sums", index([data], image=99), 4)
    put("index", "sums-huge", index([data], image=2 ** 64 - 1, payload=2 ** 64 - 1), 4)
    put("index", "payload-large", index([data], payload=0o77777777777), 4)
    for name, entries in {
        "zero": [entry(1, 0xffffff, 0)], "zero-data": [entry(1, 5, 1)],
        "zero-digest": [entry(1, 5, 0, d)], "empty": [entry(0, 0, 1, d)],
        "long": [entry(0, 0x100001, 1, d)], "stored-0": [entry(0, 5, 0, d)],
        "stored-long": [entry(0, 5, 0x110000, d)], "type": [entry(4, 5, 5, d)],
        "duplicate": [data, entry(2, 100, 0, d)], "duplicate-later": [entry(2, 100, 1, d), data],
        "duplicate-self": [entry(2, 100, 0, d)], "duplicate-length": [data, entry(2, 99, 0, d)],
        "duplicate-digest": [data, entry(2, 100, 0, other)],
        "duplicate-of-zero": [entry(1, 100, 0), entry(2, 100, 0)],
        "many": [data, entry(1, 4096, 0), entry(2, 100, 0, d)] * 20,
    }.items():
        put("index", "entry-" + name, index(entries), 2)
    put("index", "raw-stored", index([entry(0, 100, 99, d)]), 3)
    reaching_seeds(d)
    far_seeds(d)


def prefixed_seeds(text):
    prefix = os.urandom(300)
    data = prefix[:100] + text[:50] + prefix[100:]
    length = struct.pack("<I", len(data))[:3]
    with tempfile.NamedTemporaryFile() as f:
        f.write(prefix)
        f.flush()
        frame = run("zstd", "-19", "-q", "-c", "--no-check", f"--stream-size={len(data)}",
                    f"--patch-from={f.name}", data=data)
    for name, before in (("right", prefix), ("short", prefix[1:]), ("other", prefix[::-1]),
                         ("like-a-dictionary", b"\x37\xa4\x30\xec" + prefix[4:])):
        for mode, where in ((8, ""), (24, "-apart")):
            put("chunk", f"prefix-{name}{where}", length + struct.pack("<H", len(before)) + before + frame,
                mode)
    put("chunk", "prefix-missing", length + frame)
    put("chunk", "prefix-truncated", length + struct.pack("<H", 400) + prefix, 8)
    put("chunk", "prefix-none", length + struct.pack("<H", 300) + prefix + data, 9)


def chunk_seeds():
    text = b"Lifeboat brings the main system ashore. " * 8
    length = struct.pack("<I", len(text))[:3]
    frames = {
        "plain": run("zstd", "-3", "-c", "--no-check", data=text),
        "checked": run("zstd", "-3", "-c", "--check", data=text),
        "large-window": run("zstd", "-19", "-c", "--long=27", "--no-check", data=text),
        "stored": run("zstd", "-1", "-c", "--no-check", data=os.urandom(64))}
    for name, frame in frames.items():
        put("chunk", name, length + frame)
    put("chunk", "two-frames", struct.pack("<I", 2 * len(text))[:3] + 2 * frames["plain"])
    put("chunk", "skippable", length + struct.pack("<II", 0x184d2a50, 4) + b"skip" + frames["plain"])
    put("chunk", "too-long", struct.pack("<I", len(text) + 1)[:3] + frames["plain"])
    put("chunk", "too-short", struct.pack("<I", len(text) - 1)[:3] + frames["plain"])
    put("chunk", "truncated", length + frames["plain"][:-3])
    put("chunk", "none", length + text, 1)
    put("chunk", "none-short", length + text[:-1], 1)
    put("chunk", "zero-type", length + text, 3)
    put("chunk", "unknown", length + text, 4)
    prefixed_seeds(text)
    put("chunk", "empty", b"\0\0\0")
    put("chunk", "tiny", b"\0")
