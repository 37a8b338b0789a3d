# SPDX-License-Identifier: GPL-2.0-or-later
"""An update that is killed goes on where it stopped.

SIGKILL ends the program at any instant, but what it wrote stays in the page
cache: writes that are lost, torn or reordered are the power-cut simulator's
(tests/powercut). Here the promise is that a killed update costs a bounded amount
of payload on the network, with a real server, real files and the real program.
"""

import json
import os
import random
import signal
import time

import pytest

import bundles
from conftest import WORK
from device import MIB, PROGRESS, STATE
from test_install import check_installed

KILLS = 15
ROUNDS = 10
SEEDS = range(1, int(os.environ.get("LB_SEEDS", "1")) + 1)
FLUSH = MIB  # docs/DESIGN.md: data is flushed at 1 MiB or after 1 s


def payload_bytes(server, bundle, since):
    """Payload that the server sent in its requests from number @since on.

    An upper bound of what recovery got: what was on its way when it died is in it.
    """
    payload_start = min(o for n, (o, _) in bundles.places(bundle).items()
                        if n.endswith((".zst", ".raw")))
    return sum(sent for _, first, sent in server.requests()[since:]
               if first is not None and first >= payload_start)


def is_planned(run):
    return run.planned() is not None


@pytest.mark.parametrize("seed", SEEDS)
def test_sigkill_without_loss_of_writes_repeats_at_most_1_mib_and_a_chunk(
        large_device, make_server, large_packed, large_images, seed):
    device, server = large_device, make_server()
    # one stream is one run of missing chunks: slow enough to be killed in the middle
    server.start("limit_rate 14m;")
    server.put("r2.lbu", large_packed)
    bundle = large_packed.read_bytes()
    allowed = FLUSH + bundles.longest_stored(bundle)
    around = device.guarded(large_images)
    r = random.Random(seed)
    args = ["--install", server.url("r2.lbu")]
    repeated, kills, killed_writing, requests, sent, last_plan = [], 0, 0, 0, 0, None

    for n in range(KILLS + 1):
        run = device.start(*args)
        if n < KILLS:
            run.wait_for(is_planned)
            time.sleep(r.uniform(0.0, 0.45))
            run.kill()
        else:
            assert run.wait() == 0, run.text()
        over = device.power_on() == "main"  # a fast machine needs fewer starts
        kills += not over
        plan = run.planned()["fetch_bytes"]
        if last_plan is not None:
            # what the run before got, minus what this one need not fetch any more
            repeated.append(sent - (last_plan - plan))
        sent, requests = payload_bytes(server, bundle, requests), len(server.requests())
        last_plan = plan
        args = []
        killed_writing += not over and any(e["durable_bytes"] > e["skip_bytes"]
                                            for e in run.progress("write"))
        assert run.fetched() <= sent
        if over:
            break

    worst = max(repeated)
    print(f"\n{kills} kills, seed {seed}: worst repeated payload {worst} bytes, "
          f"allowed {allowed}, all together {sum(repeated)}")
    (WORK / "resume.json").write_text(json.dumps(
        {"kills": kills, "seed": seed, "worst_repeated_bytes": worst, "allowed_bytes": allowed,
         "all_repeated_bytes": sum(repeated)}))
    assert worst <= allowed
    check_installed(device, large_images, around)
    result = device.result()
    assert result["code"] == "ok"
    assert kills >= 3 and killed_writing >= kills // 2, "most kills must hit the writing"
    assert killed_writing <= result["power_cycles"] <= kills


