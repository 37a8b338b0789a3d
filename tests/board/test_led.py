# SPDX-License-Identifier: GPL-2.0-or-later
"""The board's LED: recovery's patterns at the pin of the GPIO controller, as a lamp there would show them."""
import time

import pytest

from lbboard import PATIENCE_S, Board
from lbmedia import make_stick

BUNDLE = "release-2.lbu"
PL061, PIN = 0x09030000, 5  # images/dtb.sh
# the restart at the end only stops the machine: its pins stay as they were
STOPS_AT_RESTART = ["-action", "reboot=shutdown,shutdown=pause"]


@pytest.fixture
def board(work, card):
    card.change_env(lifeboat_boot="manual")
    machine = Board(work, card, network=False, qemu_args=STOPS_AT_RESTART)
    yield machine
    machine.cut_power()


def is_lit(board):
    """The address chooses which pins of the data register are read."""
    answer = board.monitor(f"xp /1wx {PL061 | 1 << PIN + 2:#x}")
    return int(answer.partition(":")[2], 16) != 0


def wait_for_changes(board, count):
    """Until it was seen to go on or off so often. A change that falls between two looks comes again."""
    end = time.monotonic() + PATIENCE_S
    before = is_lit(board)
    while count:
        assert time.monotonic() < end, f"the LED stays {'on' if before else 'off'}; log in {board.log_path}"
        now = is_lit(board)
        count -= now != before
        before = now
        time.sleep(0.01)


@pytest.mark.late
def test_blinks_while_it_waits_and_is_steady_when_main_may_start(field, work):
    field.put_hasty_recovery("recovery-lamp.itb")
    board = field.board.power_on()
    board.wait_for("[waiting]", never="main OS release")
    wait_for_changes(board, 4)
    board.insert_stick(make_stick(work / "stick.img", field.files / BUNDLE))
    board.wait_for("found a medium with vfat")
    board.wait_for("ended with status 0, restarting the board")
    end = time.monotonic() + PATIENCE_S
    while "paused" not in board.monitor("info status"):
        assert is_lit(board) and time.monotonic() < end
        time.sleep(0.01)
    assert is_lit(board)
    board.cut_power()
    assert field.holds(BUNDLE)
