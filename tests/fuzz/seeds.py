#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes tests/fuzz/corpus/NAME/seed-* and keys.h, without any of Lifeboat's own code.

From tests/golden (made with tar, zstd and openssl) and from FITs that mkimage makes and
signs here; the private key is thrown away. What libFuzzer found beside these seeds has
names of 40 hexadecimal digits and is left alone. How the last byte and the other bytes are
understood stands at the top of each fuzz_NAME.c.
"""
import copy
import json
import os
import struct
import subprocess
import tempfile
import zlib
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
        "index-large": {"index__size": 9999999}, "index-odd": {"index__size": 73},
        "index-tiny": {"index__size": 32}, "payload-huge": {"payload__size": 8 << 30},
        "no-index": {"index": None}, "no-payload": {"payload": None},
        "no-index-digest": {"index__sha256": None}, "no-index-size": {"index__size": None},
        "recovery": {"kind": "recovery"}, "recovery-release": {"kind": "recovery", "recovery_release": 7},
        "recovery-release-0": {"kind": "recovery", "recovery_release": 0},
        "recovery-release-large": {"kind": "recovery", "recovery_release": 2 ** 40},
        "fit": {"kind": "fit"}, "ubi": {"kind": "ubi"},
        "file": {"kind": "file"}, "no-target": {"target": None}, "no-size": {"size": None},
    }.items():
        put("manifest", "image-" + name, dump(one_image(good, **fields)))


def entry(kind, length, reference, digest=bytes(32)):
    return struct.pack("<II", kind | length << 8, reference) + digest


def index(entries, image=None, payload=None, magic=b"LBINDEX1", size=40, count=None):
    image = sum(struct.unpack_from("<I", e)[0] >> 8 for e in entries) if image is None else image
    payload = sum(struct.unpack_from("<I", e, 4)[0] for e in entries if e[0] == 0) \
        if payload is None else payload
    return struct.pack("<8sIIQQ", magic, size, len(entries) if count is None else count, image,
                       payload) + b"".join(entries)


def index_seeds():
    inside = members(LBU)
    d, other = b"d" * 32, b"e" * 32
    data = entry(0, 100, 60, d)
    put("index", "golden-zstd", inside["root.idx"], 4)
    put("index", "golden-raw", inside["boot.idx"], 5)
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
        "stored-long": [entry(0, 5, 0x110000, d)], "type": [entry(3, 5, 5, d)],
        "duplicate": [data, entry(2, 100, 0, d)], "duplicate-later": [entry(2, 100, 1, d), data],
        "duplicate-self": [entry(2, 100, 0, d)], "duplicate-length": [data, entry(2, 99, 0, d)],
        "duplicate-digest": [data, entry(2, 100, 0, other)],
        "duplicate-of-zero": [entry(1, 100, 0), entry(2, 100, 0)],
        "many": [data, entry(1, 4096, 0), entry(2, 100, 0, d)] * 20,
    }.items():
        put("index", "entry-" + name, index(entries), 2)
    put("index", "raw-stored", index([entry(0, 100, 99, d)]), 3)


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
    put("chunk", "empty", b"\0\0\0")
    put("chunk", "tiny", b"\0")


ITS = """/dts-v1/; / {{ description = "t"; #address-cells = <1>; images {{
kernel {{ data = /incbin/("kernel"); type = "kernel"; arch = "arm64"; os = "linux";
 compression = "none"; load = <0>; entry = <0>; hash-1 {{ algo = "{hash}"; }}; }};
fdt {{ data = /incbin/("board.dtb"); type = "flat_dt"; arch = "arm64";
 compression = "none"; hash-1 {{ algo = "sha256"; }}; }}; }};
configurations {{ default = "{conf}"; {conf} {{ kernel = "kernel"; fdt = "fdt";
 signature {{ algo = "sha256,rsa2048"; padding = "{padding}"; key-name-hint = "{key}";
 sign-images = "kernel", "fdt"; }}; }}; }}; }};
