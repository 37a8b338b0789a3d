# SPDX-License-Identifier: GPL-2.0-or-later
"""Slots on bad media: writes that fail or get lost, reads that fail, a disk that goes away.

What is asserted each time: the console names the failure with its code, main is not
started half written, the board is not restarted over and over, and the update goes
through once the medium lets it.
"""
import time

import pytest

import lbfield
import lbmedia
from lbboard import Board, drive
from lbfield import agent
from lbmedia import (MAIN_1, POWER_ON, changed_block, ends_in_release_2, flush, read,
                     recovery_goes_on, span, stage, write)

FAILED = r"slot (?:root|boot): .* \d+ .*failed: I/O error \[io-error\]"
WATCHDOG_S = 30     # Linux's i6300esb, unless it is told otherwise
on_usb = pytest.mark.parametrize("bad", ["usb"], indirect=True)


# --- writing into the slot

@pytest.mark.late
def test_write_that_fails_once(bad):
    stage(bad)
    bad.medium.fault(write(changed_block(bad), times=1))
    bad.board.power_on().wait_for(FAILED, regex=True)
    ends_in_release_2(bad)
    assert len(bad.medium.hits("write")) == 1


def test_write_that_fails_for_ever_waits_for_a_better_medium(bad):
    stage(bad)
    bad.medium.fault(write(changed_block(bad)))
    bad.board.power_on()
    for _ in range(3):
        bad.board.wait_for(FAILED, regex=True, never="main OS release")
    recovery_goes_on(bad)
    bad.medium.heal()
    ends_in_release_2(bad)


@pytest.mark.late
def test_every_second_write_fails(bad):
    stage(bad)
    bad.medium.fault(write(span(bad.card, "root"), times="/2"))
    bad.board.power_on().wait_for(FAILED, regex=True)
    ends_in_release_2(bad)
    assert len(bad.medium.hits("write")) >= 2


@pytest.mark.late
@on_usb
def test_no_space_left_on_the_device(bad):
    """As of a disk that promised more than it has."""
    stage(bad)
    bad.medium.fault(write(changed_block(bad), "ENOSPC"))
    bad.board.power_on()
    for _ in range(2):
        bad.board.wait_for("critical space allocation error, dev sda",
                           never="main OS release")     # Linux tells its console, and us EIO
        bad.board.wait_for(FAILED, regex=True)
    recovery_goes_on(bad)
    bad.medium.heal()
    ends_in_release_2(bad)


@pytest.mark.late
@pytest.mark.parametrize("times", [2, None], ids=["twice", "for ever"])
def test_flush_that_fails(bad, times):
    stage(bad, rate="300k")
    bad.board.power_on().wait_for(r"  write +root", regex=True)
    bad.medium.fault(flush(times=times))
    bad.board.wait_for(r"slot (?:root|boot): flush of bytes \d+ to \d+ failed: I/O error \[io-error\]",
                       regex=True)
    if not times:
        bad.board.wait_for(FAILED, regex=True)
        recovery_goes_on(bad)
        bad.medium.heal()
    ends_in_release_2(bad)


# --- writes that get lost

def test_lost_write_is_found_when_read_back_and_fetched_again(bad):
    stage(bad)
    bad.medium.fault(write(changed_block(bad), "drop", 1))
    bad.board.power_on()
    bad.board.wait_for("1 chunks were not on the medium as written, round 1 of 4 [medium-worn]")
    ends_in_release_2(bad, never="round 2")
    assert [what for _, _, what in bad.medium.hits("write")] == ["drop"]


@pytest.mark.late
def test_medium_that_loses_a_write_every_time_is_called_worn(bad):
    stage(bad)
    bad.medium.fault(write(changed_block(bad), "drop"))
    bad.board.power_on()
    for _ in range(2):
        bad.board.wait_for("1 chunks differ after they were written 4 times [medium-worn]",
                            never="main OS release")
    recovery_goes_on(bad)
    bad.medium.heal()
    ends_in_release_2(bad)


# --- reading

def test_block_of_the_confirmed_main_that_cannot_be_read_is_fetched_again(bad):
    """While healing a lost environment: main cannot be called whole. Writing cures the block."""
    bad.card.destroy_env()
    bad.medium.fault(read(changed_block(bad), "worn"))
    bad.board.power_on().wait_for(r"main is not known to be whole: slot root: read from the medium "
                                    r"of \d+ bytes at \d+ failed: I/O error \[main-unknown\]",
                                    regex=True, never="main OS release")
    bad.board.wait_for("release 1 is fetched again [rescue]")
    bad.board.wait_for(MAIN_1)
    bad.wait_confirmed(1)
    bad.board.cut_power()
    assert bad.holds("release-1.lbu") and bad.medium.hits("read")


