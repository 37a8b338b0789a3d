# SPDX-License-Identifier: GPL-2.0-or-later
"""A server that misbehaves, before and after the first write, seen by the real recovery and agent.

Each fault is waited for on the console, with its code and its words, before the next one.
"""
import re
import threading
import time

import pytest

import lbfield
from lbboard import PATIENCE_S, Board
from lbfield import agent, bundles
from lbrude import Rude, cut, good, part, present, redirect, reset, status, swap, whole
from lbserver import Certificate
from lbtraffic import Bundle

NAME = "release-2.lbu"
RECOVERY = "Lifeboat recovery: copy="
UP_1, UP_2 = "main OS release 1 is up", "main OS release 2 is up"
WAIT_S = PATIENCE_S
STALL_S = 15        # of recovery-brisk, tests/board/update.mk
SLOW = 10_000       # bytes a second
BLOCK = 4096
FLUSH_BYTES = 1 << 20


@pytest.fixture
def server(work, certificate):
    (work / "www").mkdir()
    with Rude(work / "www", certificate) as running:
        yield running


@pytest.fixture
def another(work, certificate):
    """another() makes one more server with the same file, on a port of its own."""
    made = []

    def make():
        made.append(Rude(work / "www", certificate))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def board(work, card, request):
    machine = Board(work, card, qemu_args=getattr(request, "param", ()))
    yield machine
    machine.cut_power()


@pytest.fixture
def field(field):
    """Recovery asks again every second and does not give up while the test runs."""
    field.put_hasty_recovery("recovery-brisk.itb")
    field.serve(NAME)
    return field


@pytest.fixture
def bundle(field):
    """Release 2, and the server knows where its payload begins."""
    read = Bundle(field.files / NAME)
    field.server.watch(read)
    return read


def beginning(bundle):
    """So much of the payload that something of it was written when it ends."""
    return part(2 * bundle.largest_chunk())


def held(looked, answer=good):
    """Waits until the test has looked, but not until recovery calls the server silent."""
    def answer_later(request):
        looked.wait(STALL_S - 5)
        answer(request)
    return answer_later


def said(field, code, words):
    """One line of recovery's with these words and that code."""
    field.board.wait_for(rf"{re.escape(words)}[^\n]*\[{code}\]", timeout=WAIT_S, regex=True,
                         never=UP_1)


def is_being_written(field):
    return (lbfield.state_name(field.card) == "updating"
            and field.card.env()["lifeboat_boot"] == "recovery")


def ends_in_release_2(field):
    field.board.wait_for(UP_2, timeout=WAIT_S, never=UP_1)
    field.wait_confirmed(2, WAIT_S)
    result = agent(field.board, "status")["result"]
    assert result["code"] == "ok" and result["power_cycles"] == 0
    field.board.cut_power()
    assert field.holds(NAME)


# --- states in passing: waited out, on both sides of the first write

PASSING = [
    (status(500), "the server answered 500 for 10.0.2.2/release-2.lbu"),
    (status(503, Retry_After="1"), "the server answered 503 for 10.0.2.2/release-2.lbu and asks "
     "to wait 1 s"),
    (status(429, Retry_After="3600"), "the server answered 429 for 10.0.2.2/release-2.lbu and asks "
     "to wait 3600 s"),
    (status(408), "the server answered 408"),
    (status(416), "the server answered 416"),
    (cut(100), "10.0.2.2/release-2.lbu: the connection was closed too early"),
    (reset(100), "10.0.2.2/release-2.lbu"),
]


def with_pauses(faults):
    """Between two of them a few bytes come: recovery says that the source is back."""
    return [answer for fault in faults for answer in (fault, part(200))]


@pytest.mark.late
def test_busy_and_broken_answers_are_waited_out(field, bundle):
    faults = with_pauses(fault for fault, _ in PASSING)
    looked_at_head, looked_at_all = threading.Event(), threading.Event()
    field.server.head += [*faults[:-1], held(looked_at_head, part(200))]
    field.server.payload += [*faults, beginning(bundle), *faults,
                             status(404), part(200), status(403), held(looked_at_all)]
    lbfield.stage(field.card, field.server.url(NAME), release=2)
    field.board.power_on().wait_for("[source]", timeout=WAIT_S)
    for place in ("head", "payload", "middle"):
        for _, words in PASSING:
            said(field, "source-interrupted", words)
            if place == "head":
                assert lbfield.state_name(field.card) == "requested"
            if words == PASSING[-1][1]:
                looked_at_head.set()
            field.board.wait_for("[source-back]", timeout=WAIT_S)
        if place == "middle":
            assert is_being_written(field)
    for code in (404, 403):     # final before the first write, test_refusals.py; never after it
        said(field, "source-refused", f"the server answered {code}")
        assert is_being_written(field)
    looked_at_all.set()
    ends_in_release_2(field)
    assert not field.server.head and not field.server.payload, "a fault was not met"


