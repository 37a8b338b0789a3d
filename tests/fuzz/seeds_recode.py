# SPDX-License-Identifier: GPL-2.0-or-later
"""Seeds of blocks that are taken apart into symbols, from the command zstd and by hand."""
import random
import struct

from seedlib import put, run

FRAME, SYMBOLS = 0, 1
MAGIC_BYTES = 4
HEAD = b"\x20\x40"  # single segment, one byte of content size


def words(count, seed, odd=0.0):
    r = random.Random(seed)
    vocabulary = ["".join(r.choices("etaoinshrdlu", k=r.randint(2, 9))) for _ in range(60)]
    text = []
    for _ in range(count):
        text.append(r.choice(vocabulary[:r.randint(1, 60)]))
        if r.random() < odd:
            text.append(chr(r.randrange(33, 127)) * r.randint(1, 3))
    return " ".join(text).encode()


def compressed(data, *options):
    """A frame, behind its magic number."""
    return run("zstd", "-q", "-c", "--single-thread", *options, data=data)[MAGIC_BYTES:]


def block(kind, size, data, last=1):
    return struct.pack("<I", size << 3 | kind << 1 | last)[:3] + data


def frames():
    noise = random.Random(5).randbytes(300)
    texts = {"empty": b"", "byte": b"x", "noise": noise, "short": b"short, short and shorter" * 2,
             "words": words(150, 1), "odd": words(400, 2, 0.5), "zeros": bytes(300_000),
             "long": noise + b"y" * 70_000 + noise, "many": words(2500, 3, 0.2) * 6 + words(900, 4, 0.3) * 9,
             "letters": bytes(random.Random(6).choices(b"eeeeeeetttaaoinsx", k=3000)),
             "two": bytes(random.Random(7).choices(b"ab", k=200)), "runs": b"".join(
                 bytes([i % 7]) * (i * 37 % 90) for i in range(300))}
    for name, text in texts.items():
        for level in ("1", "3", "7", "12", "19"):
            put("zframe", f"{name}-{level}", compressed(text, "-" + level, "--check" if level == "3" else "--no-check"),
                FRAME)
    put("zframe", "ultra", compressed(texts["many"], "--ultra", "-22"), FRAME)
    put("zframe", "fast", compressed(texts["many"], "--fast=5"), FRAME)
    put("zframe", "behind", compressed(texts["words"], "-9") * 2, FRAME)
    put("zframe", "cut", compressed(texts["odd"], "-9")[:-3], FRAME)
    put("zframe", "sized", compressed(texts["words"], "-5", f"--stream-size={len(texts['words'])}"), FRAME)


def bad_frames():
    good = bytes([0x10]) + b"xy" + bytes([1, 0, 0x4b, 0x72, 0x58])
    for name, data in (
            ("good", HEAD + block(2, len(good), good)),
            ("reserved", b"\x28\x40" + block(0, 0, b"")),
            ("dictionary", b"\x21\x01\x40" + block(0, 0, b"")),
            ("wide", b"\xe0" + bytes(8) + block(0, 0, b"")),
            ("block-3", HEAD + block(3, 0, b"")),
            ("block-long", HEAD + block(0, 131073, b"")),
            ("block-cut", HEAD + block(2, 100, good)),
            ("modes-reserved", HEAD + block(2, 8, good[:4] + b"\1" + good[5:])),
            ("mode-repeat", HEAD + block(2, 8, good[:4] + b"\xfc" + good[5:])),
            ("mode-one", HEAD + block(2, 8, good[:4] + b"\x54\1\2\3" + good[5:])),
            ("mode-one-high", HEAD + block(2, 8, good[:4] + b"\x54\xff\2\3" + good[5:])),
            ("count-long", HEAD + block(2, 9, good[:3] + b"\x80" + good[3:])),
            ("count-huge", HEAD + block(2, 6, good[:3] + b"\xff\xff\xff")),
            ("treeless", HEAD + block(2, 5, b"\x43\1\0\0\0")),
            ("literals-rle", HEAD + block(2, 3, b"\x29z\0")),
            ("literals-none", HEAD + block(2, 3, b"\x01z\0")),
            ("behind-literals", HEAD + block(2, 4, b"\x08z\0\0"))):
        put("zframe", "made-" + name, data, FRAME)


def offset(value):
    if value < 4:
        return bytes([value])
    if value < 0x7f00:
        return struct.pack(">H", 0x400 + value)
    if value < 0x7c0000:
        return (0x830000 + value).to_bytes(3, "big")
    return b"\xff" + value.to_bytes(4, "big")


def length(value):
    return bytes([value]) if value < 255 else b"\xff" + value.to_bytes(3, "little")


def sequence(value, match, literals):
    return length(len(literals)) + literals + offset(value) + length(match - 3)


def end(literals=b"", sequences=True):
    return length(len(literals)) + literals + (b"\0" if sequences else b"")


