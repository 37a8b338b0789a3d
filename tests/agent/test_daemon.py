# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon: polling, back-off, trial, health checks, and what a cut leaves."""

import json
import signal
import time

import bundles
import pytest
from conftest import entry, make_bundle, channel_file
from device import CONFIRMED, INSTALLED, REQUEST, STATE_BYTES, release_record
from test_commands import RESULT_2, put_trial


def memory(main):
    return json.loads((main.data / "lifeboat" / "agent.json").read_text())


# ---- polling and installing ------------------------------------------------


def test_finds_checks_stages_and_reboots(main, shop):
    shop.offer(1, 2)
    with main.daemon() as d:
        d.until(main.reboots)
        assert main.state() == "requested" and main.power_on() == "requested"
        assert main.status()["request"]["release"] == 2
        assert main.status()["last_check"]["release"] == 2
    assert main.status()["daemon"]["running"] is False


def test_polls_again_with_etag_and_says_when(main, shop):
    shop.offer(1)
    main.agent_settings["interval"] = 1
    with main.daemon() as d:
        d.until(lambda: len(shop.asked("channel.lbc")) >= 3)
        assert shop.asked("channel.lbc")[:3] == [200, 304, 304]
        seen = []
        d.until(lambda: seen.append(main.status()) or seen[-1]["daemon"]["activity"] == "idle")
        s = seen[-1]
        assert s["daemon"]["running"]
        assert -60 < s["daemon"]["next_check"] - time.time() <= 2
        assert s["last_check"]["code"] == "ok"
        shop.offer(1, 2)
        d.until(main.reboots)


def test_hangup_asks_at_once(main, shop):
    shop.offer(1)
    with main.daemon() as d:
        d.until(lambda: shop.asked("channel.lbc"))
        d.until(lambda: main.status()["daemon"]["activity"] == "idle")
        d.process.send_signal(signal.SIGHUP)
        d.until(lambda: len(shop.asked("channel.lbc")) == 2)


def test_jitter_spreads_the_first_poll(main, shop):
    shop.offer(1)
    main.agent_settings["jitter"] = 600000
    with main.daemon() as d:
        d.until(lambda: main.status()["health"])
        time.sleep(0.5)
        assert not shop.asked("channel.lbc")


def test_without_auto_install_it_only_tells(main, shop):
    shop.offer(1, 2)
    main.agent_settings["auto_install"] = False
    with main.daemon() as d:
        d.until(lambda: (main.status()["last_check"] or {}).get("release") == 2)
        d.until(lambda: main.status()["daemon"]["activity"] == "idle")
    assert main.state() == "confirmed" and not main.reboots()


def test_refuses_in_main_what_recovery_would_refuse(main, shop):
    shop.put(2, make_bundle(shop.key, 2, images={"modem": b"x"}))
    shop.offer(1, 2)
    with main.daemon() as d:
        d.until(lambda: main.status()["last_install"])
        assert main.status()["last_install"]["code"] == "slot-missing"
    assert main.state() == "confirmed" and main.power_on() == "main"
    assert d.log.count("slot-missing") == 1, "said once, not at every attempt"


def test_backs_off_while_the_server_is_away(main, shop, server):
    shop.offer(1, 2)
    server.stop()
    main.agent_settings.update(retry_min=1, retry_max=2)
    with main.daemon() as d:
        d.until(lambda: (main.status()["last_check"] or {}).get("code") == "source-unreachable")
        server.start()
        d.until(main.reboots)
    assert "source-unreachable" in d.log


def test_retry_after_is_honoured(main, shop, server):
    shop.serve("location /channel.lbc { add_header Retry-After 600 always; return 503; }")
    main.agent_settings.update(retry_min=1, retry_max=1)
    with main.daemon() as d:
        d.until(lambda: main.status()["daemon"]["next_check"])
        assert main.status()["daemon"]["next_check"] > time.time() + 500
        time.sleep(1.5)
        assert shop.asked("channel.lbc") == [503]


