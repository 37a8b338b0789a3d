# SPDX-License-Identifier: GPL-2.0-or-later
"""A server asks for recovery: requests in the signed channel file, and when they count."""

import json
import shutil
import time

import pytest
from device import REQUEST

DAY = 86400


def visit(name, *serials, until=None):
    return {"id": name, "serials": list(serials or ["SN-1"]), "until": until or int(time.time()) + DAY}


@pytest.fixture
def seen(main, shop):
    """The device is SN-1, asks every second, and has seen the channel before: release 1, no request."""
    main.agent_settings.update(serial="SN-1", interval=1, health_retry=600)
    shop.offer(1, created=int(time.time()))
    assert main.agent("check")[0] == 3
    shop.ask = lambda *visits, releases=(1,): shop.offer(*releases, created=int(time.time()),
                                                         recovery=list(visits))
    return main


def given_back(main):
    """Recovery waited for nobody and gave main back."""
    main.put_records(STATE={"state": "confirmed"})
    main.put_env(lifeboat_boot="main")


def memory(main):
    return json.loads((main.data / "lifeboat" / "agent.json").read_text())


def polls(main, shop, daemon, count=2):
    """Waits until the channel was asked so often once more."""
    before = len(shop.asked("channel.lbc"))
    daemon.until(lambda: len(shop.asked("channel.lbc")) >= before + count)


def test_a_request_starts_recovery_once(seen, shop):
    shop.ask(visit("repair-7", "SN-0", "SN-1"))
    with seen.daemon() as d:
        d.until(seen.reboots)
    assert "request repair-7 (recovery-requested)" in d.log
    assert seen.state() == "confirmed" and seen.power_on() == "requested"
    assert seen.record(REQUEST)["recovery_only"] is True
    given_back(seen)
    with seen.daemon() as d:
        polls(seen, shop, d, 3)
        s = seen.status()
        assert s["recovery_request"]["id"] == "repair-7" and s["recovery_request"]["time"]
        assert s["recovery_request"]["code"] == "recovery-requested" and s["serial"] == "SN-1"
    assert seen.reboots() == 1 and seen.power_on() == "main"
    assert "request repair-7 (recovery-requested)" in seen.text("status")[1]


def test_the_request_goes_first_and_the_update_second(seen, shop):
    shop.ask(visit("a"), releases=(1, 2))
    with seen.daemon() as d:
        d.until(seen.reboots)
    assert seen.record(REQUEST)["recovery_only"] is True and seen.state() == "confirmed"
    given_back(seen)
    with seen.daemon() as d:
        d.until(lambda: seen.reboots() >= 2)
    assert seen.state() == "requested" and seen.status()["request"]["release"] == 2


@pytest.mark.parametrize("why", ["another device", "part of the number", "no number", "switched off", "over"])
def test_requests_that_do_not_count_keep_no_update_away(seen, shop, why):
    asked = visit("a")
    if why == "another device":
        asked = visit("a", "SN-2", "sn-1")
    if why == "part of the number":
        asked = visit("a", "SN-11", "SN-")
    if why == "no number":
        seen.agent_settings.update(serial="", serial_file=str(seen.data / "none"))
    if why == "switched off":
        seen.agent_settings["recovery_requests"] = False
    if why == "over":
        asked = visit("a", until=int(time.time()) - 2)
    shop.ask(asked, releases=(1, 2))
    assert seen.agent("check")[1]["recovery_request"] is None
    with seen.daemon() as d:
        d.until(seen.reboots)
    assert seen.state() == "requested" and seen.status()["request"]["release"] == 2
    assert "visits" not in memory(seen) and seen.status()["recovery_request"] is None


def test_check_shows_a_request_and_leaves_it(seen, shop):
    asked = visit("a")
    shop.ask(asked)
    for _ in range(2):
        status, answer = seen.agent("check")
        assert status == 3 and answer["recovery_request"] == {"id": "a", "until": asked["until"]}
        assert "the server asks for recovery" in answer["text"]
    assert seen.agent("install")[0] == 3 and seen.power_on() == "main"
    with seen.daemon() as d:
        d.until(seen.reboots)
    assert seen.agent("check")[1]["recovery_request"] is None


@pytest.mark.parametrize("first", ["daemon", "check", "install"])
def test_what_the_first_channel_lists_is_not_acted_on(main, shop, first):
    """A device without a memory cannot tell whether it was there before."""
    main.agent_settings.update(serial="SN-1", interval=1)
    old, new = visit("old"), visit("new")
    shop.offer(1, created=int(time.time()), recovery=[visit("other", "SN-2"), old])
    if first != "daemon":
        assert main.agent(first)[0] == 3
    with main.daemon() as d:
        polls(main, shop, d, 3)
        assert not main.reboots()
        s = main.status()["recovery_request"]
        assert (s["id"], s["code"]) == ("old", "request-not-new")
        shop.offer(1, created=int(time.time()), recovery=[old, new])
        d.until(main.reboots)
    assert main.status()["recovery_request"]["id"] == "new"


def test_a_lost_state_folder_does_not_bring_a_request_back(seen, shop):
    shop.ask(visit("a"))
    with seen.daemon() as d:
        d.until(seen.reboots)
    given_back(seen)
    shutil.rmtree(seen.data / "lifeboat")
    with seen.daemon() as d:
        polls(seen, shop, d, 3)
    assert seen.reboots() == 1 and seen.power_on() == "main"


