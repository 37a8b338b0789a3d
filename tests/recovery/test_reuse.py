# SPDX-License-Identifier: GPL-2.0-or-later
"""What the device holds at another place is copied: only what is new is fetched.

Fetched bytes and requests are counted by the server.
"""

import random
import re
import time

import pytest

import bundles
from conftest import pack
from device import MIB, garbage
from test_install import check_installed, install
from test_refusals import request
from test_resume import is_planned, payload_bytes, until

SIZE = 12 * MIB - 4096
INSERTED = 10_000
LONGEST = 256 * 1024  # of a chunk, docs/SPEC.md
KILLS = 6


@pytest.fixture(scope="session")
def old():
    """The image of the release before."""
    r = random.Random(4)
    parts = [r.randbytes(SIZE // 2), bytes(300_000), (b"a line of text\n" * 40_000)[:500_000]]
    return (b"".join(parts) + r.randbytes(SIZE))[:SIZE]


@pytest.fixture(scope="session")
def moved(old):
    """{slot: bytes}: something was put in near the front, so that nothing is where it was."""
    root = old[:100_000] + random.Random(5).randbytes(INSERTED) + old[100_000:]
    return {"boot": random.Random(6).randbytes(MIB), "root": root}


@pytest.fixture(scope="session")
def moved_packed(programs, keys, moved):
    return pack(programs, keys, "moved", moved, 2)


@pytest.fixture
def old_device(make_device, old, moved):
    """It runs the release before; the image of the boot slot is the same."""
    device = make_device(slots={"boot": 2 * MIB, "root": 16 * MIB})
    device.write("boot", moved["boot"])
    device.write("root", old)
    return device


def payload_requests(server, bundle):
    start = min(o for n, (o, _) in bundles.places(bundle).items() if n.endswith((".zst", ".raw")))
    return [r for r in server.requests() if r[1] is not None and r[1] >= start]


def test_an_insertion_near_the_front_is_all_that_is_fetched(old_device, server, moved_packed,
                                                            moved):
    server.put("r2.lbu", moved_packed)
    run = install(old_device, moved, server.url("r2.lbu"))
    planned, bundle = run.planned(), moved_packed.read_bytes()
    # the chunks around it, and the last one, which ends with the image
    assert INSERTED <= planned["fetch_bytes"] <= INSERTED + 3 * LONGEST
    assert planned["copy_bytes"] > SIZE - MIB - 4 * LONGEST
    assert payload_bytes(server, bundle, 0) == run.fetched() == planned["fetch_bytes"]
    assert len(payload_requests(server, bundle)) == planned["plan_ranges"]
    result = old_device.result()
    assert result["fetched_bytes"] == planned["fetch_bytes"]
    zeroed = run.progress("done")[-1]["zeroed_bytes"]
    assert zeroed <= planned["zero_bytes"] <= planned["write_bytes"] - planned["copy_bytes"]
    assert result["written_bytes"] == planned["write_bytes"] - zeroed
    assert result["copied_bytes"] == planned["copy_bytes"]
    assert result["skipped_bytes"] == planned["skip_bytes"] > MIB


def test_a_file_is_read_as_sparingly(old_device, moved_packed, moved):
    run = install(old_device, moved, moved_packed)
    assert run.fetched() == run.planned()["fetch_bytes"] <= INSERTED + 3 * LONGEST


def test_a_server_without_ranges_delivers_what_is_missing(old_device, make_server, moved_packed,
                                                          moved):
    server = make_server().start("max_ranges 0;")
    server.put("r2.lbu", moved_packed)
    run = install(old_device, moved, server.url("r2.lbu"))
    assert run.planned()["copy_bytes"] > SIZE // 2


def test_back_to_the_release_before(old_device, server, moved_packed, moved, programs, keys, old):
    """The other direction: everything moves to the left."""
    images = {"boot": moved["boot"], "root": old}
    back = pack(programs, keys, "moved-back", images, 2)
    old_device.write("root", moved["root"])
    server.put("r2.lbu", back)
    run = install(old_device, images, server.url("r2.lbu"))
    assert run.planned()["fetch_bytes"] <= 3 * LONGEST


def test_from_unknown_content_everything_is_fetched(make_device, server, moved_packed, moved):
    device = make_device(slots={"boot": 2 * MIB, "root": 16 * MIB})
    device.write("root", garbage(16 * MIB, 9))
    server.put("r2.lbu", moved_packed)
    run = install(device, moved, server.url("r2.lbu"))
    assert run.planned()["copy_bytes"] == 0
    assert run.fetched() > SIZE // 2


def test_the_budget_counts_what_really_is_fetched(old_device, server, moved_packed, moved):
    server.put("r2.lbu", moved_packed)
    around = old_device.guarded(moved)
    request(old_device, server.url("r2.lbu"), budget_bytes=INSERTED + 3 * LONGEST)
    status, run = old_device.run()
    assert status == 0, run.text()
    check_installed(old_device, moved, around)


def test_the_budget_is_exact_and_counts_head_and_index(old_device, server, moved_packed, moved):
    server.put("r2.lbu", moved_packed)
    around, before = old_device.guarded(moved), old_device.main_digest()
    request(old_device, server.url("r2.lbu"), budget_bytes=1)
    status, run = old_device.run()
    plan = run.planned()
    cost = plan["fetch_bytes"] + bundles.overhead(moved_packed.read_bytes())
    assert status == 3 and old_device.main_digest() == before
    text = old_device.result()["text"]
    for figure in (cost, plan["fetch_bytes"], 1, plan["skip_bytes"], plan["copy_bytes"]):
        assert str(figure) in re.findall(r"\d+", text), text
    request(old_device, server.url("r2.lbu"), budget_bytes=cost - 1)
    assert old_device.run()[0] == 3 and old_device.main_digest() == before
    request(old_device, server.url("r2.lbu"), budget_bytes=cost)
    status, run = old_device.run()
    assert status == 0, run.text()
    check_installed(old_device, moved, around)


def test_the_budget_counts_what_a_server_without_ranges_sends(old_device, make_server,
                                                              moved_packed):
    """Little is needed, but the last of it lies behind everything else."""
    server = make_server().start("max_ranges 0;")
    server.put("r2.lbu", moved_packed)
    before = old_device.main_digest()
    request(old_device, server.url("r2.lbu"), budget_bytes=2 * MIB)
    status, run = old_device.run()
    assert status == 3 and run.planned()["fetch_bytes"] < MIB, run.text()
    assert old_device.result()["code"] == "over-budget"
    assert old_device.main_digest() == before


def test_a_silent_server_leaves_the_slots_untouched(make_device, make_server, moved_packed, moved,
                                                    old):
    """Copies could be made without it, but it has to show first that it delivers."""
    device = make_device(slots={"boot": 2 * MIB, "root": 16 * MIB}, give_up_s=2)
    device.write("boot", moved["boot"])
    device.write("root", old)
    bundle = moved_packed.read_bytes()
    start = bundles.places(bundle)["root.zst"][0]
    server = make_server().start()
    server.put("r2.lbu", bundle[:start])
    before = device.main_digest()
    status, run = device.run("--install", server.url("r2.lbu"))
    assert status == 3 and run.planned()["copy_bytes"] > SIZE // 2, run.text()
    assert device.main_digest() == before
    assert not device.result().get("main_changed")


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_in_the_middle_of_copying(old_device, make_server, moved_packed, moved, seed):
    server = make_server().start()
    server.put("r2.lbu", moved_packed)
    bundle, r = moved_packed.read_bytes(), random.Random(seed)
    around = old_device.guarded(moved)
    args, needed, kills = ["--install", server.url("r2.lbu")], None, 0
    for n in range(KILLS):
        run = old_device.start(*args)
        begun = is_planned if n % 2 else until("write")
        run.wait_for(lambda run, begun=begun: begun(run) or not run.running())
        time.sleep(r.uniform(0.0, 0.02))
        run.kill()      # nothing to do with what has come to its end already
        needed = needed or run.planned()["fetch_bytes"]
        kills += 1
        if old_device.power_on() != "requested":
            break
        args = []
    if old_device.power_on() == "requested":
        status, run = old_device.run()
        assert status == 0, run.text()
    check_installed(old_device, moved, around)
    allowed = needed + kills * (MIB + bundles.longest_stored(bundle))
    assert payload_bytes(server, bundle, 0) <= allowed