"""


def edit(fit, work, *commands):
    """fdtput, as somebody would who changes a FIT by hand"""
    path = os.path.join(work, "edit")
    Path(path).write_bytes(fit)
    for c in commands:
        options = {"-t": 2, "-d": 1, "-c": 1, "-p": 2}[c[0]]
        run("fdtput", *c[:options], path, *c[options:])
    return Path(path).read_bytes()


def fit_seeds(work):
    for key in ("ours", "theirs"):
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9999", "-batch",
            "-subj", "/CN=" + key, "-keyout", key + ".key", "-out", key + ".crt", cwd=work)
    run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ec.key", cwd=work)
    Path(work, "kernel").write_bytes(b"kernel " * 20)
    Path(work, "board.dtb").write_bytes(
        run("dtc", "-q", "-O", "dtb", data=b'/dts-v1/; / { compatible = "acme,board"; };'))

    def make(*options, conf="conf", padding="pss", key="ours", hash="sha256", sign=True):
        Path(work, "t.its").write_text(ITS.format(conf=conf, padding=padding, key=key, hash=hash))
        run("mkimage", *options, *(("-k", ".", "-r") if sign else ()), "-f", "t.its", "fit", cwd=work)
        return Path(work, "fit").read_bytes()

    external = make("-E", "-p", "0x1000")
    embedded = make()
    put("fit", "external", external)
    put("fit", "offset", make("-E"))
    put("fit", "embedded", embedded)
    put("fit", "larger-slot", embedded, 0x80)
    put("fit", "pkcs", make(padding="pkcs-1.5"))
    put("fit", "foreign", make(key="theirs"))
    put("fit", "unsigned", make(sign=False))
    put("fit", "sha1", make(hash="sha1"))
    put("fit", "name", make(conf="conf@1"))
    for i in range(1, 4):
        put("fit", f"nomem-{i}", embedded, i)
    for i in range(1, 6):
        put("fit", f"unreadable-{i}", embedded, i << 4)
    put("fit", "no-fit", b"x" * 100)
    put("fit", "tiny", b"\xd0\x0d\xfe\xed")
    put("fit", "empty", b"")
    put("fit", "device-tree", Path(work, "board.dtb").read_bytes())
    big = bytearray(embedded)
    big[4:8] = struct.pack(">I", 70000)
    put("fit", "structure-large", bytes(big))
    broken = bytearray(embedded)
    broken[60] ^= 0xff
    put("fit", "structure-damaged", bytes(broken))
    put("fit", "data-changed", embedded.replace(b"kernel kernel", b"kernel kerneL", 1))
    conf, sig = "/configurations/conf", "/configurations/conf/signature"
    for name, commands in {
        "no-default": [("-d", "/configurations", "default")],
        "default-other": [("-t", "s", "/configurations", "default", "other")],
        "no-kernel": [("-d", conf, "kernel")],
        "kernel-other": [("-t", "s", conf, "kernel", "other")],
        "kernel-no-text": [("-t", "x", conf, "kernel", "61616161")],
        "kernel-16": [("-t", "s", conf, "kernel", *16 * ["kernel"])],
        "kernel-17": [("-t", "s", conf, "kernel", *17 * ["kernel"])],
        "no-data": [("-d", "/images/kernel", "data")],
        "no-digest": [("-d", "/images/kernel/hash-1", "value")],
        "no-place": [("-t", "i", "/images/kernel", "data-size", "8")],
        "far": [("-t", "i", "/images/kernel", "data-size", "8"),
                ("-t", "i", "/images/kernel", "data-position", "999999")],
        "size-odd": [("-t", "s", "/images/kernel", "data-size", "much")],
        "no-hint": [("-d", sig, "key-name-hint")],
        "value-changed": [("-t", "x", sig, "value", "1")],
        "padding-odd": [("-t", "s", sig, "padding", "rot13")],
        "no-padding": [("-d", sig, "padding")],
        "padding-no-text": [("-t", "x", sig, "padding", "61616161")],
        "no-nodes": [("-d", sig, "hashed-nodes")],
        "nodes-other": [("-t", "s", sig, "hashed-nodes", "/")],
        "nodes-many": [("-t", "s", sig, "hashed-nodes", *["/n%d" % i for i in range(101)])],
        "nodes-open": [("-t", "x", sig, "hashed-nodes", "61616161")],
        "no-strings": [("-d", sig, "hashed-strings")],
        "strings-odd": [("-t", "i", sig, "hashed-strings", "0")],
        "strings-long": [("-t", "i", sig, "hashed-strings", "0", "99999")],
        "algo-odd": [("-t", "s", sig, "algo", "md5,rsa2048")],
        "no-value": [("-d", sig, "value")],
        "two-signatures": [("-c", conf + "/signature-2"), ("-t", "s", conf + "/signature-2", "algo",
                            "sha256,rsa2048")],
        "deep": [("-p", "-c", "/images/" + "/".join("d%d" % i for i in range(40)))],
        "path": [("-p", "-c", "/images/" + "/".join("d" * 30 for i in range(9)))],
    }.items():
        put("fit", "edit-" + name, edit(embedded, work, *commands))
    start, = struct.unpack_from(">I", embedded, 8)
    nops = bytearray(embedded)  # instead of the root's first property, which has 4 bytes
    nops[start + 8:start + 24] = 4 * struct.pack(">I", 4)
    put("fit", "nop", bytes(nops))
    named = bytearray(embedded)
    named[start + 4:start + 7] = b"top"
    put("fit", "root-named", bytes(named))
    keys = {"certificate": Path(work, "ours.crt").read_bytes(),
            "rsa": run("openssl", "x509", "-in", "ours.crt", "-noout", "-pubkey", cwd=work),
            "rsa-1024": run("openssl", "pkey", "-pubout", data=run("openssl", "genrsa", "1024")),
            "ec": LBU_KEY.encode(), "damaged": LBU_KEY.replace("M", "N", 1).encode()}
    for name, pem in keys.items():
        put("fit", "key-" + name, pem)
    put("fit", "key-nomem", keys["rsa"], 1)
    put("fit", "key-nomem-late", keys["certificate"], 9)
    return Path(work, "ours.crt").read_text(), work


def env(pairs, serial, size=512):
    data = b"".join(p.encode() + b"\0" for p in pairs).ljust(size - 5, b"\0")[:size - 5]
    return struct.pack("<IB", zlib.crc32(data), serial) + data


def env_seeds():
    ours = ["lifeboat_boot=main", "lifeboat_slot=b", "bootcount=1", "upgrade_available=1",
            "lifeboat_rtries=2", "ethaddr=52:54:00:12:34:56"]
    one, two = env(ours, 1), env(["lifeboat_boot=recovery"] + ours[1:], 2)
    put("env", "newer-second", one + two)
    put("env", "newer-first", two + one)
    put("env", "wrap", env(ours, 255) + env(ours, 0))
    put("env", "wrap-back", env(ours, 0) + env(ours, 255))
    put("env", "first-broken", b"x" + one[1:] + two)
    put("env", "second-broken", one + b"x" + two[1:])
    put("env", "lost", b"\xff" * 1024)
    put("env", "unreadable-first", one + two, 2)
    put("env", "unreadable-both", one + two, 6)
    put("env", "nomem-1", one + two, 0x10)
    put("env", "nomem-2", one + two, 0x20)
    put("env", "sizes", one + two, 0x40)
    put("env", "manual", 2 * env(["lifeboat_boot=manual", "bootcount=ffffffff", "lifeboat_rtries=g"], 1))
    put("env", "counts", 2 * env(["bootcount=0x1", "lifeboat_rtries=", "a=1", "a=2", "=", "==x"], 1))
    put("env", "full", 2 * env(["x=" + "y" * 600], 1))
    put("env", "nearly-full", 2 * env(["x=" + "y" * 450], 1))
    put("env", "room-for-some", 2 * env(["x=" + "y" * 470, "lifeboat_rtries=1"], 1))
    put("env", "full-of-ours", 2 * env(["lb_fuzz=1"] * 100, 1), 1)
    put("env", "hidden", 2 * env(["", "lifeboat_boot=main"], 1))
    put("env", "smallest", 2 * env(["a=b"], 1, 64))
    put("env", "too-small", 2 * env(["a=b"], 1, 63))
    put("env", "tiny", b"ab", 1)
    put("env", "mended", bytes(1024), 1)
    put("env", "worn-second", two + one, 0x80)
    put("env", "worn-first", one + two, 0x80)
    put("env", "worn-lost", b"\xff" * 1024, 0x80)
    put("env", "worn-last-serial", env(ours, 255) + env(ours, 0), 0x80)


def half(number, generation):
    return b"H" + struct.pack("<BI", number, generation)


def record(block, kind, payload, sequence, version=1, generation=1):
    return b"R" + struct.pack("<BBBBHH", block, kind, version, generation, sequence,
                              len(payload)) + payload


def log_seeds():
    some = record(1, 1, b'{"state":"confirmed"}', 1) + record(2, 2, b'{"release":7}', 2) + \
        record(3, 7, b'{"release":5}', 3)
    put("log", "empty", b"")
    put("log", "first-half", half(0, 1) + some)
    put("log", "second-half", half(0, 1) + some + half(1, 2) + record(33, 1, b"{}", 4, generation=2))
    put("log", "generation-last", half(0, 0xfffffffe) + half(1, 0xffffffff))
    put("log", "replaced", half(0, 1) + some + record(4, 1, b"{}", 4))
    put("log", "deleted", half(0, 1) + some + record(4, 2, b"", 4))
    put("log", "gap", half(0, 1) + some + record(9, 1, b"behind a torn one", 5))
    put("log", "order", half(0, 1) + record(1, 1, b"newer", 9) + record(2, 1, b"older", 3))
    put("log", "long", half(0, 1) + record(1, 5, b"m" * 5000, 1) + record(3, 1, b"{}", 2))
    put("log", "beyond", half(0, 1) + record(31, 5, b"m" * 9000, 1))
    put("log", "types", half(0, 1) + b"".join(record(i, i, b"t", i) for i in range(1, 32)))
    put("log", "stale", half(0, 1) + some + record(33, 1, b"{}", 1, generation=9))
    put("log", "no-half", some + record(33, 1, b"{}", 1, generation=9))
    put("log", "sequence-end", half(0, 1) + record(1, 1, b"{}", 0xffff))
    put("log", "reserved", half(0, 1) + some + b"B" + struct.pack("<BHB", 2, 24, 1) + b"x")
    put("log", "payload-damaged", half(0, 1) + some + b"B" + struct.pack("<BHB", 2, 40, 1) + b"x")
    put("log", "type-0", half(0, 1) + record(1, 0, b"x", 1) + record(2, 1, b"x", 1, generation=0))
    put("log", "header-damaged", half(0, 1) + b"B" + struct.pack("<BHB", 0, 9, 1) + b"x" + some)
    put("log", "too-small", half(0, 1) + some, 0x40)
    put("log", "unreadable", half(0, 1) + some, 0x80)
    for i in (1, 2, 3, 4, 5, 6, 33, 34, 35, 36, 40, 62):
        put("log", f"unreadable-{i}", half(0, 1) + some, i)
    put("log", "unreadable-second", some + half(1, 1), 2)


def release(number=7, text=b"{}", signature=b"s" * 70, urls=(b"https://u.example/a.lbu",),
            keyid=b"0123456789abcdef", **wrong):
    head = struct.pack("<QIHH", wrong.get("release", number), wrong.get("manifest", len(text)),
                       wrong.get("sig", len(signature)), wrong.get("urls", len(urls))) + keyid
    return head + b"".join(struct.pack("<H", len(u)) + u for u in urls) + signature + text


def record_seeds():
    digest = "ab" * 32

    def one(name, kind, text, version=1, mode=0):
        put("records", name, bytes([kind, version]) + (text if isinstance(text, bytes) else dump(text)),
            mode)

    for name in ("confirmed", "requested", "updating", "trial", "rescue", "asleep"):
        one("state-" + name, 1, {"state": name, "release": 7, "manifest": digest})
    one("state-version", 1, {"state": "trial"}, version=2)
    one("state-odd", 1, {"state": 7})
    one("state-number", 1, {"state": "trial", "release": 1.5})
    one("state-digest", 1, {"state": "trial", "manifest": "ab"})
    one("state-garbage", 1, b"no json")
    for i in (1, 2, 3, 4, 6, 9, 12, 15):
        one(f"state-nomem-{i}", 1, {"state": "trial", "release": 7}, mode=i)
    request = {"recovery_only": True, "urls": ["https://u.example/a.lbu", "file:///media/a.lbu"],
               "manifest": digest, "release": 7, "budget_bytes": 1000000, "time": 1700000000,
               "deployment": "d-1", "header": "Authorization: Bearer sesame"}
    one("request", 2, request)
    one("request-urls", 2, changed(request, urls=["https://u.example/%d" % i for i in range(5)]))
    one("request-urls-odd", 2, changed(request, urls=[1]))
    one("request-urls-no-list", 2, changed(request, urls="x"))
    one("request-bool", 2, changed(request, recovery_only=1))
    for name in ("urls", "deployment", "header"):
        one("request-utf8-" + name, 2,
            changed(request, **{name: ["h\u00e9"] if name == "urls" else "h\u00e9"}))
    one("request-empty", 2, {})
    one("request-nomem", 2, request, mode=20)
    one("progress", 3, {"manifest": digest, "total_bytes": 9, "done_bytes": 8, "fetched_bytes": 7,
                        "written_bytes": 6, "power_cycles": 5})
    one("progress-large", 3, {"total_bytes": 2 ** 53 - 1, "power_cycles": 2 ** 32})
    one("result", 4, {"code": "ok", "text": "done", "deployment": "d-1", "release": 7,
                      "main_changed": True, "fetched_bytes": 1, "written_bytes": 2, "skipped_bytes": 3,
                      "seconds": 4, "power_cycles": 5, "time": 1700000000})
    one("result-utf8", 4, {"text": "caf\u00e9"})
    one("network", 9, {"ca_pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                       "address": "192.0.2.7/24", "gateway": "192.0.2.1", "dns": "192.0.2.2"})
    one("network-pem", 9, {"ca_pem": "\u00e9"})
    one("network-pem-odd", 9, {"ca_pem": 1})
    one("network-utf8", 9, {"address": "\u00e9"})
    one("network-dhcp", 9, {})
    one("self-update", 12, {"image": digest, "tries": 2})
    one("self-update-large", 12, {"tries": 2 ** 32})
    one("floor", 7, {"release": 5})
    one("floor-missing", 7, {})
    one("floor-garbage", 7, b"[]")
    one("clock", 8, {"time": 1700000000})
    one("large", 1, b"{" + b" " * 25000 + b"}")
    one("release", 5, release())
    one("release-version", 5, release(), version=3)
    for i in (1, 2):
        one(f"release-nomem-{i}", 5, release(), mode=i)
    one("release-four", 5, release(urls=4 * [b"https://u.example/a.lbu"]))
    one("release-five", 5, release(urls=5 * [b"u"]))
    one("release-url-odd", 5, release(urls=[b"a\nb"]))
    one("release-url-long", 5, release(urls=[b"u" * 512]))
    one("release-url-end", 5, release(urls=1 * [b"u"], text=b"x")[:33])
    one("release-url-beyond", 5, release(urls=[b"u"]).replace(b"\x01\x00u", b"\xff\x00u"))
    one("release-short", 5, b"short")
    one("release-empty", 5, release(text=b""))
    one("release-sums", 5, release(manifest=3))
    one("release-signature", 5, release(signature=b"s" * 161))
    one("nothing", 10, b"log text")


def channel_seeds():
    good = json.loads(members(LBC)["channel.json"])
    put("channel", "golden", LBC, 0x80)
    put("channel", "golden-text", members(LBC)["channel.json"])
    put("channel", "bundle", LBU[:4096], 0x80)
    put("channel", "changed", LBC.replace(b'"sequence":12', b'"sequence":13'), 0x80)
    for i in (1, 2, 5, 30, 60, 90):
        put("channel", f"nomem-{i}", dump(good), i)
    for i in range(24, 100, 4):
        put("channel", f"nomem-{i}", dump(changed(good, releases=good["releases"][:1])), i)
    for name in good:
        put("channel", "no-" + name, dump(changed(good, **{name: None})))
        put("channel", "odd-" + name, dump(changed(good, **{name: {"x": 1}})))
    for name in good["releases"][0]:
        one = good["releases"][0]
        put("channel", "release-no-" + name, dump(changed(good, releases=[changed(one, **{name: None})])))
        put("channel", "release-odd-" + name,
            dump(changed(good, releases=[changed(one, **{name: {"x": 1}})])))
    one = good["releases"][0]
    put("channel", "format-2", dump(changed(good, format=2)))
    put("channel", "product", dump(changed(good, product="..")))
    put("channel", "critical-known", dump(changed(good, critical=["releases"])))
    put("channel", "critical-unknown", dump(changed(good, critical=["teleport"])))
    put("channel", "critical-odd", dump(changed(good, critical=[1])))
    put("channel", "empty", dump(changed(good, releases=[])))
    put("channel", "order", dump(changed(good, releases=good["releases"][::-1])))
    tiny = {"release": 1, "version": "", "hardware": [], "min_release": 0, "url": "a", "size": 1,
            "manifest": "00" * 32, "created": 0}
    put("channel", "64", dump(changed(good, releases=64 * [tiny])))
    put("channel", "65", dump(changed(good, releases=65 * [{}])))
    for name, names in (("many", 33 * ["a"]), ("odd", ["a b"]), ("number", [1])):
        put("channel", "hardware-" + name, dump(changed(good, releases=[changed(one, hardware=names)])))
    put("channel", "same-number", dump(changed(good, releases=[
        changed(one, hardware=["other,board"]), one])))
    for name, url in (("up", "../x"), ("scheme", "ftp://x/y"), ("root", "/x"), ("server", "//x/y")):
        put("channel", "url-" + name, dump(changed(good, releases=[changed(one, url=url)])))


def header_seeds():
    def lines(name, *text):
        folder = HERE / "corpus" / "headers"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ("seed-" + name)).write_bytes(b"".join(t.encode() + b"\r\n" for t in text))

    lines("range", "HTTP/1.1 206 Partial Content", "Server: nginx", "Content-Range: bytes 0-499/1234",
          'ETag: "5f3-abc"', "Content-Encoding: identity", "Retry-After: 120", "", "ETag: \"late\"")
    lines("redirect", "HTTP/1.1 302 Found", 'ETag: "one"', "", "HTTP/2 200", 'etag:"two"', "")
    lines("unsatisfied", "HTTP/1.1 416 x", "Content-Range: bytes */1234", "")
    lines("ranges-odd", "Content-Range: bytes 5-4/9", "Content-Range: bytes 0-9/9",
          "Content-Range: bytes 0-1/*", "Content-Range: bytes */*", "Content-Range: octets 0-1/2",
          "Content-Range: bytes x", "Content-Range: bytes 1", "Content-Range: bytes 1-",
          "Content-Range: bytes 0-1", "Content-Range: bytes 0-1/", "Content-Range: bytes 0-1/2 x",
          "Content-Range: bytes 0-9223372036854775807/9223372036854775807",
          "Content-Range: bytes 99999999999999999999-1/2", "Content-Range:\t bytes\t0-0/1")
    lines("etags-odd", 'ETag: W/"weak"', "ETag: bare", 'ETag: "a b"', 'ETag: "a"b"', 'ETag: "', 'ETag: ""',
          'ETag: "' + "x" * 125 + '"', 'ETag: "' + "x" * 126 + '"', 'ETag: "\x7f"')
    lines("retry", "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT", "Retry-After: 99999999", "Retry-After: 1 ",
          "Retry-After:", "Content-Encoding: gzip", "Content-Encoding: identity, gzip")
    (HERE / "corpus" / "headers" / "seed-no-end").write_bytes(b"HTTP/1.1 200\nETag: \"x")


def url_seeds():
    folder = HERE / "corpus" / "url"
    folder.mkdir(parents=True, exist_ok=True)
    base = "https://u.example/stable/channel.lbc"
    cases = {
        "relative": (base, "a.lbu"), "root": (base, "/a.lbu"), "absolute": (base, "http://b.example/a"),
        "file": ("file:///media/channel.lbc", "a.lbu"), "file-absolute": (base, "file:///a"),
        "up": (base, "../a"), "scheme": (base, "ftp://x/y"), "server": (base, "//x/y"), "empty": (base, ""),
        "blank": (base, "a b"), "quote": (base, 'a"b'), "high": (base, "a\u00e9"),
        "no-path": ("https://u.example", "a.lbu"), "query": ("https://u.example/a/b?c=d/e", "f.lbu"),
        "query-first": ("https://u.example?a/b", "f.lbu"), "fragment": ("http://u.example/a#b/c", "d"),
        "user": ("https://me:secret@u.example:8443/a/", "b?c#d"), "no-base": ("channel.lbc", "a.lbu"),
        "long": (base, "a" * 490), "longest": (base, "a" * 485), "ipv6": ("http://[::1]:80/a", "b"),
        "port": ("https://u.example:443/a", "https://u.example/b"), "colon": (base, "a:b"),
        "upper": ("HTTPS://U.EXAMPLE/a", "b"), "mail": (base, "@evil.example/a"),
        "join": ("https://u.example", ".evil.example/a"), "join-user": ("https://u.example", "@evil/a"),
        "question": (base, "?a"), "hash": (base, "#a"), "secrets": ("https://me:secret@u.example/a?token=b#c", "ftp://a@b@c/d?e"),
        "secret-path": ("https://u.example/a@b/c", "https://a/@/?"),
        "control": ("http://u.example/\x01\x7f", "a"),
    }
    for name, (a, b) in cases.items():
        (folder / ("seed-" + name)).write_bytes(f"{a}\n{b}".encode())
    (folder / "seed-one-line").write_bytes(base.encode())
    (folder / "seed-nothing").write_bytes(b"")


def config_seeds():
    good = {
        "_": "a remark", "product": "example", "hardware": ["vendor,board-rev2", "vendor,board"], "floor": 3,
        "state": {"path": "/dev/mmcblk0p3"},
        "environment": [{"path": "/dev/mmcblk0", "offset": 1048576, "size": 16384}, "/dev/mtd1"],
        "slots": {"boot": "/dev/mmcblk0p4", "root": {"path": "/dev/mmcblk0p5"}},
        "keys": "/etc/lifeboat/keys", "ca": "/etc/lifeboat/ca.pem", "agent": {}, "recovery": {}}
    put("config", "good", dump(good))
    put("config", "no-file", b"", 0xff)
    put("config", "empty", b"")
    put("config", "no-json", b"{")
    put("config", "too-big", b'{"_":"' + b"x" * 65536 + b'"}')
    for i in (1, 2, 3, 10, 40):
        put("config", f"nomem-{i}", dump(good), i)
    for name in good:
        put("config", "no-" + name, dump(changed(good, **{name: None})))
        put("config", "odd-" + name, dump(changed(good, **{name: 1.5})))
    for name, fields in {
        "unknown": {"colour": 1}, "product": {"product": "/"}, "hardware": {"hardware": ["a b"]},
        "hardware-many": {"hardware": list("abcde")}, "relative": {"state": "dev"},
        "long": {"state": "/" + "x" * 255}, "region-unknown": {"state": {"path": "/a", "colour": 1}},
        "region-no-path": {"state": {"offset": 1}}, "region-size": {"state": {"path": "/a", "size": -1}},
        "region-offset": {"state": {"path": "/a", "offset": "1"}}, "region-path": {"state": {"path": 1}},
        "one-copy": {"environment": ["/a"]}, "copy-odd": {"environment": ["/a", 1]},
        "copy-first-odd": {"environment": [1, "/a"]}, "slot-name": {"slots": {"A": "/a"}},
        "slot-odd": {"slots": {"a": 1}}, "slots-many": {"slots": {"s%d" % i: "/a" for i in range(17)}},
        "keys-list": {"keys": ["/a", "/b"]}, "keys-none": {"keys": []}, "keys-odd": {"keys": ["/a", 1]},
        "keys-many": {"keys": ["/%d" % i for i in range(9)]}, "keys-relative": {"keys": "a"},
        "floor": {"floor": -1},
    }.items():
        put("config", name, dump(changed(good, **fields)))


def json_seeds():
    for name, text in {
        "members": b'{"n":7,"t":true,"s":"text","h":"%s","o":{"a":[1,[2,{"b":null}]]},"l":[]}' % (b"ab" * 32),
        "numbers": b'{"a":9007199254740991,"b":9007199254740992,"c":-1,"d":1.5,"e":1e3,"f":1e999}',
        "strings": b'{"a":"\xc3\xa9\xe2\x9a\x93\xf0\x9f\x9b\x9f","b":"\\u0041\\ud83d\\udedf\\n","c":"' +
                   b"x" * 40 + b'"}',
        "utf8-odd": b'{"a":"\xc3","b":"\xff","c":"\xc0\x80","d":"\xed\xa0\x80","e":"\xf4\x90\x80\x80",' +
                    b'"f":"\x7f","g":"\xe2\x9a"}',
        "hex-odd": b'{"a":"%s","b":"%sg","c":"AB"}' % (b"zz" * 32, b"a" * 63),
        "deep-8": b'{"a":[[[[[[[1]]]]]]]}', "deep-9": b'{"a":[[[[[[[[1]]]]]]]]}', "nul": b'{"a":"\0"}',
        "nul-escaped": b'{"a":"\\u0000"}', "nul-no": b'{"a":"\\\\u0000"}', "twice": b'{"a":1,"b":{"c":1,"c":2}}',
        "list": b"[1]", "text-behind": b"{} x", "space-behind": b"{} \r\n\t", "empty": b"", "open": b'{"a":"',
        "escape-last": b'{"a":"\\', "brackets": b"}]}", "string": b'"a"', "number": b"1", "bom": b"\xef\xbb\xbf{}",
    }.items():
        put("json", name, text)
    put("json", "nomem-1", b'{"a":"b"}', 1)
    put("json", "nomem-3", b'{"a":"b"}', 3)
    put("json", "too-big", b"{" + b" " * 65536 + b"}")


def keyring_seeds(work, certificate):
    put("keyring", "nothing", b"")
    (HERE / "corpus" / "keyring" / "seed-nothing").write_bytes(b"")
    put("keyring", "golden", LBU_KEY.encode())
    put("keyring", "golden-full", LBU_KEY.encode(), 0x80)
    marked = b"# lifeboat-development key\n" + LBU_KEY.encode()
    put("keyring", "development", marked)
    put("keyring", "development-refused", marked, 0x40)
    put("keyring", "mark-behind", LBU_KEY.encode() + b"# lifeboat-development\n", 0x40)
    for i in (1, 2, 3, 5, 8, 12, 20):
        put("keyring", f"nomem-{i}", LBU_KEY.encode(), i)
    put("keyring", "certificate", certificate.encode())
    put("keyring", "rsa", run("openssl", "x509", "-in", "ours.crt", "-noout", "-pubkey", cwd=work))
    put("keyring", "rsa-1024", run("openssl", "pkey", "-pubout",
                                   data=run("openssl", "genrsa", "1024")))
    put("keyring", "p384", run("openssl", "pkey", "-pubout", data=run(
        "openssl", "ecparam", "-name", "secp384r1", "-genkey", "-noout")))
    put("keyring", "private", run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout")[:60])
    put("keyring", "nul", LBU_KEY.encode() + b"\0")
    put("keyring", "large", LBU_KEY.encode() + b"#" * 4096)
    put("keyring", "two", 2 * LBU_KEY.encode())
    put("keyring", "damaged", LBU_KEY.replace("M", "N", 1).encode())


def c_text(text):
    return "\n".join('\t"%s\\n"' % line for line in text.strip().splitlines())


def c_bytes(data):
    rows = [data[i:i + 16] for i in range(0, len(data), 16)]
    return "\n".join("\t" + " ".join("0x%02x," % b for b in row) for row in rows)


def write_keys(certificate):
    inside = members(LBU)
    signature = next(data for name, data in inside.items() if name.startswith("manifest.sig."))
    (HERE / "keys.h").write_text(f"""/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Made by seeds.py: public keys that belong to the corpora, and one good signature. */
#ifndef FUZZ_KEYS_H
#define FUZZ_KEYS_H

/* of the FITs in corpus/fit */
static const char fuzz_fit_key[] __attribute__((unused)) =
{c_text(certificate)};

/* tests/golden/key.pub.pem, and what it signed */
static const char fuzz_bundle_key[] __attribute__((unused)) =
{c_text(LBU_KEY)};

static const unsigned char fuzz_signed[] __attribute__((unused)) = {{
{c_bytes(inside["manifest.json"])}
}};

static const unsigned char fuzz_signature[] __attribute__((unused)) = {{
{c_bytes(signature)}
}};

#endif
""")


def main():
    for old in HERE.glob("corpus/*/seed-*"):
        old.unlink()
    tar_seeds()
    head_seeds()
    manifest_seeds()
    index_seeds()
    chunk_seeds()
    env_seeds()
    log_seeds()
    record_seeds()
    channel_seeds()
    header_seeds()
    url_seeds()
    config_seeds()
    json_seeds()
    with tempfile.TemporaryDirectory() as work:
        certificate, _ = fit_seeds(work)
        keyring_seeds(work, certificate)
    write_keys(certificate)


if __name__ == "__main__":
    main()
