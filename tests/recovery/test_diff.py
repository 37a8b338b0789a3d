# SPDX-License-Identifier: GPL-2.0-or-later
"""What `lifeboat diff` predicts is what recovery then fetches, by the server's own log."""

import json
import random
import subprocess

import pytest

from bundles import places
from conftest import image, pack
from device import MIB
from test_install import install
from test_resume import payload_bytes
from test_reuse import payload_requests

SLOTS = {"boot": 4 * MIB, "root": 16 * MIB}
FIGURES = ("total_bytes", "skip_bytes", "copy_bytes", "fetch_bytes", "write_bytes", "plan_ranges")
FIRST_REQUEST = 8192  # for the head: what follows comes with it


def pairs():
    r = random.Random(11)
    boot, root = image(31, 2 * MIB - 99), image(32, 12 * MIB + 7)
    near_front = root[:90_000] + r.randbytes(12_345) + root[90_000:]
    parts, rest = [r.randbytes(150_000) for _ in range(8)], r.randbytes(12 * MIB)
    return {
        "insertion": ({"boot": boot, "root": root}, {"boot": boot, "root": near_front}),
        "removal": ({"boot": boot, "root": near_front}, {"boot": boot, "root": root}),
        "unrelated": ({"boot": boot, "root": root},
                      {"boot": image(33, MIB + 5), "root": image(34, 11 * MIB + 5)}),
        # everything waits for everything: what circles leave to fetch is predicted too
        "circles": ({"boot": b"".join(parts[:4]), "root": b"".join(parts[4:]) + rest},
                    {"boot": b"".join(parts[:3:-1]), "root": b"".join(parts[3::-1]) + rest}),
    }


@pytest.mark.parametrize("name", ["insertion", "removal", "unrelated", "circles"])
def test_the_server_sends_what_was_predicted(make_device, server, programs, keys, name):
    old, new = pairs()[name]
    bundles = [pack(programs, keys, f"diff-{name}-{n}", images, n)
               for n, images in ((1, old), (2, new))]
    sizes = [f"--slot={slot}={size}" for slot, size in SLOTS.items()]
    said = json.loads(subprocess.run([programs["tool"], "diff", *bundles, *sizes, "--json"],
                                     check=True, capture_output=True, text=True).stdout)
    device = make_device(slots=SLOTS)
    for slot, size in SLOTS.items():  # to the end: diff takes zeros for what it is not told
        device.write(slot, old[slot].ljust(size, b"\0"))
    server.put("r2.lbu", bundles[1])
    run = install(device, new, server.url("r2.lbu"))

    total, whole = said["total"], bundles[1].read_bytes()
    assert {n: run.planned()[n] for n in FIGURES} == {n: total[n] for n in FIGURES}
    assert places(whole)["boot.zst"][0] >= FIRST_REQUEST  # no payload comes with the head
    sent = payload_bytes(server, whole, 0)
    assert sent == total["fetch_bytes"] == run.fetched()
    assert len(payload_requests(server, whole)) == total["plan_ranges"]
    beside = sum(r[2] for r in server.requests()) - sent
    # the second index's header, if the first request reaches so far
    assert 0 <= beside - said["head_bytes"] - said["index_bytes"] <= 1024
    if name != "unrelated":
        assert total["copy_bytes"] > 200_000
    if name == "circles":
        assert total["fetch_bytes"] > 150_000