def test_failed_polls_come_less_and_less_often(main, shop, server):
    shop.serve("location /channel.lbc { return 500; }")
    main.agent_settings.update(retry_min=1, retry_max=3600)
    with main.daemon() as d:
        d.until(lambda: len(shop.asked("channel.lbc")) >= 2)
        d.until(lambda: (main.status()["daemon"]["next_check"] or 0) >= time.time() + 1)
        assert main.status()["daemon"]["activity"] == "waiting to ask again"


def test_one_daemon_at_a_time(main, shop):
    shop.offer(1)
    with main.daemon() as d:
        d.until(lambda: main.status()["daemon"]["running"])
        p = main.popen("daemon")
        _, err = p.communicate(timeout=20)
        assert p.returncode == 1 and "busy" in err
        assert main.agent("check")[0] == 3, "commands work beside it"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_stops_when_asked(main, shop, how):
    shop.offer(1)
    with main.daemon() as d:
        d.until(lambda: main.status()["daemon"]["activity"] == "idle")
        assert d.stop(how) == 0


# ---- after a refusal -------------------------------------------------------


def given_back(main, request, code="source-unreachable"):
    """Recovery returned main untouched."""
    main.put_records(STATE={"state": "confirmed"},
                     RESULT={**RESULT_2, "code": code, "text": "no source answered for 10 min",
                             "deployment": request["deployment"], "main_changed": False})
    main.put_env(lifeboat_boot="main")


def test_a_release_that_recovery_gave_back_is_not_staged_again_at_once(main, shop):
    shop.offer(1, 2)
    main.agent_settings["health_retry"] = 600   # no second reboot meanwhile: they are counted
    with main.daemon() as d:
        d.until(main.reboots)
    given_back(main, main.record(REQUEST))
    main.agent_settings["interval"] = 1
    with main.daemon() as d:
        d.until(lambda: shop.asked("channel.lbc").count(304) >= 2)
        s = main.status()
        assert main.state() == "confirmed" and main.reboots() == 1
        assert s["backoff"]["release"] == 2 and s["backoff"]["failures"] == 1
        assert 3500 < s["backoff"]["not_before"] - time.time() <= 3600
        assert s["result"]["code"] == "source-unreachable"
        shop.offer(1, 2, 3)  # something new ends the waiting
        d.until(lambda: main.reboots() == 2)
        assert main.status()["request"]["release"] == 3


def test_the_waiting_doubles_and_a_person_may_end_it(main, shop):
    shop.offer(1, 2)
    main.agent_settings.update(refusal_min=1, refusal_max=3000, interval=1, health_retry=600)
    for attempt in (1, 2):
        with main.daemon() as d:
            d.until(lambda n=attempt: main.reboots() == n)
        given_back(main, main.record(REQUEST))
    main.agent_settings["refusal_min"] = 100
    with main.daemon() as d:
        d.until(lambda: main.status()["backoff"]["failures"] == 2)
        assert 150 < main.status()["backoff"]["not_before"] - time.time() <= 200
        assert main.reboots() == 2
    assert main.agent("install", "--no-reboot")[0] == 0
    assert main.status()["backoff"] is None


def test_a_clock_that_jumped_back_does_not_prolong_the_waiting(main, shop):
    shop.offer(1, 2)
    with main.daemon() as d:
        d.until(main.reboots)
    given_back(main, main.record(REQUEST))
    with main.daemon() as d:
        d.until(lambda: main.status()["backoff"])
    stored = memory(main)
    stored["attempt"]["not_before"] += 10**8
    (main.data / "lifeboat" / "agent.json").write_text(json.dumps(stored))
    with main.daemon() as d:
        d.until(lambda: main.status()["backoff"]["not_before"] < time.time() + 3601)


# ---- trial and health ------------------------------------------------------