@pytest.mark.parametrize("seed", SEEDS)
def test_main_is_started_only_when_whole_whenever_recovery_is_killed(device, packed, images, seed):
    """Kills at any moment from start to exit, updates from release to release."""
    r, killed = random.Random(seed), 0
    around = device.guarded(images[1])  # all releases' images have the same sizes
    for n in range(ROUNDS):
        release = n % 3 + 1
        device.put_records(STATE={"state": "confirmed"})
        device.put_env(lifeboat_boot="main", upgrade_available="0")
        args = ["--install", str(packed[release])]
        attempt = 0
        while True:
            attempt += 1
            before = device.main_digest()
            run = device.start(*args)
            time.sleep(r.uniform(0.0, 0.02 * attempt))  # ever later, however fast the machine is
            if run.running():
                killed += 1
            run.kill()
            if device.power_on() != "main":
                args = []  # the request, or what was begun, is on record
            elif device.state() == "trial":
                assert device.holds(images[release]), f"seed {seed}, round {n}"
                break
            else:  # killed before it was staged
                assert device.main_digest() == before, f"seed {seed}, round {n}"
                assert device.state() in ("confirmed", "requested")
                if device.state() == "requested":
                    device.put_records(STATE={"state": "confirmed"})  # the agent withdraws it
    assert device.guarded(images[1]) == around
    assert killed > ROUNDS // 2


def until(step):
    return lambda run: bool(run.progress(step))


@pytest.mark.parametrize("moment", ["accepted", "planned", "writing", "verifying"])
def test_killed_at(device, make_server, packed, images, moment):
    """Once in every phase; verifying is too short to be hit but by its first event."""
    server = make_server().start("limit_rate 1m;" if moment == "writing" else "")
    server.put("r2.lbu", packed[2])
    around = device.guarded(images[2])
    run = device.start("--install", server.url("r2.lbu"))
    run.wait_for({"accepted": lambda r: "bundle-accepted" in r.codes(),
                  "planned": until("planned"), "writing": until("write"),
                  "verifying": until("verify")}[moment])
    run.kill()
    assert device.power_on() in ("requested", "main")
    if device.power_on() == "requested":
        status, run = device.run()
        assert status == 0, run.text()
    check_installed(device, images[2], around)


def test_kill_between_record_and_flag_is_handed_over_without_the_source(device, packed, images):
    """state=trial is written, the flag is not: only the flag was missing."""
    around = device.guarded(images[2])
    assert device.run("--install", str(packed[2]))[0] == 0
    device.put_env(lifeboat_boot="recovery", upgrade_available="0")
    status, run = device.run()
    assert status == 0 and "handover" in run.codes(), run.text()
    assert not run.progress(), "nothing is planned or fetched again"
    check_installed(device, images[2], around)


def test_sigterm_stops_with_status_4_and_the_next_start_resumes(device, make_server, packed,
                                                                images):
    server = make_server().start("limit_rate 1m;")
    server.put("r2.lbu", packed[2])
    around = device.guarded(images[2])
    run = device.start("--install", server.url("r2.lbu"))
    run.wait_for(until("write"))
    server.stop()
    run.wait_for_code("source-interrupted")
    run.process.send_signal(signal.SIGTERM)
    assert run.wait(30) == 4, run.text()
    assert device.record(STATE)["state"] == "updating"
    assert device.power_on() == "requested"
    server.start("")
    status, run = device.run()
    assert status == 0, run.text()
    assert run.planned()["skip_bytes"] > 0
    check_installed(device, images[2], around)


def test_sigterm_while_data_flow_stops_soon(device, make_server, packed):
    server = make_server().start("limit_rate 512k;")
    server.put("r2.lbu", packed[2])
    run = device.start("--install", server.url("r2.lbu"))
    run.wait_for(until("write"))
    run.process.send_signal(signal.SIGTERM)
    assert run.wait(30) == 4, run.text()     # not 0: it did not wait for the rest
    assert device.state() == "updating"


def test_counters_of_an_earlier_update_are_not_carried_over(device, packed):
    """... not even those of the same bundle."""
    manifest = bundles.sha(bundles.split(packed[2].read_bytes())[0][1])
    device.put_records(STATE={"state": "confirmed"},
                       PROGRESS={"manifest": manifest, "fetched_bytes": 1 << 40,
                                 "power_cycles": 9})
    assert device.run("--install", str(packed[2]))[0] == 0
    assert device.result().get("power_cycles", 0) == 0
    assert device.result()["fetched_bytes"] < 64 * MIB
    assert PROGRESS not in device.records(), "the next update starts to count anew"