@pytest.mark.late
def test_slow_server_is_no_dead_one(field, bundle):
    """10 KB/s for longer than a silent server is given: from the first byte to the last."""
    make_nearly_release_2(field, missing=300_000)
    field.server.rate = SLOW
    lbfield.stage(field.card, field.server.url(NAME), release=2)
    field.board.power_on().wait_for("[planned]", timeout=WAIT_S, never="[source-interrupted]")
    field.board.wait_for("[installed]", timeout=2 * WAIT_S, never="[source-interrupted]")
    ends_in_release_2(field)
    asked = field.server.requests(f"/{NAME}")   # by now the server has noticed that it is done
    assert sum(r.sent for r in asked) > 1.5 * STALL_S * SLOW


def make_nearly_release_2(field, missing):
    """As an update leaves it that got that far; @missing bytes of root are not there."""
    size = field.card.partitions["root"][1]
    for name in ("boot", "root"):
        field.card.write_file(name, image_file(field, name))
    at = image_file(field, "root").stat().st_size // 2
    assert at + missing < size
    field.card.write("root", b"\xa5" * missing, at)


def image_file(field, name):
    return field.build / "images" / {"boot": "main-2.itb", "root": "root-2.img"}[name]


@pytest.mark.late
def test_server_without_ranges_is_read_through(field, bundle):
    """Again from its start when the connection was lost after the first write."""
    start = bundle.payload[0][0] + 2 * bundle.largest_chunk()
    field.server.ranges = False
    field.server.head += [whole(2000), whole(start)]
    lbfield.stage(field.card, field.server.url(NAME), release=2)
    field.board.power_on()
    for _ in range(2):
        said(field, "source-interrupted", "the connection was closed too early")
    ends_in_release_2(field)
    asked = field.server.requests(f"/{NAME}")
    assert {r.status for r in asked} == {200} and not field.server.head


# --- redirects

@pytest.mark.late
def test_server_that_moves_by_redirects(field, bundle, another):
    """To another port; from there, while main is being written, to a third one."""
    first, second, third = field.server, another(), another()
    for one in (second, third):
        one.watch(bundle)
    first.always = redirect(301, second.url(NAME))
    second.payload += [beginning(bundle), lambda request: second.stop()]
    lbfield.stage(field.card, first.url(NAME), release=2)
    field.board.power_on()
    field.board.wait_for("[source-interrupted]", timeout=WAIT_S, never=UP_1)
    assert is_being_written(field)
    first.always = redirect(302, first.url("round.lbu"))
    said(field, "source-refused", "redirects more than 5 times")
    first.always = redirect(302, third.url(NAME).replace("https:", "http:"))
    said(field, "source-refused", "redirects from https to http")
    assert is_being_written(field)
    first.always = redirect(308, third.url(NAME))
    ends_in_release_2(field)
    assert third.requests(f"/{NAME}") and not second.payload


# --- another file under the same URL

def only_old_or_right(field, before):
    """Every byte of main is what it was, or what release 2 has there. Chunks begin anywhere."""
    for name, old in before.items():
        right = image_file(field, name).read_bytes().ljust(len(old), b"\0")
        now = field.card.read(name)
        for at in range(0, len(now), BLOCK):
            was, will, block = (data[at:at + BLOCK] for data in (old, right, now))
            if block not in (was, will):
                wrong = [at + i for i, byte in enumerate(block) if byte not in (was[i], will[i])]
                assert not wrong, f"{name}: {len(wrong)} bytes, the first at {wrong[0]}"


def slots_of(field):
    return {name: field.card.read(name) for name in ("boot", "root")}


def replace(field, data):
    """At once, as a careful operator does it."""
    new = field.server.root / f"{NAME}.new"
    new.write_bytes(data)
    new.rename(field.server.root / NAME)


