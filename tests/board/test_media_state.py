# SPDX-License-Identifier: GPL-2.0-or-later
"""The state region and the boot environment on bad media, and what then holds main back.

Records that cannot be read prove nothing; those that cannot be written must not keep a
good main down; where nothing can be noted at all the board says why, once a minute.
"""
import pytest

import lbfield
from lbboard import ENV_BYTES, ENV_OFFSETS, Board
from lbfield import records
from lbmedia import (BLOCK, MAIN_1, POWER_ON, changed_block, ends_in_release_2, make_stick, read,
                     span, stage, write)

IO_ERROR = r"failed: I/O error \[io-error\]"
PAUSE = "ended with status 1, restarting the board in 5 s"


def half(card, number):
    """Where one half of the state region lies."""
    length = card.partitions["state"][1] // 2
    return span(card, "state", number * length, length)


def dead(place):
    return read(place), write(place)


def env_copy(number):
    return ENV_OFFSETS[number], ENV_OFFSETS[number] + ENV_BYTES


# --- the state region

@pytest.mark.late
def test_spare_half_of_the_state_region_is_dead(bad):
    stage(bad)
    bad.medium.fault(*dead(half(bad.card, 1)))
    bad.board.power_on()
    ends_in_release_2(bad)
    assert bad.medium.hits("read")


@pytest.mark.late
def test_live_half_of_the_state_region_is_dead(bad, work):
    """What main has to be is forgotten: a person's stick is what helps. The other half keeps it."""
    stick = make_stick(work / "stick.img", bad.files / "release-2.lbu")
    stage(bad)
    bad.medium.fault(*dead(half(bad.card, 0)))
    bad.board.power_on().wait_for("(the state region was empty and was made anew)")
    bad.board.wait_for("no confirmed release is on record [main-unknown]")
    bad.board.wait_for("no earlier release is known: waiting for a medium with a bundle [rescue]",
                      never="main OS release")
    bad.board.cut_power()
    with Board(work / "stick", bad.card, sticks=[stick],
               qemu_args=bad.medium.disk("virtio")) as bad.board:
        bad.board.wait_for("(file:///media/stick2?/release-2.lbu|RELEASE-2.LBU)", regex=True,
                          never="main OS release")
        bad.board.wait_for("main OS release 2 is up")
        bad.wait_confirmed(2)
    assert bad.holds("release-2.lbu")


def begin_writing(field):
    """Main is half written, and the record that says so is the newest of the log."""
    stage(field)
    place = changed_block(field)
    field.card.write_at(place[0], b"\x5a" * BLOCK)
    log = lbfield.read_records(field.card)
    state = log.pop(records.STATE)
    updating = state.replace(b'"requested"', b'"updating"')
    field.card.write("state", records.log_encode(log | {records.STATE: state}))
    at = BLOCK * (1 + sum(-(-(32 + len(v)) // BLOCK) for v in log.values()))
    newest = records.record_encode(records.STATE, updating, len(log) + 2)
    field.card.write("state", newest, at + BLOCK)
    assert lbfield.state_name(field.card) == "updating"
    return span(field.card, "state", at + BLOCK, BLOCK)


def test_newest_record_that_cannot_be_read_does_not_start_a_half_written_main(bad):
    """The one before it says that main is untouched, and no server answers."""
    bad.medium.fault(read(begin_writing(bad), "worn"))
    bad.server.stop()
    bad.board.power_on().wait_for("newer records may be lost")
    bad.board.wait_for("an image differs from its manifest [main-unknown]",
                       never="main OS release")
    bad.board.wait_for("release 1 is fetched again [rescue]", never="main OS release")
    bad.board.wait_for("[source-unreachable]", "[source-interrupted]",
                       never="main OS release")
    bad.server.start()
    bad.board.wait_for(MAIN_1)
    bad.wait_confirmed(1)
    bad.board.cut_power()
    assert bad.holds("release-1.lbu") and bad.medium.hits("read")


@pytest.mark.late
def test_state_region_that_cannot_be_written_keeps_no_good_main_down(bad):
    before = bad.main_bytes()
    stage(bad)
    bad.medium.fault(write(span(bad.card, "state")))
    bad.board.power_on().wait_for(IO_ERROR, regex=True)
    bad.board.wait_for("main was not changed and is started again [returned]")
    bad.board.wait_for(MAIN_1, never="Lifeboat recovery: copy")
    assert PAUSE not in bad.board.output
    bad.board.cut_power()
    assert bad.main_bytes() == before and bad.medium.hits("write")


@pytest.mark.late
def test_state_region_that_fails_altogether(bad):
    """No record says what main is: it is not started, and the board does not restart in a rush."""
    stage(bad)
    bad.medium.fault(*dead(span(bad.card, "state")))
    bad.board.power_on()
    for _ in range(2):
        bad.board.wait_for(r"slot state: read of \d+ bytes at \d+ " + IO_ERROR, regex=True,
                          never="main OS release")
        bad.board.wait_for(PAUSE, never=POWER_ON)
    bad.medium.heal()
    ends_in_release_2(bad)


# --- the boot environment

@pytest.mark.late
@pytest.mark.parametrize("copy", [0, 1])
def test_one_copy_of_the_environment_cannot_be_written(bad, copy):
    stage(bad)
    bad.medium.fault(write(env_copy(copy)))
    bad.board.power_on()
    ends_in_release_2(bad)
    assert bad.medium.hits("write")


@pytest.mark.late
@pytest.mark.parametrize("copy", [0, 1])
def test_one_copy_of_the_environment_cannot_be_read(bad, copy):
    stage(bad)
    bad.medium.fault(*dead(env_copy(copy)))
    bad.board.power_on()
    ends_in_release_2(bad)
    assert bad.medium.hits("read")


@pytest.mark.late
def test_environment_that_cannot_be_written_is_told_before_main_is_touched(bad):
    """Without it main could never be started again."""
    before = bad.main_bytes()
    stage(bad)
    bad.medium.fault(write(env_copy(0)), write(env_copy(1)))
    bad.board.power_on()
    for _ in range(2):
        bad.board.wait_for(r"slot environment: (write|flush) of .*\d+ " + IO_ERROR, regex=True,
                          never="main OS release")
        bad.board.wait_for(PAUSE, never=POWER_ON)
    assert bad.main_bytes() == before
    bad.medium.heal()
    ends_in_release_2(bad)


def test_environment_that_fails_at_the_end_is_told_and_the_next_start_hands_over(bad):
    """The update is whole and on record, the flag cannot be set: nothing is fetched again."""
    stage(bad, rate="300k")
    bad.board.power_on().wait_for(r"  write +root", regex=True)
    bad.medium.fault(write(env_copy(0)), write(env_copy(1)))
    bad.board.wait_for("[installed]")
    bad.board.wait_for(r"slot environment: (write|flush) of .*\d+ " + IO_ERROR, regex=True,
                      never="main OS release")
    bad.board.wait_for(PAUSE, never=POWER_ON)
    assert lbfield.state_name(bad.card) == "trial"
    bad.medium.heal()
    bad.board.wait_for("the update is complete: only the boot flag was missing [handover]",
                      never="main OS release")
    ends_in_release_2(bad)
