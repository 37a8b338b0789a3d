# SPDX-License-Identifier: GPL-2.0-or-later
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from lbboard import Board, Card, image_dir  # noqa: E402


@pytest.fixture
def work(request):
    """A fresh folder of this test, kept for looking at afterwards."""
    build = Path(os.environ.get("LB_BUILD", "build")).resolve()
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", request.node.name).strip("-")
    folder = build / "tests" / "board" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def card(work):
    """A copy of the card with release 1 and the factory environment."""
    copy = Card.copy(image_dir() / "disk.img", work / "card.img")
    yield copy
    copy.path.unlink(missing_ok=True)


@pytest.fixture
def board(work, card):
    """The board with that card; the test changes the card, then powers on."""
    machine = Board(work, card)
    yield machine
    machine.cut_power()


@pytest.fixture(scope="session")
def made():
    """Folder of the deliberately wrong images that the Makefile made for these tests."""
    return Path(os.environ.get("LB_BUILD", "build")).resolve() / "tests" / "board" / "images"