def test_another_file_in_the_middle_of_an_update_is_not_mixed_in(field, bundle):
    """Overwritten while it is sent, replaced between two requests, and by one of the same size."""
    right, other = field.read_bundle(NAME), field.read_bundle("release-2-sick.lbu")
    garbage = bytes(len(right))

    def then_replaced(answer):
        def and_replace(request):
            replace(field, other)
            answer(request)
        return and_replace

    before = slots_of(field)
    field.server.payload += [beginning(bundle), then_replaced(swap(300, garbage))]
    lbfield.stage(field.card, field.server.url(NAME), release=2)
    field.board.power_on()
    said(field, "digest-mismatch", "is not what was signed")
    said(field, "bundle-changed", "another manifest than the one expected")
    assert is_being_written(field)
    only_old_or_right(field, before)

    field.server.payload += [then_replaced(part(300))]
    replace(field, right)
    said(field, "bundle-changed", "now")        # another size or ETag
    said(field, "bundle-changed", "another manifest than the one expected")
    only_old_or_right(field, before)

    field.server.etags = False
    looked = threading.Event()
    field.server.payload += [swap(0, garbage), held(looked)]
    replace(field, right)
    said(field, "digest-mismatch", "is not what was signed")
    assert is_being_written(field)
    looked.set()
    ends_in_release_2(field)
    assert not field.server.payload


def test_second_url_ends_what_the_first_one_began(field, bundle, another, work):
    second = another()
    second.root = work / "mirror"
    second.root.mkdir()
    (second.root / NAME).write_bytes(field.read_bundle(NAME))
    second.watch(bundle)

    def replaced(request):
        replace(field, field.read_bundle("release-2-sick.lbu"))
        part(300)(request)

    field.server.payload += [beginning(bundle), replaced]
    lbfield.stage(field.card, field.server.url(NAME), second.url(NAME), release=2)
    field.board.power_on()
    said(field, "bundle-changed", "now")
    ends_in_release_2(field)
    payload = [r for r in (field.server.requests(f"/{NAME}") + second.requests(f"/{NAME}"))
               if r.status == 206 and r.first >= bundle.payload[0][0]]
    planned = int(re.search(r"to write, (\d+) to fetch", field.board.output).group(1))
    assert sum(r.sent for r in payload) <= planned + FLUSH_BYTES + bundle.largest_chunk()


# --- what is final before the first write

def test_each_source_is_refused_for_its_own_reason_and_main_is_given_back(field, another, work):
    """A loop, plain http, another bundle, a wrong name: main is untouched."""
    foreign = another()
    foreign.certificate = wrong_name(field)
    urls = {field.server.url("round.lbu"): ("source-refused", "redirects more than 5 times"),
            field.server.url("plain.lbu"): ("source-refused", "redirects from https to http"),
            field.server.url("other.lbu"): ("bundle-changed", "another manifest"),
            foreign.url(NAME): ("certificate-untrusted", "is for another name")}
    field.server.paths = {
        "/round.lbu": redirect(301, field.server.url("round.lbu")),
        "/plain.lbu": redirect(301, field.server.url(NAME).replace("https:", "http:"))}
    field.serve("other.lbu", field.read_bundle("release-2-sick.lbu"))
    before = field.main_bytes()
    lbfield.stage(field.card, *urls, release=2,
                  manifest=bundles.sha(manifest_of(field.read_bundle(NAME))))
    field.board.power_on()
    for code, words in urls.values():
        said(field, code, words)
    field.board.wait_for(UP_1, timeout=WAIT_S, never=RECOVERY)
    status_now = agent(field.board, "status")
    result = status_now["result"]
    assert (result["code"], result["main_changed"]) == ("source-refused", False)
    assert "redirects more than 5 times" in result["text"]
    assert status_now["state"] == "confirmed" and status_now["boot"]["next"] == "main"
    field.board.cut_power()
    assert field.main_bytes() == before


def manifest_of(bundle):
    return bundles.split(bundle)[0][1]


# --- certificates and the clock

def issue(field, name, **how):
    ca = field.build / "keys" / "tls" / "lifeboat-development-ca"
    return Certificate.issue(field.board.work / "tls" / name, how.pop("ca", ca), name, **how)


def wrong_name(field):
    return issue(field, "somewhere-else", addresses=("192.0.2.1",), hosts=("elsewhere.example",))