@pytest.mark.late
def test_block_of_the_slot_that_cannot_be_read_is_written(bad):
    """Whatever release 2 has there."""
    stage(bad)
    bad.medium.fault(read(changed_block(bad), "worn"))
    bad.board.power_on()
    ends_in_release_2(bad, never="[io-error]")
    assert bad.medium.hits("read")


# --- the whole device

@pytest.mark.parametrize("bad", ["read-only"], indirect=True)
def test_write_protected_card(bad, work):
    """Nothing can be noted, not even the boot flag: told once a minute, until somebody acts."""
    before = bad.main_bytes()
    stage(bad)
    bad.board.power_on()
    for _ in range(2):
        bad.board.wait_for("[slot-read-only]", never="main OS release")
        bad.board.wait_for("ended with status 1, restarting the board in 5 s")
    bad.board.cut_power()
    assert bad.main_bytes() == before and lbfield.state_name(bad.card) == "requested"
    with Board(work / "unprotected", bad.card, qemu_args=bad.medium.disk("virtio")) as bad.board:
        ends_in_release_2(bad)


@pytest.mark.late
def test_card_that_fails_altogether_and_recovers(bad):
    stage(bad, rate="300k")
    bad.board.power_on().wait_for(r"  write +root", regex=True)
    bad.medium.die()
    bad.board.wait_for(FAILED, regex=True)
    time.sleep(3)
    assert "main OS release" not in bad.board.output
    bad.medium.heal()
    ends_in_release_2(bad)


@pytest.mark.late
@on_usb
def test_disk_that_is_pulled_and_put_back_while_it_is_written(bad):
    """It comes back under another name: recovery leaves, and the next start resumes."""
    stage(bad, rate="300k")
    bad.board.power_on().wait_for(r"  write +root", regex=True)
    lbmedia.pull(bad.board)
    bad.board.wait_for(r"slot (?:root|boot): .*\[(io-error|slot-missing)\]", regex=True)
    lbmedia.put_back(bad.board)
    bad.board.wait_for("ended with status 1, restarting the board in 5 s",
                         never="main OS release")
    assert lbfield.state_name(bad.card) == "updating"
    bad.board.wait_for("state updating: resume", never="main OS release")
    ends_in_release_2(bad)


@pytest.mark.late
@pytest.mark.parametrize("bad", ["pulled"], indirect=True)
def test_disk_that_comes_late_is_waited_for(bad):
    """Longer than the watchdog waits, and without a restart."""
    stage(bad)
    bad.board.power_on().wait_for("waiting for the card, there is no /dev/sda")
    time.sleep(WATCHDOG_S + 5)
    lbmedia.put_back(bad.board)
    bad.board.wait_for("state requested: install", never=POWER_ON)
    ends_in_release_2(bad)


@pytest.mark.late
def test_sd_card_that_is_pulled_and_put_back_while_it_is_written(field):
    """The reference board's own card, with recovery as it is shipped but for its patience."""
    field.put_hasty_recovery()
    stage(field, rate="300k")
    field.board.power_on().wait_for(r"  write +root", regex=True)
    field.board.monitor("eject -f s0")
    field.board.wait_for(r"slot (?:root|boot): .*\[(io-error|slot-missing)\]", regex=True)
    field.board.monitor(f"change s0 {field.card.path} raw")
    field.board.wait_for("state updating: resume", never="main OS release")
    ends_in_release_2(field)


def test_slot_smaller_than_its_image_is_refused_before_the_first_write(field, card, work):
    """A card with a smaller chip on it than the one before. Its own disk is the slot."""
    small = work / "small.img"
    small.write_bytes(b"\x5a" * (1 << 20))
    field.put_hasty_recovery("recovery-rom.itb")
    before = field.main_bytes()
    stage(field)
    image = (field.build / "images" / "root-2.img").stat().st_size
    disk = ["-drive", drive("small", small), "-device", "virtio-blk-pci,drive=small"]
    with Board(work / "small", card, qemu_args=disk) as field.board:
        line = field.board.wait_for(r".*\[image-too-large\]", regex=True).group()
        assert str(image) in line and str(1 << 20) in line
        field.board.wait_for(MAIN_1)
        assert agent(field.board, "status")["result"]["code"] == "image-too-large"
    assert field.main_bytes() == before and small.read_bytes() == b"\x5a" * (1 << 20)
