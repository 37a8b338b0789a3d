# SPDX-License-Identifier: GPL-2.0-or-later
"""Seeds of xz streams of one block, of their LZMA2 chunks, and of the parts that they are taken apart into."""
import lzma
import random

from seedlib import put

RAW, PARTS, CHUNKS, EXACT, SHORT = 0, 1, 2, 16, 32
TEXT = b"".join(b"entry %d of the table, kept where it was; " % (n * n % 89) for n in range(120))


def filters(preset=6, **options):
    return [{"id": lzma.FILTER_LZMA2, "preset": preset, "dict_size": 65536, **options}]


def noise(count):
    return random.Random(7).randbytes(count)


def stream(data, check=lzma.CHECK_CRC32, chain=None):
    """Behind the bytes that chunks end behind."""
    return lzma.compress(data, lzma.FORMAT_XZ, check, filters=chain or filters())[4:]


def chunks(data, **options):
    return lzma.compress(data, lzma.FORMAT_RAW, filters=filters(**options))


def streams():
    good = stream(TEXT)
    put("xzblock", "text", good)
    put("xzblock", "text-exact", good, EXACT)
    put("xzblock", "text-short", good, SHORT)
    for kind in (lzma.CHECK_NONE, lzma.CHECK_CRC64, lzma.CHECK_SHA256):
        put("xzblock", f"check-{kind}", stream(b"one and one and one", kind))
    put("xzblock", "x86", stream(TEXT[:300], chain=[{"id": lzma.FILTER_X86}] + filters()))
    put("xzblock", "noise", stream(noise(400)), EXACT)
    put("xzblock", "trailing", good + good)
    put("xzblock", "truncated", good[:-1])
    put("xzblock", "no-tail", good[:-30])
    put("xzblock", "empty", stream(b""))
    put("xzblock", "large", stream(bytes(70_000)))
    for name, at in (("magic", 1), ("kind", 3), ("header", 8), ("flags", 9), ("chunk", 20), ("index", -20), ("end", -1)):
        bad = bytearray(good)
        bad[at] ^= 0x41
        put("xzblock", "bad-" + name, bytes(bad))
    long = bytearray(good)
    long[9:] = bytes([0x40]) + b"\xff" * 40
    put("xzblock", "number", bytes(long))


def raw_chunks():
    runs = b"a" * 700 + bytes(range(256)) + b"ab" * 200 + bytes(range(200)) + b"a" * 40
    put("xzblock", "chunks-text", chunks(TEXT), CHUNKS)
    put("xzblock", "chunks-fast", chunks(TEXT, preset=0), CHUNKS)
    put("xzblock", "chunks-runs", chunks(runs + TEXT[:90] + runs), CHUNKS)
    put("xzblock", "chunks-lp", chunks(TEXT[:500], lc=0, lp=3, pb=0), CHUNKS)
    put("xzblock", "chunks-lc", chunks(TEXT[:500], lc=4, lp=0, pb=4), CHUNKS)
    far = noise(3000) + bytes(20_000) + noise(2900) + b"x" + TEXT[:200]
    put("xzblock", "chunks-far", chunks(far), CHUNKS)
    put("xzblock", "chunks-props", b"\xe0\0\0\0\0\xff\0\0", CHUNKS)
    one = chunks(b"abcabcabc")
    body = one[:-1]
    put("xzblock", "chunks-anew", body + b"\xa0" + body[1:5] + body[6:] + b"\0", CHUNKS)
    put("xzblock", "chunks-on", b"\x01\0\2abc" + b"\xc0" + body[1:] + b"\x80" + body[1:5] + body[6:] + b"\0", CHUNKS)
    put("xzblock", "chunks-second", body + one, CHUNKS)
    text = chunks(TEXT)
    short = len(text) - 7 - 20  # the coded bytes, less some
    put("xzblock", "chunks-short", text[:3] + (short - 1).to_bytes(2, "big") + text[5:6 + short] + b"\0", CHUNKS)
    put("xzblock", "chunks-control", b"\x03\0\0\0", CHUNKS)
    put("xzblock", "chunks-many", b"\x01\0\0x" + b"\x02\0\0y" * 64 + b"\0", CHUNKS)