def symbols():
    coded, plain, last = 0x82, 0x02, 4
    for name, data in (
            ("raw", b"\4\3\0\0abc"),
            ("rle", b"\0\3\0\0abc\5\3\0\0a"),
            ("raw-long", b"\4\0\0\3abc"),
            ("raw-flags", b"\x24\3\0\0abc"),
            ("kind-3", b"\7\3\0\0abc"),
            ("none", bytes([plain | last]) + end(b"abc", False)),
            ("format-2", bytes([plain | last | 0x40]) + end(b"abc", False)),
            ("format-3", bytes([plain | last | 0x60]) + end(b"abc", False)),
            ("literals-same", bytes([plain | last | 0x08]) + end(b"zzz", False)),
            ("literals-differ", bytes([plain | last | 0x08]) + end(b"zyz", False)),
            ("literals-none", bytes([plain | last | 0x08]) + end(b"", False)),
            ("literals-many", bytes([plain | last]) + end(b"x" * 32, False)),
            ("literals-short", bytes([plain | last]) + b"\x07abc"),
            ("treeless", bytes([plain | last | 0x18]) + end(b"abc", False)),
            # weights 1 and 1, of the literals 0 and 1; 4 streams; and one that has no code
            ("huffman", bytes([plain | last | 0x10, 0x80, 0x10]) + end(b"\0\1\0", False)),
            ("huffman-4", bytes([plain | last | 0x30, 0x80, 0x10]) + end(b"\0\1" * 6, False)),
            ("huffman-4-few", bytes([plain | last | 0x30, 0x80, 0x10]) + end(b"\0\1", False)),
            ("huffman-no-code", bytes([plain | last | 0x10, 0x80, 0x10]) + end(b"\0\2\0", False)),
            # literal 0 has 1 bit, 1 to 9 each one more, 10 and 11 have 11: more bytes than 10 bits say
            ("huffman-long", bytes([plain | last | 0x10, 0x8a, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10]) +
             end(b"\x0a" * 1000, False)),
            ("huffman-4-long", bytes([plain | last | 0x70, 0x8a, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10]) +
             end(b"\x0a" * 1000, False)),
            ("huffman-weights", bytes([plain | last | 0x10, 0x80, 0x50]) + end(b"\0\1\0", False)),
            ("huffman-weight-12", bytes([plain | last | 0x10, 0x81, 0xc0]) + end(b"\0", False)),
            ("huffman-empty", bytes([plain | last | 0x10, 0x81, 0x00]) + end(b"\0", False)),
            ("huffman-sum", bytes([plain | last | 0x10, 0x82, 0x33, 0x10]) + end(b"\0", False)),
            ("huffman-cut", bytes([plain | last | 0x10, 0x90, 0x33])),
            ("sequences-none", bytes([coded | last, 0]) + end(b"abc")),
            ("sequences", bytes([coded | last, 0]) + sequence(5, 60, b"xy") + sequence(1, 9, b"") + end(b"abc")),
            ("groups", bytes([coded | last, 0]) + b"".join(
                sequence(1 + i % 300, 3 + i % 40, b"abcdefghijklmnopqr"[:i % 18]) for i in range(140)) + end(b"abc")),
            ("count-2", bytes([coded | last, 0x54, 0, 0, 0]) + sequence(1, 3, b"") * 300 + end()),
            ("no-code", bytes([coded | last, 0x54, 0, 0, 0]) + sequence(1, 4, b"") + end()),
            ("far", bytes([coded | last, 0x10, 23]) + sequence(0x900000, 3, b"ab") + end()),
            ("middle", bytes([coded | last, 0x10, 20]) + sequence(0x180000, 3, b"ab") + end()),
            ("long", bytes([coded | last, 0]) + sequence(9, 2000, b"a" * 1000) + end()),
            ("long-match", bytes([coded | last, 0x04, 52]) + sequence(9, 131074, b"a") + end()),
            ("too-long-match", bytes([coded | last, 0x04, 52]) + sequence(9, 131075, b"a") + end()),
            ("offset-long", bytes([coded | last, 0]) + b"\0\4\1\0" + end()),
            ("offset-cut", bytes([coded | last, 0]) + b"\0\xff\0\0"),
            ("length-long", bytes([coded | last, 0]) + b"\xff\1\0\0x\4\7\0" + end()),
            ("length-cut", bytes([coded | last, 0]) + b"\0\4\7\xff\1"),
            ("modes-reserved", bytes([coded | last, 2]) + end()),
            ("cut", b""),
            ("checksum", None)):
        if data is None:
            put("zframe", "symbols-checksum", b"\x24\x40\4\3\0\0abcdefg", SYMBOLS)
        else:
            put("zframe", "symbols-" + name, HEAD + data, SYMBOLS)
    put("zframe", "symbols-nothing", b"", SYMBOLS)


def zframe_seeds():
    frames()
    bad_frames()
    symbols()


def recode_seeds():
    """Blocks among other bytes, and what they become by hand."""
    text, noise = words(120, 8), random.Random(9).randbytes(200)
    frame = run("zstd", "-q", "-c", "-9", data=text)
    stream = run("xz", "-c", "-6", "--check=crc32", data=text)
    for name, data in (("none", noise), ("empty", b""), ("frame", noise + frame + noise),
                       ("stream", noise + stream + noise), ("both", frame + stream + frame),
                       ("behind-magic", frame[MAGIC_BYTES:] + noise), ("behind-xz", stream[MAGIC_BYTES:] + frame),
                       ("cut", noise + frame[:-9]), ("magic-only", noise + frame[:MAGIC_BYTES])):
        put("recode", name, data)
    for name, length, data in (("plain", 3, b"\0\3\0\0abc"), ("plain-short", 3, b"\0\4\0\0abc"),
                               ("plain-cut", 0, b"\0\1"), ("plain-empty", 0, b"\0\0\0\0"), ("plain-long", 2, b"\0\3\0\0abc"),
                               ("unknown", 3, b"\3abc"), ("nothing", 0, b""), ("no-frame", 9, b"\1\xff"),
                               ("no-stream", 9, b"\2\xff")):
        put("recode", "symbols-" + name, struct.pack("<H", length) + data, SYMBOLS)