def test_a_healthy_trial_is_confirmed(main, shop, key):
    shop.offer(1, 2)
    put_trial(main, key, RESULT=RESULT_2)
    main.check_script("10-first", f"echo one $LIFEBOAT_RELEASE $LIFEBOAT_TRIAL >>{main.folder}/ran\n")
    main.check_script("20-second", f"echo two >>{main.folder}/ran\n")
    main.check_script(".hidden", "exit 1\n")
    main.check_script("30-not-executable", "exit 1\n", mode=0o644)
    main.check_script("40-backup~", "exit 1\n")
    with main.daemon() as d:
        d.until(lambda: main.state() == "confirmed")
        d.until(lambda: main.env()["upgrade_available"] == "0")
    assert (main.folder / "ran").read_text() == "one 2 1\ntwo\n"
    s = main.status()
    assert s["health"]["code"] == "ok" and s["result"] == RESULT_2 and s["floor"] == 2
    assert main.env()["bootcount"] == "0" and not main.reboots()


def test_checks_inherit_nothing(main, key, monkeypatch):
    monkeypatch.setenv("SECRET", "s3cret")
    put_trial(main, key)
    main.check_script("10-look", f"(env; ls /proc/self/fd; cat; pwd) >{main.folder}/seen 2>&1\n")
    with main.daemon() as d:
        d.until(lambda: main.state() == "confirmed")
    seen = (main.folder / "seen").read_text().splitlines()
    assert "SECRET=s3cret" not in seen
    assert "PATH=/usr/sbin:/usr/bin:/sbin:/bin" in seen
    assert "LIFEBOAT_VERSION=2.0.0" in seen and seen[-1] == "/"
    assert {x for x in seen if x.isdigit()} <= {"0", "1", "2", "3"}  # 3: the folder that ls reads


@pytest.mark.parametrize("body,why", [
    ("echo nothing listens on port 80 >&2; exit 3\n", "20-bad failed with status 3: nothing listens"),
    ("kill -SEGV $$\n", "20-bad died of signal 11"),
    ("sleep 60\n", "20-bad did not end within 4 s"),
    ("sleep 60 & exit 5\n", "20-bad failed with status 5"),
])
def test_a_failed_check_is_left_to_the_boot_count(main, shop, key, body, why):
    shop.offer(1, 2)
    put_trial(main, key, RESULT=RESULT_2)
    main.agent_settings["health_timeout"] = 4     # the good one has to end in time
    main.check_script("10-good", "exit 0\n")
    main.check_script("20-bad", body)
    main.check_script("30-never", f"touch {main.folder}/never\n")
    with main.daemon() as d:
        d.until(main.reboots)
    assert main.state() == "trial" and main.env()["upgrade_available"] == "1"
    assert main.env()["bootcount"] == "1", "only the boot loader counts"
    s = main.status()
    assert s["health"]["code"] == "health-failed" and why in s["health"]["text"]
    assert s["result"]["code"] == "health-failed" and why in s["result"]["text"]
    assert s["result"]["release"] == 2 and s["result"]["fetched_bytes"] == 1000
    assert not (main.folder / "never").exists()
    assert not shop.asked("channel.lbc"), "nothing else is looked for on trial"


def test_confirmed_release_on_trial_again_is_not_given_up_for_a_failed_check(main, shop, key):
    """It was started too often: recovery gave it its boots once more. The channel may have the cure."""
    shop.offer(1, 2)
    same = bundles.split(make_bundle(key, 2, min_release=2))
    put_trial(main, key, CONFIRMED=release_record(same, 2, ()))
    main.check_script("10-bad", "exit 1\n")
    with main.daemon() as d:
        d.until(lambda: main.state() == "confirmed" and shop.asked("channel.lbc"))
    assert not main.reboots() and main.env()["bootcount"] == "0"
    assert main.status()["health"]["code"] == "health-failed"


def test_a_program_that_is_none(main, key):
    put_trial(main, key)
    path = main.health_dir / "10-bad"
    path.write_bytes(b"\x7fELF nonsense")
    path.chmod(0o755)
    with main.daemon() as d:
        d.until(main.reboots)
    assert main.status()["health"]["code"] == "health-failed"


def test_all_checks_together_have_a_limit(main, key):
    put_trial(main, key)
    main.agent_settings.update(health_timeout=60, health_total=2)
    for n in range(6):
        main.check_script(f"{n}0-slow", "sleep 0.7\n")
    with main.daemon() as d:
        d.until(main.reboots)
    assert main.status()["health"]["code"] == "health-failed"


