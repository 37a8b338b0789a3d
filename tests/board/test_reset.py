# SPDX-License-Identifier: GPL-2.0-or-later
"""Factory reset of the board's data partition, asked for at the page, with a power cut; what main makes of zeros."""
import json

import pytest

import lbfield
from lbboard import Board
from test_page import code_of, post

RESET = 13              # the wish's record
LABEL_AT = 1024 + 120   # of an ext4's superblock
MAIN_1 = "main OS release 1 is up"
MAKES = "making the file system of the data partition"
NOTE = "lifeboat/note"


@pytest.fixture
def board(work, card, port):
    """Recovery's restart ends the machine: main is not started before the test has looked."""
    card.change_env(lifeboat_boot="manual")
    machine = Board(work, card, forward={port: 80}, qemu_args=["-no-reboot"])
    yield machine
    machine.cut_power()


def is_pending(card):
    return json.loads(lbfield.read_records(card).get(RESET, b"{}")).get("pending") == 1


def is_zeros(card):
    data = card.read("data")
    return data.count(0) == len(data)


def label(card):
    return card.read("data", LABEL_AT, 16).rstrip(b"\0")


def start_main(board, *texts):
    board.power_on()
    for text in texts:
        board.wait_for(text, never=MAIN_1)
    board.wait_for(MAIN_1)


@pytest.mark.late
def test_data_is_zeros_after_a_power_cut_too_and_main_makes_its_file_system(field, card, port):
    board = field.board
    lbfield.put_on_data(card, NOTE, "mine\n")
    before = field.main_bytes()
    code = code_of(board)
    assert post(port, "/reset", b"word=erase", code, "application/x-www-form-urlencoded")[0] == 202
    board.wait_for("[reset-pending]")
    board.cut_power()
    assert is_pending(card) or is_zeros(card)
    if is_pending(card):    # unless this machine slept in between
        board.power_on().wait_for("is erased: ", never=MAIN_1)
        board.wait_for("restarting the board")
        board.wait_for_end()
        board.cut_power()
    assert is_zeros(card) and not is_pending(card)
    assert field.main_bytes() == before

    start_main(board, MAKES)
    field.wait_confirmed(1)
    board.run(f"mkdir -p /data/lifeboat && echo new >/data/{NOTE} && sync")
    board.cut_power()
    assert label(card) == b"data" and lbfield.get_from_data(card, NOTE) == "new\n"

    # as if the power had gone while it was made
    card.write("data", b"unfinished", LABEL_AT)
    start_main(board, MAKES)
    field.wait_confirmed(1)
    board.cut_power()
    assert label(card) == b"data" and lbfield.get_from_data(card, NOTE) == ""
