# SPDX-License-Identifier: GPL-2.0-or-later
"""Seeds of what a device stores: environment, state log, records."""
import struct
import zlib

from seedlib import changed, dump, put


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
    one("reset", 13, {"pending": 1})
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
