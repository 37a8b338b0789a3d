# SPDX-License-Identifier: GPL-2.0-or-later
"""Power that goes at moments of its own choice: always release 2, confirmed, in the end.

The moments come from a seed that is part of the test's name: run it alone to get
them again (the board is as fast as the machine is, so only about the same ones).
LB_SEEDS=20 make board-test T=power_cut tries 20 of each, see conftest.py.
"""
import random
import time

import pytest

import lbfield
from lbfield import agent, records
from lbtraffic import Bundle, Traffic

FLUSH_BYTES = 1 << 20
RECOVERY = "Lifeboat recovery: copy="


def ends_in_release_2(field):
    """Without further cuts the update goes through, whatever was cut before."""
    field.board.wait_for("main OS release 2 is up")
    field.wait_confirmed(2)
    status = agent(field.board, "status")
    assert status["running"]["release"] == 2 and status["result"]["code"] == "ok"
    field.board.cut_power()
    assert field.holds("release-2.lbu")
    return status


@pytest.mark.late
def test_power_cut_while_the_agent_stages(field, seed):
    """Two cuts between the first look at release 2 and the reboot into recovery."""
    source = random.Random(seed)
    field.offer("release-1.lbu", "release-2.lbu")
    field.board.power_on()
    for _ in range(2):
        seen = field.board.wait_for("lifeboat-agent: release 2 (2.0) is available", RECOVERY)
        if seen.group() == RECOVERY:
            break       # the cut before came after the flag
        time.sleep(source.uniform(0, 0.35))
        field.board.cut_power()
        flag, state = field.card.env()["lifeboat_boot"], lbfield.state_name(field.card)
        assert (flag, state) in {("main", "confirmed"), ("main", "requested"),
                                 ("recovery", "requested")}
        field.board.power_on()
    ends_in_release_2(field)


@pytest.mark.late(after=1)
def test_power_cuts_while_recovery_installs(field, seed):
    """Four cuts; the first ones may hit anything from the kernel's start to the handover."""
    source = random.Random(seed)
    field.server.change(rate="1500k")
    field.serve("release-2.lbu")
    lbfield.stage(field.card, field.server.url("release-2.lbu"), release=2)
    cuts = 4
    field.board.power_on()
    for _ in range(cuts):
        seen = field.board.wait_for("[planned]", "main OS release")
        assert seen.group() == "[planned]" or lbfield.state_name(field.card) in ("trial", "confirmed")
        time.sleep(source.uniform(0, 1.2))
        field.board.cut_power()
        env, state = field.card.env(), lbfield.state_name(field.card)
        if state in ("trial", "confirmed") and env["lifeboat_boot"] == "main":
            break
        assert state in ("requested", "updating", "trial")
        assert env["lifeboat_boot"] == "recovery", "main could be booted half written"
        field.board.power_on()
    if not field.board.is_on():
        field.board.power_on()
    ends_in_release_2(field)
    bundle = Bundle(field.files / "release-2.lbu")
    traffic = Traffic(field.server, bundle, "lifeboat-recovery")
    assert traffic.payload_again <= cuts * (FLUSH_BYTES + bundle.largest_chunk())


@pytest.mark.late
def test_power_cuts_between_trial_and_confirmation(field, seed):
    """As many as the boot limit has room for; the next boot confirms."""
    source = random.Random(seed)
    lbfield.stage(field.card, field.serve("release-2.lbu"), release=2)
    field.board.power_on()
    for boots in (1, 2):
        field.board.wait_for("main OS release 2 is up")
        time.sleep(source.uniform(0, 0.5))
        field.board.cut_power()
        env = field.card.env()
        assert env["lifeboat_boot"] == "main"
        if not lbfield.is_confirmed(field.card, 2):
            assert lbfield.state_name(field.card) in ("trial", "confirmed")
            assert env["upgrade_available"] == "1" and env["bootcount"] == str(boots)
        field.board.power_on()
        if lbfield.is_confirmed(field.card, 2):
            break
    ends_in_release_2(field)
    assert "reason=boot-limit" not in field.board.output


@pytest.mark.late
def test_power_cuts_while_rescue_fetches_the_confirmed_release(field, seed):
    """Release 2 used up its boots and nothing of main is left: release 1 comes back."""
    source = random.Random(seed)
    field.server.change(rate="1500k")
    field.card.erase("root")
    lbfield.change_records(field.card, {records.STATE: lbfield.to_json(
        {"state": "trial", "release": 2, "manifest": "ab" * 32})})
    field.card.change_env(bootcount="3", upgrade_available="1")
    field.board.power_on()
    for _ in range(3):
        # main comes without a plan when the cut before fell between the record and the flag
        field.board.wait_for("[planned]", "main OS release")
        time.sleep(source.uniform(0, 1.2))
        field.board.cut_power()
        state, flag = lbfield.state_name(field.card), field.card.env()["lifeboat_boot"]
        assert (state, flag) in {("rescue", "recovery"), ("trial", "recovery"), ("trial", "main"),
                                 ("confirmed", "main")}
        field.board.power_on()
        if flag == "main":
            break
    field.board.wait_for("main OS release 1 is up")
    field.wait_confirmed(1)
    assert agent(field.board, "status")["result"]["code"] == "trial-failed"
    field.board.cut_power()
    assert field.holds("release-1.lbu")