def refused_certificates(field):
    """[certificate, code, words]"""
    stranger = Certificate.make_ca(field.board.work / "somebody-else")
    return [
        (issue(field, "foreign", ca=stranger), "certificate-untrusted",
         "was not issued by a trusted CA"),
        (issue(field, "expired", dates=("20200101000000Z", "20210101000000Z")),
         "certificate-expired", "expired at 2021-01-01 00:00:00 UTC, it is at least 20"),
        (wrong_name(field), "certificate-untrusted", "is for another name (somewhere-else)")]


@pytest.mark.parametrize("board", [["-rtc", "base=1970-01-01T00:00:00"]], ids=["1970"],
                         indirect=True)
def test_certificates_are_judged_without_a_clock(board, field, bundle):
    """The device believes it is 1970; a certificate from 2040 serves the whole update."""
    good = issue(field, "from-2040", dates=("20400101000000Z", "20991231000000Z"))
    refused = refused_certificates(field)
    field.offer("release-1.lbu", NAME)
    lbfield.set_agent(field.card, field.server.url("channel.lbc"), auto_install=False)
    field.server.certificate = good
    field.board.power_on().wait_for("is healthy", timeout=WAIT_S)
    assert "1970" in field.board.run("date +%Y").split()
    for certificate, code, words in refused:
        field.server.certificate = certificate
        answer = agent(field.board, "check", may_fail=True)
        assert answer["code"] == code and words in answer["text"]
    field.server.certificate = good
    assert agent(field.board, "check")["available"]["release"] == 2

    field.server.payload += [beginning(bundle), present(refused[0][0])]
    field.board.send("lifeboat-agent install --deployment from-2040")
    field.board.wait_for(RECOVERY + "a reason=requested", timeout=WAIT_S)
    for number, (_, code, words) in enumerate(refused):
        said(field, code, words)
        assert is_being_written(field)
        field.server.certificate = refused[number + 1][0] if number + 1 < len(refused) else good
    ends_in_release_2(field)


# --- the agent, which asks once

def broken_answers(field):
    """{what: [answer, code, words]}"""
    loop, plain = field.server.url("loop"), field.server.url("channel.lbc")
    return {
        "500": (status(500), "source-unreachable", "answered 500"),
        "503": (status(503, Retry_After="7"), "source-unreachable", "asks to wait 7 s"),
        "429": (status(429), "source-unreachable", "answered 429"),
        "416": (status(416), "source-unreachable", "answered 416"),
        "404": (status(404), "source-refused", "answered 404"),
        "loop": (redirect(301, loop), "source-refused", "redirects more than 5 times"),
        "plain http": (redirect(301, plain.replace("https:", "http:")), "source-refused",
                       "redirects from https to http"),
        "cut": (cut(100), "source-unreachable", "the connection was closed too early"),
        "reset": (reset(100), "source-unreachable", "10.0.2.2"),
    }


@pytest.mark.late
def test_agent_says_what_is_wrong_and_stages_nothing(field):
    field.offer("release-1.lbu", NAME)
    field.server.always = status(503, Retry_After="300")
    field.board.power_on().wait_for("is healthy", timeout=WAIT_S)
    wait_for_poll(field)
    seen = agent(field.board, "status")
    assert seen["last_check"]["code"] == "source-unreachable"
    assert "asks to wait 300 s" in seen["last_check"]["text"]
    assert seen["daemon"]["next_check"] >= seen["last_check"]["time"] + 290, "it will ask too soon"
    faults = broken_answers(field)
    for what, (answer, code, words) in faults.items():
        field.server.always = answer
        for command in ("check", f"install {field.server.url(NAME)} --no-reboot"):
            got = agent(field.board, command, may_fail=True)
            assert got["code"] == code and words in got["text"], f"{command}: {what}: {got}"
    field.server.always = None
    status_now = agent(field.board, "status")
    assert status_now["state"] == "confirmed" and status_now["request"] is None
    assert status_now["last_check"]["code"] == status_now["last_install"]["code"]
    assert agent(field.board, "check")["available"]["release"] == 2, "it did not get over it"


def wait_for_poll(field):
    end = time.monotonic() + WAIT_S
    while not agent(field.board, "status")["last_check"]:
        assert time.monotonic() < end, "the daemon never asked"
        time.sleep(0.5)
