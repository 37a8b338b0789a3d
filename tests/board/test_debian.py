# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian root file system is updated in place, from one state of its packages to another.

What the device reports, what `lifeboat diff` predicted on the host, the server's log and the
card read from outside have to agree to the byte.

Recovery reads and writes some hundred MB: it has the card as a virtio disk, since most of a
case's time went into QEMU's SD card. Boot loader and main use that, as on the board.
"""
import json
import os

import pytest

import lbfield
from lbboard import Board, Card
from lbfield import Field, agent
from lbtraffic import Bundle, Traffic

TYPES = os.environ.get("LB_DEBIAN_BOARD", "ext4").split()
STARTS_BY_ITSELF = ("ext4", "squashfs-xz")   # elsewhere it lies behind the small main
FLUSH_BYTES = 1 << 20
HASHING_S = 3600    # the board reads and hashes some hundred MB several times, at its own pace


@pytest.fixture(params=TYPES)
def debian(request, work, server, build):
    """A field whose card has release 1, Debian's older state, in a slot of 384 MiB."""
    files = build / "tests" / "board" / "debian" / request.param
    card = Card.copy(files / "card.img", work / "card.img")
    field = Field(card, Board(work, card, disk=True), server, files, build)
    field.type = request.param
    field.put_recovery(build / "tests" / "board" / "update" / "recovery-disk.itb")
    yield field
    field.board.cut_power()
    card.path.unlink()


def expect_library(field, release):
    """It is that Debian: its Python runs, and loads the libraries of that state."""
    if field.type not in STARTS_BY_ITSELF:
        return
    listed = (field.files.parent / f"release-{release}.packages").read_text(encoding="utf-8")
    version = dict(line.split() for line in listed.splitlines())["libssl3"].partition("-")[0]
    said = field.board.run("python3.11 -c 'import ssl; print(ssl.OPENSSL_VERSION)'", timeout=600)
    assert f"OpenSSL {version} " in said


def ends_in_release_2(field, never=None):
    field.board.wait_for("main OS release 2 is up", timeout=HASHING_S, never=never)
    field.wait_confirmed(2, timeout=600)
    result = agent(field.board, "status", timeout=600)["result"]
    assert result["code"] == "ok" and result["main_changed"]
    expect_library(field, 2)
    field.board.cut_power()
    assert field.holds("release-2.lbu")
    (field.board.work / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    return result


@pytest.mark.late(after=1)
def test_an_update_costs_what_was_predicted(debian):
    predicted = lbfield.predict(debian)
    assert predicted["total_bytes"] > predicted["write_bytes"] > predicted["fetch_bytes"] > 1e6
    debian.board.power_on().wait_for("main OS release 1 is up", timeout=600)
    expect_library(debian, 1)
    debian.offer("release-1.lbu", "release-2.lbu")
    debian.board.wait_for("reason=requested", timeout=600)
    result = ends_in_release_2(debian, never="power cut")

    for done, planned in (("fetched", "fetch"), ("copied", "copy"), ("skipped", "skip")):
        assert result[f"{done}_bytes"] == predicted[f"{planned}_bytes"], done
    zeros = predicted["write_bytes"] - result["written_bytes"]   # that the device made itself
    assert 0 <= zeros <= predicted["zero_bytes"]
    traffic = Traffic(debian.server, Bundle(debian.files / "release-2.lbu"), "lifeboat-recovery")
    assert traffic.payload == predicted["fetch_bytes"] and traffic.payload_again == 0


@pytest.mark.late
def test_power_cut_in_the_middle_costs_little(debian):
    predicted = lbfield.predict(debian)
    lbfield.stage(debian.card, debian.serve("release-2.lbu"), release=2)
    debian.board.power_on().wait_for(r"  write +root +[67]\d %", timeout=HASHING_S, regex=True)
    debian.board.cut_power()
    assert not debian.holds("release-2.lbu") and lbfield.state_name(debian.card) == "updating"
    debian.board.power_on()
    result = ends_in_release_2(debian)

    assert result["power_cycles"] == 1
    again = FLUSH_BYTES + Bundle(debian.files / "release-2.lbu").largest_chunk()
    traffic = Traffic(debian.server, Bundle(debian.files / "release-2.lbu"), "lifeboat-recovery")
    assert traffic.payload <= predicted["fetch_bytes"] + again
    assert result["skipped_bytes"] > predicted["skip_bytes"]
