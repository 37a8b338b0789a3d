# SPDX-License-Identifier: GPL-2.0-or-later
"""Chunks that differ a little from what the device holds are made of it and a patch.

Fetched bytes and requests are counted by the server.
"""

import json
import random
import struct
import subprocess

import pytest

import bundles
from conftest import WORK, only_one, pack
from device import KIB, MIB, garbage, release_record
from test_install import check_installed, install
from test_resume import payload_bytes
from test_reuse import payload_requests

SLOTS = {"boot": 2 * MIB, "root": 16 * MIB}
LONGEST = 256 * KIB
STEP = struct.Struct("<BBHIII")


def peppered(r, data, every):
    """@data with a changed byte about every @every bytes: no chunk stays what it was."""
    out = bytearray(data)
    for at in range(r.randrange(every), len(out), every):
        out[at] ^= 0x55
    return bytes(out)


@pytest.fixture(scope="session")
def releases():
    """{release: {slot: bytes}}: parts that moved, changed, changed places, came and went."""
    r = random.Random(41)
    a, b, c, d = (r.randbytes(2 * MIB) for _ in range(4))
    boot = r.randbytes(MIB)
    old = a + b + bytes(300_000) + c + d
    new = (peppered(r, b[:MIB], 3000) + r.randbytes(50_000) + a[:MIB] + peppered(r, a[MIB:], 5000)
           + bytes(200_000) + d[: MIB // 2] + peppered(r, c, 2000) + b[MIB:] + r.randbytes(777))
    return {1: {"boot": boot, "root": old}, 2: {"boot": peppered(r, boot, 9000), "root": new}}


def pack_from(programs, keys, name, images, olds):
    """A bundle with patches against the bundles @olds."""
    out = WORK / f"{name}.lbu"
    with only_one(name):
        if not (out.exists() and out.stat().st_mtime > max(o.stat().st_mtime for o in olds)):
            make_from(programs, keys, out, images, olds)
    return out


def make_from(programs, keys, out, images, olds):
    folder = out.with_suffix(".images")
    folder.mkdir(exist_ok=True)
    listed = []
    for slot, data in images.items():
        (folder / slot).write_bytes(data)
        listed.append({"name": slot, "file": slot})
    (folder / "d.json").write_text(json.dumps({
        "product": "bench", "hardware": ["bench-board"], "version": "2", "release": 2,
        "min_release": 1, "created": 1700000002, "images": listed}))
    subprocess.run([programs["tool"], "pack", folder / "d.json", "-k", keys.private_file, "-o", out,
                    "--level", "3", *(f"--from={o}" for o in olds)], check=True,
                   capture_output=True)


@pytest.fixture(scope="session")
def patched(programs, keys, releases):
    """(old bundle, new one with patches against it, the same without)."""
    old = pack(programs, keys, "patch-old", releases[1], 1)
    return (old, pack_from(programs, keys, "patched", releases[2], [old]),
            pack(programs, keys, "patch-plain", releases[2], 2))


def put_release(device, releases, bundle, record="CONFIRMED"):
    """The slots hold release 1, and a record says so."""
    for slot, size in SLOTS.items():
        device.write(slot, releases[1][slot].ljust(size, b"\0"))
    device.put_records(STATE={"state": "confirmed"},
                       **{record: release_record(bundles.split(bundle.read_bytes()), 1, [])})


@pytest.fixture
def old_device(make_device, releases, patched):
    device = make_device(slots=SLOTS)
    put_release(device, releases, patched[0])
    return device


def predicted(programs, old, new):
    sizes = [f"--slot={slot}={size}" for slot, size in SLOTS.items()]
    return json.loads(subprocess.run([programs["tool"], "diff", old, new, *sizes, "--json"],
                                     check=True, capture_output=True, text=True).stdout)


def steps(bundle, name):
    """[(type, flags, chunk)] of a patch index."""
    offset, size = bundles.places(bundle)[name]
    data = bundle[offset:offset + size]
    assert data[:8] == b"LBPATCH1"
    count, regions = struct.unpack_from("<II", data, 8)
    assert size == 40 + 16 * count + 6 * regions
    return [STEP.unpack_from(data, 40 + 16 * i)[:3] for i in range(count)]


def test_the_server_sends_what_was_predicted(old_device, server, programs, patched, releases):
    old, new, plain = patched
    said = predicted(programs, old, new)
    server.put("r2.lbu", new)
    run = install(old_device, releases[2], server.url("r2.lbu"))
    total, whole = said["total"], new.read_bytes()
    for figure in ("skip_bytes", "copy_bytes", "patch_bytes", "fetch_bytes", "write_bytes",
                   "plan_ranges"):
        assert run.planned()[figure] == total[figure], figure
    assert total["patch_bytes"] > 4 * MIB
    sent = payload_bytes(server, whole, 0)
    indexes = sum(size for name, (_, size) in bundles.places(whole).items()
                  if name.endswith(".pidx"))
    assert indexes == said["patch_index_bytes"]
    assert sent - indexes == total["fetch_bytes"] == run.fetched()
    assert len(payload_requests(server, whole)) - 2 == total["plan_ranges"]
    # the same bytes as without patches, for a small part of the price
    without = predicted(programs, old, plain)["total"]["fetch_bytes"]
    assert sent < without / 10 and without > 4 * MIB


def test_what_is_new_twice_is_fetched_once(make_device, server, programs, keys):
    """Chunks are cut so that a patch makes the old part, and a prefix the repeated one."""
    r = random.Random(43)
    kept, fresh, boot = r.randbytes(2 * MIB), r.randbytes(150_000), r.randbytes(MIB)
    images = {1: {"boot": boot, "root": kept},
              2: {"boot": boot, "root": kept[:200_000] + fresh + kept[200_000:650_000] + fresh
                  + kept[650_000:]}}
    old = pack(programs, keys, "twice-old", images[1], 1)
    new = pack_from(programs, keys, "twice-new", images[2], [old])
    said = predicted(programs, old, new)["total"]
    device = make_device(slots=SLOTS)
    put_release(device, images, old)
    server.put("r2.lbu", new)
    run = install(device, images[2], server.url("r2.lbu"))
    for figure in ("skip_bytes", "copy_bytes", "patch_bytes", "fetch_bytes", "write_bytes"):
        assert run.planned()[figure] == said[figure], figure
    assert run.fetched() == said["fetch_bytes"] and said["patch_bytes"]
    assert len(fresh) < run.fetched() < len(fresh) + 4 * KIB


def test_circles_pass_through_memory(patched):
    found = steps(patched[1].read_bytes(), "root.1.pidx")
    assert [s for s in found if s[1] & 1], "nothing is kept for later"
    assert len([s for s in found if s[0] == 2]) == len([s for s in found if s[1] & 1])


@pytest.mark.parametrize("record", ["PREVIOUS", "INSTALLED"])
def test_any_release_on_record_will_do(make_device, server, patched, releases, record):
    device = make_device(slots=SLOTS)
    put_release(device, releases, patched[0], record)
    server.put("r2.lbu", patched[1])
    assert install(device, releases[2], server.url("r2.lbu")).planned()["patch_bytes"] > 4 * MIB


def test_without_a_record_nothing_is_patched(make_device, server, patched, releases):
    device = make_device(slots=SLOTS)
    for slot, size in SLOTS.items():
        device.write(slot, releases[1][slot].ljust(size, b"\0"))
    server.put("r2.lbu", patched[1])
    run = install(device, releases[2], server.url("r2.lbu"))
    assert run.planned()["patch_bytes"] == 0 and run.planned()["copy_bytes"] > MIB


def test_a_record_that_nobody_signed_is_not_believed(old_device, server, patched, releases):
    parts = bundles.split(patched[0].read_bytes())
    parts[1] = (parts[1][0], parts[1][1][:-1] + bytes([parts[1][1][-1] ^ 1]))
    old_device.put_records(STATE={"state": "confirmed"}, CONFIRMED=release_record(parts, 1, []))
    server.put("r2.lbu", patched[1])
    run = install(old_device, releases[2], server.url("r2.lbu"))
    assert run.planned()["patch_bytes"] == 0


def test_what_main_changed_is_fetched(old_device, server, patched, releases):
    """A byte here and there is not what the release held: those patches are left out."""
    for at in (700_000, 2 * MIB + 300_000, 6 * MIB):
        old_device.write("root", b"\xa5\x5a", at)
    server.put("r2.lbu", patched[1])
    run = install(old_device, releases[2], server.url("r2.lbu"))
    assert run.planned()["patch_bytes"] > 2 * MIB
    assert run.fetched() == run.planned()["fetch_bytes"] > 64 * KIB


def test_other_content_than_on_record(make_device, server, patched, releases):
    device = make_device(slots=SLOTS)
    put_release(device, releases, patched[0])
    device.write("root", garbage(16 * MIB, 5))
    server.put("r2.lbu", patched[1])
    install(device, releases[2], server.url("r2.lbu"))


@pytest.mark.parametrize("share", [1, 4])
def test_content_of_the_record_at_another_place(make_device, server, patched, releases, share):
    """What was planned is what is fetched, whether steps or the search by content find a chunk."""
    device = make_device(slots=SLOTS)
    put_release(device, releases, patched[0])
    root = releases[1]["root"]
    keep = len(root) * (share - 1) // share // 4096 * 4096
    device.write("root", root[:keep] + garbage(12 * KIB) + root[keep:])
    server.put("r2.lbu", patched[1])
    run = install(device, releases[2], server.url("r2.lbu"))
    assert run.fetched() == run.planned()["fetch_bytes"], run.text()
    assert run.planned()["copy_bytes"] > MIB


def test_a_spoilt_patch_is_no_dead_end(old_device, server, patched, releases):
    """The source's patches are wrong, its chunks are not: they are fetched instead."""
    for at in (0, 5000, None):
        put_release(old_device, releases, patched[0])
        old_device.put_env(lifeboat_boot="main", upgrade_available="0", bootcount="0")
        server.put("r2.lbu", bundles.flip(patched[1].read_bytes(), "root.1.patch", at))
        run = install(old_device, releases[2], server.url("r2.lbu"))
        assert run.fetched() > run.planned()["fetch_bytes"]


def test_patches_that_cannot_be_read_are_no_dead_end(old_device, server, patched, releases):
    """A mirror that lacks the end of the file, which is patches: main was begun, so it goes on without them."""
    data = patched[1].read_bytes()
    offset, size = bundles.places(data)["root.1.patch"]
    server.put("r2.lbu", data[:offset + size // 2])
    around = old_device.guarded(releases[2])
    status, run = old_device.run("--install", server.url("r2.lbu"), timeout=120)
    assert status == 0, run.text()
    assert run.codes().count("truncated") == 3, run.text()
    check_installed(old_device, releases[2], around)


def test_a_spoilt_patch_index_is_refused(old_device, server, patched):
    server.put("r2.lbu", bundles.flip(patched[1].read_bytes(), "root.1.pidx"))
    before = old_device.main_digest()
    status, run = old_device.run("--install", server.url("r2.lbu"))
    assert status != 0 and old_device.main_digest() == before, run.text()


def test_a_file_is_read_as_sparingly(old_device, patched, releases):
    run = install(old_device, releases[2], patched[1])
    assert run.fetched() == run.planned()["fetch_bytes"] < MIB


def test_a_server_without_ranges_is_asked_for_no_patches(old_device, make_server, patched,
                                                         releases):
    server = make_server().start("max_ranges 0;")
    server.put("r2.lbu", patched[1])
    assert install(old_device, releases[2], server.url("r2.lbu")).planned()["patch_bytes"] == 0


def kill_and_go_on(device, make_server, bundle, images, share, rate):
    """Killed when @share tenths of what has to be written are durable; returns the second run."""
    server = make_server().start(f"limit_rate {rate};")
    server.put("r2.lbu", bundle)
    around = device.guarded(images)
    run = device.start("--install", server.url("r2.lbu"))
    run.wait_for(lambda r: r.progress("write"))
    total = run.planned()["write_bytes"]
    run.wait_for(lambda r: r.progress("write")[-1]["durable_bytes"] >
                 r.planned()["skip_bytes"] + total * share // 10 or r.progress("verify"))
    run.kill()
    server.stop()
    server.start("")
    status, run = device.run()
    assert status == 0, run.text()
    check_installed(device, images, around)
    return run


@pytest.mark.parametrize("share", [1, 3, 6, 9])
def test_killed_while_patching(old_device, make_server, patched, releases, share):
    """What was patched stays, the rest is patched or fetched."""
    run = kill_and_go_on(old_device, make_server, patched[1], releases[2], share, "300k")
    assert run.planned()["skip_bytes"] > 0