def test_without_reboot_on_failure_it_checks_again(main, key):
    put_trial(main, key)
    main.agent_settings["reboot_on_failure"] = False
    main.check_script("10-later", f"test -e {main.folder}/ready\n")
    with main.daemon() as d:
        d.until(lambda: (main.status()["health"] or {}).get("code") == "health-failed")
        (main.folder / "ready").touch()
        d.until(lambda: main.state() == "confirmed")
    assert not main.reboots() and main.status()["health"]["code"] == "ok"


def test_a_person_may_confirm_instead(main, key):
    put_trial(main, key)
    main.agent_settings.update(reboot_on_failure=False)
    main.check_script("10-bad", "exit 1\n")
    with main.daemon() as d:
        d.until(lambda: (main.status()["health"] or {}).get("code") == "health-failed")
        assert main.agent("confirm")[0] == 0
    assert main.state() == "confirmed"


def test_a_healthy_confirmed_release_clears_its_boot_count(main, shop):
    shop.offer(1)
    main.put_env(bootcount="2")
    with main.daemon() as d:
        d.until(lambda: main.env()["bootcount"] == "0")


def test_an_unhealthy_confirmed_release_keeps_its_boot_count(main, shop):
    shop.offer(1)
    main.put_env(bootcount="2")
    main.check_script("10-bad", "exit 1\n")
    with main.daemon() as d:
        d.until(lambda: main.status()["health"])
        time.sleep(0.3)
    assert main.env()["bootcount"] == "2" and not main.reboots()


def test_an_update_may_be_what_makes_it_healthy(main, shop):
    shop.offer(1, 2)
    main.check_script("10-bad", "[ $LIFEBOAT_RELEASE = 2 ]\n")
    with main.daemon() as d:
        d.until(main.reboots)
    assert main.state() == "requested" and main.status()["health"]["code"] == "health-failed"


def test_output_that_is_no_text(main, key):
    put_trial(main, key)
    main.check_script("10-bad", "printf 'caf\\351 \\033[31mred\\000\\n'; exit 1\n")
    with main.daemon() as d:
        d.until(main.reboots)
    for told in (main.status()["health"], main.status()["result"]):
        assert told["code"] == "health-failed" and "caf? ?[31mred" in told["text"], told


def test_stopping_ends_a_running_check(main, key):
    put_trial(main, key)
    main.check_script("10-long", f"echo $$ >{main.folder}/pid; sleep 60\n")
    with main.daemon() as d:
        d.until(lambda: (main.folder / "pid").exists() and (main.folder / "pid").read_text())
        started = time.monotonic()
        assert d.stop() == 0
        assert time.monotonic() - started < 30
    assert main.state() == "trial" and not main.reboots()


# ---- what a cut leaves -----------------------------------------------------


def test_a_half_staged_request_is_withdrawn(main, shop, key):
    """The records said requested, the flag was not written yet."""
    shop.offer(1)
    main.put_records(STATE={"state": "requested", "release": 2},
                     REQUEST={"urls": ["https://example.invalid/2.lbu"], "release": 2})
    with main.daemon() as d:
        d.until(lambda: main.state() == "confirmed")
        d.until(lambda: main.status()["request"] is None)
    assert main.power_on() == "main"
    assert main.status()["backoff"] is None, "it never was tried"


def test_a_trial_that_the_environment_does_not_know_is_told_again(main, key):
    put_trial(main, key)
    main.put_env(upgrade_available="0", bootcount="0")
    main.agent_settings["reboot_on_failure"] = False
    main.check_script("10-bad", "exit 1\n")
    with main.daemon() as d:
        d.until(lambda: main.env()["upgrade_available"] == "1")
    assert main.state() == "trial"


def test_a_confirmation_that_the_environment_does_not_know_is_told_again(main, shop):
    shop.offer(1)
    main.put_env(upgrade_available="1", bootcount="1")
    with main.daemon() as d:
        d.until(lambda: main.env()["upgrade_available"] == "0")


# ---- a reboot that did not happen --------------------------------------------