def parts(content, tokens, chunk_list=None, check=1, flags=0, filter_bytes=b"\x21\x01\x0a\0\0\0", tail=b"\1"):
    if chunk_list is None:
        chunk_list = b"\xe0" + (len(content) - 1).to_bytes(2, "big") + b"\x5d\0"
    size = (2 + len(filter_bytes) + 4) // 4 - 1
    return bytes([check, flags, size, len(filter_bytes)]) + filter_bytes + chunk_list + content + tokens + tail


def made_parts():
    runs = b"abcabcabcXbcYbbbbbb"
    good = [2, 242, 0, 0x80, 0, 0xf0, 0xf3]
    put("xzblock", "parts-longest", parts(runs, bytes(good)), PARTS)
    abc = b"abc" * 7
    for name, content, tokens in (
            ("nearest", abc, [2, 32 + 4, 0x80 + 10]),
            ("plain", abc, [2, 241, 0, 0, 2, 16]),
            ("longest", abc, [2, 242]),
            ("reps", abc + abc, [2, 241, 0, 0, 2, 1, 241, 0, 0, 5, 1, 241, 0, 0, 8, 1, 241, 0, 0, 2, 1,
                                 0xc0 + 1, 0xd0 + 1, 0xe0 + 1, 0xf5, ]),
            ("rep-escape", b"a" * 300, [0, 0xf0, 241, 0, 0, 0, 20, 0xbf, 200, 0xf0, 0xf0, 0xf0]),
            ("run", noise(400), [31, 255, 113]),
            ("run-escape", noise(400), [31, 255, 255]),
            ("run-long", b"ab", [2]),
            ("rep3-short", b"aaaa", [0, 246]),
            ("rep1", b"a" * 30, [0, 0xf0, 0xf4]),
            ("no-match", b"abcd", [2, 242]),
            ("no-nearest", b"abcd", [1, 32]),
            ("wrong", b"abcabd", [2, 0x80 + 1]),
            ("wrong-plain", b"abcabd", [2, 241, 0, 0, 2, 1]),
            ("before", b"abcabc", [2, 241, 0, 0, 9, 1]),
            ("past", abc, [2, 241, 0, 0, 2, 40]),
            ("token", b"abc", [247])):
        put("xzblock", "parts-" + name, parts(content, bytes(tokens)), PARTS)
        put("xzblock", "parts-exact-" + name, parts(content, bytes(tokens)), PARTS | EXACT)
    plain = parts(b"abc", b"", b"\1\0\2\0")
    put("xzblock", "parts-plain", plain, PARTS)
    put("xzblock", "parts-plain-short", plain, PARTS | SHORT)
    put("xzblock", "parts-sizes", parts(b"abc", b"", b"\1\0\2\0", flags=0xc0, filter_bytes=b"\x21\x01\x0a\0"), PARTS)
    put("xzblock", "parts-check", parts(b"abc", b"", b"\1\0\2\0", check=4, tail=b"\0" + b"c" * 8), PARTS)
    put("xzblock", "parts-check-none", parts(b"abc", b"", b"\1\0\2\0", check=0, tail=b"\0"), PARTS)
    put("xzblock", "parts-check-kind", parts(b"abc", b"", b"\1\0\2\0", check=4), PARTS)
    put("xzblock", "parts-check-16", parts(b"abc", b"", b"\1\0\2\0", check=16), PARTS)
    put("xzblock", "parts-header", parts(b"abc", b"", b"\1\0\2\0", filter_bytes=b"\x21\x01\x0a\0\0"), PARTS)
    put("xzblock", "parts-no-list", parts(b"abc", b"", b"\2\0\2\0"), PARTS)
    put("xzblock", "parts-large", parts(b"abc", b"", b"\1\xff\xff\2\xff\xff\0"), PARTS)
    put("xzblock", "parts-truncated", plain[:-3], PARTS)
    put("xzblock", "parts-props", parts(b"abc", b"\2", b"\xe0\0\2\xff\0"), PARTS)


def xz_seeds():
    streams()
    raw_chunks()
    made_parts()
