# SPDX-License-Identifier: GPL-2.0-or-later
"""A stick with a bundle that fails to be read, is pulled, and comes back."""
import time

import pytest

import lbfield
from lbboard import Board
from lbmedia import Medium, make_stick, pull, put_back, read

BUNDLE = "release-2.lbu"
ON_STICK = "trying file:///media/stick/"


@pytest.fixture
def stick(work, files):
    """A stick with release 2, served by nbdkit."""
    served = Medium(work, make_stick(work / "stick.img", files / BUNDLE), rate="3M")
    yield served
    served.stop()


@pytest.fixture
def board(work, card, stick):
    """Somebody has asked for recovery; nobody answers in the network."""
    card.change_env(lifeboat_boot="manual")
    machine = Board(work, card, qemu_args=stick.disk("usb"), network=False)
    yield machine
    machine.cut_power()


@pytest.fixture
def field(field):
    field.put_hasty_recovery()
    return field


def in_bundle(field, member, part=0.5):
    """A block of the stick that holds this part of a member of the bundle."""
    bundle = field.read_bundle(BUNDLE)
    offset, size = lbfield.bundles.places(bundle)[member]
    raw = (field.board.work / "stick.img").read_bytes()
    start = raw.find(bundle[:4096])
    assert start > 0 and raw[start:start + len(bundle)] == bundle, "not in one piece"
    at = (start + offset + int(size * part)) // 4096 * 4096
    return at, at + 4096


def all_of(field, member):
    """Every block of the stick that holds some of it: whatever is fetched of it, it is among them."""
    return in_bundle(field, member, 0)[0], in_bundle(field, member, 1)[1]


def ends_in_release_2(field):
    field.board.wait_for("main OS release 2 is up")
    field.wait_confirmed(2)
    field.board.cut_power()
    assert field.holds(BUNDLE)


@pytest.mark.late
def test_stick_that_cannot_be_read_in_the_middle_is_waited_for(field, stick):
    stick.fault(read(all_of(field, "root.zst")))
    field.board.power_on().wait_for(ON_STICK)
    field.board.wait_for(rf"{BUNDLE} vanished at byte \d+: I/O error.*\[source-interrupted\]",
                         regex=True)
    time.sleep(10)      # longer than before the first write
    assert lbfield.state_name(field.card) == "updating"
    assert "main OS release" not in field.board.output
    stick.heal()
    ends_in_release_2(field)
    assert stick.hits("read")


@pytest.mark.late
def test_stick_that_cannot_be_read_before_the_first_write_leaves_main_and_the_person_there(field, stick):
    """Main is as it was, recovery waits on; the same stick is tried again when it was put in anew."""
    before = field.main_bytes()
    stick.fault(read(in_bundle(field, "root.idx")))
    field.board.power_on().wait_for(ON_STICK)
    field.board.wait_for("vanished at byte")
    field.board.wait_for("that can be installed [waiting]", never="main OS release")
    assert field.main_bytes() == before
    pull(field.board)
    stick.heal()
    time.sleep(5)
    put_back(field.board)
    ends_in_release_2(field)


@pytest.mark.late(after=1)
@pytest.mark.parametrize("seconds", [0, 5], ids=["at once", "after a while"])
def test_stick_that_is_pulled_in_the_middle_and_put_back(field, seconds):
    field.board.power_on().wait_for(r"  write +root", regex=True)
    pull(field.board)
    field.board.wait_for("[source-interrupted]", never="main OS release")
    time.sleep(seconds)
    assert lbfield.state_name(field.card) == "updating"
    put_back(field.board)
    field.board.wait_for("[source-back]", never="main OS release")
    ends_in_release_2(field)


@pytest.mark.late
def test_stick_that_stays_away_is_resumed_from_by_the_next_start(field):
    field.board.power_on().wait_for(r"  write +root", regex=True)
    pull(field.board)
    field.board.wait_for("[source-interrupted]")
    field.board.cut_power()
    assert field.card.env()["lifeboat_boot"] == "recovery"
    field.board.power_on().wait_for("state updating: resume", never="main OS release")
    ends_in_release_2(field)
