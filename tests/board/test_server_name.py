# SPDX-License-Identifier: GPL-2.0-or-later
"""A server that is known by name only: it moves, and its name server goes away.

Board and servers are in a network of their own; the guest learns of the name server by DHCP.
"""
import time

import pytest

import lbfield
from lbboard import PATIENCE_S, Board
from lbfield import agent, read_record, records
from lbnet import Internet, NameServer
from lbrude import Rude, part
from lbserver import Certificate
from lbtraffic import Bundle

NAME = "release-2.lbu"
HOST, OLD, NEW, PORT = "updates.example", "192.0.2.10", "192.0.2.20", 8443
RECOVERY = "Lifeboat recovery: copy="
UP_1, UP_2 = "main OS release 1 is up", "main OS release 2 is up"
WAIT_S = PATIENCE_S
GIVE_UP_S = 8       # tests/board/hasty.py
UNRESOLVED = "Could not resolve host"


@pytest.fixture
def net():
    with Internet(OLD, NEW) as made:
        yield made


@pytest.fixture
def names(net):
    with NameServer(net) as made:
        made.table[HOST] = OLD
        yield made


@pytest.fixture
def server_at(net, work, development_ca):
    """server_at(ADDRESS): a server of that name there, all with the same files."""
    certificate = Certificate.issue(work / "tls", development_ca, addresses=(OLD,), hosts=(HOST,))
    (work / "www").mkdir()
    made = []

    def make(address, host=HOST):
        with net.inside():
            made.append(Rude(work / "www", certificate, host, address, PORT))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def server(server_at):
    return server_at(OLD)


@pytest.fixture
def board(work, card, net, names):
    machine = Board(work, card, inside=net.command(work))
    yield machine
    machine.cut_power()


def is_being_written(field):
    return lbfield.state_name(field.card) == "updating"


def wait_until(condition):
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.late
def test_server_that_moves_is_found_again_by_its_name(field, names, server_at):
    """The whole way: found by the agent; it moves, and then its name goes, while main is written."""
    bundle = Bundle(field.files / NAME)
    field.put_hasty_recovery("recovery-brisk.itb")
    field.offer("release-1.lbu", NAME)
    old = field.server
    old.watch(bundle)
    old.payload += [part(2 * bundle.largest_chunk()), lambda request: old.stop()]
    field.board.power_on().wait_for(RECOVERY + "a reason=requested", timeout=WAIT_S)
    wait_until(lambda: not old.payload and is_being_written(field))
    field.board.wait_for("[source-interrupted]", timeout=WAIT_S, never=UP_1)

    def lose_the_name(request):
        names.silent = True
        request.handler.close_connection = True

    new = server_at(NEW)
    new.watch(bundle)
    new.payload += [part(300), lose_the_name]
    names.table[HOST] = NEW
    field.board.wait_for("[source-back]", timeout=WAIT_S, never=UP_1)
    wait_until(lambda: not new.payload)
    field.board.wait_for(UNRESOLVED, timeout=WAIT_S, never=UP_1)
    assert is_being_written(field)
    asked = len(names.asked)
    wait_until(lambda: len(names.asked) >= asked + 4)   # it asks on and on
    names.silent = False
    field.board.wait_for("[source-back]", timeout=WAIT_S, never=UP_1)
    field.board.wait_for(UP_2, timeout=WAIT_S, never=UP_1)
    field.wait_confirmed(2, WAIT_S)
    result = agent(field.board, "status")["result"]
    assert result["code"] == "ok" and result["power_cycles"] == 0
    field.board.cut_power()
    assert field.holds(NAME)
    assert f"https://{HOST}:{PORT}/{NAME}".encode() in lbfield.read_records(field.card)[records.CONFIRMED]


@pytest.mark.late
def test_lost_name_server_gives_main_back_before_the_first_write(field, names):
    """Then in main: the agent says the same, also of a name that does not exist, and gets over it."""
    field.put_hasty_recovery()
    field.offer("release-1.lbu", NAME)
    lbfield.set_agent(field.card, field.server.url("channel.lbc"), auto_install=False)
    before = field.main_bytes()
    lbfield.stage(field.card, field.server.url(NAME), release=2)
    names.silent = True
    field.board.power_on().wait_for("[start]", timeout=WAIT_S)
    field.board.wait_for(UNRESOLVED, timeout=WAIT_S)
    field.board.wait_for(UP_1, timeout=GIVE_UP_S + WAIT_S, never=RECOVERY)
    result = read_record(field.card, records.RESULT)
    assert result["code"] == "source-unreachable" and not result.get("main_changed")

    got = agent(field.board, "check", may_fail=True)
    assert got["code"] == "source-unreachable" and UNRESOLVED in got["text"]
    names.silent = False
    names.table.clear()
    got = agent(field.board, "check", may_fail=True)
    assert got["code"] == "source-unreachable" and UNRESOLVED in got["text"]
    names.table[HOST] = OLD
    assert agent(field.board, "check")["available"]["release"] == 2
    state = agent(field.board, "status")
    assert state["state"] == "confirmed" and state["result"]["code"] == "source-unreachable"
    field.board.cut_power()
    assert field.main_bytes() == before
