# SPDX-License-Identifier: GPL-2.0-or-later
"""The peak of memory does not depend on the image: at most 8 MiB (VmHWM)."""

import json
import random
import re
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
