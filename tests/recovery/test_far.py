# SPDX-License-Identifier: GPL-2.0-or-later
"""Chunks that are decoded with what lies further in front of them than the window is long."""

import json
import random
import subprocess

import pytest

from conftest import pack
from device import MIB, garbage
from test_install import install
from test_reuse import payload_requests

SLOTS = {"boot": 2 * MIB, "root": 4 * MIB}
FIRST, AGAIN = 300_000, 2 * MIB  # where a program lies, and where one that is almost the same


@pytest.fixture(scope="session")
def release():
    """{slot: bytes}: a program, something else, and the program with a changed byte in each 2000."""
    r = random.Random(77)
    program = r.randbytes(400_000)
    again = bytearray(program)
    for at in range(700, len(again), 2000):
        again[at] ^= 0x55
    front = r.randbytes(FIRST)
    between = r.randbytes(AGAIN - FIRST - len(program))
    return {"boot": r.randbytes(MIB), "root": front + program + between + again}


@pytest.fixture(scope="session")
def far_packed(programs, keys, release):
    return pack(programs, keys, "far", release, 2)


def test_what_repeats_something_far_away_is_fetched_once(make_device, server, programs, far_packed,
                                                         release):
    info = json.loads(subprocess.run([programs["tool"], "info", far_packed, "--json"],
                                     stdout=subprocess.PIPE, check=True).stdout)
    root = next(i for i in info["images"] if i["name"] == "root")
    assert root["far_chunks"] > 20
    device = make_device(slots=SLOTS)
    for slot, size in SLOTS.items():
        device.write(slot, garbage(size))
    server.put("r2.lbu", far_packed)
    run = install(device, release, server.url("r2.lbu"))
    assert run.fetched() < MIB + AGAIN + 40_000


def test_one_such_chunk_is_put_together_before_anything_is_written(make_device, server, far_packed,
                                                                   release):
    """All else is in place, or, beside its place, to be copied: the far region comes from there."""
    for moved in (False, True):
        device = make_device(slots=SLOTS)
        device.write("boot", release["boot"])
        root = bytearray(release["root"])
        root[AGAIN + 200_000] ^= 1
        if moved:  # the far region is not where it belongs, but behind the image
            device.write("root", root[FIRST:FIRST + 400_000], at=3 * MIB)
            root[FIRST:FIRST + 400_000] = bytes(400_000)
        device.write("root", root)
        server.put("r2.lbu", far_packed)
        seen = len(payload_requests(server, far_packed.read_bytes()))
        run = install(device, release, server.url("r2.lbu"))
        if not moved:
            assert len(payload_requests(server, far_packed.read_bytes())) - seen == 1
            assert 0 < run.fetched() < 500
        else:
            assert run.planned()["copy_bytes"] > 300_000 and run.fetched() < 60_000
