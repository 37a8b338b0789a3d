# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole updates over HTTPS on the board, and what happens when they go wrong."""
import os
import struct
import time

import pytest

import lbfield
from lbfield import agent, bundles, read_record, records
from lbtraffic import Bundle, Traffic

RECOVERY = "Lifeboat recovery: copy="
FLUSH_BYTES = 1 << 20
GIVE_UP_S = 8       # tests/board/hasty.py


def result_of(field):
    return read_record(field.card, records.RESULT)


def test_release_2_is_found_installed_and_confirmed(field):
    field.offer("release-1.lbu", "release-2.lbu")
    lbfield.put_on_data(field.card, "kept/by-the-user", "since release 1\n")
    recovery = field.card.read("recovery_a") + field.card.read("recovery_b")

    field.board.power_on().wait_for("main OS release 1 is up")
    field.board.wait_for(RECOVERY + "a reason=requested")
    field.board.wait_for("main OS release 2 is up", never="power cut")
    field.wait_confirmed(2)
    status = agent(field.board, "status")
    assert "since release 1" in field.board.run("cat /data/kept/by-the-user").splitlines()
    field.board.cut_power()

    assert field.holds("release-2.lbu")
    assert status["running"]["release"] == 2 and status["state"] == "confirmed"
    assert status["result"]["code"] == "ok" and status["result"]["main_changed"]
    assert [status[s]["release"] for s in ("confirmed", "previous")] == [2, 1]
    assert field.card.read("recovery_a") + field.card.read("recovery_b") == recovery
    bundle = Bundle(field.files / "release-2.lbu")
    traffic = Traffic(field.server, bundle, "lifeboat-recovery")
    assert traffic.payload_again == 0 and traffic.other_again == 0
    assert traffic.payload < bundle.size, "nothing of release 1 was of use"


@pytest.mark.late
def test_patches_are_made_on_the_board(field):
    """Some of them between the symbols of the file system's blocks; none has to be done without."""
    name, recoded = "release-2-from.lbu", 4
    bundle = field.read_bundle(name)
    offset, _ = bundles.places(bundle)["root.1.pidx"]
    steps = struct.unpack_from("<I", bundle, offset + 8)[0]
    assert any(bundle[offset + at + 1] & recoded for at in range(40, 40 + 16 * steps, 16))
    predicted = lbfield.predict(field, name)
    lbfield.stage(field.card, field.serve(name), release=2)
    field.board.power_on().wait_for("main OS release 2 is up", never="power cut")
    field.wait_confirmed(2)
    result = agent(field.board, "status")["result"]
    field.board.cut_power()
    assert field.holds(name) and result["code"] == "ok"
    assert predicted["patch_bytes"] and result["fetched_bytes"] == predicted["fetch_bytes"]


@pytest.mark.late
def test_bundle_in_the_data_partition_is_installed_without_a_network(field):
    bundle = field.read_bundle("release-2.lbu")
    lbfield.put_on_data(field.card, "inbox/release-2.lbu", bundle)
    field.server.stop()
    field.board.power_on().wait_for("main OS release 1 is up")
    field.board.send("lifeboat-agent install /data/inbox/release-2.lbu --without-remedy")
    field.board.wait_for(RECOVERY + "a reason=requested")
    field.board.wait_for("main OS release 2 is up", never=RECOVERY)
    field.wait_confirmed(2)
    field.board.cut_power()
    assert field.holds("release-2.lbu")


def test_network_that_goes_away_after_the_first_write_is_waited_for(field):
    """Longer than recovery waits before the first write: from then on it never gives up."""
    field.put_hasty_recovery()
    field.server.change(rate="300k")
    field.serve("release-2.lbu")
    lbfield.stage(field.card, field.server.url("release-2.lbu"), release=2)
    field.board.power_on().wait_for(r"  write +root +[5-9]\d %", regex=True)
    field.server.stop()
    field.board.wait_for("[source-interrupted]")
    time.sleep(GIVE_UP_S + 2)
    assert lbfield.state_name(field.card) == "updating"
    field.server.start()
    field.board.wait_for("[source-back]")
    field.board.wait_for("main OS release 2 is up", never=RECOVERY)
    field.wait_confirmed(2)
    traffic = Traffic(field.server, Bundle(field.files / "release-2.lbu"), "lifeboat-recovery")
    assert traffic.payload_again <= FLUSH_BYTES
    assert agent(field.board, "status")["result"]["power_cycles"] == 0


def test_dead_server_gives_main_back_in_time_and_untouched(field):
    field.put_hasty_recovery()
    before = field.main_bytes()
    lbfield.stage(field.card, field.serve("release-2.lbu"), release=2)
    field.server.stop()
    field.board.power_on().wait_for("[start]")
    start = time.monotonic()
    field.board.wait_for("main OS release 1 is up")
    assert time.monotonic() - start >= GIVE_UP_S - 1, "it did not even try for the time it has"
    status = agent(field.board, "status")
    assert status["result"]["code"] == "source-unreachable"
    assert not status["result"]["main_changed"] and status["state"] == "confirmed"
    assert status["boot"]["next"] == "main" and not status["boot"]["trial"]
    field.board.cut_power()
    assert field.main_bytes() == before


def test_release_that_is_not_healthy_is_replaced_by_the_confirmed_one(field):
    field.serve("release-2.lbu", field.read_bundle("release-2-sick.lbu"))
    lbfield.stage(field.card, field.server.url("release-2.lbu"), release=2)
    field.board.power_on().wait_for(RECOVERY)
    for _ in range(3):
        field.board.wait_for("main OS release 2 is up")
        field.board.wait_for("the pump does not turn")
    field.board.wait_for(RECOVERY + "a reason=boot-limit")
    field.board.wait_for("main OS release 1 is up", never=RECOVERY)
    field.wait_confirmed(1)
    status = agent(field.board, "status")
    assert status["result"]["code"] == "trial-failed" and status["result"]["release"] == 2
    text = status["result"]["text"]
    assert "the pump does not turn" in text and "release 1 is back" in text
    field.board.cut_power()
    assert field.holds("release-1.lbu")


@pytest.mark.late
def test_release_that_panics_is_replaced_by_the_confirmed_one(field):
    images = field.build / "images"
    field.serve("release-2.lbu", bundles.write(
        {"boot": (images / "main-2.itb").read_bytes(), "root": os.urandom(200_000)}, field.key, 2,
        product="lifeboat-refboard", hardware=["lifeboat,refboard-sd"], kinds={"boot": "fit"}))
    lbfield.stage(field.card, field.server.url("release-2.lbu"), release=2)
    field.board.power_on().wait_for(RECOVERY + "a reason=requested")
    for _ in range(3):
        field.board.wait_for("Starting kernel", never="reason=boot-limit")
        field.board.wait_for("Kernel panic")
    field.board.wait_for(RECOVERY + "a reason=boot-limit")
    field.board.wait_for("main OS release 1 is up", never=RECOVERY)
    field.wait_confirmed(1)
    assert result_of(field)["code"] == "trial-failed"
    field.board.cut_power()
    assert field.holds("release-1.lbu")
