# SPDX-License-Identifier: GPL-2.0-or-later
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from lbboard import Board, Card, image_dir  # noqa: E402
from lbfield import Field  # noqa: E402
from lbmedia import Medium  # noqa: E402
from lbserver import Certificate, Server  # noqa: E402
from ports import free_port  # noqa: E402


def pytest_generate_tests(metafunc):
    """Power cuts at drawn moments: one seed of each test, or as many as LB_SEEDS says."""
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(1, int(os.environ.get("LB_SEEDS", "1")) + 1))


@pytest.fixture
def work(request):
    """A fresh folder of this test, kept for looking at afterwards."""
    build = Path(os.environ.get("LB_BUILD", "build")).resolve()
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", request.node.name).strip("-")
    folder = build / "tests" / "board" / name
    if getattr(request.node, "execution_count", 1) > 1 and folder.exists():
        # what it left behind when it failed
        shutil.rmtree(f"{folder}.failed", ignore_errors=True)
        folder.rename(f"{folder}.failed")
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


@pytest.fixture
def port():
    """Of this machine, for what leads to recovery's page."""
    return free_port()


@pytest.fixture(scope="session")
def made():
    """Folder of the deliberately wrong images that the Makefile made for these tests."""
    return Path(os.environ.get("LB_BUILD", "build")).resolve() / "tests" / "board" / "images"


# --- whole updates: a server, and a device that knows it

@pytest.fixture(scope="session")
def build():
    return Path(os.environ.get("LB_BUILD", "build")).resolve()


@pytest.fixture(scope="session")
def files(build):
    """Folder of the bundles that the Makefile made for these tests."""
    return build / "tests" / "board" / "update"


@pytest.fixture(scope="session")
def development_ca(build):
    return build / "keys" / "tls" / "lifeboat-development-ca"


@pytest.fixture(scope="session")
def certificate(build, development_ca):
    """Of a server as the device trusts it; one for each worker of a parallel run."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "only")
    folder = build / "tests" / "board" / f"tls-{worker}"
    shutil.rmtree(folder, ignore_errors=True)
    return Certificate.issue(folder, development_ca)


@pytest.fixture
def server(work, certificate):
    """nginx with an empty folder, started."""
    (work / "www").mkdir()
    with Server(work / "server", work / "www", certificate) as running:
        yield running


@pytest.fixture
def field(card, board, server, files, build):
    """A board with release 1 whose agent asks that server."""
    return Field(card, board, server, files, build)


@pytest.fixture
def bad(work, card, server, files, build, request):
    """A field whose recovery has the card behind a controller that passes errors on.

    bad.medium says which; parameters: virtio, read-only (virtio too), usb, or pulled (usb
    that is not there yet).
    """
    how = getattr(request, "param", "virtio")
    medium = Medium(work, card.path)
    machine = Board(work, card, qemu_args=medium.disk(how))
    device = Field(card, machine, server, files, build)
    device.put_hasty_recovery("recovery-sda.itb" if how in ("usb", "pulled") else "recovery-vda.itb")
    device.medium = medium
    yield device
    device.board.cut_power()
    medium.stop()