def test_what_cannot_be_remembered_is_not_done(seen, shop):
    """Otherwise a folder that keeps nothing would make it start recovery for ever."""
    (seen.data / "lifeboat" / "agent.json.part").mkdir()  # where the new content is written
    shop.ask(visit("a"))
    with seen.daemon() as d:
        polls(seen, shop, d, 3)
        assert not seen.reboots() and seen.power_on() == "main"
        shop.ask(visit("a"), releases=(1, 2))
        d.until(seen.reboots)
    assert seen.status()["request"]["release"] == 2, "and keeps no update away"
    assert "request a for recovery:" in d.log and "(io-error)" in d.log


def test_an_old_channel_does_not_bring_a_request_back(seen, shop):
    """Replayed by whoever has a copy of it: after another one, and after the id was forgotten."""
    shop.ask(visit("a"))
    old = (shop.server.www / "channel.lbc").read_bytes()
    with seen.daemon() as d:
        d.until(seen.reboots)
    given_back(seen)
    shop.ask()
    assert seen.agent("check")[0] == 3
    known = memory(seen)
    del known["visits"]
    (seen.data / "lifeboat" / "agent.json").write_text(json.dumps(known))
    shop.put_channel(old)
    with seen.daemon() as d:
        d.until(lambda: (seen.status()["last_check"] or {}).get("code") == "channel-rollback")
        polls(seen, shop, d)
    assert seen.reboots() == 1 and seen.power_on() == "main"


def test_any_changed_byte_of_a_request_is_refused(seen, shop):
    shop.ask(visit("a", "SN-2"))
    path = shop.server.www / "channel.lbc"
    changed = path.read_bytes().replace(b'"SN-2"', b'"SN-1"')
    assert changed != path.read_bytes()
    shop.put_channel(changed)
    assert seen.agent("check")[1]["code"] == "signature-invalid"
    with seen.daemon() as d:
        polls(seen, shop, d)
    assert not seen.reboots()


def test_as_many_ids_are_remembered_as_a_channel_can_list(seen, shop):
    known = memory(seen)
    known["visits"] = [{"id": f"r{i}", "code": "recovery-requested", "time": 1} for i in range(16)]
    (seen.data / "lifeboat" / "agent.json").write_text(json.dumps(known))
    shop.ask(*(visit(f"r{i}") for i in range(16) if i != 9), visit("new"))
    with seen.daemon() as d:
        d.until(seen.reboots)
    assert [v["id"] for v in memory(seen)["visits"]] == [f"r{i}" for i in range(16) if i != 9] + ["new"]


def test_a_visit_that_is_due_already_comes_first(seen, shop):
    """Somebody else has asked: the request waits for its own visit."""
    assert seen.agent("reboot-recovery", "--no-reboot")[0] == 0
    shop.ask(visit("a"))
    with seen.daemon() as d:
        polls(seen, shop, d, 3)
        assert not seen.reboots() and "visits" not in memory(seen)
    given_back(seen)
    with seen.daemon() as d:
        d.until(seen.reboots)
    assert memory(seen)["visits"][-1]["id"] == "a"


def test_a_reboot_that_did_not_happen_is_made_up_for(seen, shop):
    """The agent is killed before it, then the command has no effect; recovery's visit ends it."""
    shop.ask(visit("a"), releases=(1, 2))
    reboot, seen.agent_settings["reboot"] = seen.agent_settings["reboot"], ["/bin/sh", "-c", "kill -9 $PPID"]
    with seen.daemon() as d:
        d.process.wait(timeout=60)
    assert seen.power_on() == "requested" and not seen.reboots()
    seen.agent_settings.update(reboot=reboot, retry_min=1, retry_max=1)
    with seen.daemon() as d:
        d.until(lambda: seen.reboots() >= 2)
    assert memory(seen)["visit_reboots"] >= 2 and seen.record(REQUEST)["recovery_only"] is True
    assert "a server has asked for recovery, but main still runs" in d.log
    given_back(seen)
    with seen.daemon() as d:
        d.until(lambda: seen.state() == "requested")
    assert memory(seen)["visit_pending"] is False and seen.status()["request"]["release"] == 2


def test_a_visit_is_not_replaced_by_an_update_where_somebody_else_reboots(seen, shop):
    seen.agent_settings["reboot"] = "none"
    shop.ask(visit("a"), releases=(1, 2))
    with seen.daemon() as d:
        d.until(lambda: seen.power_on() == "requested")
    with seen.daemon() as d:
        polls(seen, shop, d, 3)
        assert seen.record(REQUEST)["recovery_only"] is True and seen.state() == "confirmed"
    given_back(seen)
    with seen.daemon() as d:
        d.until(lambda: seen.state() == "requested")
    assert seen.status()["request"]["release"] == 2


@pytest.mark.parametrize("raw,serial", [(b"SN-1\0", "SN-1"), (b"SN-1\n", "SN-1"), (b"SN-1", "SN-1"), (b"SN 1\n", ""),
                                        (b"", ""), (b"x" * 64, ""), (b"\xff\n", "")])
def test_the_number_may_stand_in_a_file(main, raw, serial):
    path = main.data / "serial-number"
    path.write_bytes(raw)
    main.agent_settings["serial_file"] = str(path)
    assert main.status()["serial"] == serial
    main.agent_settings["serial"] = "of:the-settings"
    assert main.status()["serial"] == "of:the-settings"
