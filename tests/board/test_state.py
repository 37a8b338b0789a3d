# SPDX-License-Identifier: GPL-2.0-or-later
"""Recovery's own memory is lost: state region, boot environment or both, in each phase.

What is left decides: a signed manifest that main can be compared with, a request, a
server that was built in, a person with a stick. Main is never started unless one of them
says that it is whole, and each story ends with a confirmed release.
"""
import os
import time

import pytest

import lbfield
from lbboard import PATIENCE_S, Board
from lbfield import agent, bundles, records
from lbserver import BUILT_IN

RECOVERY = "Lifeboat recovery: copy="
ANY_MAIN = "main OS release"
LONG = PATIENCE_S
MADE_ANEW = "the state region was empty and was made anew"

CONTENTS = {"zeros": lambda size: bytes(size), "ones": lambda size: b"\xff" * size,
            "garbage": os.urandom}


@pytest.fixture
def board(work, card, server):
    """The board in a network where that address is the test's server, too."""
    relay = os.path.abspath(os.path.join(os.path.dirname(__file__), "relay.py"))
    machine = Board(work, card, network=False, qemu_args=[
        "-netdev", f"user,id=n0,guestfwd=tcp:{BUILT_IN}:8443-cmd:{relay} {server.port}",
        "-device", "virtio-net-pci,netdev=n0,romfile="])
    yield machine
    machine.cut_power()


@pytest.fixture
def field(field):
    """Both releases are on the server and in its channel."""
    field.offer("release-1.lbu", "release-2.lbu")
    settings = lbfield.agent_settings(field.card)
    # main is what this is about, not the next update
    settings["agent"] |= {"auto_install": False, "connect_timeout": 60, "stall_timeout": 60}
    lbfield.put_agent_settings(field.card, settings)
    return field


# --- the phases, as records, flag and main have them

def manifest_digest(field, name):
    return bundles.sha(bundles.split(field.read_bundle(name))[0][1])


def tear_main(field):
    field.card.write("root", os.urandom(100_000), offset=300_000)


def confirmed(field):
    pass


def requested(field):
    lbfield.put_on_data(field.card, "inbox/release-2.lbu", field.read_bundle("release-2.lbu"))
    lbfield.stage(field.card, "file:///media/data/inbox/release-2.lbu", release=2,
                  manifest=manifest_digest(field, "release-2.lbu"))


def updating(field):
    requested(field)
    lbfield.change_records(field.card, {records.STATE: lbfield.to_json({
        "state": "updating", "release": 2, "manifest": manifest_digest(field, "release-2.lbu")})})
    tear_main(field)


def trial(field):
    for slot, image in (("boot", "main-2.itb"), ("root", "root-2.img")):
        field.card.erase(slot)
        field.card.write_file(slot, field.build / "images" / image)
    lbfield.change_records(field.card, {
        records.STATE: lbfield.to_json({"state": "trial", "release": 2, "manifest":
                                        manifest_digest(field, "release-2.lbu")}),
        records.INSTALLED: records.release_record(
            bundles.split(field.read_bundle("release-2.lbu")), 2,
            [field.server.url("release-2.lbu")])})
    field.card.change_env(lifeboat_boot="main", upgrade_available="1")


def rescue(field):
    lbfield.change_records(field.card, {
        records.STATE: lbfield.to_json({"state": "rescue", "release": 1, "manifest":
                                        manifest_digest(field, "release-1.lbu")}),
        records.RESULT: lbfield.to_json({"code": "trial-failed", "release": 2,
                                         "text": "release 2 on trial did not report healthy"})})
    field.card.change_env(lifeboat_boot="recovery")
    tear_main(field)


PHASES = {f.__name__: f for f in (confirmed, requested, updating, trial, rescue)}


def lose_state(field, content="garbage"):
    field.card.write("state", CONTENTS[content](field.card.partitions["state"][1]))


def insert_stick(field, name):
    stick = field.board.work / "stick.img"
    lbfield.make_stick(stick, {name: field.read_bundle(name)})
    field.board.insert_stick(stick)


def ends_with(field, release):
    """That release runs, is whole and confirmed; a lost flag would be healed now."""
    field.board.wait_for(f"main OS release {release} is up", timeout=LONG, never=RECOVERY)
    field.wait_confirmed(release, timeout=LONG)
    wait_known(field, release)
    status = agent(field.board, "status", timeout=LONG)
    field.board.cut_power()
    assert status["running"]["release"] == release and status["state"] == "confirmed"
    assert field.holds(f"release-{release}.lbu")
    return status


def wait_known(field, release, timeout=LONG):
    """Until the release is on record: from recovery, or learnt anew from the channel."""
    end = time.monotonic() + timeout
    while True:
        record = lbfield.read_records(field.card).get(records.CONFIRMED)
        if record and int.from_bytes(record[:8], "little") == release:
            return
        assert time.monotonic() < end, f"release {release} is not on record within {timeout} s"
        time.sleep(0.5)


# --- the environment is lost: the records know

@pytest.mark.late(after=1)
@pytest.mark.parametrize("phase, says, release", [
    ("confirmed", "[healed]", 1),       # compared with its signed manifest
    ("requested", "[installed]", 2),    # the request stands, its bundle is on the data partition
    ("updating", "[installed]", 2),     # what was begun is finished from there
    ("trial", "[trial-failed]", 1),     # nobody knows that it works: the confirmed one is back
    ("rescue", "[installed]", 1)])      # goes on