def install_and_die(main, *args):
    """Staged; then the reboot takes the agent's process with it, and nothing else."""
    reboot = main.agent_settings["reboot"]
    main.agent_settings["reboot"] = ["/bin/sh", "-c", "kill -9 $PPID"]
    p = main.popen("install", *args)
    p.communicate(timeout=60)
    main.agent_settings["reboot"] = reboot
    assert main.state() == "requested" and main.power_on() == "requested"
    return p.returncode


def test_a_reboot_that_did_not_happen_is_made_up_for(main, shop):
    shop.offer(1, 2)
    assert install_and_die(main) == -signal.SIGKILL
    assert main.reboots() == 0 and memory(main)["attempt"]["reboot_wanted"] is True
    with main.daemon() as d:
        d.until(main.reboots)
        assert memory(main)["attempt"]["reboots"] == 1
    assert main.state() == "requested", "staged as before"


def test_reboots_without_effect_come_less_and_less_often(main, shop):
    """The count outlives the daemon: a device that always comes back to main is left usable."""
    shop.offer(1, 2)
    main.agent_settings.update(retry_min=1, retry_max=600)
    install_and_die(main)
    with main.daemon() as d:
        d.until(lambda: main.reboots() == 3)
    assert memory(main)["attempt"]["reboots"] == 3
    began = time.monotonic()
    with main.daemon() as d:
        d.until(lambda: "again" in main.status()["daemon"]["activity"])
        d.until(lambda: main.reboots() == 4)
    assert time.monotonic() - began > 3, "4 s have to pass, counted in whole ones"


@pytest.mark.parametrize("change", ["no-reboot", "none", "other"])
def test_nobody_is_rebooted_who_did_not_ask_for_it(main, shop, change):
    shop.offer(1, 2)
    if change == "no-reboot":
        assert main.agent("install", "--no-reboot")[0] == 0
    else:
        install_and_die(main)
    if change == "none":
        main.agent_settings["reboot"] = "none"
    if change == "other":  # somebody else staged something else meanwhile
        main.put_records(STATE={"state": "requested", "release": 3, "manifest": "ab" * 32},
                         REQUEST={"urls": ["/x"], "release": 3, "manifest": "ab" * 32})
    with main.daemon() as d:
        d.until(lambda: main.status()["daemon"]["activity"] == "waiting for a reboot into recovery")
        time.sleep(1.5)
        assert main.reboots() == 0


# ---- a device as the factory left it -----------------------------------------


def test_the_running_release_is_put_on_record(main, shop):
    """Without it recovery could neither compare main with anything nor fetch it again."""
    shop.offer(1)
    assert main.status()["confirmed"] is None
    with main.daemon() as d:
        d.until(lambda: main.status()["confirmed"])
    assert main.status()["confirmed"] == {"release": 1, "urls": [shop.url(1)]}
    assert main.records()[CONFIRMED] == release_record(bundles.split(shop.bundles[1]), 1,
                                                       [shop.url(1)])


def test_a_record_of_the_running_release_is_left_alone(main, shop):
    shop.offer(1)
    here = release_record(bundles.split(shop.bundles[1]), 1, ["https://example.invalid/1.lbu"])
    main.put_records(STATE={"state": "confirmed"}, CONFIRMED=here)
    main.agent_settings["interval"] = 1
    with main.daemon() as d:
        d.until(lambda: len(shop.asked("channel.lbc")) >= 2)
    assert main.records()[CONFIRMED] == here and not shop.asked("1.lbu")


def test_another_bundle_under_the_running_releases_name_is_not_believed(main, shop, key, stranger):
    shop.offer(1)
    shop.put(1, make_bundle(stranger, 1))
    main.agent_settings["interval"] = 1
    with main.daemon() as d:
        d.until(lambda: len(shop.asked("channel.lbc")) >= 2)
    assert main.status()["confirmed"] is None
    assert "release 1 is not on record" in d.log


# ---- records that say nothing -------------------------------------------------


@pytest.mark.parametrize("record", [b"junk", b'{"state":"asleep"}', b'{"state":7}'])
def test_a_state_that_is_not_understood_keeps_no_update_out(main, shop, record):
    shop.offer(1, 2)
    main.put_records(STATE=record)
    assert main.status()["state_lost"]
    with main.daemon() as d:
        d.until(main.reboots)
        assert main.state() == "requested" and not main.status()["state_lost"]
    assert "the state record is not understood" in d.log


