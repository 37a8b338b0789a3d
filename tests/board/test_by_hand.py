# SPDX-License-Identifier: GPL-2.0-or-later
"""Ways into recovery by hand: the power switch, a key on the console, a button."""
import re
import string
import time

import pytest

from lbboard import PATIENCE_S, Board
from lbfield import make_stick, state_name

MAIN_1 = "main OS release 1 is up"
RECOVERY = "Lifeboat recovery: copy=a reason="
BUNDLE = "release-2.lbu"
# what is typed behind it waits in the UART, or behind that for the next boot
DECIDED = ("Lifeboat: trying", MAIN_1)


def switch_power_three_times(field):
    """Each time shortly after main's kernel was started: one that does nothing, not even report health."""
    main = field.card.read("boot")
    field.card.erase("boot")
    field.card.write_file("boot", field.build / "tests" / "board" / "images" / "main-hangs.itb")
    for boot in range(1, 4):
        field.board.power_on().wait_for("Starting kernel", never=RECOVERY)
        field.board.cut_power()
        assert field.card.env()["bootcount"] == str(boot)
    field.card.write("boot", main)


def type_until(board, keys, *texts):
    """Types @keys from power-on until one of @texts is there."""
    end = time.monotonic() + PATIENCE_S
    while not any(text in board.output for text in texts):
        assert time.monotonic() < end, "nothing of " + str(texts)
        board.send(keys, end="")
        time.sleep(0.05)


# --- the power switch

def test_three_power_cycles_start_recovery_which_gives_main_back(field):
    """The server is off: what is whole is not fetched."""
    field.put_hasty_recovery("recovery-visit.itb")
    before = field.main_bytes()
    field.server.stop()
    switch_power_three_times(field)
    board = field.board.power_on()
    board.wait_for(RECOVERY + "boot-limit", never=MAIN_1)
    board.wait_for("is whole by its signed manifest [examined]")
    board.wait_for("[waiting]", never="[rescue]")
    board.wait_for("main is started again on trial, since nothing happened [returned]", never="[rescue]")
    board.wait_for(MAIN_1, never=RECOVERY)
    field.wait_confirmed(1)
    board.cut_power()
    assert field.main_bytes() == before and field.card.env()["bootcount"] == "0"


@pytest.mark.late
def test_three_power_cycles_and_a_stick(field, work):
    field.server.stop()
    switch_power_three_times(field)
    board = field.board.power_on()
    board.wait_for("[waiting]", never="[rescue]")
    stick = work / "stick.img"
    make_stick(stick, {BUNDLE: field.read_bundle(BUNDLE)})
    board.insert_stick(stick)
    board.wait_for("main OS release 2 is up", never=MAIN_1)
    field.wait_confirmed(2)


@pytest.mark.late
def test_power_cut_while_recovery_waits_comes_back_to_it(field):
    switch_power_three_times(field)
    for _ in range(2):
        field.board.power_on().wait_for("[waiting]", never=MAIN_1)
        field.board.cut_power()
        assert state_name(field.card) == "confirmed"


# --- a key on the console

def test_key_starts_recovery_for_this_once(field):
    board = field.board.power_on()
    type_until(board, "r", *DECIDED)
    board.wait_for(RECOVERY + "manual", never=MAIN_1)
    board.wait_for("state confirmed: wait")
    board.wait_for("[waiting]")
    board.cut_power()
    env = field.card.env()
    assert env["lifeboat_boot"] == "main" and env["bootcount"] == "0"
    board.power_on().wait_for(MAIN_1, never=RECOVERY)


@pytest.mark.late
def test_main_is_given_back_when_nobody_follows_the_key(field):
    field.put_hasty_recovery("recovery-visit.itb")
    board = field.board.power_on()
    type_until(board, "r", *DECIDED)
    board.wait_for("main is started again, since nothing happened [returned]", never=MAIN_1)
    board.wait_for(MAIN_1, never=RECOVERY)


def test_other_keys_change_nothing(field):
    """All of them, with Ctrl-C, Escape and Return, as fast as they are taken."""
    others = "".join(c for c in string.printable if c not in "r") + "\x03\x1b\x7f\x00"
    board = field.board.power_on()
    type_until(board, others, "Starting kernel", RECOVERY)
    board.wait_for(MAIN_1, never=RECOVERY)
    assert "=> " not in board.output


# --- a button

BUTTON = 3  # pin of the GPIO controller; QEMU's power key is let go by itself after 100 ms, this one is not
WAITS_FOR_CONT = ["-S", "-qtest", "unix:qtest,server=on,wait=off", "-qtest-log", "none"]


def hold_button(board):
    controller = re.search(r"/(device\[\d+\]) \(pl061\)", board.monitor("info qom-tree"))[1]
    answer = board.qtest(f"set_irq_in /machine/unattached/{controller} unnamed-gpio-in {BUTTON} 1")
    assert answer == "OK", answer


def test_button_that_is_held_from_power_on_starts_recovery_for_this_once(work, card):
    board = Board(work, card, network=False, qemu_args=WAITS_FOR_CONT)
    try:
        board.power_on()
        hold_button(board)
        board.monitor("cont")
        board.wait_for(RECOVERY + "manual", never="Lifeboat: trying boot")
        board.wait_for("state confirmed: wait")
        board.cut_power()
        env = card.env()
        assert env["lifeboat_boot"] == "main" and env["bootcount"] == "0"
        board.power_on().monitor("cont")
        board.wait_for("Lifeboat: trying boot", never="Lifeboat: trying recovery")
    finally:
        board.cut_power()