def test_environment_lost(field, phase, says, release):
    PHASES[phase](field)
    field.card.destroy_env()
    field.board.power_on().wait_for(RECOVERY + "a reason=flag-lost", timeout=LONG, never=ANY_MAIN)
    field.board.wait_for(says, timeout=LONG, never=ANY_MAIN)
    status = ends_with(field, release)
    if phase == "trial":
        assert status["result"]["code"] == "trial-failed" and status["result"]["release"] == 2


# --- the state region is lost: main is trusted by the flag alone, and by nothing else

@pytest.mark.late(after=1)
@pytest.mark.parametrize("content", [*CONTENTS])
def test_state_lost_while_main_runs(field, content):
    """Main serves on; the agent says what happened, and learns its release from the channel."""
    lbfield.change_records(field.card, {records.FLOOR: lbfield.to_json({"release": 2})})
    lose_state(field, content)
    field.board.power_on().wait_for("made anew (state-lost)", timeout=LONG, never=RECOVERY)
    field.wait_confirmed(0, timeout=LONG)
    wait_known(field, 1)
    status = agent(field.board, "status", timeout=LONG)
    assert status["running"]["release"] == 1 and not status["state_lost"]
    assert status["floor"] == 1, "that of the signed manifest; what was on record is lost"
    if content == "zeros":
        field.board.send("lifeboat-agent install")     # nobody is left to read an answer
        field.board.wait_for("main OS release 2 is up", timeout=LONG)
        field.wait_confirmed(2, timeout=LONG)


@pytest.mark.late
def test_state_lost_on_trial_is_confirmed_by_health_only(field):
    trial(field)
    lose_state(field)
    field.board.power_on().wait_for("main OS release 2 is up", timeout=LONG, never=RECOVERY)
    field.board.wait_for("made anew (state-lost)", timeout=LONG, never=RECOVERY)
    field.wait_confirmed(0, timeout=LONG)
    wait_known(field, 2)
    assert agent(field.board, "status", timeout=LONG)["running"]["release"] == 2
    assert "release 2 is healthy" in field.board.output


@pytest.mark.late(after=1)
@pytest.mark.parametrize("phase, content, release", [
    ("requested", "zeros", 2), ("updating", "ones", 2), ("rescue", "garbage", 1)])
def test_state_lost_in_recovery_waits_for_a_stick(field, phase, content, release):
    """Main may be half written: it is not started, however often the power is switched."""
    PHASES[phase](field)
    lose_state(field, content)
    field.board.power_on().wait_for(MADE_ANEW, timeout=LONG, never=ANY_MAIN)
    field.board.wait_for("[main-unknown]", timeout=LONG, never=ANY_MAIN)
    field.board.wait_for("[rescue]", timeout=LONG, never=ANY_MAIN)
    field.board.power_cycle()
    field.board.wait_for("[rescue]", timeout=LONG, never=ANY_MAIN)
    assert lbfield.state_name(field.card) == "rescue"
    insert_stick(field, f"release-{release}.lbu")
    field.board.wait_for("[installed]", timeout=LONG, never=ANY_MAIN)
    ends_with(field, release)


# --- both are lost: a signed manifest has to come from elsewhere

@pytest.mark.late
@pytest.mark.parametrize("phase, release", [("confirmed", 1), ("trial", 2)])
def test_both_lost_and_a_stick_shows_that_main_is_whole(field, phase, release):
    PHASES[phase](field)
    before = field.main_bytes()
    field.card.destroy_env()
    lose_state(field)
    field.board.power_on().wait_for(MADE_ANEW, timeout=LONG, never=ANY_MAIN)
    field.board.wait_for("[main-unknown]", timeout=LONG, never=ANY_MAIN)
    field.board.wait_for("waiting for a medium", timeout=LONG, never=ANY_MAIN)
    insert_stick(field, f"release-{release}.lbu")
    field.board.wait_for(" 0 to write, 0 to fetch", timeout=LONG, never=ANY_MAIN)
    ends_with(field, release)
    assert field.main_bytes() == before


@pytest.mark.late(after=1)
@pytest.mark.parametrize("phase, release", [
    ("requested", 1), ("updating", 2), ("rescue", 2)])
def test_both_lost_and_a_built_in_server_knows(field, phase, release):
    """Nothing but what the recovery's own configuration says, and whom it trusts."""
    field.put_hasty_recovery("recovery-knows.itb")
    field.serve("rescue.lbu", field.read_bundle(f"release-{release}.lbu"))
    PHASES[phase](field)
    field.card.destroy_env()
    lose_state(field, "zeros")
    field.board.power_on().wait_for(MADE_ANEW, timeout=LONG, never=ANY_MAIN)
    field.board.wait_for("[main-unknown]", timeout=LONG, never=ANY_MAIN)
    field.board.wait_for("[installed]", timeout=LONG, never=ANY_MAIN)
    ends_with(field, release)


@pytest.mark.late
def test_server_that_was_built_in_is_waited_for(field):
    """Main is torn, nothing is known, and nobody answers: it is asked until somebody does."""
    field.put_hasty_recovery("recovery-knows.itb")
    field.server.stop()
    updating(field)
    field.card.destroy_env()
    lose_state(field)
    field.board.power_on().wait_for("[source-interrupted]", timeout=LONG, never=ANY_MAIN)
    field.serve("rescue.lbu", field.read_bundle("release-2.lbu"))
    field.server.start()
    field.board.wait_for("[installed]", timeout=LONG, never=ANY_MAIN)
    ends_with(field, 2)
