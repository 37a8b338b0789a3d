# SPDX-License-Identifier: GPL-2.0-or-later
"""The peak of memory does not depend on the image: at most 8 MiB (VmHWM)."""

import json
import random
import re
import struct
import time

import bundles
from conftest import WORK, only_one, pack
from device import MIB
from test_install import check_installed

LIMIT_KIB = 8 * 1024


def gigabyte():
    """1 GiB, reproducible: every block differs, a tenth does not compress, some are zeros."""
    r = random.Random(1024)
    parts = []
    for n in range(1024):
        if n % 10 == 0:
            parts.append(r.randbytes(MIB))
        elif n % 10 == 5:
            parts.append(bytes(MIB))
        else:
            line = r.randbytes(512).hex().encode()  # 1 KiB that is nowhere else
            parts.append((line * 1024)[:MIB - 8] + n.to_bytes(8, "little"))
    return b"".join(parts)


def note(name, run, watched_kib, images):
    text = next(e["text"] for e in run.events if e.get("code") == "memory")
    # what a process reads of itself lags behind by some pages: the larger one counts
    peak = max(watched_kib, int(re.search(r"(\d+) KiB", text).group(1)))
    figures = {"vm_hwm_kib": peak, "limit_kib": LIMIT_KIB, "chunks": chunks(run),
               "image_bytes": sum(len(d) for d in images.values()),
               "fetched_bytes": run.fetched(), "seconds": round(run.events[-1]["ms"] / 1000, 1)}
    with only_one("memory"):
        path = WORK / "memory.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**known, name: figures}, indent=1))
    print(f"\nmemory: {name}: VmHWM {peak} KiB of {LIMIT_KIB}, {figures['chunks']} chunks, "
          f"{figures['fetched_bytes']} bytes fetched, {figures['seconds']} s")
    assert peak <= LIMIT_KIB
    return figures


def chunks(run):
    text = next(e["text"] for e in run.events if e.get("code") == "planned")
    return int(re.search(r"in (\d+) chunks", text).group(1))


def watch(run):
    """VmHWM as the kernel shows it from outside, the last time before the end."""
    peak = 0
    while run.running():
        try:
            with open(f"/proc/{run.process.pid}/status", encoding="ascii") as f:
                found = re.search(r"VmHWM:\s+(\d+) kB", f.read())
        except ProcessLookupError:
            found = None
        peak = max(peak, int(found.group(1)) if found else 0)
        time.sleep(0.02)
    return peak


def measure(name, device, server, bundle, images):
    server.put("r2.lbu", bundle)
    around = device.guarded(images)
    run = device.start("--install", server.url("r2.lbu"))
    run.wait_for(lambda r: r.codes())  # past the start of the process
    peak = watch(run)
    assert run.wait() == 0, run.text()
    check_installed(device, images, around)
    return note(name, run, peak, images)


def test_64_mb_image_within_8_mib(large_device, server, large_packed, large_images):
    measure("64 MB", large_device, server, large_packed, large_images)


def test_64_mb_that_moved_within_8_mib(large_device, server, large_packed, large_images):
    """All but what was put in is on the device, at another place."""
    large_device.write("root", large_images["root"][70_000:])
    figures = measure("64 MB, moved", large_device, server, large_packed, large_images)
    assert figures["fetched_bytes"] < 4 * MIB


def test_index_of_the_largest_size_within_8_mib(make_device, server, bundle_file, keys,
                                                 large_images):
    """65,536 chunks: what a device must be able to keep in memory at most."""
    images = {"root": large_images["root"]}
    bundle = bundle_file(bundles.write(images, keys, 2, encoding="none", chunk_bytes=1024))
    device = make_device(slots={"root": 65 * MIB})
    figures = measure("65,536 chunks", device, server, bundle, images)
    assert figures["chunks"] == 65536


def test_1_gb_image_within_8_mib(make_device, server, programs, keys):
    images = {"root": gigabyte()}
    bundle = pack(programs, keys, "gigabyte", images, 2, level=1)
    device = make_device(slots={"root": 1025 * MIB})
    figures = measure("1 GB", device, server, bundle, images)
    assert figures["chunks"] > 1024


def unknown_8_gib(keys):
    """Head and index of a bundle whose image has nothing in common with any slot; no payload."""
    r = random.Random(8)
    count, size = 65536, 8 * 1024 * MIB
    lengths = []
    for _ in range(count // 2):
        more = r.randrange(60_000)
        lengths += [size // count + more, size // count - more]
    entries = b"".join(struct.pack("<II", bundles.DATA | n << 8, n // 3) + r.randbytes(32)
                       for n in lengths)
    stored = sum(n // 3 for n in lengths)
    index = b"LBINDEX1" + struct.pack("<IIQQ", 40, count, size, stored) + entries
    manifest = {"format": 1, "product": "bench", "hardware": ["bench-board"], "version": "2.0",
                "release": 2, "min_release": 1, "created": 1700000002, "images": [{
                    "name": "root", "target": "root", "kind": "raw", "encoding": "zstd-frames",
                    "size": size, "sha256": "0" * 64,
                    "index": {"name": "root.idx", "size": len(index), "sha256": bundles.sha(index)},
                    "payload": {"name": "root.zst", "size": stored, "sha256": "0" * 64}}]}
    return bundles.signed(manifest, keys, [("root.idx", index)])


def test_planning_8_gib_within_8_mib(make_device, server, keys):
    """65,536 chunks, of which none is there: the whole slot is looked through. Sparse."""
    bundle = unknown_8_gib(keys)
    server.put("r2.lbu", bundle)
    device = make_device(slots={"root": 8 * 1024 * MIB})
    device.put_records(STATE={"state": "requested", "release": 2}, REQUEST={
        "urls": [server.url("r2.lbu")], "release": 2, "budget_bytes": 1,
        "manifest": bundles.sha(bundles.split(bundle)[0][1])})
    device.put_env(lifeboat_boot="recovery")
    run = device.start()
    run.wait_for(lambda r: r.codes())
    peak = watch(run)
    assert run.wait(600) == 3, run.text()
    result = device.result()
    assert result["code"] == "over-budget" and not result.get("main_changed")
    figures = note("8 GiB, planned", run, peak, {"root": range(8 * 1024 * MIB)})
    assert figures["chunks"] == 65536
    print(f"planned in {result['plan_ms']} ms, {result['plan_cpu_ms']} of processor time")
