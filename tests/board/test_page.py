# SPDX-License-Identifier: GPL-2.0-or-later
"""The page of a real recovery, reached through the board's network, by script and by browser."""
import http.client
import sys
from pathlib import Path

import pytest

import lbfield
from lbboard import Board

sys.path.append(str(Path(__file__).resolve().parent.parent / "recovery"))
from lbbrowser import Browser  # noqa: E402

LONG = 300
BUNDLE = "release-2.lbu"


@pytest.fixture
def board(work, card, port):
    """Somebody has asked for recovery and stands in front of it with a laptop."""
    card.change_env(lifeboat_boot="manual")
    machine = Board(work, card, forward={port: 80})
    yield machine
    machine.cut_power()


def code_of(board):
    board.power_on().wait_for("[waiting]", timeout=LONG, never="main OS release")
    return shown_code(board)


def shown_code(board):
    board.wait_for(r"the page is at http://10\.0\.2\.15/", regex=True, timeout=LONG)
    return board.wait_for(r"code for the page: ([A-Z0-9-]+)\s", regex=True, timeout=LONG)[1]


def post(port, path, body, code, kind="application/octet-stream"):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=LONG)
    c.request("POST", path, body, {"X-Lifeboat-Code": code, "Content-Type": kind})
    r = c.getresponse()
    answer = r.status, r.read().decode()
    c.close()
    return answer


def test_bundle_is_uploaded_by_a_browser_and_confirmed(field, port):
    code = code_of(field.board)
    b = Browser(field.board.work / "screens")
    try:
        b.open(port)
        b.wait(lambda: "waiting" in b.text("now"), LONG)
        assert b.text("device").startswith("lifeboat-refboard")
        b.shot("board-waiting")
        # the page asks once a second: writing has to last longer
        b.driver.set_network_conditions(latency=0, download_throughput=1 << 30, upload_throughput=1 << 19)
        b.install((field.files / BUNDLE).absolute(), code)
        b.wait(lambda: b.text("line").startswith(("writing", "reading back")), LONG)
        b.shot("board-writing")
        b.wait(lambda: "installed" in b.text("say"), LONG)
        b.shot("board-installed")
    finally:
        b.quit()
    field.board.wait_for("main OS release 2 is up", timeout=LONG)
    field.wait_confirmed(2, timeout=LONG)
    field.board.cut_power()
    assert field.holds(BUNDLE)


@pytest.mark.late
def test_power_cut_in_an_upload_is_answered_by_the_same_bundle_again(field, port):
    code = code_of(field.board)
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=LONG)
    data = field.read_bundle(BUNDLE)
    c.putrequest("POST", "/upload")
    c.putheader("X-Lifeboat-Code", code)
    c.putheader("Content-Length", str(len(data)))
    c.endheaders()
    c.send(data[:len(data) * 2 // 3])
    field.board.wait_for(r"  write +", regex=True, timeout=LONG)
    field.board.cut_power()
    c.close()
    assert lbfield.state_name(field.card) == "updating"
    field.board.power_on().wait_for("state updating: resume", timeout=LONG, never="main OS release")
    code = shown_code(field.board)
    status, answer = post(port, "/upload", data, code)
    assert status == 200, answer
    field.board.wait_for("main OS release 2 is up", timeout=LONG)
    field.wait_confirmed(2, timeout=LONG)
    field.board.cut_power()
    assert field.holds(BUNDLE)


@pytest.mark.late
def test_person_gives_main_back(field, port):
    before = field.main_bytes()
    code = code_of(field.board)
    status, answer = post(port, "/upload", b"no bundle" * 1000, code)
    assert status == 422 and "[malformed]" in answer
    if "returned" not in field.board.output:
        assert post(port, "/cancel", b"", code)[0] == 202
    field.board.wait_for("main OS release 1 is up", timeout=LONG)
    field.board.cut_power()
    assert field.main_bytes() == before