def test_a_spoilt_record_of_the_running_release_is_made_anew(main, shop):
    """... and keeps no update out."""
    shop.offer(1, 2)
    main.put_records(STATE={"state": "confirmed"}, CONFIRMED=b"junk", FLOOR=b"junk", CLOCK=b"junk")
    with main.daemon() as d:
        d.until(main.reboots)
    assert main.status()["confirmed"] == {"release": 1, "urls": [shop.url(1)]}


def test_a_state_lost_on_trial_is_no_confirmation(main, shop):
    """The environment knows of the trial: health ends it, and nothing else."""
    shop.offer(1)
    main.put_env(upgrade_available="1", bootcount="1")
    main.write("state", bytes(STATE_BYTES))
    main.check_script("10-bad", "exit 1\n")
    with main.daemon() as d:
        d.until(lambda: main.status()["health"])
        assert (main.env()["upgrade_available"], main.env()["bootcount"]) == ("1", "1")
        main.check_script("10-bad", "exit 0\n")
        d.until(lambda: main.state() == "confirmed")
        d.until(lambda: main.env()["upgrade_available"] == "0")
    assert "made anew (state-lost)" in d.log


def test_main_that_runs_in_the_middle_of_an_update_says_so(main, shop):
    main.put_records(STATE={"state": "updating", "release": 2})
    with main.daemon() as d:
        d.until(lambda: main.status()["daemon"]["activity"] == "idle")
    assert "may not be whole" in d.log and main.state() == "updating"


def test_after_rescue_the_bad_release_is_not_installed_again_at_once(main, shop):
    """Release 2 was installed, never confirmed, and recovery brought release 1 back."""
    shop.offer(1, 2)
    main.agent_settings["health_retry"] = 600   # no second reboot meanwhile: they are counted
    with main.daemon() as d:
        d.until(main.reboots)
    one = bundles.split(shop.bundles[1])
    main.put_records(
        STATE={"state": "trial", "release": 1},
        INSTALLED=release_record(one, 1, [shop.url(1)]),
        CONFIRMED=release_record(one, 1, [shop.url(1)]),
        RESULT={**RESULT_2, "code": "trial-failed",
                "text": "release 2 on trial did not report healthy; release 1 is back"})
    main.put_env(lifeboat_boot="main", upgrade_available="1", bootcount="1")
    main.agent_settings["interval"] = 1
    with main.daemon() as d:
        d.until(lambda: main.state() == "confirmed")
        d.until(lambda: shop.asked("channel.lbc").count(304) >= 2)
        assert main.reboots() == 1
        s = main.status()
        assert s["backoff"]["failures"] == 1 and s["result"]["code"] == "trial-failed"


def test_success_forgets_the_attempt(main, shop, key):
    shop.offer(1, 2)
    with main.daemon() as d:
        d.until(main.reboots)
    assert memory(main)["attempt"]["release"] == 2
    main.put_records(STATE={"state": "trial", "release": 2},
                     INSTALLED=release_record(bundles.split(shop.bundles[2]), 2, [shop.url(2)]),
                     RESULT=RESULT_2)
    main.put_env(lifeboat_boot="main", upgrade_available="1", bootcount="1")
    main.set_release(2)
    with main.daemon() as d:
        d.until(lambda: main.state() == "confirmed")
        d.until(lambda: "attempt" not in memory(main))
    assert main.status()["confirmed"]["release"] == 2


def test_a_channel_that_goes_back_is_not_believed(main, shop, key):
    shop.offer(1, 2, sequence=9)
    main.agent_settings.update(auto_install=False, interval=1)
    with main.daemon() as d:
        d.until(lambda: (main.status()["last_check"] or {}).get("release") == 2)
        shop.server.put("channel.lbc", channel_file(
            key, [entry(shop.bundles[1], "1.lbu")], sequence=8))
        d.until(lambda: main.status()["last_check"]["code"] == "channel-rollback")
    assert memory(main)["sequence"] == 9
