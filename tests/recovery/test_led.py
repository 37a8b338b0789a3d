# SPDX-License-Identifier: GPL-2.0-or-later
"""The LED, docs/RECOVERY.md, "LED". A folder stands in for the kernel's: what is written can be read there."""

import pytest

import bundles
from test_media import put, stick, visit  # noqa: F401  (fixtures)

FILES = ("trigger", "brightness", "delay_on", "delay_off")
WORKING, WAITING, FAILED = ("timer", 125, 125), ("timer", 100, 1900), ("timer", 1000, 1000)
STEADY, DARK = ("none", 255), ("none", 0)


@pytest.fixture
def led(tmp_path, visit):  # noqa: F811
    folder = tmp_path / "stand-in-for-sysfs" / "status"
    folder.mkdir(parents=True)
    for name in FILES:
        (folder / name).write_text("\n")
    visit.settings["recovery"]["led"] = str(folder)
    return folder


def look(led):
    def number(name):
        return int((led / name).read_text() or 0)

    try:
        if (led / "trigger").read_text() == "timer\n":
            return "timer", number("delay_on"), number("delay_off")
        return (led / "trigger").read_text().strip(), number("brightness")
    except ValueError:
        return None  # being written


def test_waits_and_succeeds(visit, stick, led, packed):
    run = visit.start(reason="manual")
    run.wait_for(lambda _: look(led) == WAITING)
    put(stick / "r3.lbu", packed[3])
    assert run.wait() == 0, run.text()
    assert look(led) == STEADY


def test_works(visit, led, packed, make_server):
    server = make_server().start("limit_rate 1m;")
    server.put("r3.lbu", packed[3])
    run = visit.start("--install", server.url("r3.lbu"))
    run.wait_for(lambda r: r.progress("write"))
    run.wait_for(lambda _: look(led) == WORKING)
    run.kill()


def test_what_was_refused_is_shown_while_another_one_is_waited_for(visit, stick, led, packed, images):
    run = visit.start(reason="manual")
    run.wait_for(lambda _: look(led) == WAITING)
    put(stick / "bad.lbu", bundles.write(images[2], bundles.Key.new(), 3))
    run.wait_for(lambda _: look(led) == FAILED)
    put(stick / "r3.lbu", packed[3])
    assert run.wait() == 0 and look(led) == STEADY, run.text()


def test_main_that_is_given_back_because_of_a_failure(visit, led, tmp_path):
    (tmp_path / "bad").write_bytes(b"no bundle")
    status, run = visit.run("--install", str(tmp_path / "bad"))
    assert status == 3 and look(led) == FAILED, run.text()


def test_kernel_without_the_timer(visit, stick, led, packed):
    """Only on and off: lit while it works and when it is done, dark otherwise."""
    for name in ("delay_on", "delay_off"):
        (led / name).unlink()
    run = visit.start(reason="manual")
    run.wait_for(lambda r: "waiting" in r.codes() and look(led) == DARK)
    put(stick / "r3.lbu", packed[3])
    assert run.wait() == 0 and look(led) == STEADY, run.text()


def test_led_that_is_not_there_is_said_once(visit, stick, led, packed, images):
    for name in FILES:
        (led / name).unlink()
    put(stick / "r3.lbu", packed[3])
    status, run = visit.run(reason="manual")
    assert status == 0 and visit.holds(images[3]), run.text()
    assert len([e for e in run.events if "LED" in e.get("text", "")]) == 1


def test_none_is_touched_unless_one_is_named(visit, stick, led, packed):
    del visit.settings["recovery"]["led"]
    put(stick / "r3.lbu", packed[3])
    assert visit.run(reason="manual")[0] == 0
    assert all((led / n).read_text() == "\n" for n in FILES)


def test_a_name_with_a_slash_is_no_name(visit, led):
    visit.settings["recovery"]["led"] = "../../sda"
    status, run = visit.run(reason="manual")
    assert status == 1 and "recovery.led" in run.text()
